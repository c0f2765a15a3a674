"""Evaluations, from the door to the archive; and how a job's report is reached."""

import io
import zipfile
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from common.jobs.dispatch import DispatchStore
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Upload
from common.jobs.states import JobStatus
from common.jobs.work import WorkStore
from common.names import SET_ARTIFACTS, Artifact, Stage
from storage import keys
from tests.unit.api.conftest import picture, submit
from workers.control.packaging import package_jobs
from workers.stage import Resources, StageRun, execute_stage

GREY, COLOURED = picture(), picture(coloured=True)
CONTENTS = {Artifact.METRICS: b'{"fid": 1.0}', Artifact.REPORT: b"<h1>Report</h1>", Artifact.TABLE: b"name,psnr\n"}


def evaluate(client, **fields):
    return submit(client, **({"kind": "evaluate", "real": [(COLOURED, "1.png")], "output": [(GREY, "1.jpg")]} | fields))


def upload(client, context, data: bytes, name: str) -> str:
    announced = client.post("/v1/uploads", json={"filename": name, "size": len(data)}).json
    key = keys.upload(LOCAL_TENANT, announced["id"])
    context.store.put(key, data, media_type="image/png")
    return announced["id"]


class Worker:
    """A worker of the metrics queue, and control, on the API's own database and store."""

    def __init__(self, context) -> None:
        work = WorkStore(context.database, 60, "worker-1")
        self.dispatch = DispatchStore(context.database, queue_lease_s=30, max_failures=3)
        self.resources = Resources(context.settings, work, context.store, context.broker)

    def score(self, work=None) -> None:
        (message,) = self.dispatch.start_pages(interactive_pages=4)
        assert (message.ref.number, message.first, message.last) == (WHOLE_SET, Stage.METRICS, Stage.METRICS)
        execute_stage(self.resources, Stage.METRICS, message.ref, work or self.write_all)

    def write_all(self, run: StageRun) -> None:
        self.files = self.resources.work.set_files(run.claim.ref.job_id)
        run.metrics = {"fid": 1.0}
        for artifact in SET_ARTIFACTS:
            run.write(artifact, CONTENTS[artifact])

    def package(self) -> None:
        package_jobs(self.dispatch, self.resources.store)


@pytest.fixture
def worker(context) -> Worker:
    return Worker(context)


def fetch(client, path):
    """What a link of the API leads to."""
    found = client.get(path)
    assert found.status_code == 302, found.json
    url = urlsplit(found.headers["Location"])
    return client.get(f"{url.path}?{url.query}")


def test_an_evaluation_goes_from_the_door_to_an_archive_without_a_model(client, worker):
    reply = evaluate(client)
    assert reply.status_code == 202, reply.json
    job, where = reply.json, reply.headers["Location"]
    assert (job["kind"], job["status"], job["params"]) == ("evaluate", "queued", {})
    assert (job["pages"]["total"], job["reference_model"], job["error"]) == (0, None, None)
    assert worker.dispatch.start_trainings() == []
    seen = []

    def work(run: StageRun) -> None:
        seen.append(client.get(where).json["status"])
        worker.write_all(run)

    worker.score(work)
    seen.append(client.get(where).json["status"])
    worker.package()
    job = client.get(where).json
    assert [*seen, job["status"]] == ["running", "packaging", "succeeded"]
    assert client.get(job["links"]["pages"]).json["pages"] == []
    with fetch(client, job["links"]["result"]) as file:
        assert f"nurie-{job['id']}.zip" in file.headers["Content-Disposition"]
        archive = zipfile.ZipFile(io.BytesIO(file.data))
    assert {name: archive.read(name) for name in archive.namelist()} == {
        "metrics.json": CONTENTS[Artifact.METRICS],
        "report.html": CONTENTS[Artifact.REPORT],
        "metrics.csv": CONTENTS[Artifact.TABLE],
    }


