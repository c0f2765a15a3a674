"""What the API takes, as Pydantic models: bodies, paths and queries. What it gives is in `schemas.py`."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from common.colours import MAX_COLOURS
from common.hints import MAX_PALETTE, Rgb
from common.jobs.states import JobKind, JobStatus
from common.webhooks import MAX_URL_CHARS

MAX_INTEGER = 2**31 - 1
"""The largest that the database's integers hold."""
MAX_KEEP_DAYS = 365
MAX_NAME_CHARS = 200
JobName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS, pattern=r"^[^\x00-\x1f\x7f]+$")]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", examples=["019ab3c7d2e40123456789abcdef0123"])]


class Asked(BaseModel):
    """Parameters of a path or a query. The framework asks for their schema at every request, which takes its time."""

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        return _schema(cls, arguments, tuple(options.items()))


@cache
def _schema(model: type[Asked], arguments: tuple[Any, ...], options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    return super(Asked, model).model_json_schema(*arguments, **dict(options))


class UploadRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    filename: str = Field(min_length=1, max_length=255, examples=["chapter-01.cbz"])
    size: int = Field(ge=0, le=MAX_INTEGER, description="Bytes.", examples=[31_457_280])
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="Checked when a job takes the upload.")


class JobRequest(BaseModel):
    """A job by upload ids: `colorize` takes pages or an archive, `evaluate` takes real and output."""

    model_config = ConfigDict(extra="forbid")

    kind: JobKind = JobKind.COLORIZE
    name: JobName | None = Field(
        None, description="What to call the job; the result's file is named like it.", examples=["Chapter 12"]
    )
    series: JobName | None = Field(
        None,
        description="colorize: the series that the chapter belongs to. Without references those of the series hold; "
        "references that are sent become the series' own.",
        examples=["Night Scans"],
    )
    pages: list[Id] = Field(default=[], description="Upload ids of pictures, in reading order.")
    archive: Id | None = Field(None, description="Upload id of a ZIP or CBZ, instead of pages.")
    references: list[Id] = Field(default=[], description="Upload ids of coloured pages of the same work.")
    extras: list[Id] = Field(
        default=[],
        description="Upload ids of files that are no pages, such as ComicInfo.xml: the result has them as they are. "
        "Only with pages; an archive brings its own.",
    )
    truths: list[Id] = Field(default=[], description="Upload ids of pages in colour, named like the pages.")
    params: dict[str, Any] = Field(default={}, description="Parameters; see JobParams.")
    keep_days: float | None = Field(
        None, gt=0, le=MAX_KEEP_DAYS, description="Days after its end when the job is deleted; null: the server's own."
    )
    callback_url: str | None = Field(
        None,
        max_length=MAX_URL_CHARS,
        description="Told when the job ends, by a signed POST (docs/webhooks.md).",
        examples=["https://example.org/hooks/nurie"],
    )
    real: list[Id] = Field(default=[], description="evaluate: upload ids of the true pictures.")
    output: list[Id] = Field(default=[], description="evaluate: upload ids of the results, named like the true ones.")


class JobPath(Asked):
    job_id: str


class UploadPath(Asked):
    upload_id: str


class ReferencePath(JobPath):
    index: int = Field(le=MAX_INTEGER)


class PagePath(JobPath):
    number: int = Field(le=MAX_INTEGER)


class ArtifactPath(PagePath):
    artifact: str


class JobQuery(Asked):
    wait: float = Field(0, ge=0, le=30, description="Answer when the job changes, or after so many seconds.")


class JobListQuery(Asked):
    limit: int = Field(20, ge=1, le=100)
    cursor: Id | None = None
    status: JobStatus | None = None


class PageListQuery(Asked):
    limit: int = Field(100, ge=1, le=1000)
    cursor: int = Field(0, ge=0, le=MAX_INTEGER)


class PaletteColour(BaseModel):
    model_config = ConfigDict(extra="forbid")

    old: Rgb = Field(description="A colour of the hints' `palette`.")
    new: Rgb = Field(description="What its automatic dots get.")


class PaletteRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    colours: list[PaletteColour] = Field(min_length=1, max_length=MAX_PALETTE)


class SeriesColoursRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    colours: list[PaletteColour] = Field(max_length=MAX_COLOURS, description="All that are to hold.")


class SeriesPath(Asked):
    series_id: str


class SeriesReferencePath(SeriesPath):
    index: int = Field(le=MAX_INTEGER)


class SeriesListQuery(Asked):
    limit: int = Field(20, ge=1, le=100)
    cursor: Id | None = None
    name: JobName | None = None
