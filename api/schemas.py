"""What the API gives, as Pydantic models. With what it takes (`requests.py`) the source of the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.requests import Id, PaletteColour
from common.api_keys import Scope
from common.jobs.deliveries import DeliveryStatus
from common.jobs.states import JobKind, JobStatus, ModelStatus, PageStatus
from common.names import Artifact, Stage


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


class RetryReply(BaseModel):
    retried: int = Field(description="How many failed pages were queued again; a failed report counts as one.")


class RerunReply(BaseModel):
    stage: Stage | None = Field(description="The page runs again from here; null when nothing changed.")


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
