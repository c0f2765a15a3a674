"""From what a page costs at each stage to how many workers a rate needs: worked out by hand."""

import math

import pytest

from bench.capacity.planning import (
    Cost,
    Costs,
    chapter_seconds,
    plan_pools,
    rate_of_cores,
    scale_training,
)
from common.names import STAGES, Stage

ONE_EACH = dict.fromkeys(STAGES, 1)


def costs(training: Cost | None = None) -> Costs:
    stages = {
        Stage.CGAN: Cost(1, 1.5),
        Stage.S2P: Cost(4, 6),
        Stage.INKNHUE: Cost(2, 2),
        Stage.METRICS: Cost(0.5, 0.5),
    }
    return Costs(stages, training or Cost(100, 200), report=Cost(0.5, 0.5))


def test_without_a_rate_one_worker_of_the_slowest_pool_sets_it():
    plan = plan_pools(costs(), chapter_pages=100)
    assert plan.bottleneck is Stage.S2P
    assert plan.rate == 900  # 3600 s by 4 s
    assert {stage: pool.workers for stage, pool in plan.pools.items()} == ONE_EACH
    assert plan.pools[Stage.S2P].busy == 1
    assert plan.pools[Stage.INKNHUE].busy == 0.5


def test_trainings_fall_to_cgan_and_reports_to_metrics():
    plan = plan_pools(costs(), chapter_pages=10)
    assert plan.pools[Stage.CGAN].cost == Cost(11, 21.5)  # 1 + 100/10
    assert plan.pools[Stage.METRICS].cost == Cost(1, 1)
    assert plan.bottleneck is Stage.CGAN
    assert plan.rate == pytest.approx(3600 / 11)
    assert plan.trainings == pytest.approx(360 / 11)
    assert plan.training_workers == pytest.approx(10 / 11)  # ten of its eleven seconds a page


def test_workers_are_rounded_up_and_busy_says_by_how_much():
    plan = plan_pools(costs(), chapter_pages=100, rate=1000)
    s2p = plan.pools[Stage.S2P]
    assert (s2p.workers, s2p.pages_per_hour) == (2, 900)
    assert s2p.busy == pytest.approx(1000 / 1800)


@pytest.mark.parametrize("times", range(1, 60))
def test_a_rate_that_whole_workers_make_exactly_asks_for_none_more(times):
    given = costs(training=Cost(0.7, 1))
    one = 3600 / given.of_pool(Stage.CGAN, 3).seconds
    assert plan_pools(given, 3, rate=one * times).pools[Stage.CGAN].workers == times


@pytest.mark.parametrize("rate", [1.0, 250.0, 1e5])
@pytest.mark.parametrize("chapter_pages", [1, 7, 200])
def test_the_workers_of_a_plan_make_its_rate_and_one_less_does_not(rate, chapter_pages):
    for pool in plan_pools(costs(), chapter_pages, rate).pools.values():
        assert pool.workers * pool.pages_per_hour >= rate * (1 - 1e-9)
        assert pool.workers == 1 or (pool.workers - 1) * pool.pages_per_hour < rate
        assert 0 < pool.busy <= 1 + 1e-9


def test_cores_are_the_processor_time_of_a_page_by_the_rate():
    plan = plan_pools(costs(), chapter_pages=100, rate=360)
    # A page: cgan 1.5 + 2, s2p 6, inknhue 2, metrics 0.5 + 0.5 s of processor time, and a page comes every ten seconds.
    assert plan.cores == pytest.approx(1.25)
    assert rate_of_cores(costs(), 100, cores=2) == pytest.approx(2 * 3600 / 12.5)
    assert plan_pools(costs(), 100, rate_of_cores(costs(), 100, 2)).cores == pytest.approx(2)


def test_a_chapter_takes_the_training_the_first_page_and_the_slowest_pool_for_each_further_one():
    assert chapter_seconds(costs(), 20, ONE_EACH) == 100 + 7.5 + 19 * 4 + 20 * 0.5
    assert chapter_seconds(costs(), 20, ONE_EACH | {Stage.S2P: 2}) == 100 + 7.5 + 19 * 2 + 10
    assert chapter_seconds(costs(), 1, ONE_EACH) == 100 + 7.5 + 0.5


def test_processors_that_are_too_few_hold_a_chapter_up():
    # 20 pages of 10 s of processor time are 200 s on one processor, and 83.5 s where each pool has its own.
    assert chapter_seconds(costs(), 20, ONE_EACH, cores=1) == 100 + 200 + 10
    assert chapter_seconds(costs(), 20, ONE_EACH, cores=64) == chapter_seconds(costs(), 20, ONE_EACH)


def test_a_training_is_scaled_by_its_epochs_alone():
    measured = Cost(seconds=25, cpu_s=50)
    assert scale_training(measured, loop_s=20, measured_epochs=20, epochs=100) == Cost(105, 210)
    assert scale_training(measured, loop_s=20, measured_epochs=20, epochs=20) == measured


@pytest.mark.parametrize(("chapter_pages", "rate"), [(0, None), (20, 0.0), (20, -1.0)])
def test_what_makes_no_sense_is_refused(chapter_pages, rate):
    with pytest.raises(ValueError, match="at least one page"):
        plan_pools(costs(), chapter_pages, rate)


def test_cores_of_a_cost():
    assert math.isclose(Cost(2, 3).cores, 1.5)
