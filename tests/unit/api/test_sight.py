"""/metrics: what operators and autoscalers are told, and whom it is told."""

import time

import pytest

from api.app import create_app, prepare
from api.context import EXTENSION
from common.errors import DatabaseError
from common.jobs.models import WHOLE_SET
from common.jobs.overview import OverviewStore
from common.names import STAGES, Stage
from common.settings import Settings
from common.telemetry import read_sample
from tests.unit.api.conftest import on_sqlite, picture, submit
from tests.unit.api.engine import outcome_of, run_all_stages, score_set, send_pages

TOKEN = "let-prometheus-in"


def wait_until(holds, limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def look(database):
    """What is seen now: a store that has not looked yet."""
    return lambda: OverviewStore(database, interactive_pages=4).look()


def told(client, name: str) -> dict[str, float]:
    """The samples of a metric, by their labels as they are written."""
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    found = [line.removeprefix(name).rsplit(" ", 1) for line in lines if line.startswith((f"{name}{{", f"{name} "))]
    return {labels: float(value) for labels, value in found}


def test_pages_are_counted_by_queue_class_and_state(jobs, work, dispatch, chapters, look):
    work.sign_in("cgan", 1)
    chapters.submit_trained(pages=2)
    chapters.submit_trained(pages=6)
    (first, *_) = send_pages(dispatch)
    work.claim_page(first.ref, Stage.CGAN)
    found = {(one.stage, one.is_bulk, one.state): one.count for one in look().pages}
    # Two messages for the slot, the interactive job's; whole sets wait for no worker.
    assert found == {
        (Stage.CGAN, False, "running"): 1,
        (Stage.CGAN, False, "sent"): 1,
        (Stage.CGAN, True, "waiting"): 6,
    }
    work.commit_page(first.ref, Stage.CGAN, outcome_of(Stage.CGAN))
    found = {(one.stage, one.state): one.count for one in look().pages}
    assert found[Stage.S2P, "sent"] == 1


def test_a_set_that_was_sent_counts_at_metrics(work, dispatch, chapters, look):
    chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref)
    assert look().demand(Stage.METRICS) == 0
    (message,) = send_pages(dispatch)
    assert message.ref.number == WHOLE_SET
    assert look().demand(Stage.METRICS) == 1


def test_what_waits_for_a_training_is_no_demand_but_the_training_is(chapters, dispatch, look):
    chapters.submit(pages=5)
    assert look().demand(Stage.CGAN) == 1
    assert look().trainings == {"missing": 1}
    (message,) = dispatch.start_trainings()
    assert look().trainings == {"training": 1}
    assert look().demand(Stage.CGAN) == 1
    chapters._work.claim_model(message.key, message.attempt)
    chapters._work.commit_model(message.key, message.attempt, 1.0)
    assert look().demand(Stage.CGAN) == 5
    assert look().trainings == {}


def test_the_oldest_page_is_told_by_queue_and_class_and_not_what_runs(chapters, work, dispatch, look, clock):
    chapters.submit_trained(pages=6)
    clock.advance(100)
    interactive = chapters.submit_trained(pages=1)
    clock.advance(10)
    assert look().oldest_s(Stage.CGAN, "bulk") == pytest.approx(110, abs=5)
    assert look().oldest_s(Stage.CGAN, "interactive") == pytest.approx(10, abs=5)
    assert look().oldest_s(Stage.S2P, "bulk") == 0
    (message,) = [message for message in send_pages(dispatch) if message.ref.job_id == interactive]
    clock.advance(50)
    work.claim_page(message.ref, Stage.CGAN)
    assert look().oldest_s(Stage.CGAN, "interactive") == 0


def test_jobs_slots_workers_and_webhooks_are_counted(jobs, work, dispatch, chapters, look):
    chapters.submit_trained(pages=1)
    (message,) = send_pages(dispatch)
    run_all_stages(work, message.ref)
    score_set(dispatch, work)
    assert look().jobs == {"packaging": 1}
    dispatch.finish_job(message.ref.job_id, "key")
    work.sign_in("s2p", 1)
    assert look().jobs == {"succeeded": 1}
    assert (look().slots, look().workers) == ({"s2p": 1}, {"s2p": 1})
    work.sign_in("s2p", 0)  # it drains
    assert (look().slots, look().workers) == ({"s2p": 0}, {"s2p": 1})


