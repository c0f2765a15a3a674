"""What the server says of jobs, pages and series, as frozen records. Fields that a later server adds are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

ENDED: Final = ("succeeded", "partial", "failed", "cancelled")
"""The states in which a job stays, unless somebody corrects it or tries again."""
PICTURES: Final = ("final", "rough", "draft")
"""What a page ends with, the best first: with `stop_after` there is no final one."""


@dataclass(frozen=True)
class _Record:
    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From the API's JSON."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in told.items() if name in known})


@dataclass(frozen=True)
class Trouble(_Record):
    """Why something failed: a stable code, and words."""

    code: str
    detail: str


@dataclass(frozen=True)
class PageCounts(_Record):
    """How many pages of a job are in which state."""

    total: int
    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.cancelled + self.skipped


@dataclass(frozen=True)
class ReferenceModel(_Record):
    """The network trained on a job's references: status `pending`, `training`, `ready` or `failed`; progress 0..1."""

    key: str
    status: str
    progress: float
    seconds: float | None = None
    error: Trouble | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        return super().of({**told, "error": _trouble(told.get("error"))})


@dataclass(frozen=True)
class Job(_Record):
    """A chapter under way, or scored. Times are ISO 8601 in UTC; `links` are paths on the server."""

    id: str
    kind: str
    status: str
    pages: PageCounts
    name: str | None = None
    series: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[Mapping[str, str], ...] = ()
    reference_model: ReferenceModel | None = None
    error: Trouble | None = None
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    expires_at: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        model = told.get("reference_model")
        read = {
            "pages": PageCounts.of(told["pages"]),
            "references": tuple(told.get("references", ())),
            "reference_model": model and ReferenceModel.of(model),
            "error": _trouble(told.get("error")),
        }
        return super().of({**told, **read})

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class Page(_Record):
    """A page of a job: `stage` is due or under way; `artifacts` are paths on the server of what is there already."""

    number: int
    name: str
    status: str
    stage: str | None = None
    attempt: int = 0
    error: Trouble | None = None
    timings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] | None = None
    artifacts: Mapping[str, str] = field(default_factory=dict)
    updated_at: str = ""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        return super().of({**told, "error": _trouble(told.get("error"))})

    @property
    def picture(self) -> str | None:
        """The best picture that it has: `final`, `rough` or `draft`."""
        return next((name for name in PICTURES if name in self.artifacts), None)


@dataclass(frozen=True)
class Series(_Record):
    """What the server remembers of a series: references, and colours of the palette that people chose others for."""

    id: str
    name: str
    references: tuple[Mapping[str, Any], ...] = ()
    colours: tuple[Mapping[str, Any], ...] = ()
    created_at: str = ""
    updated_at: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        return super().of({**told, "references": tuple(told["references"]), "colours": tuple(told["colours"])})


@dataclass(frozen=True)
class Outlook(_Record):
    """How far down the queue a job is; `estimate_s` in seconds until it has ended, None where nothing is known."""

    pages_ahead: int
    pages_left: int
    estimate_s: float | None = None


@dataclass(frozen=True)
class Usage(_Record):
    used: int
    limit: int | None = None


@dataclass(frozen=True)
class Tenant(_Record):
    """Who the key belongs to, and what it may use."""

    id: str
    key: str | None
    scopes: tuple[str, ...]
    queued_pages: Usage
    stored_bytes: Usage
    requests_per_minute: int | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        usage = {name: Usage.of(told[name]) for name in ("queued_pages", "stored_bytes")}
        return super().of({**told, **usage, "scopes": tuple(told["scopes"])})


def _trouble(told: Mapping[str, Any] | None) -> Trouble | None:
    return None if told is None else Trouble.of(told)
