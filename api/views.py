"""From the truth to what clients see. Pure."""

from datetime import UTC, datetime

from api.requests import PaletteColour
from api.schemas import (
    DeliveryReply,
    ErrorView,
    JobReply,
    ModelView,
    PageCounts,
    PageReply,
    ReferenceView,
    SeriesReference,
    SeriesReply,
    StageTiming,
    TryView,
)
from common.colours import read_colours
from common.imaging import MEDIA_TYPES
from common.jobs.deliveries import DeliveryStatus
from common.jobs.garbage import expiry
from common.jobs.models import Delivery, Page, ReferenceModel, Series
from common.jobs.records import JobView, SetView
from common.jobs.states import JobKind, JobStatus, ModelStatus, PageStatus
from common.names import SET_ARTIFACTS, Artifact, Stage

PUBLIC_ARTIFACTS = tuple(artifact for artifact in Artifact if artifact not in (Artifact.REPORT, Artifact.TABLE))
"""What a page can be asked for."""


def view_job(view: JobView, keep_days: float) -> JobReply:
    """A job as clients see it; `keep_days` holds where the job names none of its own."""
    job = view.job
    here = f"/v1/jobs/{job.id}"
    links = {"self": here, "pages": f"{here}/pages"}
    if job.callback_url is not None:
        links["deliveries"] = f"{here}/deliveries"
    if job.result_key is not None:
        links["result"] = f"{here}/result"
    if view.whole_set is not None:
        links |= {artifact: f"{here}/{artifact}" for artifact in SET_ARTIFACTS if artifact in view.whole_set.artifacts}
    return JobReply(
        id=job.id,
        kind=JobKind(job.kind),
        name=job.name,
        series=view.series,
        status=JobStatus(job.status),
        params=job.params,
        references=[
            ReferenceView(name=reference["name"], link=f"{here}/references/{index}")
            for index, reference in enumerate(job.references, 1)
        ],
        pages=PageCounts(total=job.pages_total, **view.counts),
        reference_model=view.model and _view_model(view.model),
        error=_view_set_error(view.whole_set),
        created_at=iso_time(job.created_at),
        started_at=job.started_at and iso_time(job.started_at),
        finished_at=job.finished_at and iso_time(job.finished_at),
        expires_at=job.finished_at and iso_time(expiry(job.finished_at, job.keep_days or keep_days)),
        callback_url=job.callback_url,
        links=links,
    )


def view_series(series: Series) -> SeriesReply:
    here = f"/v1/series/{series.id}"
    return SeriesReply(
        id=series.id,
        name=series.name,
        references=[
            SeriesReference(
                name=reference["name"],
                sha256=reference["sha256"],
                size=reference["size"],
                link=f"{here}/references/{number}",
            )
            for number, reference in enumerate(series.references, 1)
        ],
        colours=[PaletteColour(old=old, new=new) for old, new in read_colours(series.colours).items()],
        created_at=iso_time(series.created_at),
        updated_at=iso_time(series.updated_at),
        links={"self": here},
    )


def view_page(page: Page) -> PageReply:
    here = f"/v1/jobs/{page.job_id}/pages/{page.number}"
    return PageReply(
        number=page.number,
        name=page.name,
        status=PageStatus(page.status),
        stage=page.stage and Stage(page.stage),
        attempt=page.attempt,
        error=_view_error(page.error_code, page.error_detail),
        timings={Stage(stage): StageTiming(**timing) for stage, timing in page.timings.items()},
        weights={Stage(stage): weights for stage, weights in page.weights.items()},
        metrics=page.metrics,
        artifacts={artifact: f"{here}/{artifact}" for artifact in PUBLIC_ARTIFACTS if artifact in page.artifacts},
        updated_at=iso_time(page.updated_at),
    )


def view_delivery(delivery: Delivery) -> DeliveryReply:
    return DeliveryReply(
        id=delivery.id,
        event=delivery.event,
        url=delivery.url,
        status=DeliveryStatus(delivery.status),
        tries=[TryView(**entry | {"at": iso_time(entry["at"])}) for entry in delivery.tries],
        next_at=iso_time(delivery.next_at) if delivery.status == DeliveryStatus.PENDING else None,
        created_at=iso_time(delivery.created_at),
    )


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def media_type_of(filename: str) -> str:
    """By suffix; octets where it says nothing."""
    suffix = filename.rsplit(".", 1)[-1].lower()
    if suffix == "json":
        return "application/json"
    return MEDIA_TYPES.get({"jpg": "jpeg"}.get(suffix, suffix), "application/octet-stream")


def _view_model(model: ReferenceModel) -> ModelView:
    return ModelView(
        key=model.key,
        status=ModelStatus(model.status),
        progress=round(model.progress, 3),
        losses=model.losses,
        seconds=model.seconds and round(model.seconds, 1),
        error=_view_error(model.error_code, model.error_detail),
    )


def _view_set_error(whole_set: SetView | None) -> ErrorView | None:
    # Only what is final: a failure that is tried again is no matter of the whole job.
    if whole_set is None or whole_set.status != PageStatus.FAILED:
        return None
    return _view_error(whole_set.error_code, whole_set.error_detail)


def _view_error(code: str | None, detail: str | None) -> ErrorView | None:
    return None if code is None else ErrorView(code=code, detail=detail or "")
