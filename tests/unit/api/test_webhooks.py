"""Webhooks: signed as Standard Webhooks, sent until taken, and never to a machine that only we can reach."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network

import pytest

from common.errors import InputError
from common.jobs.deliveries import CANDIDATES, PAUSES_S, DeliveryStatus, DeliveryStore, DueDelivery, Try
from common.jobs.dispatch import DispatchStore
from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT, Job
from common.jobs.states import JobStatus
from common.jobs.tenants import UNLIMITED, TenantStore
from common.settings import Settings
from common.webhooks import RefusedAddressError, check_address, check_callback_url, make_secret, sign
from tests.unit.api.conftest import on_sqlite, picture, submit
from tests.unit.api.engine import status_of
from workers.control import delivering
from workers.control.delivering import MAX_OF_TENANT, Deliverer, try_delivery

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
FILES = {"pages": [(picture(), "001.png")], "references": [(picture(coloured=True), "ref.png")]}
EVALUATION = {"kind": "evaluate", "real": [(picture(), "1.png")], "output": [(picture(), "1.png")]}


def test_the_signature_is_that_of_the_standard():
    secret, payload = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, payload)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # of the standard's own libraries


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1"),
        *("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"),  # clouds' metadata
        *("224.0.0.1", "255.255.255.255", "198.18.0.1", "203.0.113.1", "240.0.0.1", "192.88.99.1"),
        *("::", "::1", "fe80::1", "fe80::1%lo", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "100::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1"),  # IPv4 in IPv6: mapped, compatible
        *("64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1"),  # NAT64, 6to4
    ],
)
def test_no_address_is_gone_to_that_is_not_on_the_internet(address):
    with pytest.raises(RefusedAddressError, match="NURIE_WEBHOOK_NETWORKS"):
        check_address(ip_address(address), ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_on_the_internet_are_gone_to(address):
    check_address(ip_address(address), ())


def test_an_operator_may_open_a_network_and_no_other_is_opened_by_it():
    opened = [ip_network("10.1.0.0/16")]
    check_address(ip_address("10.1.2.3"), opened)
    check_address(ip_address("::ffff:10.1.2.3"), opened)
    for address in ("10.2.0.1", "127.0.0.1"):
        with pytest.raises(RefusedAddressError):
            check_address(ip_address(address), opened)
    settings = Settings(webhook_networks="10.1.0.0/16, fd12::/64")
    assert settings.webhook_networks == (ip_network("10.1.0.0/16"), ip_network("fd12::/64"))
    with pytest.raises(ValueError, match="host bits set"):
        Settings(webhook_networks="10.1.2.3/16")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://example.org/", "https://"),
        ("//example.org/", "https://"),
        ("example.org", "https://"),
        ("", "visible ASCII"),
        ("https://", "no host name"),
        ("https:///x", "no host name"),
        ("https://a..b/", "no host name"),
        (f"https://{'a' * 64}.org/", "no host name"),
        ("https://me:word@example.org/", "user or password"),
        ("https://@example.org/", "user or password"),
        ("https://example.org/#x", "visible ASCII"),
        ("https://example.org/#", "visible ASCII"),
        ("https://example.org\\@10.0.0.1/", "visible ASCII"),
        ("https://example.org:0/", "port 0"),
        ("https://example.org:99999/", "callback_url"),
        ("https://[::1/", "callback_url"),
        ("https://exämple.org/", "visible ASCII"),
        ("https://example.org/\r\nHost: x", "visible ASCII"),
        ("https://example.org/" + "x" * 2000, "2000"),
        ("http://127.0.0.1/", "no address on the Internet"),
        ("http://[::ffff:10.0.0.1]/", "no address on the Internet"),
        ("http://169.254.169.254/latest/meta-data", "no address on the Internet"),
    ],
)
def test_a_url_that_nothing_can_be_delivered_to_is_refused_at_the_door(url, fault):
    with pytest.raises(InputError, match=r"^callback_url") as refused:
        check_callback_url(url, ())
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://example.org", "http://a_b.example.org:8080/x?y=z&t=%20", "https://[2606::1]/"]
)
def test_other_urls_are_taken(url):
    check_callback_url(url, ())


@dataclass
class Receiver:
    """An HTTP server on loopback that answers as it is told, and keeps what it got."""

    statuses: list[int] = field(default_factory=list)  # one for each request; 200 after them
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hold: threading.Event | None = None  # answers only after this is set
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if told.hold:
                told.hold.wait(30)
            self.send_response(told.statuses.pop(0) if told.statuses else 200)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    if told.hold:
        told.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def deliveries(database) -> DeliveryStore:
    return DeliveryStore(database)


@pytest.fixture
def deliverer(deliveries) -> Deliverer:
    return Deliverer(deliveries, LOOPBACK, poll_s=0.01)


def ended_job(chapters, jobs, database, url: str, tenant: str = LOCAL_TENANT) -> str:
    """A job that somebody cancelled, and the news of it."""
    job_id = chapters.submit(tenant=tenant)
    with database.writing() as session:
        session.get_one(Job, job_id).callback_url = url
    jobs.cancel_job(tenant, job_id)
    return job_id


def send_due(deliverer: Deliverer) -> int:
    return asyncio.run(deliverer.deliver_due())


def due(url: str) -> DueDelivery:
    return DueDelivery(new_id(), LOCAL_TENANT, new_id(), url, "{}", make_secret())


def test_a_callback_is_told_once_with_a_good_signature(chapters, jobs, database, deliveries, deliverer, receiver):
    job_id = ended_job(chapters, jobs, database, receiver.url)
    assert send_due(deliverer) == 1
    assert send_due(deliverer) == 0
    ((headers, body),) = receiver.got
    news = json.loads(body)
    assert (news["type"], news["data"]["id"], news["data"]["status"]) == ("job.ended", job_id, "cancelled")
    assert news["data"]["pages"] == {"total": 2, "cancelled": 2}
    assert news["data"]["link"] == f"/v1/jobs/{job_id}"
    secret = TenantStore(database, UNLIMITED).webhook_secret(LOCAL_TENANT)
    expected = sign(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    (delivery,) = deliveries.list_deliveries(LOCAL_TENANT, job_id, 10)
    assert (delivery.status, delivery.id) == (DeliveryStatus.DELIVERED, headers["webhook-id"])
    assert [(one["status"], one["error"]) for one in delivery.tries] == [(200, None)]


def test_a_job_without_a_callback_tells_nobody(chapters, jobs, deliveries):
    job_id = chapters.submit()
    jobs.cancel_job(LOCAL_TENANT, job_id)
    assert deliveries.list_deliveries(LOCAL_TENANT, job_id, 10) == []


def test_a_job_that_ends_in_any_way_tells_of_it_each_time(
    chapters, jobs, database, dispatch: DispatchStore, deliveries
):
    job_id = chapters.submit_trained()
    with database.writing() as session:
        session.get_one(Job, job_id).callback_url = "https://example.org/"
    for number in (1, 2):
        dispatch.fail_page(job_id, number, "bad_image", "damaged")
    assert [job.id for job, _ in dispatch.jobs_to_package()] == [job_id]
    dispatch.finish_job(job_id, None)
    dispatch.finish_job(job_id, None)  # another control, later
    assert [
        json.loads(one.payload)["data"]["status"] for one in deliveries.list_deliveries(LOCAL_TENANT, job_id, 9)
    ] == [JobStatus.FAILED]
    jobs.retry_job(LOCAL_TENANT, job_id)
    jobs.cancel_job(LOCAL_TENANT, job_id)
    jobs.cancel_job(LOCAL_TENANT, job_id)
    told = [json.loads(one.payload)["data"]["status"] for one in deliveries.list_deliveries(LOCAL_TENANT, job_id, 9)]
    assert told == [JobStatus.CANCELLED, JobStatus.FAILED]


def test_a_job_that_cannot_be_packaged_tells_of_it(chapters, database, dispatch, deliveries, jobs):
    job_id = chapters.submit_trained()
    with database.writing() as session:
        session.get_one(Job, job_id).callback_url = "https://example.org/"
        session.get_one(Job, job_id).status = JobStatus.PACKAGING
    dispatch.fail_job(job_id)
    dispatch.fail_job(job_id)
    assert status_of(jobs, job_id) == JobStatus.FAILED
    assert len(deliveries.list_deliveries(LOCAL_TENANT, job_id, 9)) == 1


def test_what_is_not_taken_is_sent_again_later_the_same(
    chapters, jobs, database, deliveries, deliverer, receiver, clock
):
    receiver.statuses = [503, 500]
    job_id = ended_job(chapters, jobs, database, receiver.url)
    assert [send_due(deliverer), send_due(deliverer)] == [1, 0]
    for pause_s in PAUSES_S[:2]:
        clock.advance(pause_s - 1)
        assert send_due(deliverer) == 0
        clock.advance(1.1)
        assert send_due(deliverer) == 1
    assert len({(headers["webhook-id"], body) for headers, body in receiver.got}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == 3
    (delivery,) = deliveries.list_deliveries(LOCAL_TENANT, job_id, 10)
    assert delivery.status == DeliveryStatus.DELIVERED
    assert [one["status"] for one in delivery.tries] == [503, 500, 200]


def test_a_receiver_may_ask_for_a_longer_pause(chapters, jobs, database, deliverer, receiver, clock):
    receiver.statuses, receiver.headers = [429], {"Retry-After": "100"}
    ended_job(chapters, jobs, database, receiver.url)
    send_due(deliverer)
    clock.advance(PAUSES_S[0] + 1)
    assert send_due(deliverer) == 0
    clock.advance(100)
    assert send_due(deliverer) == 1


@on_sqlite
def test_a_delivery_is_given_up_after_its_last_pause(chapters, jobs, database, deliveries, deliverer, receiver, clock):
    receiver.statuses = [500] * 20
    job_id = ended_job(chapters, jobs, database, receiver.url)
    for _ in range(20):
        send_due(deliverer)
        clock.advance(max(PAUSES_S))
    assert len(receiver.got) == len(PAUSES_S) + 1
    (delivery,) = deliveries.list_deliveries(LOCAL_TENANT, job_id, 10)
    assert (delivery.status, len(delivery.tries)) == (DeliveryStatus.FAILED, len(PAUSES_S) + 1)


def test_a_receiver_that_is_gone_is_asked_no_more(chapters, jobs, database, deliveries, deliverer, receiver):
    receiver.statuses = [410]
    job_id = ended_job(chapters, jobs, database, receiver.url)
    send_due(deliverer)
    assert deliveries.list_deliveries(LOCAL_TENANT, job_id, 1)[0].status == DeliveryStatus.FAILED


def test_no_redirect_is_followed(receiver):
    receiver.statuses, receiver.headers = [307], {"Location": receiver.url}
    result = asyncio.run(try_delivery(due(receiver.url), LOOPBACK))
    assert (result.status, result.is_final) == (307, False)
    assert "redirects are not followed" in result.error
    assert len(receiver.got) == 1


def test_a_name_that_leads_to_us_is_refused_before_anything_is_sent(receiver):
    result = asyncio.run(try_delivery(due(f"http://localhost:{receiver.port}/"), ()))
    assert (result.status, result.is_final) == (None, True)
    assert "no address on the Internet" in result.error
    assert receiver.got == []


def resolving(monkeypatch, *answers: list[str]) -> list[str]:
    """Have names lead to these addresses, one answer after the other; returns what is asked."""
    asked: list[str] = []

    async def getaddrinfo(_loop: object, host: str, port: int, **_more: object):
        asked.append(host)
        return [(0, 0, 0, "", (address, port)) for address in answers[len(asked) - 1]]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_is_asked_once_and_what_it_leads_to_later_does_not_count(monkeypatch, receiver):
    asked = resolving(monkeypatch, ["127.0.0.1"])  # a second question would find no answer
    result = asyncio.run(try_delivery(due(f"http://rebinding.example:{receiver.port}/"), LOOPBACK))
    assert result.error is None
    assert asked == ["rebinding.example"]
    assert receiver.got[0][0]["host"] == f"rebinding.example:{receiver.port}"


def test_a_name_with_one_address_that_is_refused_is_refused_whole(monkeypatch, receiver):
    resolving(monkeypatch, ["8.8.8.8", "127.0.0.1"])
    result = asyncio.run(try_delivery(due(f"http://mixed.example:{receiver.port}/"), ()))
    assert result.is_final
    assert receiver.got == []


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
def test_odd_spellings_of_an_address_are_judged_by_what_they_mean(host, receiver):
    result = asyncio.run(try_delivery(due(f"http://{host}:{receiver.port}/"), ()))
    assert result.error is not None
    assert receiver.got == []


def test_no_proxy_of_the_environment_is_used(monkeypatch, receiver):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert asyncio.run(try_delivery(due(receiver.url), LOOPBACK)).error is None


def test_a_receiver_that_is_slow_or_away_is_a_failed_try(monkeypatch, receiver):
    receiver.hold = threading.Event()
    monkeypatch.setattr(delivering, "TIMEOUT_S", 0.2)
    slow = asyncio.run(try_delivery(due(receiver.url), LOOPBACK))
    assert (slow.status, slow.is_final) == (None, False)
    assert "no answer within" in slow.error
    away = asyncio.run(try_delivery(due("http://127.0.0.1:1/"), LOOPBACK))
    assert (away.status, away.is_final) == (None, False)


def test_one_tenant_with_slow_receivers_does_not_hold_up_the_others(chapters, jobs, database, deliveries):
    many = [ended_job(chapters, jobs, database, "https://slow.example/", "busy") for _ in range(MAX_OF_TENANT + 2)]
    other = ended_job(chapters, jobs, database, "https://quick.example/", "calm")
    taken = deliveries.take_due(32, MAX_OF_TENANT, Counter(), 60)
    assert [one.job_id for one in taken] == [*many[:MAX_OF_TENANT], other]
    assert CANDIDATES > MAX_OF_TENANT
    held = Counter(one.tenant_id for one in taken)
    assert deliveries.take_due(32, MAX_OF_TENANT, held, 60) == []
    held["busy"] -= 1
    assert [one.job_id for one in deliveries.take_due(32, MAX_OF_TENANT, held, 60)] == [many[MAX_OF_TENANT]]


def test_what_a_control_took_and_never_brought_to_its_end_is_sent_by_another(
    chapters, jobs, database, deliveries, clock
):
    ended_job(chapters, jobs, database, "https://example.org/")
    (first,) = deliveries.take_due(9, 9, Counter(), 60)
    assert deliveries.take_due(9, 9, Counter(), 60) == []
    clock.advance(61)
    assert deliveries.take_due(9, 9, Counter(), 60) == [first]
    ok = Try(time.time(), 0.1, 200)
    assert deliveries.record(first.id, ok) == DeliveryStatus.DELIVERED
    assert deliveries.record(first.id, ok) is None


def test_control_delivers_beside_its_other_duties_until_it_stops(chapters, jobs, database, deliverer, receiver):
    stop = threading.Event()
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()
    try:
        for _ in range(3):
            ended_job(chapters, jobs, database, receiver.url)
        deadline = time.monotonic() + 20
        while len(receiver.got) < 3:
            assert time.monotonic() < deadline
            thread.join(0.01)
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("files", [FILES, EVALUATION])
def test_a_job_takes_a_callback_and_lists_its_deliveries(client, files):
    job = submit(client, **files, callback_url="https://example.org/hook?token=1").json
    assert job["callback_url"] == "https://example.org/hook?token=1"
    assert client.get(job["links"]["deliveries"]).json == {"deliveries": []}
    client.post(f"/v1/jobs/{job['id']}/cancel")
    (delivery,) = client.get(job["links"]["deliveries"]).json["deliveries"]
    assert (delivery["event"], delivery["status"], delivery["tries"]) == ("job.ended", "pending", [])
    assert delivery["url"] == "https://example.org/hook?token=1"
    client.delete(f"/v1/jobs/{job['id']}")
    assert client.get(job["links"]["deliveries"]).status_code == 404


@on_sqlite
def test_a_callback_to_an_address_of_ours_is_refused_and_nothing_is_kept(client, context):
    for reply in (
        submit(client, **FILES, callback_url="http://127.0.0.1:6390/"),
        client.post("/v1/jobs", json={"callback_url": "http://[::1]/", "pages": ["0" * 32], "references": ["0" * 32]}),
    ):
        assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
        assert "callback_url" in reply.json["detail"]
    assert list(context.store.list_keys("")) == []


def test_the_secret_stays_until_it_is_replaced(client):
    first = client.get("/v1/tenant/webhook-secret").json["secret"]
    assert first.startswith("whsec_")
    assert client.get("/v1/tenant/webhook-secret").json["secret"] == first
    second = client.post("/v1/tenant/webhook-secret").json["secret"]
    assert second != first
    assert client.get("/v1/tenant/webhook-secret").json["secret"] == second
