"""What a job is doing, on the terminal: a live table on a screen, a line per change elsewhere."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from common.names import STAGES

Snapshot = tuple[dict[str, Any], list[dict[str, Any]]]

MARKS = {"succeeded": "[green]done[/]", "failed": "[red]failed[/]", "skipped": "as it was", "cancelled": "cancelled"}


def show_progress(snapshots: Iterable[Snapshot], console: Console) -> Snapshot:
    """Show a job until it has ended; returns its last state."""
    last: Snapshot | None = None
    if not console.is_terminal:
        said: set[str] = set()
        for last in snapshots:
            for line in _lines(*last):
                if line not in said:
                    said.add(line)
                    console.print(line, markup=False, highlight=False)
    else:
        with Live(console=console, refresh_per_second=4) as live:
            for last in snapshots:
                live.update(_table(*last))
    assert last is not None
    return last


def _lines(job: dict[str, Any], pages: list[dict[str, Any]]) -> Iterable[str]:
    model = job["reference_model"] or {"status": None}  # an evaluation trains nothing
    if model["status"] == "training":
        yield f"reference model: training, {int(model['progress'] * 10) * 10}%"
    elif model["status"] == "ready":
        yield f"reference model: ready ({model['seconds']} s)"
    for page in pages:
        for stage, timing in page["timings"].items():
            cached = ", kept from before" if timing["cached"] else ""
            yield f"page {page['number']} {page['name']}: {stage} {timing['seconds']:.1f} s{cached}"
            if warning := timing.get("warning"):
                yield f"page {page['number']} {page['name']}: {warning}"
        if page["status"] in MARKS:
            reason = f": {page['error']['detail']}" if page["error"] else ""
            yield f"page {page['number']} {page['name']}: {page['status']}{reason}"
    if job["error"]:
        yield f"report: {job['error']['detail']}"
    yield f"job: {job['status']}"


def _table(job: dict[str, Any], pages: list[dict[str, Any]]) -> Table:
    table = Table(title=f"job {job['status']}{_model_state(job['reference_model'])}", title_justify="left")
    if job["error"]:
        table.caption = Text(f"report: {job['error']['detail']}")
    table.add_column("page")
    for stage in STAGES:
        table.add_column(stage.value, justify="right")
    table.add_column("")
    for page in pages:
        table.add_row(page["name"], *(_cell(page, stage.value) for stage in STAGES), MARKS.get(page["status"], ""))
    return table


def _model_state(model: dict[str, Any] | None) -> str:
    if model is None:
        return ""
    percent = f" {model['progress']:.0%}" if model["status"] == "training" else ""
    return f" · reference model {model['status']}{percent}"


def _cell(page: dict[str, Any], stage: str) -> str:
    if timing := page["timings"].get(stage):
        return "kept" if timing["cached"] else f"{timing['seconds']:.1f} s"
    if page["stage"] == stage:
        return "[cyan]works[/]" if page["status"] == "running" else "[dim]waits[/]"
    return ""
