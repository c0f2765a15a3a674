"""What answers and bodies look like: one example of each model, as the OpenAPI document shows it."""

from typing import Any, Final

from pydantic import BaseModel

from api import requests, schemas
from api.problems import Problem
from common.hints import Hints
from common.params import JobParams

_JOB_ID: Final = "019ab3c7d2e40123456789abcdef0123"
_UPLOAD_ID: Final = "019ab3c7c0f10123456789abcdef4567"
_DELIVERY_ID: Final = "019ab3c8a1b20123456789abcdef89ab"
_JOB: Final = f"/v1/jobs/{_JOB_ID}"
_SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

_JOB_REPLY: Final = {
    "id": _JOB_ID,
    "kind": "colorize",
    "name": "Chapter 12",
    "series": "Night Scans",
    "status": "running",
    "params": JobParams().model_dump(mode="json"),
    "references": [{"name": "page-003-coloured.png", "link": f"{_JOB}/references/1"}],
    "pages": {"total": 24, "queued": 10, "running": 2, "succeeded": 12, "failed": 0, "cancelled": 0, "skipped": 0},
    "reference_model": {
        "key": _SHA256,
        "status": "ready",
        "progress": 1.0,
        "losses": {"l1": 0.031},
        "seconds": 44.8,
        "error": None,
    },
    "error": None,
    "created_at": "2026-11-27T07:00:00.000Z",
    "started_at": "2026-11-27T07:00:01.250Z",
    "finished_at": None,
    "expires_at": None,
    "callback_url": None,
    "links": {"self": _JOB, "pages": f"{_JOB}/pages"},
}
_PAGE_REPLY: Final = {
    "number": 1,
    "name": "ch01/001.png",
    "status": "running",
    "stage": "s2p",
    "attempt": 1,
    "error": None,
    "timings": {"cgan": {"seconds": 1.93, "cached": False, "warning": None}},
    "weights": {"cgan": "trained on the references"},
    "metrics": None,
    "artifacts": {name: f"{_JOB}/pages/1/{name}" for name in ("source", "draft", "hints")},
    "updated_at": "2026-11-27T07:00:47.000Z",
}

_SERIES_ID: Final = "019ab3c7d2e40123456789abcdef2468"
_SERIES: Final = f"/v1/series/{_SERIES_ID}"
_COLOURS: Final = [{"old": [214, 162, 95], "new": [224, 172, 105]}]
_SERIES_REPLY: Final = {
    "id": _SERIES_ID,
    "name": "Night Scans",
    "references": [
        {
            "name": "page-003-coloured.png",
            "sha256": _SHA256,
            "size": 2_411_724,
            "link": f"{_SERIES}/references/1",
        }
    ],
    "colours": _COLOURS,
    "created_at": "2026-11-20T07:00:00.000Z",
    "updated_at": "2026-11-27T07:12:31.000Z",
    "links": {"self": _SERIES},
}

EXAMPLES: Final[dict[type[BaseModel], dict[str, Any]]] = {
    requests.UploadRequest: {"filename": "chapter-01.cbz", "size": 31_457_280, "sha256": _SHA256},
    schemas.UploadReply: {
        "id": _UPLOAD_ID,
        "method": "PUT",
        "url": "https://bucket.example/uploads/night-scans/019ab3…?X-Amz-Signature=…",
        "headers": {"Content-Type": "application/octet-stream"},
        "expires_at": "2026-11-27T08:00:00.000Z",
        "received": False,
    },
    schemas.UploadView: {
        "id": _UPLOAD_ID,
        "filename": "chapter-01.cbz",
        "size": 31_457_280,
        "sha256": _SHA256,
        "received": True,
    },
    requests.JobRequest: {
        "name": "Chapter 12",
        "series": "Night Scans",
        "archive": _UPLOAD_ID,
        "references": ["019ab3c7c8a20123456789abcdef0a1b"],
        "params": {"blend": 0.8},
        "keep_days": 3,
        "callback_url": "https://example.org/hooks/nurie",
    },
    schemas.JobReply: _JOB_REPLY,
    schemas.JobListReply: {"jobs": [_JOB_REPLY], "next": None},
    schemas.PageReply: _PAGE_REPLY,
    schemas.PageListReply: {"pages": [_PAGE_REPLY], "next": None},
    schemas.RetryReply: {"retried": 2},
    schemas.RerunReply: {"stage": "s2p"},
    requests.PaletteRequest: {"colours": _COLOURS},
    schemas.PaletteReply: {"pages": [1, 4, 7]},
    schemas.SeriesReply: _SERIES_REPLY,
    schemas.SeriesListReply: {"series": [_SERIES_REPLY], "next": None},
    requests.SeriesColoursRequest: {"colours": _COLOURS},
    schemas.QueueReply: {"pages_ahead": 36, "pages_left": 10, "estimate_s": 94.5},
    schemas.DeliveryListReply: {
        "deliveries": [
            {
                "id": _DELIVERY_ID,
                "event": "job.ended",
                "url": "https://example.org/hooks/nurie",
                "status": "delivered",
                "tries": [
                    {"at": "2026-11-27T07:01:10.000Z", "seconds": 0.412, "status": 503, "error": "not taken"},
                    {"at": "2026-11-27T07:01:15.500Z", "seconds": 0.201, "status": 204, "error": None},
                ],
                "next_at": None,
                "created_at": "2026-11-27T07:01:09.800Z",
            }
        ]
    },
    schemas.TenantReply: {
        "id": "night-scans",
        "key": "0f3a9c51d2e4b687",
        "scopes": ["read", "submit"],
        "queued_pages": {"used": 36, "limit": 2000},
        "stored_bytes": {"used": 734_003_200, "limit": 200_000_000_000},
        "requests_per_minute": 600,
    },
    schemas.WebhookSecretReply: {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    schemas.HealthReply: {"status": "ok"},
    schemas.ReadyReply: {"database": "ok", "storage": "ok", "broker": "ok"},
    Hints: {
        "version": 1,
        "size": [1600, 2263],
        "hints": [{"x": 0.31, "y": 0.18, "rgb": [224, 172, 105], "region": 12, "source": "user", "entry": 1}],
        "palette": [[250, 250, 250], [221, 168, 101]],
    },
    JobParams: {"blend": 0.6, "saturation": 1.4},
}
"""By model."""

PROBLEMS: Final = {
    400: ("bad_image", "page 12 (012.png): truncated or damaged"),
    401: ("unauthorized", "send your API key: Authorization: Bearer nurie_…"),
    403: ("forbidden", "this key has not the scope 'submit', which POST needs here"),
    404: ("not_found", f"no job {_JOB_ID}"),
    409: ("conflict", f"job {_JOB_ID} is running: cancel it before deleting it"),
    413: ("too_large", "chapter-01.cbz: 2147483647 bytes is over the limit of 2000000000 bytes"),
    415: ("unsupported_media_type", "send application/json"),
    422: ("idempotency_key_reused", "this Idempotency-Key belongs to another request"),
    429: ("quota_exceeded", "pages: 1990 pages are under way, 24 more are over this tenant's limit of 2000"),
    500: ("internal", "internal error, trace id 019ab3c9f0a10123456789abcdefcdef"),
    503: ("storage_unavailable", "the storage does not answer: try again later"),
}
"""By status: code and detail."""

EVENTS: Final = (
    "retry: 2000\n\n"
    'id: 1795762847000000-0c1d2e3f4a5b6c7d\nevent: page\ndata: {"number": 1, "status": "running", …}\n\n'
    f'id: 1795762847000000-9f86d081884c7d65\nevent: job\ndata: {{"id": "{_JOB_ID}", "status": "running", …}}\n\n'
)

METRICS: Final = (
    "# HELP nurie_queue_demand Slots that could work at this moment.\n# TYPE nurie_queue_demand gauge\n"
    'nurie_queue_demand{queue="cgan"} 12.0\n'
)


def problem_example(status: int, title: str, path: str) -> dict[str, Any]:
    code, detail = PROBLEMS[status]
    problem = Problem(title=title, status=status, code=code, detail=detail, instance=path.replace("{job_id}", _JOB_ID))
    return problem.model_dump()
