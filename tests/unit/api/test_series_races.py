"""Series under races and losses: submissions at once, objects that are gone, answers that were lost, the sweep."""

from functools import partial

import pytest

from api import continuing
from common.errors import ConflictError, DatabaseError, SeriesChangedError, StorageError
from common.jobs.models import LOCAL_TENANT, Series
from common.jobs.store import JobStore
from storage import keys
from tests.unit.api.conftest import on_sqlite, picture, sweep
from tests.unit.api.test_concurrency import at_once
from tests.unit.api.test_series import DAY_S, FIRST, NAME, SECOND, references_of, send, series_of, shown, stored


def test_submissions_for_a_new_series_at_once_make_one_and_all_get_through(client, context, monkeypatch):
    app = client.application
    for round_number in range(4):
        name = f"series {round_number}"
        sent = [partial(send, app.test_client(), data, series=name) for data in (FIRST, SECOND, FIRST)]
        replies = at_once(*sent)
        assert [reply.status_code for reply in replies] == [202, 202, 202]
        (series,) = client.get("/v1/series", query_string={"name": name}).json["series"]
        assert [shown(client, reference["link"]) for reference in series["references"]] in ([FIRST], [SECOND])
        assert len(list(context.store.list_keys(keys.series_prefix(series["id"])))) == 1
    with context.database.reading() as session:
        assert session.query(Series).count() == 4


def interfering(monkeypatch, act, times: int = 1) -> None:
    """Have something happen right before a job is made, after its series was looked up."""
    real, left = JobStore.create_job, [times]

    def create_job(*given):
        if left[0]:
            left[0] -= 1
            with monkeypatch.context() as patch:
                patch.setattr(JobStore, "create_job", real)
                act()
        return real(*given)

    monkeypatch.setattr(JobStore, "create_job", create_job)


def test_a_reference_that_is_replaced_while_a_chapter_relies_on_it_is_not_lost(client, context, monkeypatch):
    send(client, FIRST)
    interfering(monkeypatch, lambda: send(client, SECOND))
    reply = send(client, FIRST)  # which the series had when it was looked up, and has not when the job is made
    assert reply.status_code == 202
    (reference,) = series_of(client)["references"]
    assert shown(client, reference["link"]) == FIRST
    assert len(stored(context)) == 1


def test_a_chapter_without_references_gets_those_that_hold_when_it_is_made(client, context, monkeypatch):
    send(client, FIRST)
    interfering(monkeypatch, lambda: send(client, SECOND))
    job = send(client).json
    assert references_of(client, job) == [SECOND]
    assert job["references"][0]["name"] == "r1.png"


def test_a_series_that_is_deleted_meanwhile_is_made_again_by_who_has_references(client, context, monkeypatch):
    def delete() -> None:
        assert client.delete(f"/v1/series/{series_of(client)['id']}").status_code == 204

    send(client, FIRST)
    with monkeypatch.context() as patch:
        interfering(patch, delete)
        assert send(client, SECOND).json["series"] == NAME
    assert [shown(client, one["link"]) for one in series_of(client)["references"]] == [SECOND]
    interfering(monkeypatch, delete)
    before = list(context.store.list_keys("jobs/"))
    assert "not there yet" in send(client).json["detail"]
    assert list(context.store.list_keys("jobs/")) == before


def test_a_series_that_changes_again_and_again_is_a_conflict_and_nothing_of_it_is_left(client, context, monkeypatch):
    monkeypatch.setattr(continuing, "TRIES", 2)
    jobs = [send(client, FIRST).json["id"]]
    others = iter((SECOND, FIRST, SECOND))
    interfering(monkeypatch, lambda: jobs.append(send(client, next(others)).json["id"]), times=2)
    third = picture(coloured=True, seed=3)
    reply = send(client, third)
    assert (reply.status_code, reply.json["code"]) == (409, "conflict")
    assert len(stored(context)) == 1
    assert list(context.store.list_folders("jobs/")) == sorted(jobs)