def test_the_files_are_kept_under_their_names_for_the_scoring(client, context, worker):
    evaluate(
        client,
        real=[(COLOURED, "b.png"), (GREY, "a.png")],
        output=[(b"no picture", "sub/a.webp")],
        references=[(COLOURED, "ref.png")],
    )
    worker.score()
    files = worker.files
    get = context.store.get
    assert [(file.name, get(file.key)) for file in files.real] == [("b.png", COLOURED), ("a.png", GREY)]
    assert [(file.name, get(file.key)) for file in files.output] == [("sub/a.webp", b"no picture")]
    assert [(file.name, get(file.key)) for file in files.references] == [("ref.png", COLOURED)]
    assert files.pages == []


def test_an_evaluation_by_upload_ids(client, context, worker):
    real, output = upload(client, context, COLOURED, "1.png"), upload(client, context, GREY, "1.png")
    reply = client.post("/v1/jobs", json={"kind": "evaluate", "real": [real], "output": [output]})
    assert reply.status_code == 202, reply.json
    worker.score()
    assert [context.store.get(file.key) for file in worker.files.real + worker.files.output] == [COLOURED, GREY]


def test_an_evaluation_that_fails_says_why_and_can_be_tried_again(client, worker):
    where = evaluate(client).headers["Location"]

    def fail(_run: StageRun) -> None:
        raise ZeroDivisionError

    worker.score(fail)
    worker.package()
    job = client.get(where).json
    assert (job["status"], job["error"]["code"]) == ("failed", "internal")
    assert "result" not in job["links"]
    assert client.post(f"{where}/retry").json == {"retried": 1}
    assert client.get(where).json["error"] is None
    worker.score()
    worker.package()
    assert client.get(where).json["status"] == "succeeded"


BAD = {
    "no real": ({"real": []}, 400, "bad_request", "real"),
    "no output": ({"output": []}, 400, "bad_request", "output"),
    "same name twice": (
        {"real": [(COLOURED, "a/Page.png"), (GREY, "a/page.jpg")]},
        400,
        "bad_request",
        "real: a/Page.png and a/page.jpg",
    ),
    "grey reference": ({"references": [(GREY, "flat.png")]}, 400, "bad_image", "reference 1 (flat.png)"),
    "too many references": ({"references": [(COLOURED, "r.png")] * 21}, 413, "too_large", "20"),
    "pages": ({"pages": [(GREY, "1.png")]}, 400, "bad_request", "'pages'; a job of kind evaluate has"),
    "archive": ({"archive": [(b"", "1.zip")]}, 400, "bad_request", "'archive'"),
    "truths": ({"truths": [(GREY, "1.png")]}, 400, "bad_request", "'truths'"),
    "params": ({"params": "{}"}, 400, "bad_request", "'params'"),
    "no files": ({"real": "text"}, 400, "bad_request", "real: send files"),
    "kind": ({"kind": "sing"}, 400, "bad_request", "colorize, evaluate"),
    "kind colorize": ({"kind": "colorize"}, 400, "bad_request", "'real'; a job of kind colorize has"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_evaluation_is_refused_by_name_and_leaves_nothing(client, context, case):
    fields, status, code, named = BAD[case]
    reply = evaluate(client, **fields)
    assert (reply.status_code, reply.json["code"]) == (status, code), reply.json
    assert named in reply.json["detail"]
    assert context.jobs.list_jobs(LOCAL_TENANT, 10, None, None) == []
    assert list(context.store.list_keys("")) == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"kind": "evaluate", "pages": []}, "'pages'"),
        ({"kind": "evaluate", "params": {}}, "'params'"),
        ({"real": []}, "'real'"),
        ({"kind": "evaluate", "real": ["0" * 32], "output": ["0" * 32]}, "no upload"),
    ],
)
def test_a_bad_evaluation_by_upload_ids_is_refused(client, body, named):
    reply = client.post("/v1/jobs", json=body)
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
    assert named in reply.json["detail"]


