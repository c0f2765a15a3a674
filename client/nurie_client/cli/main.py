"""The command `nurie`."""

import io
import sys
from importlib.metadata import version

import click

from nurie_client.cli import colorize, correct, jobs, others
from nurie_client.cli.setup import Group, Setup, with_examples

PASSED_ON = ("models", "admin")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--server", metavar="URL", help="Address of the server; else NURIE_SERVER, nurie.toml, this machine.")
@click.version_option(version("nurie-client"), prog_name="nurie")
@click.pass_context
@with_examples(
    ("nurie colorize ch12.cbz -r cover.png", "colours a chapter from one coloured page"),
    ("nurie wait last", "takes home what was left or corrected"),
    ("nurie rerun ch12 3 --blend 0.6", "paints page 3 again with less of the hints"),
    ("nurie recolour ch12 '#b03a2e' '#c82828'", "another red, on all pages of the series"),
    ("nurie doctor", "what works here, and what is missing"),
)
def cli(ctx: click.Context, server: str | None) -> None:
    """Colour manga by a Nurie server: grey chapters and one coloured page in, coloured chapters out.

    A file nurie.toml in the folder of a series, or above it, says what is the same for all its chapters: server,
    series, references, out, params. Keys come from NURIE_KEY or `nurie login`.
    """
    ctx.obj = Setup(server)


def _takes_server(command: click.Command) -> None:
    """Let `--server` stand behind a command, too: that is where people type it."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _takes_server(one)
    elif command.name not in PASSED_ON:
        command.params.append(
            click.Option(
                ["--server"], metavar="URL", expose_value=False, callback=_set_server, help="Address of the server."
            )
        )


def _set_server(ctx: click.Context, _: click.Parameter, server: str | None) -> None:
    if server is not None:
        ctx.find_object(Setup).asked_server = server  # type: ignore[union-attr]


for command in (
    colorize.colorize, colorize.wait, others.watch,
    jobs.list_jobs, jobs.status, jobs.cancel, jobs.retry, jobs.download, jobs.delete,
    correct.hints, correct.rerun, correct.palette, correct.recolour, correct.series,
    others.evaluate, others.login, others.logout, others.doctor, others.completion, others.models, others.admin,
):  # fmt: skip
    _takes_server(command)
    cli.add_command(command)


def main() -> None:
    """The command, as the shell calls it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal cannot show ends nothing
    cli(prog_name="nurie")
