"""`nurie jobs | status | cancel | retry | download | delete`: what is at the server."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text

from nurie_client.chapters import MARK
from nurie_client.cli.setup import ID_CHARS, Setup, find_job, job_summary, show_json, take_home, with_examples
from nurie_client.client import Client
from nurie_client.connection import PATIENCE_S
from nurie_client.errors import ConflictError, InputError, OutputError
from nurie_client.names import free_name
from nurie_client.notes import Notes
from nurie_client.records import Job, Page

STATES = ("queued", "running", "packaging", "succeeded", "partial", "failed", "cancelled")
STYLES = {"succeeded": "green", "partial": "yellow", "failed": "red", "cancelled": "dim"}

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")
job_argument = click.argument("job", metavar="JOB")


@click.command("jobs")
@click.option("--status", type=click.Choice(STATES), help="Only those.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@json_option
@click.pass_obj
def list_jobs(setup: Setup, status: str | None, limit: int, as_json: bool) -> None:
    """List your jobs, the newest first.

    Other commands take a job by its id, by the name of its chapter (the latest of that name), or `last`;
    those that were sent from this machine go first.
    """
    with setup.client() as client:
        jobs = list(islice(client.jobs(status), limit))
    if as_json:
        show_json([job_summary(job) for job in jobs])
        return
    table = Table(Column("job", no_wrap=True, min_width=ID_CHARS), box=None, pad_edge=False)
    for title in ("chapter", "series", "state", "pages", "since"):
        table.add_column(title)
    for job in jobs:
        state = Text(job.status, STYLES.get(job.status, ""))
        pages = f"{job.pages.succeeded + job.pages.skipped}/{job.pages.total}" if job.kind == "colorize" else "scores"
        table.add_row(job.id, Text(job.name or ""), Text(job.series or ""), state, pages, _short(job.created_at))
    _results(setup).print(table)


@click.command()
@job_argument
@json_option
@click.pass_obj
def status(setup: Setup, job: str, as_json: bool) -> None:
    """Show a job and each of its pages."""
    with setup.client() as client:
        found = client.job(find_job(client, job))
        pages = list(client.pages(found.id)) if found.kind == "colorize" else []
        outlook = None if found.has_ended else client.outlook(found.id)
    if as_json:
        rows = [_page_summary(page) for page in pages]
        estimate = {"estimate_s": outlook.estimate_s, "pages_ahead": outlook.pages_ahead} if outlook else {}
        show_json(job_summary(found) | estimate | {"page_list": rows, "params": dict(found.params)})
        return
    console = _results(setup)
    console.print(_headline(found), highlight=False)
    if outlook and outlook.estimate_s is not None:
        console.print(f"about {outlook.estimate_s:.0f} s to go, {outlook.pages_ahead} pages ahead", highlight=False)
    table = Table("", "page", "state", "stage", "seconds", "PSNR", "", box=None, pad_edge=False)
    for page in pages:
        seconds = sum(float(timing["seconds"]) for timing in page.timings.values())
        state = Text(page.status, STYLES.get(page.status, ""))
        reason = Text(f"{page.error.detail} [{page.error.code}]" if page.error else "")
        table.add_row(str(page.number), Text(page.name), state, page.stage or "", f"{seconds:.1f}", _psnr(page), reason)
    console.print(table)


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.pass_obj
def cancel(setup: Setup, jobs: Sequence[str]) -> None:
    """Stop what has not ended; pages that are done stay."""
    with setup.client() as client:
        for text in jobs:
            job = client.cancel(find_job(client, text))
            setup.say(f"job {job.id} is {job.status}")


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.pass_obj
def retry(setup: Setup, jobs: Sequence[str]) -> None:
    """Run the failed pages of an ended job again; `nurie wait` takes it home then."""
    with setup.client() as client:
        for text in jobs:
            count = client.retry(find_job(client, text))
            setup.say(f"{text}: {count} run again; {take_home(text)}" if count else f"{text}: no page failed")


@click.command()
@job_argument
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The file, or the folder, to write to.")
@click.option("--page", "pages", type=int, multiple=True, help="Only this page's picture; may be given several times.")
@click.option(
    "--artifact",
    type=click.Choice(["source", "draft", "regions", "hints", "sketch", "rough", "aligned", "final", "metrics"]),
    help="With --page: which of its files; the final picture where nothing is said.",
)
@click.option("--report", is_flag=True, help="The report of the chapter, as HTML.")
@click.pass_obj
@with_examples(
    ("nurie download last", "the archive as the server packed it, into this folder"),
    ("nurie download ch12 --page 3 --artifact draft", "one picture on the way"),
    ("nurie download ch12 --report -o r.html", "figures and pictures of the chapter"),
)
def download(
    setup: Setup, job: str, *, out: Path | None, pages: Sequence[int], artifact: str | None, report: bool
) -> None:
    """Take a job's files home, on any machine.

    The archive is the server's own: pages, texts such as ComicInfo.xml, and nurie.json. Where the chapter was sent
    from this machine, `nurie wait JOB` writes it in its own structure.
    """
    if artifact and not pages:
        raise click.UsageError("--artifact wants --page")
    if len(pages) > 1 and out is not None and out.suffix and not out.is_dir():
        raise click.UsageError(f"{out}: several pages do not go into one file: name a folder")
    with setup.client(patience_s=PATIENCE_S) as client:
        found = client.job(find_job(client, job))
        title = _file_title(found)
        if report:
            path = _place(out, f"{title}-report.html")
            client.save(f"/v1/jobs/{found.id}/report", path)
            click.echo(path)
        elif pages:
            for path in _save_pages(client, found, pages, artifact or "final", out):
                click.echo(path)
        else:
            suffix = found.params.get("archive", "cbz") if found.kind == "colorize" else "zip"
            path = _place(out, f"{title}{MARK}.{suffix}")
            client.save_result(found.id, path)
            click.echo(path)


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--cancel", "cancels", is_flag=True, help="Also those that have not ended: they are cancelled first.")
@click.pass_obj
def delete(setup: Setup, jobs: Sequence[str], yes: bool, cancels: bool) -> None:
    """Delete ended jobs and all their files from the server."""
    notes = Notes()
    with setup.client() as client:
        found = [client.job(find_job(client, text)) for text in jobs]
        for job in found:
            setup.say(_headline(job).plain)
        if not yes:
            click.confirm("Delete from the server, with all pictures?", abort=True, err=True)
        for job in found:
            if cancels and not job.has_ended:
                client.cancel(job.id)
            try:
                client.delete(job.id)
            except ConflictError as error:
                raise InputError(f"{error}. --cancel stops it first.") from None
            notes.forget(job.id)
            setup.say(f"job {job.id} is deleted")


def _results(setup: Setup) -> Any:
    """A console for standard output: as wide as the terminal, and as wide as needed where there is none."""
    console = type(setup.console)()
    if not console.is_terminal:
        console.width = 240
    return console


def _headline(job: Job) -> Text:
    counts = {name: count for name, count in vars(job.pages).items() if count and name != "total"}
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    what = f"  {job.name}" if job.name else ""
    whose = f"  ({job.series})" if job.series else ""
    error = f"\nreport: {job.error.detail}" if job.error else ""
    state = (job.status, STYLES.get(job.status, ""))
    return Text.assemble(f"{job.id}{what}{whose}  ", state, f"  {job.pages.total} pages: {words}{error}")


def _page_summary(page: Page) -> dict[str, Any]:
    return {
        "number": page.number,
        "name": page.name,
        "status": page.status,
        "stage": page.stage,
        "error": page.error and vars(page.error),
        "metrics": page.metrics,
        "artifacts": dict(page.artifacts),
    }


def _psnr(page: Page) -> str:
    final = (page.metrics or {}).get("final")
    return f"{final['psnr_db']:.1f}" if final and final.get("psnr_db") is not None else ""


def _short(time: str) -> str:
    return time[:16].replace("T", " ")


def _file_title(job: Job) -> str:
    title = (job.name or f"nurie-{job.id}").replace("/", "_").replace("\\", "_").strip(". ")
    return title or f"nurie-{job.id}"


def _place(out: Path | None, name: str) -> Path:
    """Where to write. Raises InputError: nobody named the file, and there is one; or no folder can be made."""
    is_named = out is not None and bool(out.suffix) and not out.is_dir()
    path = out if out is not None and is_named else (out or Path()) / name
    if not is_named and path.exists():
        raise InputError(f"{path} is there already: name a file with -o")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be made: {error.strerror or error}") from None
    return path


def _save_pages(client: Client, job: Job, numbers: Sequence[int], artifact: str, out: Path | None) -> list[Path]:
    taken: set[str] = set()
    saved = []
    for number in numbers:
        page = client.page(job.id, number)
        if artifact not in page.artifacts:
            there = ", ".join(page.artifacts) or "nothing"
            raise InputError(f"page {number} has no {artifact} yet; there is {there}")
        stem = page.name.rpartition("/")[2].rpartition(".")[0]
        name = free_name(f"{stem}-{artifact}{_suffix(job, page, artifact)}", taken)
        path = _place(out, name)
        client.save(page.artifacts[artifact], path)
        saved.append(path)
    return saved


def _suffix(job: Job, page: Page, artifact: str) -> str:
    if artifact == "source" or (artifact == "final" and page.status == "skipped"):
        return "." + page.name.rpartition(".")[2]
    if artifact in ("hints", "metrics"):
        return ".json"
    if artifact == "final":
        return {"jpeg": ".jpg", "webp": ".webp"}.get(str(job.params.get("format")), ".png")
    return ".png"
