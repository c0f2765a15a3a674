"""What the API takes and gives, as Pydantic models: the source of the OpenAPI document."""

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.api_keys import Scope
from common.colours import MAX_COLOURS
from common.hints import MAX_PALETTE, Rgb
from common.jobs.deliveries import DeliveryStatus
from common.jobs.states import JobKind, JobStatus, ModelStatus, PageStatus
from common.names import Artifact, Stage
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


class UploadReply(BaseModel):
    id: Id
    method: Literal["PUT"] = "PUT"
    url: str = Field(description="Send the bytes here, with exactly these headers.")
    headers: dict[str, str]
    expires_at: str
    received: bool = Field(description="Whether all bytes are there already: then nothing need be sent.")


class UploadView(BaseModel):
    id: Id
    filename: str
    size: int
    sha256: str | None
    received: bool = Field(description="Whether all bytes are there; they are not compared with sha256 yet.")


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


class ErrorView(BaseModel):
    code: str
    detail: str


class PageCounts(BaseModel):
    total: int
    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0


class ModelView(BaseModel):
    """The cGAN trained on the job's references."""

    key: str
    status: ModelStatus
    progress: float = Field(description="0..1")
    losses: dict[str, float]
    seconds: float | None
    error: ErrorView | None


class ReferenceView(BaseModel):
    name: str
    link: str


class JobReply(BaseModel):
    id: Id
    kind: JobKind
    name: str | None
    series: str | None = Field(description="Name of the series that it belongs to; null: of none, or of a deleted one.")
    status: JobStatus
    params: dict[str, Any]
    references: list[ReferenceView]
    pages: PageCounts
    reference_model: ModelView | None = Field(description="null in an evaluation, which trains nothing.")
    error: ErrorView | None = Field(description="Why the scoring of all pages together, or the evaluation, failed.")
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None = Field(description="The job is deleted after this; null until it has ended.")
    callback_url: str | None
    links: dict[str, str]


class JobListReply(BaseModel):
    jobs: list[JobReply]
    next: str | None = Field(description="Pass it as `cursor` for the jobs before these; null at the end.")


class StageTiming(BaseModel):
    seconds: float
    cached: bool
    warning: str | None = Field(None, description="What a person should know of the result; null when all is well.")


class PageReply(BaseModel):
    number: int
    name: str
    status: PageStatus
    stage: Stage | None
    attempt: int
    error: ErrorView | None
    timings: dict[Stage, StageTiming]
    weights: dict[Stage, str]
    metrics: dict[str, Any] | None
    artifacts: dict[Artifact, str] = Field(description="Where to get what is there already.")
    updated_at: str


class PageListReply(BaseModel):
    pages: list[PageReply]
    next: int | None = Field(description="Pass it as `cursor` for the pages after these; null at the end.")


class TryView(BaseModel):
    at: str
    seconds: float
    status: int | None = Field(description="HTTP status; null when nothing was answered.")
    error: str | None = Field(description="null when it was taken.")


class DeliveryReply(BaseModel):
    id: Id = Field(description="The webhook-id, the same at every try.")
    event: str = Field(examples=["job.ended"])
    url: str
    status: DeliveryStatus
    tries: list[TryView]
    next_at: str | None = Field(description="When it is tried next; null when it is tried no more.")
    created_at: str


class DeliveryListReply(BaseModel):
    deliveries: list[DeliveryReply] = Field(description="The latest first.")


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


class RetryReply(BaseModel):
    retried: int = Field(description="How many failed pages were queued again; a failed report counts as one.")


class RerunReply(BaseModel):
    stage: Stage | None = Field(description="The page runs again from here; null when nothing changed.")


class PaletteColour(BaseModel):
    model_config = ConfigDict(extra="forbid")

    old: Rgb = Field(description="A colour of the hints' `palette`.")
    new: Rgb = Field(description="What its automatic dots get.")


class PaletteRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    colours: list[PaletteColour] = Field(min_length=1, max_length=MAX_PALETTE)


class PaletteReply(BaseModel):
    pages: list[int] = Field(description="Numbers of the pages that run again from s2p.")


class SeriesReference(BaseModel):
    name: str
    sha256: str
    size: int = Field(description="Bytes.")
    link: str


class SeriesReply(BaseModel):
    id: Id
    name: str
    references: list[SeriesReference]
    colours: list[PaletteColour] = Field(description="Corrected ones, which the hints of its new jobs get.")
    created_at: str
    updated_at: str
    links: dict[str, str]


class SeriesListReply(BaseModel):
    series: list[SeriesReply]
    next: str | None = Field(description="Pass it as `cursor` for the series before these; null at the end.")


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


class QueueReply(BaseModel):
    pages_ahead: int = Field(description="Pages that go before the last of this job's.")
    pages_left: int = Field(description="Pages of this job that have not ended.")
    estimate_s: float | None = Field(description="Until the job has ended, by recent times; null: none is known yet.")


class UsageView(BaseModel):
    used: int
    limit: int | None = Field(description="null: as much as there is.")


class TenantReply(BaseModel):
    id: str = Field(examples=["night-scans"])
    key: str | None = Field(
        description="Id of the key that asked; null in embedded mode.", examples=["0f3a9c51d2e4b687"]
    )
    scopes: list[Scope]
    queued_pages: UsageView = Field(description="Pages that have not ended.")
    stored_bytes: UsageView = Field(description="Bytes of uploads, pages, results and series.")
    requests_per_minute: int | None


class WebhookSecretReply(BaseModel):
    secret: str = Field(
        description="What deliveries are signed with.", examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    )


class HealthReply(BaseModel):
    status: Literal["ok"] = "ok"


class ReadyReply(BaseModel):
    database: str
    storage: str
    broker: str
