"""What chapters are doing, on the terminal: a live picture on a screen, a line per change elsewhere."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nurie_client.colouring import Run
from nurie_client.records import Job, Page

STAGES: Final = ("cgan", "s2p", "inknhue", "metrics")
STAGE_WORDS: Final = {"cgan": "draft", "s2p": "rough", "inknhue": "final", "metrics": "score"}
MARKS: Final = {"succeeded": "done", "failed": "failed", "skipped": "in colour already", "cancelled": "cancelled"}
PAGES_SHOWN: Final = 8
BAR_WIDTH: Final = 24
NOTICE_S: Final = 35.0
"""How long what was said of the connection stays, in seconds: longer than the longest pause."""


class ProgressView:
    """Shows runs while somebody else works on them. A context manager; `refresh` when there may be news."""

    def __init__(self, runs: Sequence[Run], console: Console, *, quiet: bool = False) -> None:
        self._runs, self._console, self._quiet = runs, console, quiet
        self._said: list[set[str]] = [set() for _ in runs]
        self._notice, self._notice_ends = "", 0.0
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "ProgressView":
        self.resume()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        self.refresh()

    def resume(self) -> None:
        if self._console.is_terminal and not self._quiet:
            self._live.start()

    def pause(self) -> None:
        """Give the terminal back, as for a question."""
        self._live.stop()

    def notice(self, text: str) -> None:
        """Something about the connection."""
        self._notice, self._notice_ends = text, time.monotonic() + NOTICE_S
        if not self._console.is_terminal and not self._quiet:
            self._say(text)

    def refresh(self) -> None:
        """Without a terminal: say what is new, a line for each."""
        if self._console.is_terminal or self._quiet:
            return
        for run, said in zip(self._runs, self._said, strict=True):
            for line in _lines(run):
                if line not in said:
                    said.add(line)
                    self._say(f"{run.chapter.title}: {line}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> RenderableType:
        shown = [run for run in self._runs if run.phase != "waiting"]
        parts: list[RenderableType] = [_bars(shown)]
        busy = [(run, page) for run in shown for page in run.pages if page.status == "running"]
        if busy:
            parts.append(_page_table(busy[:PAGES_SHOWN], len(busy), many=len(self._runs) > 1))
        if waiting := len(self._runs) - len(shown):
            parts.append(Text(f"{waiting} more chapters wait their turn", style="dim"))
        if time.monotonic() < self._notice_ends:
            parts.append(Text(self._notice, style="yellow"))
        return Group(*parts)


def draw_ended(run: Run, trouble: str = "") -> Text:
    """One line on a chapter that has ended; `trouble` says what went wrong where it has an error."""
    if run.error:
        return Text.assemble(("failed    ", "red"), f"{run.chapter.title}: {trouble}")
    if run.detached and run.job:
        return Text.assemble(("sent      ", "green"), f"{run.chapter.title}: job {run.job.id}")
    assert run.job is not None
    counts = run.job.pages
    style = {"succeeded": "green", "partial": "yellow"}.get(run.job.status, "red")
    words = [f"{counts.succeeded} {'page' if counts.succeeded == 1 else 'pages'} coloured"]
    words += [f"{counts.skipped} in colour already"] if counts.skipped else []
    words += [f"{counts.failed} failed"] if counts.failed else []
    words += [f"{counts.cancelled} cancelled"] if counts.cancelled else []
    words += ["nothing was written"] if run.job.status == "cancelled" else []
    return Text.assemble((f"{run.job.status:10}", style), f"{run.chapter.title}: {', '.join(words)}")


def describe_failures(pages: Sequence[Page]) -> Iterator[str]:
    for page in pages:
        if page.status == "failed" and page.error:
            yield f"page {page.number} ({page.name}): {page.error.detail} [{page.error.code}]"


def _bars(runs: Sequence[Run]) -> Table:
    table = Table.grid(padding=(0, 1))
    for run in runs:
        done, total, words = _how_far(run)
        bar = ProgressBar(total=total or 1, completed=done, width=BAR_WIDTH)
        table.add_row(Text(run.chapter.title, overflow="ellipsis", no_wrap=True), bar, words)
    return table


def _how_far(run: Run) -> tuple[float, float, str]:  # noqa: PLR0911  a table, in words
    """Done, of how much, and in words."""
    job = run.job
    match run.phase:
        case "reading":
            return run.read, run.files, f"reading {run.read} of {run.files} files"
        case "sending":
            return run.sent, run.size, f"sending {decimal(run.sent)} of {decimal(run.size)}"
        case "submitting":
            return 1, 1, "handing over"
        case "queued" if job:
            ahead = f", {run.outlook.pages_ahead} pages ahead" if run.outlook and run.outlook.pages_ahead else ""
            return 0, job.pages.total, f"queued{ahead}{_estimate(run)}"
        case "training" if job and job.reference_model:
            share = job.reference_model.progress
            return share, 1, f"learning the reference, {share:.0%}{_estimate(run)}"
        case "colouring" if job and job.pages.ended == job.pages.total:
            return 1, 1, "scoring the chapter"
        case "colouring" if job:
            return _page_work(run), job.pages.total, f"{job.pages.ended} of {job.pages.total} pages{_estimate(run)}"
        case "fetching" | "writing" if job:
            return run.fetched, job.pages.succeeded, f"taking home {run.fetched} of {job.pages.succeeded} pages"
        case _:
            return 1, 1, run.status


def _page_work(run: Run) -> float:
    """Pages done, those under way by the stages that they have behind them."""
    return sum(1.0 if page.status in MARKS else len(page.timings) / len(STAGES) for page in run.pages)


def _estimate(run: Run) -> str:
    if run.outlook is None or run.outlook.estimate_s is None:
        return ""
    minutes = round(run.outlook.estimate_s / 60)
    if run.outlook.estimate_s < 90:
        return f", about {round(run.outlook.estimate_s)} s"
    return f", about {minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f", about {minutes} min"


def _page_table(busy: Sequence[tuple[Run, Page]], total: int, *, many: bool) -> Table:
    table = Table.grid(padding=(0, 1))
    for run, page in busy:
        stages = Text()
        for stage in STAGES:
            mark, style = (
                ("✓", "green") if stage in page.timings else ("▸", "cyan") if stage == page.stage else ("·", "dim")
            )
            stages.append(f"{mark} {STAGE_WORDS[stage]}  ", style)
        title = f"{run.chapter.title}: {page.name}" if many else page.name
        table.add_row(Text("  " + title, overflow="ellipsis", no_wrap=True), stages)
    if total > len(busy):
        table.add_row(Text(f"  and {total - len(busy)} more", style="dim"))
    return table


def _lines(run: Run) -> Iterator[str]:
    if run.phase == "reading":
        yield f"reading {run.files} files"
    if run.phase == "sending":
        yield f"sending {decimal(run.size)}"
    if run.job is not None:
        yield f"job {run.job.id}"
        yield from _job_lines(run.job, run.pages)
    if run.phase == "fetching":
        yield "taking home"


def _job_lines(job: Job, pages: Sequence[Page]) -> Iterator[str]:
    model = job.reference_model
    if model and model.status == "training":
        yield f"learning the reference, {int(model.progress * 10) * 10}%"
    elif model and model.status == "ready" and model.seconds is not None:
        yield f"the reference is learnt ({model.seconds} s)"
    for page in pages:
        for stage, timing in page.timings.items():
            kept = ", kept from before" if timing["cached"] else ""
            yield f"page {page.number} {page.name}: {stage} {timing['seconds']:.1f} s{kept}"
            if warning := timing.get("warning"):
                yield f"page {page.number} {page.name}: {warning}"
        if page.status in MARKS:
            reason = f": {page.error.detail}" if page.error else ""
            yield f"page {page.number} {page.name}: {page.status}{reason}"
    if job.error:
        yield f"report: {job.error.detail}"
    if job.has_ended:
        yield job.status
