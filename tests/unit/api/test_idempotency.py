"""A POST that is sent again makes nothing again."""

import threading
import time

import pytest
from sqlalchemy import select

from api import idempotency, jobs
from api.context import Context
from api.idempotency import HEADER, REPLAYED
from api.intake import submit_job
from common.errors import ConflictError, DatabaseError, InFlightError, ReusedKeyError, StorageError
from common.jobs.garbage import GarbageStore
from common.jobs.idempotency import KEPT_S, LOCKED_S, Answer, IdempotencyStore, Reservation
from common.jobs.models import LOCAL_TENANT, IdempotencyKey
from common.jobs.store import JobStore
from tests.unit.api.conftest import on_sqlite, picture, submit

GREY, COLOURED = picture(), picture(coloured=True)
FILES = {"pages": [(GREY, "1.png")], "references": [(COLOURED, "ref.png")]}
KEY = "0f3a9c51-d2e4-4b68-9a77-3e1f00c0ffee"


@pytest.fixture
def keyed(client):
    """A client that sends the same key with all it asks."""
    client.environ_base["HTTP_IDEMPOTENCY_KEY"] = KEY
    return client


@pytest.fixture
def entries(database) -> IdempotencyStore:
    return IdempotencyStore(database)


def jobs_of(client) -> list[str]:
    return [job["id"] for job in client.get("/v1/jobs").json["jobs"]]


def test_a_submission_that_is_sent_again_gives_the_first_answer_and_no_second_job(keyed):
    first, again = submit(keyed, **FILES), submit(keyed, **FILES)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
    assert jobs_of(keyed) == [first.json["id"]]


def test_without_a_key_each_submission_is_a_job_of_its_own(client):
    assert submit(client, **FILES).json["id"] != submit(client, **FILES).json["id"]


@pytest.mark.parametrize(
    "other",
    [
        {"pages": [(picture(seed=1), "1.png")]},
        {"pages": [(GREY, "2.png")]},
        {"pages": [(GREY, "1.png"), (GREY, "2.png")]},
        {"params": '{"blend": 0.5}'},
    ],
    ids=["bytes", "name", "count", "params"],
)
def test_another_submission_under_the_same_key_is_refused(keyed, other):
    submit(keyed, **FILES)
    reply = submit(keyed, **FILES | other)
    assert (reply.status_code, reply.json["code"]) == (422, "idempotency_key_reused")
    assert len(jobs_of(keyed)) == 1


def test_the_key_belongs_to_one_route(keyed):
    assert keyed.post("/v1/uploads", json={"filename": "a.png", "size": 1}).status_code == 201
    assert submit(keyed, **FILES).status_code == 422


def test_an_upload_that_is_announced_again_is_the_same_upload(keyed):
    first, again = (keyed.post("/v1/uploads", json={"filename": "a.png", "size": 1}) for _ in range(2))
    assert (again.status_code, again.json["id"]) == (first.status_code, first.json["id"])
    assert keyed.post("/v1/uploads", json={"filename": "a.png", "size": 2}).status_code == 422


def test_who_was_refused_may_mend_the_request_and_use_the_key_again(keyed):
    assert submit(keyed, pages=[(b"no picture", "1.png")], references=FILES["references"]).status_code == 400
    assert submit(keyed, **FILES).status_code == 202


@pytest.mark.parametrize("key", ["", " ", "a b", "ä".encode().decode("latin-1"), "x" * 256, '"'])
@on_sqlite
def test_what_is_no_key_is_refused(client, key):
    reply = client.post("/v1/uploads", json={"filename": "a.png", "size": 1}, headers={HEADER: key})
    assert reply.status_code == 400
    assert HEADER in reply.json["detail"]


