"""What was measured and planned, as Markdown that reads well on a terminal too."""

import os
from collections.abc import Mapping, Sequence

from bench.capacity.measuring import Measured
from bench.capacity.planning import Plan, chapter_seconds, rate_of_cores
from common.names import STAGES, Stage

GIB = 1024**3
LOAD = "load before"
"""The entry of the machine with the load of the last minute before the measuring began."""
BUSY = 0.5
"""Load for each processor from which on others are at work."""


def describe(measured: Measured, plan: Plan, epochs: int, chapter: int, machine: Mapping[str, str]) -> str:
    """The whole report: of a training of so many epochs, and chapters of so many pages."""
    parts = [
        "# Capacity of this machine",
        "\n".join(f"- {name}: {value}" for name, value in machine.items() if value != "none"),
        _how(measured, epochs),
        *_warn(machine),
        "## What a page costs",
        _costs(measured),
        _training(measured, epochs),
        f"## Workers for {plan.rate:,.0f} pages an hour, in chapters of {chapter} pages with one reference each",
        _pools(plan),
        _reading(measured, plan, chapter),
    ]
    return "\n\n".join(parts) + "\n"


def _how(measured: Measured, epochs: int) -> str:
    scaled = (
        f"{measured.measured_epochs} epochs of the training were measured and scaled to {epochs}: where it ends "
        "sooner, because it learns no more, it takes less."
        if measured.measured_epochs != epochs
        else f"The training was measured whole, {epochs} epochs."
    )
    return (
        f"{measured.pages} pages of {measured.megapixels:.1f} MP on the mean, each stage alone, in a warm process, "
        f"with storage on this disk. {scaled} Where several pools share these {os.cpu_count()} processors each is "
        "slower than here: the processor time (CPU) of a page says how much they have to share."
    )


def _warn(machine: Mapping[str, str]) -> list[str]:
    load = float(machine[LOAD])
    if load < BUSY * (os.cpu_count() or 1):
        return []
    return [
        f"**Others were at work on this machine** (a load of {load:.1f} before it began): the seconds are too many, "
        "and with them the workers. The processor time is about right. Measure again when it is quiet."
    ]


def _costs(measured: Measured) -> str:
    rows = []
    for stage in STAGES:
        cost, process = measured.costs.stages[stage], measured.processes[stage.value]
        least, most = measured.spread[stage.value]
        kinds = ", ".join(f"{kind} {number:.1f}" for kind, number in sorted(process.requests.items()))
        rows.append(
            (
                stage.value,
                f"{cost.seconds:.2f}",
                f"{least:.2f}–{most:.2f}",
                f"{cost.cpu_s:.2f}",
                f"{cost.cores:.2f}",
                f"{3600 / cost.seconds:,.0f}",
                f"{process.load_s:.1f}",
                f"{process.peak_bytes / GIB:.2f} + {process.loaded_bytes / GIB:.2f}",
                kinds,
                f"{process.bytes_read / 1e6:.1f} / {process.bytes_written / 1e6:.1f}",
            )
        )
    head = (
        "stage", "s a page", "from–to", "CPU s", "cores", "pages/h of a worker", "first page, s more",
        "memory, GiB", "requests of storage a page", "MB read / written",
    )  # fmt: skip
    note = "Memory: the most of the process that works, and what the parent of its pool keeps beside it."
    return f"{_table(head, rows)}\n\n{note}"


def _training(measured: Measured, epochs: int) -> str:
    training, report = measured.costs.training, measured.costs.report
    process = measured.processes["training"]
    return (
        f"Training on one reference, {epochs} epochs: {training.seconds:.0f} s on {training.cores:.2f} cores, "
        f"{process.peak_bytes / GIB:.2f} GiB: {3600 / training.seconds:.0f} an hour of a cgan worker that does nothing "
        f"else. The report on a whole chapter: {report.seconds:.2f} s for each of its pages."
    )


def _pools(plan: Plan) -> str:
    rows = [
        (
            stage.value + (" (slowest)" if stage is plan.bottleneck else ""),
            f"{pool.cost.seconds:.2f}",
            f"{pool.pages_per_hour:,.0f}",
            str(pool.workers),
            f"{pool.busy:.0%}",
            f"{pool.cores:.2f}",
        )
        for stage, pool in plan.pools.items()
    ]
    head = ("pool", "s a page, all in", "pages/h of a worker", "workers", "busy", "cores")
    note = "All in: with a page's share of its chapter's training (cgan) and report (metrics)."
    return f"{_table(head, rows)}\n\n{note}"


def _reading(measured: Measured, plan: Plan, chapter: int) -> str:
    costs, cores = measured.costs, os.cpu_count() or 1
    one_each: dict[Stage, int] = dict.fromkeys(STAGES, 1)
    planned = {stage: pool.workers for stage, pool in plan.pools.items()}
    lines = [
        f"The slowest pool is {plan.bottleneck}: its rate is the house's until it has more workers.",
        f"The rate comes with {plan.trainings:.1f} trainings an hour, which keep {plan.training_workers:.2f} of the "
        f"cgan workers busy.",
        f"It needs {plan.cores:.1f} cores. This machine's {cores} make at most "
        f"{rate_of_cores(costs, chapter, cores):,.0f} pages an hour, however many workers share them.",
        f"A chapter of {chapter} pages, training included: {chapter_seconds(costs, chapter, one_each):.0f} s with one "
        f"worker a pool that has the cores it wants, {chapter_seconds(costs, chapter, planned):.0f} s with the workers "
        f"above, {chapter_seconds(costs, chapter, one_each, cores):.0f} s at least with one worker a pool on {cores} "
        f"cores.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )
