"""What is kept no longer is deleted, and nothing else: retention, orphans, leftovers, and who wins when two meet."""

from datetime import datetime

import pytest

from common.jobs.garbage import DAY_S
from common.jobs.models import LOCAL_TENANT
from tests.unit.api.conftest import picture, submit

GREY, COLOURED = picture(), picture(coloured=True)
FILES = {"pages": [(GREY, "001.png")], "references": [(COLOURED, "ref.png")]}
EVALUATION = {"kind": "evaluate", "real": [(GREY, "1.png")], "output": [(GREY, "1.png")]}


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("files", [FILES, EVALUATION])
@pytest.mark.parametrize(("given", "days"), [({}, 7), ({"keep_days": "0.5"}, 0.5)])
def test_a_job_says_when_it_expires_once_it_has_ended(client, files, given, days):
    here = submit(client, **files, **given).headers["Location"]
    assert client.get(here).json["expires_at"] is None
    job = client.post(f"{here}/cancel").json
    assert seconds(job["expires_at"]) - seconds(job["finished_at"]) == pytest.approx(days * DAY_S, abs=0.01)
    assert client.get("/v1/jobs").json["jobs"][0]["expires_at"] == job["expires_at"]


@pytest.mark.parametrize("keep_days", ["0", "-1", "365.1", "nan", "inf", "week"])
def test_keep_days_out_of_range_is_refused_by_name(client, context, keep_days):
    reply = submit(client, **FILES, keep_days=keep_days)
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
    assert "keep_days" in reply.json["detail"]
    assert context.jobs.list_jobs(LOCAL_TENANT, 9, None, None) == []


@pytest.mark.parametrize("keep_days", [0, 366, "week"])
def test_keep_days_of_a_json_body_is_checked_too(client, keep_days):
    reply = client.post("/v1/jobs", json={"keep_days": keep_days})
    assert reply.status_code == 400
    assert "keep_days" in reply.json["detail"]
