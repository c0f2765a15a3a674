"""What goes into the truth of jobs, and what is told of them: plain records, beside the rows themselves."""

from dataclasses import dataclass, field
from typing import Any

from common.jobs.models import Job, ReferenceModel
from common.params import JobParams


@dataclass(frozen=True)
class NewPage:
    """A page of a job to be: where its bytes lie, or will lie once control has unpacked the archive."""

    name: str
    source: dict[str, Any] | None  # {key, sha256, size}
    truth_key: str | None = None
    truth_sha256: str | None = None


@dataclass(frozen=True)
class SeriesUse:
    """The series that a job to be belongs to, and what becomes of its references."""

    id: str  # of the series, or of the one that is made with the job
    name: str
    seen: list[dict[str, Any]] | None  # its references when it was looked up; None: there was no such series
    references: list[dict[str, Any]]  # what they are from now on: [{name, key, sha256, size}]

    @property
    def size(self) -> int:
        """Bytes of the references from now on; what was sent twice is one object."""
        return sum({reference["key"]: reference["size"] for reference in self.references}.values())


@dataclass(frozen=True)
class NewJob:
    id: str
    tenant_id: str
    params: JobParams
    pages: list[NewPage]
    references: list[dict[str, Any]]  # [{name, key, sha256}]
    archive_key: str | None = None
    archive_name: str | None = None
    keep_days: float | None = None  # after its end; None: as the settings say
    callback_url: str | None = None  # told when the job ends
    stored_bytes: int = 0  # references, truths, archive, extras
    name: str | None = None
    extras: list[dict[str, Any]] = field(default_factory=list)  # [{name, key, sha256, size}]
    series: SeriesUse | None = None


@dataclass(frozen=True)
class NewEvaluation:
    """A job to be that scores pictures: what lies where, as [{name, key, sha256}]."""

    id: str
    tenant_id: str
    real: list[dict[str, Any]]
    output: list[dict[str, Any]]
    references: list[dict[str, Any]]
    keep_days: float | None = None
    callback_url: str | None = None
    stored_bytes: int = 0  # all of its pictures
    name: str | None = None


@dataclass(frozen=True)
class NewHints:
    """Hints that somebody corrected: where they lie, and the key of those that they were made from, if that matters."""

    entry: dict[str, Any]  # {key, sha256, size}
    replaces: str | None = None


@dataclass(frozen=True)
class SetView:
    """What clients may know of a job's whole set; its figures are too many to be read with every job."""

    status: str
    artifacts: dict[str, Any]
    error_code: str | None
    error_detail: str | None


@dataclass(frozen=True)
class JobView:
    """A job with what clients ask about it in one read."""

    job: Job
    model: ReferenceModel | None
    counts: dict[str, int] = field(default_factory=dict)  # page status → number of pages
    whole_set: SetView | None = None  # None where nothing is scored together
    series: str | None = None  # its name


@dataclass(frozen=True)
class JobVersion:
    status: str
    model_status: str | None
    version: str  # SHA-256, hex


@dataclass(frozen=True)
class PageVersion:
    status: str
    version: str
