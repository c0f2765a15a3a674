"""`nurie watch | evaluate | login | logout | doctor | completion | models | admin`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import get_completion_class
from rich.table import Table
from rich.text import Text

from nurie_client.chapters import find_chapters
from nurie_client.cli.colorize import order_options, read_order
from nurie_client.cli.jobs import json_option
from nurie_client.cli.setup import FAILED, INTERRUPTED, SHORT_PATIENCE_S, Setup, show_json, with_examples
from nurie_client.client import Client
from nurie_client.connection import PATIENCE_S
from nurie_client.doctor import Finding, examine
from nurie_client.errors import InputError
from nurie_client.notes import Notes
from nurie_client.project import find_key, forget_key, keep_key
from nurie_client.sources import Source
from nurie_client.watching import Watcher

HOUSE_VARIABLE: Final = "NURIE_HOUSE"
"""Set by `./nurie` of a checkout: where that is."""
MARKS: Final = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "red")}


@click.command()
@click.argument("inbox", type=click.Path(path_type=Path))
@click.option("-o", "--out", "outbox", type=click.Path(path_type=Path), required=True, help="Where results go.")
@order_options
@click.option(
    "--settle",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a file must have stayed the same to count as whole.",
)
@click.pass_obj
@with_examples(
    ("nurie watch inbox/ -o outbox/ -r cover.png", "until Ctrl-C; the next start goes on"),
    ("nurie watch inbox/ -o outbox/ --series Kuro", "references and colours of that series"),
)
def watch(setup: Setup, inbox: Path, outbox: Path, settle: float, **asked: Any) -> None:
    """Colour whatever lands in a folder: archives, folders of pages, single pages.

    Half-copied files are left alone until they are whole. What was done is noted in the outbox, in .nurie-watch.json,
    and not done again unless it changes or its result is removed.
    """  # fmt: skip

    def say(text: str) -> None:
        setup.say(f"{time.strftime('%H:%M:%S')} {text}")

    with setup.client(say, PATIENCE_S) as client:
        order, _ = read_order(setup, asked)
        watcher = Watcher(client, Notes(), order, inbox, outbox, say=say, settled_s=settle)
        say(f"watching {inbox}")
        try:
            watcher.run()
        except KeyboardInterrupt:
            say("stopped; jobs under way go on at the server, and the next start takes them home")
            raise click.exceptions.Exit(INTERRUPTED) from None


@click.command()
@click.argument("real", type=click.Path(exists=True))
@click.argument("output", type=click.Path(exists=True))
@click.option(
    "-r",
    "--reference",
    "references",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A coloured page whose colours are followed over the results.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Write the report there, as HTML.")
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Write the figures by picture there.")
@json_option
@click.pass_obj
@with_examples(("nurie evaluate true/ mine/ --report report.html", "pictures of the same names"))
def evaluate(
    setup: Setup,
    *,
    real: str,
    output: str,
    references: Sequence[Path],
    report: Path | None,
    table: Path | None,
    as_json: bool,
) -> None:
    """Score results against true pictures of the same names: PSNR, SSIM, ΔE2000, FID and more.

    REAL and OUTPUT are folders, archives or pictures.
    """  # fmt: skip
    with setup.client(patience_s=PATIENCE_S) as client:
        sent = client.evaluate(_pictures(real), _pictures(output), [Source.file(path) for path in references])
        setup.say(f"job {sent.id}")
        *_, (job, _) = client.follow(sent.id)
        if job.status != "succeeded":
            raise InputError(job.error.detail if job.error else f"job {job.id} is {job.status}")
        metrics = json.loads(client.read(job.links["metrics"]))
        if report:
            client.save(job.links["report"], report)
        if table:
            client.save(job.links["table"], table)
    if as_json:
        show_json(metrics)
    else:
        _show_scores(metrics)


@click.command()
@click.option("--key", envvar="NURIE_KEY", help="Asked for where it is not given; read from a pipe.")
@click.pass_obj
def login(setup: Setup, key: str | None) -> None:
    """Keep an API key for this server, in a file that only you may read. NURIE_KEY goes over it."""
    if key is None:
        is_typed = sys.stdin.isatty()
        key = click.prompt("API key", hide_input=True, err=True) if is_typed else sys.stdin.readline()
    with Client(setup.server, key.strip(), notify=setup.say, patience_s=SHORT_PATIENCE_S) as client:
        tenant = client.tenant()
    if tenant.key is None:
        setup.say(f"{setup.server} asks for no key; nothing is kept")
        return
    file = keep_key(setup.server, key.strip())
    setup.say(f"{setup.server} knows you as {tenant.id}; the key is kept in {file}")


@click.command()
@click.pass_obj
def logout(setup: Setup) -> None:
    """Forget the API key of this server."""
    setup.say("the key is forgotten" if forget_key(setup.server) else f"no key was kept for {setup.server}")


@click.command()
@json_option
@click.pass_obj
def doctor(setup: Setup, as_json: bool) -> None:
    """Say what works here and what is missing, in one screen; exit code 1 where something is broken."""
    house = os.environ.get(HOUSE_VARIABLE)
    found = list(examine(setup.server, setup.project, find_key(setup.server), Path(house) if house else None))
    if as_json:
        show_json([asdict(finding) for finding in found])
    else:
        _show_findings(setup, found)
    if any(finding.state == "broken" for finding in found):
        raise click.exceptions.Exit(FAILED)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@with_examples(
    ('eval "$(nurie completion bash)"', "in ~/.bashrc"),
    ('eval "$(nurie completion zsh)"', "in ~/.zshrc"),
    ("nurie completion fish | source", "in ~/.config/fish/config.fish"),
)
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands and options."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "nurie", "_NURIE_COMPLETE").source())


def _of_house(name: str, summary: str) -> click.Command:
    """A command that a checkout of Nurie carries out: its arguments are passed on as they are."""

    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def call(arguments: Sequence[str]) -> None:
        house = os.environ.get(HOUSE_VARIABLE)
        if not house:
            raise InputError(f"`nurie {name}` belongs to an installation of Nurie: call ./nurie in its folder")
        command = [sys.executable, "-P", "-m", "admin", name, *arguments]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": house}, check=False)  # noqa: S603
        raise click.exceptions.Exit(done.returncode)

    settings = {"ignore_unknown_options": True, "help_option_names": []}
    return click.command(name, help=summary, context_settings=settings)(call)


models = _of_house("models", "Weights that operators may install: list, add, fetch, check.")
admin = _of_house("admin", "Tenants and keys of an installation.")


def _pictures(path: str) -> list[Source]:
    return [source for chapter in find_chapters([path]) for source in chapter.sources()]


def _show_scores(metrics: Mapping[str, Any]) -> None:
    """The means over all pages, grey beside ours; then what holds for the set."""
    mean = metrics["mean"]
    for name, value in (mean["final"] or {}).items():
        grey = (mean["grey"] or {}).get(name)
        beside = f"  (left grey: {grey:.3f})" if isinstance(grey, float) else ""
        if isinstance(value, float):
            click.echo(f"{name:16} {value:.3f}{beside}")
    for name in ("fid", "kid"):
        if isinstance(value := metrics["set"].get(name), float):
            click.echo(f"{name:16} {value:.3f}")
    for name in ("real_only", "output_only"):
        if metrics[name]:
            click.echo(f"{name:16} {', '.join(metrics[name])}")
    for name, reason in metrics["failed"].items():
        click.echo(f"not scored       {name}: {reason}")


def _show_findings(setup: Setup, found: Sequence[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in found:
        mark, style = MARKS[finding.state]
        remedy = Text(f"\n→ {finding.remedy}", "bold") if finding.remedy else Text()
        table.add_row(Text(mark, style), Text(finding.what), Text(finding.detail) + remedy)
    type(setup.console)().print(table)
