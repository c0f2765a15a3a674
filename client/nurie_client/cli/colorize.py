"""`nurie colorize`, `nurie wait`: chapters to the server and back."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from nurie_client.chapters import Chapter, find_chapters, loose_pages, open_archive, open_folder
from nurie_client.cli.setup import (
    FAILED,
    INTERRUPTED,
    PARTIAL,
    SUCCEEDED,
    Setup,
    explain,
    find_job,
    read_params,
    show_json,
    with_examples,
)
from nurie_client.client import Client
from nurie_client.colouring import Order, Run, colour_chapter, finish_chapter
from nurie_client.connection import PATIENCE_S
from nurie_client.crew import run_chapters
from nurie_client.errors import InputError, NurieError
from nurie_client.names import FORMAT_SUFFIXES, is_page, natural_key, readable
from nurie_client.notes import Note, Notes
from nurie_client.outputs import Form, Target, check_free, check_targets, choose_targets
from nurie_client.progress import ProgressView, describe_failures, draw_ended
from nurie_client.records import Job
from nurie_client.sources import Source

SUBMIT_LIMIT_S = 15


def order_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How to colour: the same for `colorize` and `watch`."""
    options = [
        click.option("-r", "--reference", "references", multiple=True, metavar="REF",
                     help="A coloured page of the same work, or a folder of such; may be given several times."),
        click.option("--series", help="Name of the series: the server remembers its references and colours."),
        click.option("--blend", type=click.FloatRange(0, 1), help="λ: 0 colours by the network, 1 by the hints."),
        click.option("--format", "picture_format", type=click.Choice(list(FORMAT_SUFFIXES)), help="Of the pages."),
        click.option("--epochs", type=click.IntRange(1), help="Length of the training on the references."),
        click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other parameter of the API."),
        click.option("--keep-days", type=float, help="Days after which the server deletes the job."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="An archive, a picture or a folder to write to.")
@click.option("--force", is_flag=True, help="Write over whatever is there, also what nurie did not write.")
@order_options
@click.option("--name", help="What to call the chapter; its file's name where nothing is said.")
@click.option("--again", is_flag=True, help="Do it anew, even where the very same was done before.")
@click.option("--detach", is_flag=True, help="Only send: `nurie wait JOB` takes it home.")
@click.option("--json", "as_json", is_flag=True, help="Say on standard output, as JSON, what became of it.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing until it has ended.")
@click.pass_obj
@with_examples(
    ("nurie colorize ch12.cbz -r cover.png", "writes ch12-coloured.cbz"),
    ("nurie colorize ch12/ -r refs/ -o ch12.cbz", "a folder of pages, into an archive"),
    ("nurie colorize 'ch*.cbz' -r cover.png -o done/", "several chapters, into a folder"),
    ("nurie colorize 007.png -r cover.png -o 7.png", "one page"),
    ("nurie colorize ch12.cbz", "references as nurie.toml says"),
    ("nurie colorize ch13.cbz --series Kuro", "references and colours of that series"),
)
def colorize(
    setup: Setup,
    inputs: Sequence[str],
    *,
    out: Path | None,
    force: bool,
    name: str | None,
    again: bool,
    detach: bool,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> None:
    """Colour chapters: pages, folders, CBZ and ZIP archives, or patterns of them.

    The result has the same structure, names and order; pages in colour already and files that are no pages come back
    untouched. Broken off, the same command goes on where it was: what the server has is not sent again.

    Exit code: 0 when all pages are coloured, 3 when some failed, 1 when nothing could be done.
    """
    faults: list[tuple[Path, InputError]] = []
    chapters = find_chapters(inputs, faults)
    if faults and not chapters:
        raise faults[0][1]
    if name and len(chapters) > 1:
        raise click.UsageError("--name is for one chapter")
    order, references = read_order(setup, asked, name=name, again=again)
    suffix = format_suffix_of(order.params)
    is_shelf = out is None
    place = out if out is not None else setup.project.out
    targets = choose_targets(chapters, place, references, suffix=suffix, is_shelf=is_shelf)
    if out is not None and targets[0].form is Form.PAGE:
        order = _in_format_of(order, out)
    notes = Notes()
    runs = _prepare(chapters, targets, notes, force)
    runs += [_broken(path, error) for path, error in faults]

    def work(client: Client, run: Run) -> None:
        colour_chapter(client, notes, order, run, detach=detach)

    follow_runs(setup, runs, work, as_json=as_json, quiet=quiet)


def _prepare(
    chapters: Sequence[Chapter], targets: Sequence[Target], notes: Notes, force: bool, jobs: Sequence[Job | None] = ()
) -> list[Run]:
    """Raises InputError, OutputError: a result may not be written where it is to go."""
    for chapter, target in zip(chapters, targets, strict=True):
        check_free(chapter, target, _anything if force else notes.is_as_written)
    return [
        Run(chapter, target, job=job)
        for chapter, target, job in zip(chapters, targets, jobs or [None] * len(chapters), strict=True)
    ]


def _anything(_target: Path, _source: Path, _file: Path) -> bool:
    return True


def _broken(path: Path, error: InputError) -> Run:
    """A chapter that could not even be opened: it is told of with the others."""
    chapter = Chapter(readable(path.stem), path, (), is_archive=True)
    return Run(chapter, Target(path, Form.ARCHIVE), phase="done", error=error)


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write there, and not where `colorize` was told to.")
@click.option("--force", is_flag=True, help="Write over whatever is there, also what nurie did not write.")
@click.option("--json", "as_json", is_flag=True, help="Say on standard output, as JSON, what became of it.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing until it has ended.")
@click.pass_obj
@with_examples(
    ("nurie wait last", "the job that was sent last"),
    ("nurie wait ch12 -o done/", "by the chapter's name, into a folder"),
)
def wait(setup: Setup, jobs: Sequence[str], *, out: Path | None, force: bool, as_json: bool, quiet: bool) -> None:
    """Wait for jobs that were sent with --detach, or left with Ctrl-C, and write their chapters.

    Also for those that were corrected since: they are written anew.
    """
    notes = Notes()
    with setup.client() as client:
        found = [client.job(find_job(client, text)) for text in dict.fromkeys(jobs)]
    noted = [(job, _note(notes, job)) for job in found]
    chapters = [reopen(note) for _, note in noted]
    if out:
        targets = choose_targets(chapters, out, suffix=format_suffix_of(found[0].params))
    else:
        targets = [Target(Path(note.out), Form[note.form], format_suffix_of(job.params)) for job, note in noted]
        check_targets(list(zip(chapters, targets, strict=True)))
    runs = _prepare(chapters, targets, notes, force, found)
    follow_runs(setup, runs, lambda client, run: finish_chapter(client, notes, run), as_json=as_json, quiet=quiet)


def format_suffix_of(params: Mapping[str, Any]) -> str:
    """What pages in colour have, by the parameter `format`. Raises InputError."""
    chosen = str(params.get("format", "png"))
    if chosen not in FORMAT_SUFFIXES:
        raise InputError(f"format: {chosen!r} is none of {', '.join(FORMAT_SUFFIXES)}")
    return FORMAT_SUFFIXES[chosen][0]


def _note(notes: Notes, job: Job) -> Note:
    note = notes.of_job(job.id)
    if note is None:
        raise InputError(
            f"job {job.id} was not sent from this machine: `nurie download {job.id}` takes the server's own archive"
        )
    return note


def reopen(note: Note) -> Chapter:
    """The chapter that a job was made of. Raises InputError: it is gone, or another one lies there."""
    paths = [Path(text) for text in note.inputs]
    instead = f"`nurie download {note.job_id}` takes the server's own archive"
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise InputError(f"{missing[0]}, of which job {note.job_id} was made, is gone: {instead}")
    if len(paths) == 1 and paths[0].is_dir():
        chapter = open_folder(paths[0])
    elif len(paths) == 1 and not is_page(paths[0].name):
        chapter = open_archive(paths[0])
    else:
        chapter = loose_pages(paths)
    if chapter.outline != note.outline:
        raise InputError(f"{paths[0]} has changed since job {note.job_id} was made of it: {instead}")
    return chapter


def read_order(
    setup: Setup, asked: dict[str, Any], *, name: str | None = None, again: bool = False
) -> tuple[Order, list[Path]]:
    """What was typed over what the project says, and the references' files.

    Raises:
        InputError: no references, and no series.
    """
    project = setup.project
    named = [Path(text) for text in asked["references"]] or list(project.references)
    paths = [path for one in named for path in _pictures(one)]
    references = tuple(Source.file(path, readable(path.name)) for path in paths)
    series = asked["series"] or project.series
    if not references and not series:
        raise InputError("name a coloured page of the same work with -r, or a series that the server knows: --series")
    shorthand = {"blend": asked["blend"], "format": asked["picture_format"], "epochs": asked["epochs"]}
    params = read_params(project.params, shorthand, asked["others"])
    keep_days = asked["keep_days"] if asked["keep_days"] is not None else project.keep_days
    return Order(references, params, series, name, keep_days, again), paths


def follow_runs(
    setup: Setup, runs: Sequence[Run], work: Callable[[Client, Run], None], *, as_json: bool, quiet: bool
) -> None:
    """Do the work for all runs, show it, and exit as they ended."""
    view = ProgressView(runs, setup.console, quiet=quiet)
    client = setup.client(view.notice, PATIENCE_S)
    try:
        with view:
            run_chapters(runs, lambda run: work(client, run), view.refresh)
    except KeyboardInterrupt:
        try:
            _leave(setup, runs)  # what is at the server is followed on until that is answered
        except KeyboardInterrupt:
            setup.say("left as it is")
        finally:
            client.stop()
        raise click.exceptions.Exit(INTERRUPTED) from None
    client.close()
    for run in runs:
        shown = draw_ended(run, explain(run.error) if run.error else "")
        setup.console.print(shown, highlight=False, soft_wrap=True)
        for line in describe_failures(run.pages):
            setup.say(f"  {line}")
    if as_json:
        show_json({"chapters": [_summary(run) for run in runs]})
    else:
        for run in runs:
            if run.output:
                click.echo(readable(str(run.output)))
    raise click.exceptions.Exit(exit_code(runs))


def exit_code(runs: Sequence[Run]) -> int:
    """0 when all went well, 1 when nothing did, 3 in between."""
    states = {run.status for run in runs}
    if states <= {"succeeded", "detached"}:
        return SUCCEEDED
    return FAILED if states <= {"failed", "cancelled", "error"} else PARTIAL


def _leave(setup: Setup, runs: Sequence[Run]) -> None:
    """After Ctrl-C: ask whether the server shall stop, too; where nobody can be asked it goes on."""
    for run in runs:
        run.halt.set()
    deadline = time.monotonic() + SUBMIT_LIMIT_S
    while any(run.phase == "submitting" for run in runs) and time.monotonic() < deadline:
        time.sleep(0.05)  # whether there will be a job is about to be known
    if not _at_server(runs):
        setup.say("stopped; run the same command again to go on")
        return
    cancels = setup.console.is_terminal and _asks_to_cancel(len(_at_server(runs)))
    with setup.client() as client:
        for job in _at_server(runs):
            if cancels:
                client.cancel(job.id)
                setup.say(f"job {job.id} is cancelled")
            else:
                setup.say(f"job {job.id} goes on at the server: `nurie wait {job.id}` takes it home")


def _at_server(runs: Sequence[Run]) -> list[Job]:
    return [run.job for run in runs if run.job and not run.job.has_ended and run.phase != "done"]


def _asks_to_cancel(count: int) -> bool:
    try:
        return click.confirm(f"\nCancel {'it' if count == 1 else f'all {count}'} on the server, too?", err=True)
    except (click.Abort, KeyboardInterrupt):
        return False


def _in_format_of(order: Order, path: Path) -> Order:
    """The picture format that the file's name says, where no other was asked for."""
    for name, suffixes in FORMAT_SUFFIXES.items():
        if path.suffix.lower() in suffixes:
            return Order(**{**vars(order), "params": {"format": name, **order.params}})
    return order


def _pictures(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted((one for one in path.iterdir() if is_page(one.name)), key=lambda one: natural_key(one.name))
    if not found:
        raise InputError(f"{path} holds no pictures")
    return found


def _summary(run: Run) -> dict[str, Any]:
    error: NurieError | None = run.error
    failed = [
        {"number": page.number, "name": page.name, "code": page.error.code, "detail": page.error.detail}
        for page in run.pages
        if page.status == "failed" and page.error
    ]
    return {
        "chapter": run.chapter.title,
        "input": readable(str(run.chapter.files[0] if len(run.chapter.files) == 1 else run.chapter.path)),
        "output": readable(str(run.output)) if run.output else None,
        "status": run.status,
        "job": run.job.id if run.job else None,
        "pages": {name: count for name, count in vars(run.job.pages).items() if count} if run.job else {},
        "failed": failed,
        "error": explain(error) if error else None,
    }
