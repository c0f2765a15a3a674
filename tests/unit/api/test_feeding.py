"""Which pages go next, and how many: interactive before bulk, tenants in turns."""

import pytest
from sqlalchemy import select

from common.jobs.dispatch import DispatchStore
from common.jobs.feeding import PageMessage
from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT, WHOLE_SET, Job, Page
from common.jobs.records import NewEvaluation
from common.jobs.states import PageStatus
from common.jobs.work import WorkStore
from common.names import Stage
from tests.unit.api.engine import QUEUE_EMPTY, run_all_stages, send_pages


def test_feeding_keeps_about_two_messages_per_slot(chapters, dispatch, work):
    chapters.submit_trained(pages=30)
    work.sign_in("cgan", slots=1)
    assert len(send_pages(dispatch)) == 2
    assert send_pages(dispatch) == []
    WorkStore(work._database, 60, "worker-2").sign_in("cgan", slots=1)
    assert len(send_pages(dispatch)) == 2


def test_where_no_stage_that_has_room_has_a_page_waiting_nothing_is_written(chapters, dispatch, database, monkeypatch):
    chapters.submit_trained(pages=30)
    assert len(send_pages(dispatch)) == 2  # all wait for cgan, which is full; the other stages have room
    with monkeypatch.context() as patch:
        patch.setattr(database, "writing", lambda: pytest.fail("a writer keeps the others waiting"))
        assert send_pages(dispatch) == []


def test_a_small_job_goes_before_a_large_one_that_came_first(chapters, dispatch):
    chapters.submit(pages=30)
    small = chapters.submit(pages=2)
    chapters.train()
    assert {message.ref.job_id for message in send_pages(dispatch)} == {small}


def test_an_evaluation_is_no_small_job_for_having_no_pages(chapters, dispatch, jobs):
    entry = {"name": "1.png", "key": "k", "sha256": "1" * 64}
    jobs.create_evaluation(NewEvaluation(new_id(), LOCAL_TENANT, [entry], [entry], []))
    small = chapters.submit_trained(pages=1)
    assert [message.ref.job_id == small for message in send_pages(dispatch)] == [True, False]


def test_tenants_take_turns(chapters, dispatch):
    chapters.submit(pages=30, tenant="flood")
    modest = chapters.submit(pages=30, tenant="modest")
    chapters.train()
    assert [message.ref.job_id for message in send_pages(dispatch)].count(modest) == 1


def test_tenants_take_turns_however_many_they_are_and_whoever_came_first(chapters, dispatch, work):
    tenants = [f"tenant {number}" for number in range(6)]
    for tenant in tenants:
        chapters.submit(pages=30, tenant=tenant)
    chapters.train()
    owners = owners_of_pages_in_turn(dispatch, work, 24)
    assert all(owners.count(tenant) == 4 for tenant in tenants), owners
    assert all(set(owners[start : start + 6]) == set(tenants) for start in range(0, 24, 6)), owners


def test_a_newcomer_is_served_before_a_flood_goes_on(chapters, dispatch, work):
    chapters.submit_trained(pages=200, tenant="flood")
    owners_of_pages_in_turn(dispatch, work, 20)
    chapters.submit_trained(pages=10, tenant="newcomer")
    assert "newcomer" in owners_of_pages_in_turn(dispatch, work, 4)[:3]  # two of the flood are sent already


def test_a_page_of_which_one_stage_is_due_costs_a_quarter_of_a_turn(chapters, dispatch, jobs, work):
    job_id = chapters.submit_trained(pages=8, tenant="corrects")
    owners_of_pages_in_turn(dispatch, work, 8)
    with jobs._database.writing() as session:
        for page in session.scalars(select(Page).where(Page.job_id == job_id, Page.number > WHOLE_SET)):
            page.status, page.stage = PageStatus.QUEUED, Stage.METRICS
    chapters.submit_trained(pages=8, tenant="colours")
    work.sign_in("cgan", slots=20)
    work.sign_in("metrics", slots=20)
    first = [message.ref.job_id == job_id for message in send_pages(dispatch)[:5]]
    assert first.count(True) == 4


def test_bulk_does_not_starve_behind_interactive_jobs(chapters, dispatch, work, clock):
    bulk = chapters.submit_trained(pages=30, tenant="bulk")
    for _ in range(20):
        chapters.submit_trained(pages=2, tenant="interactive")
    assert bulk not in {message.ref.job_id for message in send_pages(dispatch)}
    clock.advance(61)
    dispatch.lost_pages(QUEUE_EMPTY)
    messages = send_pages(dispatch)
    assert [message.ref.job_id for message in messages].count(bulk) == 1


def test_bulk_does_not_starve_behind_interactive_jobs_of_its_own_tenant(chapters, dispatch, work, clock):
    bulk = chapters.submit_trained(pages=30)
    for _ in range(20):
        chapters.submit_trained(pages=2)
    assert bulk not in {message.ref.job_id for message in send_pages(dispatch)}
    clock.advance(61)
    dispatch.lost_pages(QUEUE_EMPTY)
    messages = send_pages(dispatch)
    assert [message.ref.job_id for message in messages].count(bulk) == 1


def owners_of_pages_in_turn(dispatch: DispatchStore, work: WorkStore, count: int) -> list[str]:
    """Whose pages go, in this order, when each is done before the next ones are sent."""
    owners: list[str] = []
    waiting: list[PageMessage] = []
    while len(owners) < count:
        waiting += send_pages(dispatch)
        message = waiting.pop(0)
        run_all_stages(work, message.ref)
        with work._database.reading() as session:
            owners.append(session.get_one(Job, message.ref.job_id).tenant_id)
    for message in waiting:  # nothing is left under way
        run_all_stages(work, message.ref)
    return owners


def test_pages_are_sent_in_reading_order(chapters, dispatch):
    chapters.submit_trained(pages=12)
    assert [message.ref.number for message in send_pages(dispatch)] == [1, 2]


def test_a_flood_of_one_tenant_hides_nobody(chapters, dispatch, work):
    chapters.submit(pages=300, tenant="flood")
    modest = chapters.submit(pages=9, tenant="modest")
    chapters.train()
    sent = send_pages(dispatch)
    assert modest in {message.ref.job_id for message in sent}
