"""The door against hostile requests: bodies, headers, other origins' pages, and what must not get into logs."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from flask.testing import FlaskClient

from api.app import create_app, prepare
from api.bodies import MAX_DEPTH, MAX_JSON_BYTES, parse_json
from api.context import EXTENSION
from api.guard import UnsafeAddressError
from common.errors import DatabaseError, InputError
from common.jobs.database import Database
from common.jobs.models import LOCAL_TENANT
from common.logging import configure_logging, get_logger, redact
from common.settings import Settings
from tests.unit.api.conftest import on_sqlite, picture, submit

GREY, COLOURED = picture(), picture(coloured=True)
FILES = {"pages": [(GREY, "001.png")], "references": [(COLOURED, "ref.png")]}
KEY = "nurie_0123456789abcdef_" + "A" * 43
UPLOAD = {"filename": "a.png", "size": 5}
HOME = "https://app.example"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not valid JSON"),
        ('{"a": NaN}', "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("1e999", "too large"),
        ("9" * 5000, "not valid JSON"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('"a\\u0000b"', "NUL"),
        ('{"\\ud800": 1}', "half a surrogate pair"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper"),
        ("[" * 100_000, "not valid JSON"),
        (b'"\xff"', "not valid JSON"),
        (b"\xff\xfe[\x00]\x00", "not valid JSON"),
    ],
)
def test_json_that_readers_may_take_in_different_ways_is_refused(text, fault):
    with pytest.raises(InputError, match=fault):
        parse_json(text, "the body")


def test_other_json_is_read():
    assert parse_json('{"a": [1, 2.5, "\\ud83d\\ude00", null, true]}', "x") == {"a": [1, 2.5, "😀", None, True]}
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_json(deep, "x") == json.loads(deep)


@on_sqlite
@pytest.mark.parametrize("path", ["/v1/uploads", "/v1/jobs"])
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/json5"])
def test_json_must_say_that_it_is(client: FlaskClient, path, media_type):
    reply = client.post(path, data=json.dumps(UPLOAD), content_type=media_type)
    assert (reply.status_code, reply.json["code"]) == (415, "unsupported_media_type")
    assert "application/json" in reply.json["detail"]


@on_sqlite
@pytest.mark.parametrize(("field", "value"), [("size", "5"), ("size", True), ("size", 5.0), ("filename", 5)])
def test_what_a_number_is_in_other_languages_is_none_here(client, field, value):
    reply = client.post("/v1/uploads", json=UPLOAD | {field: value})
    assert (reply.status_code, field in reply.json["detail"]) == (400, True)


@on_sqlite
def test_bodies_are_limited_by_their_route_before_they_are_read(client):
    class Unread(io.BytesIO):
        def read(self, _size=-1) -> bytes:
            pytest.fail("the body was read")

    for method, path in (("POST", "/v1/uploads"), ("PUT", "/v1/jobs/x/pages/1/hints"), ("POST", "/v1/jobs")):
        length = {"CONTENT_LENGTH": str(MAX_JSON_BYTES + 1)}
        reply = client.open(
            path, method=method, input_stream=Unread(), content_type="application/json", environ_overrides=length
        )
        assert (reply.status_code, reply.json["code"]) == (413, "too_large")
        assert str(MAX_JSON_BYTES) in reply.json["detail"]


@on_sqlite
def test_a_body_that_does_not_say_how_long_it_is_is_limited_too(client):
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    reply = client.post(
        "/v1/uploads",
        input_stream=io.BytesIO(b" " * (MAX_JSON_BYTES + 1)),
        content_type="application/json",
        environ_overrides=chunked,
    )
    assert (reply.status_code, reply.json["code"]) == (413, "too_large")


@on_sqlite
def test_files_may_be_larger_than_json(client):
    large = GREY + bytes(MAX_JSON_BYTES)
    assert submit(client, **FILES | {"pages": [(large, "1.png")]}).status_code == 202


@on_sqlite
@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/jobs", "/v1/nothing", "/nothing", "/openapi.json"])
def test_every_answer_keeps_browsers_from_what_it_is_not_for(client, path):
    with client.get(path) as reply:
        headers = reply.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    script = policy.partition("script-src")[2].partition(";")[0]
    assert "unsafe" not in script
    assert "http" not in script


@on_sqlite
def test_answers_of_the_api_are_kept_by_nobody_else(client):
    here = submit(client, **FILES).headers["Location"]
    assert client.get("/v1/jobs").headers["Cache-Control"] == "no-store"
    assert client.get(here).headers["Cache-Control"] == "private, no-cache"


@on_sqlite
def test_https_stays_https(settings, broker_there):
    secure = settings.model_copy(update={"public_url": "https://nurie.example", "auth": "keys"})
    app = create_app(secure)
    assert "max-age" in app.test_client().get("/healthz").headers["Strict-Transport-Security"]
    app.extensions[EXTENSION].database.close()


@on_sqlite
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}])
def test_a_part_of_a_form_without_a_name_is_refused(client, headers):
    nameless = b'--b\r\nContent-Disposition: form-data; filename="1.png"\r\n\r\n' + GREY + b"\r\n"
    nameless += b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n"
    named = b'--b\r\nContent-Disposition: form-data; name="params"\r\n\r\n{}\r\n'
    kind = "multipart/form-data; boundary=b"
    reply = client.post("/v1/jobs", data=named + nameless + b"--b--\r\n", content_type=kind, headers=headers)
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
    assert reply.json["detail"] == "a part of the form has no name"


@pytest.fixture
def open_client(settings, broker_there) -> Iterator[FlaskClient]:
    opened = settings.model_copy(update={"auth": "keys", "cors_origins": (HOME,)})
    prepare(opened)
    app = create_app(opened)
    yield app.test_client()
    app.extensions[EXTENSION].database.close()


@on_sqlite
def test_pages_of_a_chosen_origin_may_use_the_api_and_others_may_not(open_client):
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    allowed = open_client.options("/v1/jobs", headers={"Origin": HOME, **asked})
    assert allowed.status_code == 204
    assert allowed.headers["Access-Control-Allow-Origin"] == HOME
    assert "PUT" in allowed.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    refused = open_client.get("/v1/jobs", headers={"Origin": HOME})
    assert refused.status_code == 401  # it may read why
    assert refused.headers["Access-Control-Allow-Origin"] == HOME
    assert "RateLimit" in refused.headers["Access-Control-Expose-Headers"]
    for origin in ("https://evil.example", "null", "https://app.example.evil.example", "http://app.example"):
        for reply in (
            open_client.options("/v1/jobs", headers={"Origin": origin, **asked}),
            open_client.get("/v1/jobs", headers={"Origin": origin}),
        ):
            assert "Access-Control-Allow-Origin" not in reply.headers
            assert "Origin" in reply.headers["Vary"]


@on_sqlite
def test_without_keys_no_other_origin_can_be_let_in(settings):
    with pytest.raises(UnsafeAddressError, match="NURIE_CORS_ORIGINS"):
        create_app(settings.model_copy(update={"cors_origins": (HOME,)}))


@pytest.mark.parametrize("given", ["*", "https://*.example", "app.example", "https://app.example/path"])
def test_an_origin_is_named_whole(given):
    with pytest.raises(ValueError, match="no origin"):
        Settings(cors_origins=given)


def test_origins_are_parted_by_commas():
    assert Settings(cors_origins=f"{HOME}, http://b.example:8080").cors_origins == (HOME, "http://b.example:8080")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/%00", "/v1/jobs/%ff%fe", "/v1/jobs/0%0d%0aX-Evil:%201", "/v1/jobs/" + "0" * 5000,
        "/v1/jobs/../../etc/passwd",
        f"/v1/jobs/{'0' * 32}%00/pages/1/source", "/storage/%00?signature=x", "/v1/jobs/%F0%9F%98%80/events",
        f"/v1/jobs/{'0' * 32}/pages/1/%00", "/web/%00", "/web/../app.py", "/web/..%2fapp.py", "/docs/%00",
    ],
)  # fmt: skip
def test_odd_paths_lead_nowhere(client, path):
    reply = client.get(path)
    assert reply.status_code in (400, 403, 404)
    assert reply.mimetype == "application/problem+json"
    assert "X-Evil" not in reply.headers
    assert "Traceback" not in reply.get_data(as_text=True)


@pytest.mark.parametrize(
    "query", ["status=%00", "cursor=%00", "limit=%00", "limit=1e3", "cursor=%ff", "status=x%0d%0a"]
)
def test_odd_queries_are_refused(client, query):
    reply = client.get(f"/v1/jobs?{query}")
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")


def test_odd_names_and_fields_are_refused_or_made_harmless(client, context):
    reply = submit(client, **FILES | {"pages": [(GREY, "a\x00b\u2028c.png")]})
    assert reply.status_code == 202
    assert "\x00" not in client.get(f"{reply.headers['Location']}/pages/1").json["name"]
    assert submit(client, **FILES, params="\x00").status_code == 400
    assert submit(client, **FILES, **{"x\x00y": "1"}).status_code == 400
    assert client.post("/v1/uploads", json={"filename": "\ud800", "size": 5}).status_code == 400
    assert len(context.jobs.list_jobs(LOCAL_TENANT, 9, None, None)) == 1


@pytest.fixture
def written(monkeypatch, request) -> Iterator[io.StringIO]:
    """What is logged, in the format that the test is for."""
    out = io.StringIO()
    root, before, config = logging.getLogger(), logging.getLogger().handlers, structlog.get_config()
    level = root.level
    monkeypatch.setattr("sys.stderr", out)
    configure_logging(request.param, "INFO")
    structlog.configure(cache_logger_on_first_use=False)
    yield out
    root.handlers = before
    root.setLevel(level)
    structlog.configure(**config)


both_formats = pytest.mark.parametrize("written", ["console", "json"], indirect=True)
FORGED = "\n2026-11-27T00:00:00Z [info] forged \x1b[31m"


@both_formats
def test_nothing_that_clients_send_begins_a_line_of_its_own(written):
    get_logger("x").info(f"event{FORGED}", name=f"value{FORGED}")
    logging.getLogger("y").warning("other %s", FORGED)
    try:
        raise InputError(f"error{FORGED}")
    except InputError:
        get_logger("x").exception("failed")
    lines = written.getvalue().splitlines()
    assert len([line for line in lines if "forged" in line]) >= 3
    assert not any(line.startswith("2026-11-27T00:00:00Z") for line in lines)
    assert "\x1b[31m" not in written.getvalue()


@both_formats
def test_no_secret_is_logged_wherever_it_comes_from(written):
    signed = f"https://b.example/x?X-Amz-Credential=AKIA123%2F&X-Amz-Signature={'ab' * 32}&signature={'cd' * 32}"
    get_logger("x").info("asked", key=KEY, url=signed, header=f"Authorization: Bearer {KEY}")
    logging.getLogger("y").error("secret %s", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    try:
        raise ValueError("cannot reach postgresql+psycopg://nurie:hunter2@db:5432/nurie or redis://:hunter2@redis/0")
    except ValueError:
        get_logger("x").exception("failed")
    text = written.getvalue()
    for secret in ("A" * 43, "ab" * 32, "cd" * 32, "AKIA123", "MfKQ9r8GKYqr", "hunter2"):
        assert secret not in text
    assert "nurie_0123456789abcdef_***" in text  # whose key it was may be known
    assert "nurie:***@db:5432" in text


@pytest.mark.parametrize("text", ["https://example.org/a?b=c", "page 3:2@x", "signature verified", "a: b@c"])
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


@both_formats
def test_a_database_that_refuses_our_password_does_not_give_it_away(written):
    with pytest.raises(DatabaseError) as refused:
        Database("postgresql+psycopg://nurie:hunter2@127.0.0.1:1/nurie").check()
    get_logger("x").warning("not ready", exc_info=refused.value)
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in written.getvalue()
