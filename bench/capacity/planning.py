"""From what a page costs at each stage to how many workers a rate needs. Pure: nothing is measured here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from common.names import STAGES, Stage

HOUR_S = 3600.0


@dataclass(frozen=True)
class Cost:
    """What one piece of work takes a warm process that has its machine to itself.

    Attributes:
        seconds: of wall time: so long a worker is busy with it.
        cpu_s: processor time of all its threads, in seconds.
    """

    seconds: float
    cpu_s: float

    @property
    def cores(self) -> float:
        """Processors that it keeps busy meanwhile."""
        return self.cpu_s / self.seconds

    def plus(self, other: "Cost", times: float) -> "Cost":
        return Cost(self.seconds + times * other.seconds, self.cpu_s + times * other.cpu_s)


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        stages: of a page, at every stage.
        training: of a reference model; falls to the pool of cgan, once for a chapter.
        report: on the whole set of a chapter, for each of its pages; falls to the pool of metrics.
    """

    stages: Mapping[Stage, Cost]
    training: Cost
    report: Cost

    def of_pool(self, stage: Stage, chapter_pages: int) -> Cost:
        """What a page costs the workers of a stage, with its share of what is done once for a chapter."""
        cost = self.stages[stage]
        if stage is Stage.CGAN:
            return cost.plus(self.training, 1 / chapter_pages)
        return cost.plus(self.report, 1) if stage is Stage.METRICS else cost


@dataclass(frozen=True)
class Pool:
    """The workers of one stage.

    Attributes:
        cost: of a page, with its share of the chapter's training or report.
        pages_per_hour: of one worker.
        workers: how many the rate needs.
        busy: what share of their time these work.
        cores: processors that they keep busy.
    """

    cost: Cost
    pages_per_hour: float
    workers: int
    busy: float
    cores: float


@dataclass(frozen=True)
class Plan:
    """How many workers make so many pages an hour.

    Attributes:
        rate: pages an hour.
        pools: by stage.
        bottleneck: the pool whose worker makes the fewest pages an hour.
        trainings: reference models an hour that the rate comes with.
        training_workers: workers of cgan that these alone keep busy.
    """

    rate: float
    pools: Mapping[Stage, Pool]
    bottleneck: Stage
    trainings: float
    training_workers: float

    @property
    def cores(self) -> float:
        return sum(pool.cores for pool in self.pools.values())


def plan_pools(costs: Costs, chapter_pages: int, rate: float | None = None) -> Plan:
    """Size every pool for a rate.

    Args:
        costs: measured.
        chapter_pages: pages that share one reference model.
        rate: pages an hour; None: what one worker of the slowest pool makes.

    Raises:
        ValueError: a chapter without pages, or a rate of none.
    """
    if chapter_pages < 1 or (rate is not None and rate <= 0):
        raise ValueError("a chapter has at least one page, and a rate is more than 0 pages an hour")
    pools = {stage: costs.of_pool(stage, chapter_pages) for stage in STAGES}
    bottleneck = max(STAGES, key=lambda stage: pools[stage].seconds)
    rate = HOUR_S / pools[bottleneck].seconds if rate is None else rate
    trainings = rate / chapter_pages
    return Plan(
        rate,
        {stage: _size(cost, rate) for stage, cost in pools.items()},
        bottleneck,
        trainings,
        trainings * costs.training.seconds / HOUR_S,
    )


def _size(cost: Cost, rate: float) -> Pool:
    needed = rate * cost.seconds / HOUR_S
    # What a whole number of workers makes exactly must not, by the last bit of a float, ask for one more.
    workers = max(1, math.ceil(needed - 1e-9))
    return Pool(cost, HOUR_S / cost.seconds, workers, needed / workers, rate * cost.cpu_s / HOUR_S)


def rate_of_cores(costs: Costs, chapter_pages: int, cores: int) -> float:
    """Pages an hour that so many processors can make at most, however many workers share them."""
    cpu_s = sum(costs.of_pool(stage, chapter_pages).cpu_s for stage in STAGES)
    return cores * HOUR_S / cpu_s


def chapter_seconds(costs: Costs, pages: int, workers: Mapping[Stage, int], cores: int | None = None) -> float:
    """How long a chapter takes that has all workers to itself, from the training to the report.

    The pages go through the stages one behind the other: the first takes the sum of them, and each further one comes
    out as soon after it as the slowest pool lets it.

    Args:
        costs: measured.
        pages: of the chapter.
        workers: of each pool.
        cores: processors of the one machine that all share; None: each worker has its own.
    """
    stages = costs.stages
    slowest_s = max(stages[stage].seconds / workers[stage] for stage in STAGES)
    flow_s = sum(stages[stage].seconds for stage in STAGES) + (pages - 1) * slowest_s
    if cores is not None:
        flow_s = max(flow_s, pages * sum(stages[stage].cpu_s for stage in STAGES) / cores)
    return costs.training.seconds + flow_s + pages * costs.report.seconds


def scale_training(measured: Cost, loop_s: float, measured_epochs: int, epochs: int) -> Cost:
    """A training of another length, from one that was measured: what stands around its epochs stays as it is.

    Args:
        measured: the whole of it.
        loop_s: the part of its wall time that its epochs took.
        measured_epochs: how many these were.
        epochs: how many they are to be. A training may end sooner, when it learns no more.
    """
    if epochs == measured_epochs:
        return measured
    seconds = measured.seconds + loop_s * (epochs / measured_epochs - 1)
    return Cost(seconds, measured.cpu_s * seconds / measured.seconds)
