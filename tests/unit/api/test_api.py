"""The REST door, with a real database and a local store; no broker, no workers."""

import hashlib
import io
import json
import struct
import unicodedata
import zipfile
import zlib
from urllib.parse import urlsplit

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from api.app import create_app, prepare
from api.context import Context
from api.guard import UnsafeAddressError
from api.intake import HEADER_BYTES
from common.archives import write_archive
from common.broker import Broker
from common.errors import BrokerError, DatabaseError
from common.jobs.models import LOCAL_TENANT
from common.jobs.records import NewJob
from common.jobs.states import JobStatus
from common.jobs.store import JobStore
from common.jobs.tenants import Limits
from storage import keys
from tests.unit.api.conftest import on_sqlite, picture, submit

touches_no_job = on_sqlite  # once is enough: what is asked for never reaches the truth
GREY, COLOURED = picture(), picture(coloured=True)


def archive(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return buffer.getvalue()


def submit_good(client: FlaskClient, **more: object):
    return submit(client, pages=[(GREY, "001.png"), (GREY, "002.png")], references=[(COLOURED, "ref.png")], **more)


def huge_header() -> bytes:
    """A PNG of a few bytes whose header claims 60000×60000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def assert_nothing_left(context: Context) -> None:
    assert context.jobs.list_jobs(LOCAL_TENANT, 10, None, None) == []
    assert list(context.store.list_keys("")) == []


def test_a_job_is_accepted_with_202_and_a_location(client):
    reply = submit_good(client, params='{"blend": 0.5}')
    assert reply.status_code == 202
    assert reply.json["status"] == "queued"
    assert reply.json["pages"]["total"] == 2
    assert reply.json["params"]["blend"] == 0.5
    assert reply.json["params"]["epochs"] == 100
    assert client.get(reply.headers["Location"]).json["id"] == reply.json["id"]
    assert reply.headers["Retry-After"]


def test_pages_keep_the_order_and_names_in_which_they_were_sent(client):
    reply = submit(client, pages=[(GREY, "b.png"), (GREY, "a.png")], references=[(COLOURED, "r.png")])
    pages = client.get(f"{reply.headers['Location']}/pages").json["pages"]
    assert [(page["number"], page["name"]) for page in pages] == [(1, "b.png"), (2, "a.png")]


def test_an_archive_becomes_pages_in_natural_order(client):
    cbz = archive({"10.png": GREY, "2.png": GREY, "ComicInfo.xml": b"<x/>"})
    reply = submit(client, archive=[(cbz, "c.cbz")], references=[(COLOURED, "r.png")])
    assert reply.status_code == 202, reply.json
    pages = client.get(f"{reply.headers['Location']}/pages").json["pages"]
    assert [page["name"] for page in pages] == ["2.png", "10.png"]


def test_a_job_by_upload_ids(client, context):
    ids = []
    for data, name in ((GREY, "001.png"), (COLOURED, "ref.png")):
        announced = {"filename": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        upload = client.post("/v1/uploads", json=announced)
        assert upload.status_code == 201
        assert upload.json["method"] == "PUT"
        url = urlsplit(upload.json["url"])
        sent = client.put(f"{url.path}?{url.query}", data=data, headers=upload.json["headers"])
        assert sent.status_code == 200
        ids.append(upload.json["id"])
    reply = client.post("/v1/jobs", json={"pages": ids[:1], "references": ids[1:]})
    assert reply.status_code == 202, reply.json
    source = client.get(f"{reply.headers['Location']}/pages/1/source")
    url = urlsplit(source.headers["Location"])
    with client.get(f"{url.path}?{url.query}") as file:
        assert file.data == GREY


def test_an_upload_that_was_never_sent_or_is_another_file_is_refused(client, context):
    missing = client.post("/v1/uploads", json={"filename": "a.png", "size": 5}).json["id"]
    reply = client.post("/v1/jobs", json={"pages": [missing], "references": [missing]})
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
    assert "never sent" in reply.json["detail"]

    upload = client.post("/v1/uploads", json={"filename": "a.png", "size": len(COLOURED), "sha256": "0" * 64}).json
    url = urlsplit(upload["url"])
    sent = client.put(f"{url.path}?{url.query}", data=COLOURED, headers=upload["headers"])
    assert (sent.status_code, sent.json["code"]) == (400, "bad_request")
    context.store.put(keys.upload(LOCAL_TENANT, upload["id"]), COLOURED, media_type="x/y")  # checks nothing
    reply = client.post("/v1/jobs", json={"pages": [upload["id"]], "references": [upload["id"]]})
    assert "SHA-256" in reply.json["detail"]
    assert context.jobs.list_jobs(LOCAL_TENANT, 10, None, None) == []


def test_an_upload_of_another_size_or_with_a_changed_url_is_refused(client):
    upload = client.post("/v1/uploads", json={"filename": "a.png", "size": 5}).json
    url = urlsplit(upload["url"])
    assert client.put(f"{url.path}?{url.query}", data=b"123456").status_code == 400
    assert client.put(f"{url.path}x?{url.query}", data=b"12345").status_code == 403
    assert client.get(f"{url.path}?{url.query}").status_code == 403


BAD_SUBMISSIONS = {
    "not an image": ({"pages": [(b"just text", "notes.png")]}, 400, "bad_image", "notes.png"),
    "truncated": ({"pages": [(GREY[:-200], "cut.png")]}, 400, "bad_image", "cut.png"),
    "0 bytes": ({"pages": [(b"", "empty.png")]}, 400, "bad_image", "empty.png"),
    "huge header": ({"pages": [(huge_header(), "huge.png")]}, 413, "too_large", "100 megapixels"),
    "second page bad": ({"pages": [(GREY, "ok.png"), (b"x", "bad.png")]}, 400, "bad_image", "bad.png"),
    "dot dot": ({"archive": [(archive({"../x.png": GREY}), "a.zip")]}, 400, "bad_archive", "../x"),
    "absolute": ({"archive": [(archive({"/x.png": GREY}), "a.zip")]}, 400, "bad_archive", "/x.png"),
    "nested": (
        {"archive": [(archive({"1.png": GREY, "in.zip": archive({"a": b""})}), "a.zip")]},
        400,
        "bad_archive",
        "in.zip",
    ),
    "10,001 entries": (
        {"archive": [(archive({f"{i}.png": b"" for i in range(10_001)}), "a.zip")]},
        413,
        "too_large",
        "10000",
    ),
    "ratio": (
        {"archive": [(archive({"1.png": b"\0" * 3_000_000}, zipfile.ZIP_DEFLATED), "a.zip")]},
        413,
        "too_large",
        "200",
    ),
    "no archive": ({"archive": [(b"PK nothing", "a.cbz")]}, 400, "bad_archive", "a.cbz"),
    "bad page header": ({"archive": [(archive({"1.png": b"no picture"}), "a.cbz")]}, 400, "bad_image", "1.png"),
    "no pages in archive": ({"archive": [(archive({"a.txt": b"x"}), "a.cbz")]}, 400, "bad_archive", "a.cbz"),
    "no pages": ({}, 400, "bad_request", "pages"),
    "pages and archive": (
        {"pages": [(GREY, "1.png")], "archive": [(archive({"1.png": GREY}), "a.zip")]},
        400,
        "bad_request",
        "not both",
    ),
    "no reference": ({"pages": [(GREY, "1.png")], "references": []}, 400, "bad_request", "references"),
    "grey reference": (
        {"pages": [(GREY, "1.png")], "references": [(GREY, "flat.png")]},
        400,
        "bad_image",
        "reference 1 (flat.png)",
    ),
    "too many references": (
        {"pages": [(GREY, "1.png")], "references": [(COLOURED, "r.png")] * 21},
        413,
        "too_large",
        "20",
    ),
    "unknown parameter": ({"pages": [(GREY, "1.png")], "params": '{"sparkle": 1}'}, 400, "bad_params", "sparkle"),
    "λ = 1.5": ({"pages": [(GREY, "1.png")], "params": '{"blend": 1.5}'}, 400, "bad_params", "blend"),
    "params no JSON": ({"pages": [(GREY, "1.png")], "params": "{blend"}, 400, "bad_request", "JSON"),
    "params a list": ({"pages": [(GREY, "1.png")], "params": "[]"}, 400, "bad_params", "params"),
    "unknown field": ({"pages": [(GREY, "1.png")], "colour": "red"}, 400, "bad_request", "colour"),
    "unknown kind": ({"pages": [(GREY, "1.png")], "kind": "sing"}, 400, "bad_request", "kind"),
    "truth of no page": (
        {"pages": [(GREY, "1.png")], "truths": [(COLOURED, "9.png")]},
        400,
        "bad_request",
        "9.png",
    ),
}


@touches_no_job
@pytest.mark.parametrize("case", BAD_SUBMISSIONS)
def test_a_bad_submission_is_refused_by_name_and_leaves_nothing(client, context, case):
    fields, status, code, named = BAD_SUBMISSIONS[case]
    reply = submit(client, **({"references": [(COLOURED, "ref.png")]} | fields))
    assert (reply.status_code, reply.json["code"]) == (status, code), reply.json
    assert reply.mimetype == "application/problem+json"
    assert named in reply.json["detail"]
    assert reply.json["instance"] == "/v1/jobs"
    assert "Traceback" not in reply.text
    assert_nothing_left(context)


@touches_no_job
@pytest.mark.parametrize("body", ["{no json", "", "[" * 100_000, '"text"', '{"pages": "x"}', '{"surprise": 1}'])
def test_json_that_is_no_job_is_refused(client, context, body):
    reply = client.post("/v1/jobs", data=body, content_type="application/json")
    assert reply.status_code == 400
    assert reply.mimetype == "application/problem+json"
    assert_nothing_left(context)


def test_nothing_is_left_behind_when_the_truth_cannot_be_written(client, context, monkeypatch):
    def fail(_new):
        raise RuntimeError("boom at /secret/path")

    monkeypatch.setattr(context.jobs, "create_job", fail)
    reply = submit_good(client)
    assert (reply.status_code, reply.json["code"]) == (500, "internal")
    assert "boom" not in reply.text
    assert "/secret/path" not in reply.text
    assert_nothing_left(context)


def test_truths_are_paired_by_name(client, context):
    reply = submit_good(client, truths=[(COLOURED, "002.jpg")])
    pages = context.jobs.list_pages(LOCAL_TENANT, reply.json["id"], 10, 0)
    assert [page.truth_key is not None for page in pages] == [False, True]


def test_a_truth_may_be_named_as_another_system_composes_the_name(client, context):
    page, truth = (unicodedata.normalize(form, "がé.png") for form in ("NFC", "NFD"))
    reply = submit(client, pages=[(GREY, page)], truths=[(COLOURED, truth)], references=[(COLOURED, "r.png")])
    assert context.jobs.get_page(LOCAL_TENANT, reply.json["id"], 1).truth_key is not None


@on_sqlite
def test_of_a_page_in_an_archive_only_the_start_is_read_at_the_door(client, monkeypatch):
    # Not WebP, whose reader wants all of it.
    data = archive({"1.png": GREY + bytes(HEADER_BYTES), "2.png": GREY})
    read = []
    monkeypatch.setattr("api.intake.read_entry", lambda _file, entry, _limits: read.append(entry.name) or GREY)
    assert submit(client, archive=[(data, "c.cbz")], references=[(COLOURED, "r.png")]).status_code == 202
    assert read == ["2.png"]


@on_sqlite
def test_a_page_whose_start_tells_nothing_is_read_whole_at_the_door(client):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (900, 900, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "WEBP", lossless=True)
    assert buffer.tell() > HEADER_BYTES
    data = archive({"1.webp": buffer.getvalue()})
    assert submit(client, archive=[(data, "c.cbz")], references=[(COLOURED, "r.png")]).status_code == 202


def test_client_file_names_cannot_climb_out_or_break_lines(client):
    reply = submit(client, pages=[(GREY, "../../etc/pass\x7fwd.png")], references=[(COLOURED, "r.png")])
    assert client.get(f"{reply.headers['Location']}/pages/1").json["name"] == "etc/passwd.png"


@pytest.mark.parametrize("name", ["C:001.png", "..", "a/../../b.png", "x" * 199 + "/../y.png", "/etc/passwd", "...."])
def test_any_client_file_name_can_go_into_an_archive(client, name):
    reply = submit(client, pages=[(GREY, name)], references=[(COLOURED, "r.png")])
    kept = client.get(f"{reply.headers['Location']}/pages/1").json["name"]
    write_archive(io.BytesIO(), [(kept, b"")])  # raises for a name that is not safe


@pytest.mark.parametrize("path", ["/pages/18446744073709551616", "/pages?cursor=18446744073709551616", "/pages/x"])
def test_numbers_beyond_all_bounds_are_refused(client, path):
    where = submit_good(client).headers["Location"]
    assert client.get(f"{where}{path}").status_code in (400, 404)


def test_polling_an_unchanged_job_costs_a_304(client):
    where = submit_good(client).headers["Location"]
    first = client.get(where)
    again = client.get(where, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Retry-After"]
    client.post(f"{where}/cancel")
    changed = client.get(where, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.json["status"]) == (200, "cancelled")
    assert "Retry-After" not in changed.headers


def test_a_waiting_poll_answers_at_once_when_the_client_is_behind(client):
    where = submit_good(client).headers["Location"]
    # Would take 30 s if it waited: the test's own time limit would not notice, its duration in the report would.
    reply = client.get(f"{where}?wait=30", headers={"If-None-Match": '"something older"'})
    assert reply.status_code == 200


def test_wait_over_the_limit_is_refused(client):
    where = submit_good(client).headers["Location"]
    assert client.get(f"{where}?wait=31").status_code == 400


def test_jobs_are_listed_newest_first_with_a_cursor_and_by_status(client):
    ids = [submit_good(client).json["id"] for _ in range(3)]
    first = client.get("/v1/jobs?limit=2").json
    assert [job["id"] for job in first["jobs"]] == [ids[2], ids[1]]
    rest = client.get(f"/v1/jobs?limit=2&cursor={first['next']}").json
    assert ([job["id"] for job in rest["jobs"]], rest["next"]) == ([ids[0]], None)
    client.post(f"/v1/jobs/{ids[0]}/cancel")
    assert [job["id"] for job in client.get("/v1/jobs?status=cancelled").json["jobs"]] == [ids[0]]


def test_deleting_a_job_deletes_its_files(client, context):
    where = submit_good(client).headers["Location"]
    assert client.delete(where).status_code == 409
    client.post(f"{where}/cancel")
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404
    assert_nothing_left(context)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/nope",
        "/v1/jobs/nope/pages",
        "/v1/jobs/nope/pages/1",
        "/v1/jobs/nope/pages/1/final",
        "/v1/nothing",
        "/web/nope.js",
        "/web/../app.py",
    ],
)
def test_what_is_not_there_is_a_404_problem(client, path):
    reply = client.get(path)
    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")


def test_what_is_not_there_yet_says_so(client):
    where = submit_good(client).headers["Location"]
    for path, word in (
        (f"{where}/result", "queued"),
        (f"{where}/pages/1/final", "queued"),
        (f"{where}/pages/9", "page 9"),
    ):
        reply = client.get(path)
        assert (reply.status_code, reply.json["code"]) == (404, "not_found")
        assert word in reply.json["detail"]


@touches_no_job
def test_a_wrong_method_names_the_right_ones(client):
    reply = client.delete("/v1/jobs")
    assert (reply.status_code, reply.json["code"]) == (405, "method_not_allowed")
    assert "POST" in reply.headers["Allow"]


@touches_no_job
def test_another_media_type_is_refused(client):
    reply = client.post("/v1/jobs", data="a=b", content_type="text/plain")
    assert (reply.status_code, reply.json["code"]) == (415, "unsupported_media_type")


@touches_no_job
@pytest.mark.usefixtures("broker_there")
def test_a_body_over_the_limit_is_refused(settings):
    small = settings.model_copy(update={"max_request_bytes": 1000})
    prepare(small)
    client = create_app(small).test_client()
    reply = submit(client, pages=[(b"x" * 2000, "a.png")], references=[(b"y", "r.png")])
    assert (reply.status_code, reply.json["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"version": 1, "size": [40, 30], "hints": [{"x": 0.5, "y": 1.5, "rgb": [1, 2, 3]}]}, 400),
        ({"version": 1, "size": [40, 30], "hints": [{"x": 0.5, "y": 0.5, "rgb": [1, 2, 300]}]}, 400),
        ({"version": 1, "size": [40, 30], "hints": []}, 409),  # good, but the page has not been drafted yet
    ],
)
def test_hints_are_checked_before_they_are_taken(client, context, body, status):
    where = submit_good(client).headers["Location"]
    before = list(context.store.list_keys(""))
    assert client.put(f"{where}/pages/1/hints", json=body).status_code == status
    assert list(context.store.list_keys("")) == before


def test_page_parameters_are_checked(client):
    where = submit_good(client).headers["Location"]
    assert client.patch(f"{where}/pages/1/params", json={"blend": 2}).json["code"] == "bad_params"
    assert client.patch(f"{where}/pages/1/params", json={"seed": 3}).json["code"] == "conflict"
    assert client.patch(f"{where}/pages/1/params", json={"blend": 0.8}).json == {"stage": None}


@touches_no_job
def test_the_document_is_openapi_3_1_and_names_every_route(client):
    document = client.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    routes = {
        rule.rule.replace("<int:", "<").replace("<", "{").replace(">", "}")
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith("/v1")
    }
    assert routes == {path for path in document["paths"] if path.startswith("/v1")}
    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json"}
    text = json.dumps(document)
    referred = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert referred <= set(document["components"]["schemas"])


def test_a_submission_whose_answer_from_the_database_was_lost_keeps_its_files(client, context, monkeypatch):
    create_job = JobStore.create_job

    def create_and_lose(jobs: JobStore, new: NewJob, limits: Limits) -> None:
        create_job(jobs, new, limits)
        raise DatabaseError("the connection broke")

    monkeypatch.setattr(JobStore, "create_job", create_and_lose)
    reply = submit(client, pages=[(GREY, "1.png")], references=[(COLOURED, "r.png")])
    assert (reply.status_code, reply.json["code"]) == (503, "database_unavailable")
    (job,) = client.get("/v1/jobs").json["jobs"]
    assert context.store.stat(keys.source(job["id"], 1))


@pytest.mark.usefixtures("broker_away")
def test_a_submission_while_the_broker_is_away_is_refused_and_nothing_is_stored(client, context):
    for kind, fields in (("colorize", ("pages", "references")), ("evaluate", ("real", "output"))):
        reply = submit(client, kind=kind, **{field: [(picture(coloured=True), "1.png")] for field in fields})
        assert (reply.status_code, reply.json["code"]) == (503, "broker_unavailable")
        assert int(reply.headers["Retry-After"]) > 0
    assert list(context.store.list_keys("")) == []
    assert client.get("/v1/jobs").json["jobs"] == []


@touches_no_job
def test_a_broker_that_nobody_runs_does_not_answer(settings):
    with pytest.raises(BrokerError):
        Broker(settings.broker_url).wake_control()


@pytest.mark.usefixtures("broker_away")
def test_health_is_alive_and_readiness_names_what_is_away(client):
    assert client.get("/healthz").json == {"status": "ok"}
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.json == {"database": "ok", "storage": "ok", "broker": "does not answer"}


@touches_no_job
@pytest.mark.parametrize("host", ["evil.example", "nurie.evil.example:8000", "127.0.0.1.evil.example"])
def test_a_foreign_host_is_refused(client, host):
    assert client.get("/v1/jobs", headers={"Host": host}).status_code == 403


@touches_no_job
def test_a_foreign_origin_may_read_nothing_into_us(client):
    origin = {"Origin": "https://evil.example"}
    assert client.post("/v1/jobs/x/cancel", headers=origin).json["code"] == "forbidden_origin"
    assert client.post("/v1/jobs/x/cancel", headers={"Origin": "http://["}).status_code == 403
    assert client.post("/v1/jobs/x/cancel", headers={"Origin": "http://localhost"}).status_code == 404


@touches_no_job
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_without_auth_the_server_refuses_to_listen_beyond_loopback(settings, host):
    with pytest.raises(UnsafeAddressError, match="NURIE_HOST"):
        create_app(settings.model_copy(update={"host": host}))


@touches_no_job
def test_statuses_of_the_document_are_those_of_the_truth(client):
    schema = client.get("/openapi.json").json["components"]["schemas"]["JobStatus"]
    assert schema["enum"] == [status.value for status in JobStatus]