def test_a_retry_that_is_sent_again_answers_the_same(keyed):
    job = submit(keyed, **FILES).json["id"]
    replies = [keyed.post(f"/v1/jobs/{job}/cancel", headers={HEADER: "cancel-1"}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[1].headers[REPLAYED] == "true"


def test_a_submission_whose_answer_was_lost_is_found_by_who_sends_it_again(keyed, monkeypatch):
    create_job = JobStore.create_job

    def create_and_lose(*given):
        create_job(*given)
        raise DatabaseError("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "create_job", create_and_lose)
        assert submit(keyed, **FILES).status_code == 503
    again = submit(keyed, **FILES)
    assert again.status_code == 202
    assert jobs_of(keyed) == [again.json["id"]]


def test_a_submission_that_failed_on_storage_can_be_sent_again(keyed, context: Context, monkeypatch):
    def away(*_given, **_more):
        raise StorageError("away")

    with monkeypatch.context() as patch:
        patch.setattr(type(context.store), "put", away)
        assert submit(keyed, **FILES).status_code == 503
    assert submit(keyed, **FILES).status_code == 202
    assert len(jobs_of(keyed)) == 1


def test_an_answer_that_cannot_be_kept_is_given_all_the_same_and_found_again(keyed, monkeypatch, clock):
    def away(*_):
        raise DatabaseError("away")

    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyStore, "finish", away)
        first = submit(keyed, **FILES)
    assert first.status_code == 202
    assert submit(keyed, **FILES).status_code == 409
    clock.advance(LOCKED_S + 1)
    assert submit(keyed, **FILES).json["id"] == first.json["id"]


def test_a_request_that_is_worked_on_at_this_moment_is_refused(entries):
    assert isinstance(entries.begin(LOCAL_TENANT, KEY, "1" * 64), Reservation)
    with pytest.raises(ConflictError):
        entries.begin(LOCAL_TENANT, KEY, "1" * 64)
    with pytest.raises(ReusedKeyError):
        entries.begin(LOCAL_TENANT, KEY, "2" * 64)


def test_a_request_whose_process_died_is_taken_up_again_under_the_same_id(entries, clock):
    first = entries.begin(LOCAL_TENANT, KEY, "1" * 64)
    clock.advance(LOCKED_S + 1)
    assert entries.begin(LOCAL_TENANT, KEY, "1" * 64) == Reservation(first.resource_id, is_repeated=True)


def test_a_request_that_takes_long_is_held_all_the_while(keyed, context, monkeypatch, clock):
    monkeypatch.setattr(idempotency, "RENEW_S", 0.01)
    renewed = threading.Event()
    renew = IdempotencyStore.renew

    def notice(*arguments):
        renew(*arguments)
        renewed.set()

    def take_long(*arguments):
        clock.advance(LOCKED_S - 1)
        renewed.clear()
        assert renewed.wait(30)
        clock.advance(LOCKED_S - 1)  # longer in all than one lock holds
        with context.database.reading() as session:
            sha256 = session.scalar(select(IdempotencyKey.request_sha256))
        with pytest.raises(InFlightError):
            context.idempotency.begin(LOCAL_TENANT, KEY, sha256)
        submit_job(*arguments)

    monkeypatch.setattr(IdempotencyStore, "renew", notice)
    monkeypatch.setattr(jobs, "submit_job", take_long)
    assert submit(keyed, **FILES).status_code == 202


def test_who_comes_while_it_is_worked_on_is_told_when_to_come_back(keyed, context, monkeypatch):
    def away(*_):
        raise DatabaseError("away")

    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyStore, "finish", away)
        assert submit(keyed, **FILES).status_code == 202
    again = submit(keyed, **FILES)
    assert (again.status_code, again.headers["Retry-After"]) == (409, "5")


def test_of_many_at_once_one_is_worked_on(entries):
    begun: list[object] = []
    barrier = threading.Barrier(6)

    def begin() -> None:
        barrier.wait(30)
        try:
            begun.append(entries.begin(LOCAL_TENANT, KEY, "1" * 64))
        except ConflictError:
            begun.append(None)

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(begun) == 6
    assert len([one for one in begun if one is not None]) == 1


def test_an_answer_is_kept_for_a_day_and_then_forgotten(entries, database, clock):
    garbage = GarbageStore(database, keep_days=7)
    entries.begin(LOCAL_TENANT, KEY, "1" * 64)
    entries.finish(LOCAL_TENANT, KEY, Answer(202, {}, "{}"))
    clock.advance(KEPT_S - 60)
    assert garbage.remove_old_answers(time.time() - KEPT_S) == 0
    assert entries.begin(LOCAL_TENANT, KEY, "1" * 64) == Answer(202, {}, "{}")
    clock.advance(120)
    # Also where no sweep has come by yet.
    assert isinstance(entries.begin(LOCAL_TENANT, KEY, "2" * 64), Reservation)


def test_keys_of_tenants_do_not_meet(entries, jobs):
    jobs.ensure_tenant("another")
    entries.begin(LOCAL_TENANT, KEY, "1" * 64)
    assert isinstance(entries.begin("another", KEY, "2" * 64), Reservation)
