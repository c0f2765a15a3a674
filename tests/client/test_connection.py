"""What a connection makes of answers, of silence, and of certificates."""

import datetime
import ssl
import threading
from collections.abc import Callable, Iterator
from email.utils import format_datetime

import httpx
import pytest
from nurie_client import Client, NurieError, Source
from nurie_client.connection import Connection
from nurie_client.errors import (
    KINDS,
    ApiError,
    InputError,
    InsecureError,
    NotFoundError,
    OutputError,
    QuotaError,
    StoppedError,
    UnauthorizedError,
    UnreachableError,
)

Answer = httpx.Response | Exception


class Script:
    """A server that gives these answers, one after the other, and the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited each time, in seconds; no time passes."""
    found: list[float] = []

    def pretend(_event: threading.Event) -> Callable[[float], None]:
        return found.append

    monkeypatch.setattr("nurie_client.connection.sleep_using_event", pretend)
    return found


def connect(script: Script, **options: object) -> Connection:
    return Connection("http://nurie.test", "nurie_key", transport=httpx.MockTransport(script), **options)  # type: ignore[arg-type]


def problem(status: int, detail: str = "no", code: str = "", **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": detail}, headers=headers)


OK = httpx.Response(200, json={})


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_after_longer_and_longer_pauses(waits, status):
    script = Script(*(problem(status) for _ in range(6)), OK)
    assert connect(script).request("GET", "/x").status_code == 200
    assert len(script.requests) == 7
    assert len(waits) == 6 and all(0 <= seconds <= 30 for seconds in waits)


def test_the_pauses_grow_until_patience_ends(waits):
    said: list[str] = []
    script = Script(problem(503, "the database is away"))
    with pytest.raises(ApiError, match="the database is away"):
        connect(script, patience_s=100, notify=said.append).request("GET", "/x")
    assert 60 < sum(waits) <= 100
    assert max(waits) > 8
    assert all("trying again" in line for line in said)


@pytest.mark.parametrize("status", [429, 503, 409])
def test_the_server_says_when_to_come_back(waits, status):
    script = Script(problem(status, **{"Retry-After": "7"}), OK)
    connect(script).request("GET", "/x")
    assert waits == [7]


def test_a_date_says_when_to_come_back_too(waits):
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=40)
    connect(Script(problem(503, **{"Retry-After": format_datetime(when, usegmt=True)}), OK)).request("GET", "/x")
    assert 30 < waits[0] <= 40


def test_what_is_refused_is_not_tried_again(waits):
    for status, kind in KINDS.items():
        if status == 429:
            continue
        script = Script(problem(status, "page 3 (3.png): no", "bad_image"))
        with pytest.raises(kind) as caught:
            connect(script).request("GET", "/x")
        assert (caught.value.status, caught.value.code, str(caught.value)) == (
            status,
            "bad_image",
            "page 3 (3.png): no",
        )
        assert len(script.requests) == 1
    assert waits == []


def test_being_over_a_quota_for_too_long_has_a_kind_of_its_own(waits):
    script = Script(problem(429, "over the quota", "quota_exceeded", **{"Retry-After": "60"}))
    with pytest.raises(QuotaError, match="over the quota"):
        connect(script, patience_s=200).request("GET", "/x")
    assert waits == [60, 60, 60]


@pytest.mark.parametrize(
    "silence",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("cut"),
        httpx.ReadError("cut"),
    ],
)
def test_a_network_that_comes_back_costs_nothing_but_time(waits, silence):
    script = Script(silence, silence, OK)
    connect(script).request("GET", "/x")
    assert len(waits) == 2


def test_a_network_that_stays_away_is_said_so(waits):
    with pytest.raises(UnreachableError, match=r"nurie\.test cannot be reached: no route"):
        connect(Script(httpx.ConnectError("no route"))).request("GET", "/x")


def test_a_refused_certificate_is_not_tried_again(waits):
    fault = ssl.SSLCertVerificationError("certificate verify failed")
    fault.verify_message = "self-signed certificate"
    error = httpx.ConnectError("tls")
    error.__cause__ = fault
    with pytest.raises(InsecureError, match=r"self-signed certificate.*SSL_CERT_FILE"):
        connect(Script(error)).request("GET", "/x")
    assert waits == []


def test_a_connection_that_ends_while_it_is_secured_is_tried_again(waits):
    error = httpx.ConnectError("tls")
    error.__cause__ = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    connect(Script(error, OK)).request("GET", "/x")
    assert len(waits) == 1