@on_sqlite
def test_a_reference_whose_object_is_gone_is_named(client, context):
    first = send(client, FIRST).json["id"]
    context.store.delete(stored(context)[0])
    reply = send(client)
    assert reply.status_code == 409
    assert reply.json["detail"] == f"series {NAME!r}: reference 1 (r1.png) is gone: send references"
    assert list(context.store.list_folders("jobs/")) == [first]


@on_sqlite
def test_a_reference_whose_object_is_gone_is_mended_by_sending_it_again(client, context):
    send(client, FIRST, SECOND)
    lost, kept = (reference["key"] for reference in context.series.find(LOCAL_TENANT, NAME).references)
    context.store.delete(lost)
    assert send(client, FIRST, SECOND).status_code == 202
    assert len(stored(context)) == 2
    assert kept in stored(context)
    assert references_of(client, send(client).json) == [FIRST, SECOND]


def test_a_job_that_is_there_in_spite_of_a_changed_series_keeps_its_files(client, context, monkeypatch):
    real = JobStore.create_job

    def create_and_refuse(*given):
        real(*given)
        raise SeriesChangedError("changed")

    monkeypatch.setattr(continuing, "TRIES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "create_job", create_and_refuse)
        assert send(client, FIRST).status_code == 409
    (job,) = client.get("/v1/jobs").json["jobs"]
    assert references_of(client, job) == [FIRST]


def test_a_submission_whose_answer_was_lost_keeps_the_objects_of_its_series(client, context, monkeypatch):
    real = JobStore.create_job

    def create_and_lose(*given):
        real(*given)
        raise DatabaseError("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "create_job", create_and_lose)
        assert send(client, FIRST).status_code == 503
    assert references_of(client, send(client).json) == [FIRST]


@on_sqlite
def test_a_job_that_is_there_already_leaves_no_objects_in_its_series(client, context, monkeypatch):
    def refuse(*_):
        raise ConflictError("there already")

    monkeypatch.setattr(JobStore, "create_job", refuse)
    assert send(client, FIRST).status_code == 409
    assert stored(context) == []


@on_sqlite
@pytest.mark.parametrize("error", [StorageError("away"), RuntimeError("a bug")])
def test_replaced_references_that_cannot_be_deleted_now_are_swept_away(client, context, monkeypatch, clock, error):
    send(client, FIRST)
    (old,) = stored(context)
    delete = type(context.store).delete

    def away(store, key: str) -> None:
        if key.startswith("series/"):
            raise error
        delete(store, key)

    with monkeypatch.context() as patch:
        patch.setattr(type(context.store), "delete", away)
        job = send(client, SECOND)
        assert job.status_code == 202
    assert references_of(client, job.json) == [SECOND]
    assert old in stored(context)
    clock.advance(1.1 * DAY_S)
    sweep(context)
    assert old not in stored(context)
    assert references_of(client, send(client).json) == [SECOND]


def test_the_sweep_deletes_what_no_series_refers_to_and_nothing_young_or_strange(client, context, clock):
    send(client, FIRST)
    (kept,) = stored(context)
    series_id = series_of(client)["id"]
    orphans = [
        keys.series_reference(series_id, f"{0:012x}{1:020x}"),
        keys.series_reference(f"{0:012x}{2:020x}", f"{0:012x}{3:020x}"),
    ]
    young = keys.series_reference(series_id, "f" * 32)
    strange = "series/by-hand"
    for key in (*orphans, young, strange):
        context.store.put(key, b"x", media_type="image/png")
    sweep(context)
    assert stored(context) == sorted([kept, young, strange])
    clock.advance(400 * DAY_S)
    sweep(context)
    assert kept in stored(context)  # however long nobody sends a chapter
    client.delete(f"/v1/series/{series_id}")
    assert stored(context) == [strange]