def test_the_truth_is_not_looked_at_more_often_than_it_changes(chapters, database, monkeypatch):
    overviews = OverviewStore(database, interactive_pages=4)
    assert overviews.look().jobs == {}
    chapters.submit()
    assert overviews.look().jobs == {}
    monkeypatch.setattr("common.jobs.overview.FRESH_S", -1.0)
    assert overviews.look().jobs == {}  # nobody waits for the next look
    wait_until(lambda: overviews.look().jobs == {"queued": 1})
    chapters.submit()
    monkeypatch.setattr("common.jobs.overview.STALE_S", -1.0)
    with pytest.raises(DatabaseError):  # what is too old is told to nobody
        overviews.look()
    wait_until(lambda: overviews._lock.acquire(blocking=False))  # for the look that this one began


@on_sqlite
def test_metrics_show_every_state_and_queue_from_the_start(client):
    assert told(client, "nurie_jobs")['{state="failed"}'] == 0
    for name in ("nurie_slots", "nurie_queue_demand", "nurie_workers"):
        assert told(client, name) == {f'{{queue="{stage}"}}': 0 for stage in STAGES}
    assert told(client, "nurie_deliveries_pending") == {"": 0}
    assert set(told(client, "nurie_disk_free_bytes")) == {'{what="data"}', '{what="storage"}'}
    assert list(told(client, "nurie_build_info").values()) == [1]


@on_sqlite
def test_requests_are_counted_by_route_and_the_time_of_long_polls_is_left_out(client):
    files = {"pages": [(picture(), "1.png")], "references": [(picture(coloured=True), "r.png")]}
    job = submit(client, **files).json["id"]
    route = "/v1/jobs/<job_id>"
    count = {"method": "GET", "route": route, "status": "200"}
    before = read_sample("nurie_http_requests_total", **count)
    timed = read_sample("nurie_http_request_seconds_count", method="GET", route=route)
    client.get(f"/v1/jobs/{job}")
    client.get(f"/v1/jobs/{job}?wait=1")
    assert read_sample("nurie_http_requests_total", **count) == before + 2
    assert read_sample("nurie_http_request_seconds_count", method="GET", route=route) == timed + 1


@on_sqlite
def test_what_is_refused_and_what_is_not_there_is_counted_too(client):
    def counted(**labels: str) -> float:
        return read_sample("nurie_http_requests_total", method="GET", **labels)

    refused, missing = counted(route="/healthz", status="403"), counted(route="unmatched", status="404")
    client.get("/healthz", headers={"Host": "evil.example"})
    client.get("/no/such/thing")
    assert counted(route="/healthz", status="403") == refused + 1
    assert counted(route="unmatched", status="404") == missing + 1


@on_sqlite
def test_methods_of_nobodys_make_no_series_of_their_own(client):
    before = read_sample("nurie_http_requests_total", method="other", route="unmatched", status="404")
    for number in range(3):
        client.open("/no/such/thing", method=f"M{number}")
    after = read_sample("nurie_http_requests_total", method="other", route="unmatched", status="404")
    assert after == before + 3


@on_sqlite
def test_metrics_go_on_without_the_database(client, context, monkeypatch):
    def look(_self):
        raise DatabaseError("away")

    monkeypatch.setattr(OverviewStore, "look", look)
    assert told(client, "nurie_jobs") == {}
    assert told(client, "nurie_build_info")


@pytest.fixture
def with_keys(settings, broker_there, monkeypatch):
    """Makes clients of an API that asks for keys, with or without a token for operators."""
    apps = []

    def make(token: str):
        monkeypatch.setenv("NURIE_METRICS_TOKEN", token)
        prepare(settings)
        update = {"auth": "keys", "metrics_token": Settings().metrics_token}
        apps.append(create_app(settings.model_copy(update=update)))
        return apps[-1].test_client()

    yield make
    for app in apps:
        app.extensions[EXTENSION].database.close()


@on_sqlite
def test_with_keys_metrics_are_closed_until_the_operator_sets_a_token(with_keys):
    reply = with_keys("").get("/metrics")  # as an example's line that was not filled in gives it
    assert reply.status_code == 401
    assert "NURIE_METRICS_TOKEN" in reply.json["detail"]


@on_sqlite
def test_the_token_alone_opens_metrics(with_keys):
    client = with_keys(TOKEN)
    assert client.get("/metrics").status_code == 401
    for header in ("Bearer wrong", f"Basic {TOKEN}", "Bearer ", f"Bearer {TOKEN}x"):
        assert client.get("/metrics", headers={"Authorization": header}).status_code == 401
    reply = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 200
    assert reply.content_type.startswith("text/plain")
    assert "nurie_jobs" in reply.get_data(as_text=True)