@pytest.mark.parametrize("after", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_who_is_told_to_come_back_at_once_waits_all_the_same(waits, after):
    script = Script(problem(503, **{"Retry-After": after}))
    with pytest.raises(ApiError):
        connect(script, patience_s=5).request("GET", "/x")
    assert len(script.requests) < 40
    assert min(waits) > 0


def test_what_is_no_get_is_not_led_elsewhere(waits):
    moved = httpx.Response(301, headers={"Location": "https://nurie.test/v1/jobs"})
    script = Script(moved)
    with pytest.raises(UnreachableError, match=r"https://nurie\.test/v1/jobs"):
        connect(script).request("POST", "/v1/jobs")
    assert len(script.requests) == 1


def test_a_deletion_whose_answer_was_lost_is_done(waits):
    client = Client(
        "http://nurie.test", transport=httpx.MockTransport(Script(httpx.ReadError("cut"), problem(404, "no such job")))
    )
    client.delete("0" * 32)
    gone = Client("http://nurie.test", transport=httpx.MockTransport(Script(problem(404, "no such job"))))
    with pytest.raises(NotFoundError):
        gone.delete("0" * 32)


@pytest.mark.parametrize("body", [b"<html>log in to this network</html>", b"[]", b""])
def test_an_answer_that_is_not_nuries_is_said_so(body):
    client = Client("http://nurie.test", transport=httpx.MockTransport(Script(httpx.Response(200, content=body))))
    with pytest.raises(ApiError, match="not Nurie's"):
        client.job("0" * 32)


def test_a_place_that_cannot_be_written_to_is_an_error_of_ours(tmp_path):
    client = Client("http://nurie.test", transport=httpx.MockTransport(Script(httpx.Response(200, content=b"data"))))
    with pytest.raises(OutputError, match="nowhere"):
        client.save("/x", tmp_path / "nowhere" / "file")


def test_every_error_of_httpx_is_one_of_ours(waits):
    kinds = [*_subclasses(httpx.RequestError), httpx.InvalidURL]
    for kind in kinds:
        with pytest.raises(NurieError):
            connect(Script(kind("x")), patience_s=1).request("GET", "/x")


def _subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


def test_somebody_else_who_answers_is_named(waits):
    with pytest.raises(NotFoundError, match=r"nurie\.test answers 404 Not Found, and that is not how Nurie says no"):
        connect(Script(httpx.Response(404, text="<html>"))).request("GET", "/x")


def test_an_address_without_a_scheme_is_explained():
    with pytest.raises(UnreachableError, match="http://"):
        Connection("nurie.test", None).request("GET", "/x")


def test_a_client_that_is_stopped_waits_no_longer():
    client = Client("http://nurie.test", transport=httpx.MockTransport(Script(problem(503))))
    threading.Timer(0.05, client.stop).start()
    with pytest.raises(StoppedError):
        client.job("0" * 32)


def test_the_key_is_sent_to_the_server_and_to_no_bucket(tmp_path):
    told = {"id": "u", "url": "https://bucket.test/k?sig=1", "headers": {"X-Signed": "1"}, "received": False}
    script = Script(httpx.Response(201, json=told), httpx.Response(200))
    (tmp_path / "1.png").write_bytes(b"page")
    with Client("http://nurie.test", "nurie_key", transport=httpx.MockTransport(script)) as client:
        assert client.upload(Source.file(tmp_path / "1.png")) == "u"
    announced, sent = script.requests
    assert announced.headers["Authorization"] == "Bearer nurie_key"
    assert "Authorization" not in sent.headers
    assert (sent.headers["X-Signed"], sent.headers["Content-Length"], sent.content) == ("1", "4", b"page")


def test_what_the_server_has_is_not_sent(tmp_path):
    script = Script(httpx.Response(200, json={"id": "u", "received": True}))
    (tmp_path / "1.png").write_bytes(b"page")
    sent: list[int] = []
    with Client("http://nurie.test", transport=httpx.MockTransport(script)) as client:
        assert client.upload(Source.file(tmp_path / "1.png"), sent=sent.append) == "u"
    assert [request.method for request in script.requests] == ["POST"]
    assert sent == [4]


def test_a_broken_upload_is_announced_anew_before_it_is_sent_again(tmp_path, waits):
    told = {"id": "u", "url": "http://nurie.test/storage/k", "headers": {}, "received": False}
    script = Script(
        httpx.Response(201, json=told), httpx.WriteError("cut"), httpx.Response(200, json={**told, "received": True})
    )
    (tmp_path / "1.png").write_bytes(b"page")
    with Client("http://nurie.test", transport=httpx.MockTransport(script)) as client:
        assert client.upload(Source.file(tmp_path / "1.png")) == "u"
    assert [request.method for request in script.requests] == ["POST", "PUT", "POST"]


def test_a_file_that_changes_while_it_is_sent_is_refused(tmp_path):
    path = tmp_path / "1.png"
    path.write_bytes(b"page")
    source = Source.file(path)
    path.write_bytes(b"a longer page")
    with pytest.raises(InputError, match="changes"):
        source.sha256()


def test_a_wrong_key_is_unauthorized():
    client = Client("http://nurie.test", "x", transport=httpx.MockTransport(Script(problem(401, "no such key"))))
    with pytest.raises(UnauthorizedError):
        next(client.jobs())