def test_limits_hold_for_evaluations_and_leave_nothing(client, context, monkeypatch):
    for limits in ({"max_pages": 1}, {"max_image_bytes": len(COLOURED) - 1}):
        monkeypatch.setitem(
            client.application.extensions,
            "nurie",
            replace(context, settings=context.settings.model_copy(update=limits)),
        )
        reply = evaluate(client, output=[(GREY, "1.png"), (COLOURED, "2.png")])
        assert (reply.status_code, reply.json["code"]) == (413, "too_large")
        assert list(context.store.list_keys("")) == []


def test_a_file_that_was_never_sent_leaves_nothing_of_the_others(client, context):
    real = upload(client, context, COLOURED, "1.png")
    never = "f" * 32
    context.uploads.announce(
        Upload(
            id=never,
            tenant_id=LOCAL_TENANT,
            filename="1.png",
            size=5,
            storage_key=keys.upload(LOCAL_TENANT, never),
            created_at=0.0,
        )
    )
    reply = client.post("/v1/jobs", json={"kind": "evaluate", "real": [real], "output": [never]})
    assert "never sent" in reply.json["detail"]
    assert list(context.store.list_keys("jobs/")) == []
    assert context.jobs.list_jobs(LOCAL_TENANT, 10, None, None) == []


@pytest.mark.parametrize(
    ("link", "media_type"),
    [("metrics", "application/json"), ("report", "text/html; charset=utf-8"), ("table", "text/csv; charset=utf-8")],
)
def test_a_report_is_a_download_and_never_a_page_of_our_own(client, worker, link, media_type):
    where = evaluate(client).headers["Location"]
    missing = client.get(f"{where}/{link}")
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")
    assert f"no {link} yet" in missing.json["detail"]
    assert link not in client.get(where).json["links"]
    worker.score()
    with fetch(client, client.get(where).json["links"][link]) as file:
        assert file.data == CONTENTS[Artifact(link)]
        assert file.headers["Content-Type"] == media_type
        assert file.headers["Content-Disposition"].startswith("attachment;")
        assert file.headers["X-Content-Type-Options"] == "nosniff"


def test_the_set_of_a_chapter_is_none_of_its_pages(client):
    reply = submit(client, pages=[(GREY, "1.png")], references=[(COLOURED, "ref.png")])
    where = reply.headers["Location"]
    assert reply.json["pages"]["total"] == reply.json["pages"]["queued"] == 1
    assert [page["number"] for page in client.get(f"{where}/pages").json["pages"]] == [1]
    for answer in (
        client.get(f"{where}/pages/0"),
        client.get(f"{where}/pages/0/metrics"),
        client.put(f"{where}/pages/0/hints", json={"version": 1, "size": [40, 30], "hints": []}),
        client.patch(f"{where}/pages/0/params", json={"blend": 0.5}),
        client.get(f"{where}/pages/1/report"),
        client.get(f"{where}/pages/1/table"),
        client.get(f"{where}/report"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_chapter_that_stops_early_has_no_report_and_says_so(client):
    more = {"params": '{"stop_after": "cgan"}'}
    reply = submit(client, pages=[(GREY, "1.png")], references=[(COLOURED, "ref.png")], **more)
    answer = client.get(f"{reply.headers['Location']}/report")
    assert answer.status_code == 404
    assert "scored together" in answer.json["detail"]


def test_evaluations_are_listed_cancelled_and_deleted_as_other_jobs(client, context, worker):
    where = evaluate(client).headers["Location"]
    assert [job["kind"] for job in client.get("/v1/jobs").json["jobs"]] == ["evaluate"]
    assert client.post(f"{where}/cancel").json["status"] == JobStatus.CANCELLED
    assert worker.dispatch.start_pages(interactive_pages=4) == []
    assert client.delete(where).status_code == 204
    assert list(context.store.list_keys("")) == []
