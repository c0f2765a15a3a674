"""`nurie hints | rerun | recolour | series`: corrections, and what a series remembers of them."""

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

import click
from rich.text import Text

from nurie_client.cli.jobs import json_option
from nurie_client.cli.setup import Group, Setup, find_job, read_params, show_json, take_home, with_examples
from nurie_client.client import Client
from nurie_client.errors import InputError
from nurie_client.records import Series

Rgb = tuple[int, int, int]


class Colour(click.ParamType[Rgb]):
    """`#b03a2e`, or three numbers `176,58,46`."""

    name = "colour"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Rgb:
        text = str(value).strip().removeprefix("#")
        try:
            if "," in text:
                red, green, blue = (int(part) for part in text.split(","))
            else:
                red, green, blue = bytes.fromhex(text)
        except ValueError:
            self.fail(f"{value!r} is no colour: write #b03a2e or 176,58,46", param, ctx)
        if not all(0 <= channel <= 255 for channel in (red, green, blue)):
            self.fail(f"{value!r}: channels go from 0 to 255", param, ctx)
        return red, green, blue


@click.group(cls=Group)
def hints() -> None:
    """The dots of colour of a page: fetch them, and put others."""


@hints.command("get")
@click.argument("job", metavar="JOB")
@click.argument("page", type=int)
@click.option("-o", "--out", type=click.File("wb"), default="-", help="A file; standard output where nothing is said.")
@click.pass_obj
@with_examples(("nurie hints get ch12 3 -o hints.json", "to edit them by any means"))
def get_hints(setup: Setup, job: str, page: int, out: BinaryIO) -> None:
    """Fetch a page's dots, as JSON: x and y from 0 to 1, rgb from 0 to 255."""
    with setup.client() as client:
        found = client.hints(find_job(client, job), page)
    out.write(json.dumps(found, indent=1).encode() + b"\n")


@hints.command("set")
@click.argument("job", metavar="JOB")
@click.argument("page", type=int)
@click.argument("file", type=click.File("rb"))
@click.pass_obj
@with_examples(
    ("nurie hints set ch12 3 hints.json", "the page is painted again with these"),
    ("jq '.hints[0].rgb = [200,40,40]' hints.json | nurie hints set ch12 3 -", "from a pipe"),
)
def set_hints(setup: Setup, job: str, page: int, file: BinaryIO) -> None:
    """Put other dots; the page runs again from there. Those that you changed should have `"source": "user"`."""
    try:
        told = json.loads(file.read())
    except ValueError as error:
        raise InputError(f"{file.name}: no JSON: {error}") from None
    if not isinstance(told, dict):
        raise InputError(f"{file.name}: hints are an object, as `nurie hints get` writes them")
    with setup.client() as client:
        job_id = find_job(client, job)
        _say_rerun(setup, job, page, client.set_hints(job_id, page, told))


@click.command()
@click.argument("job", metavar="JOB")
@click.argument("pages", type=int, nargs=-1, required=True, metavar="PAGE...")
@click.option("--blend", type=click.FloatRange(0, 1), help="λ: 0 colours by the network, 1 by the hints.")
@click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="Any other parameter of the API.")
@click.pass_obj
@with_examples(
    ("nurie rerun ch12 3 --blend 0.6", "less of the hints on page 3"),
    ("nurie rerun ch12 3 4 --set saturation=1.0", "paler colours on two pages"),
)
def rerun(setup: Setup, job: str, pages: Sequence[int], blend: float | None, others: tuple[str, ...]) -> None:
    """Run pages again with other parameters, from the first stage that these touch."""
    params = read_params({}, {"blend": blend}, others)
    if not params:
        raise click.UsageError("say what shall be different: --blend or --set NAME=VALUE")
    with setup.client() as client:
        job_id = find_job(client, job)
        for page in pages:
            _say_rerun(setup, job, page, client.set_params(job_id, page, params))


@click.command()
@click.argument("job", metavar="JOB")
@json_option
@click.pass_obj
def palette(setup: Setup, job: str, as_json: bool) -> None:
    """List the colours of the references, which all pages of a job share, with what they were corrected to."""
    with setup.client() as client:
        job_id = find_job(client, job)
        drafted = next((page.number for page in client.pages(job_id) if "hints" in page.artifacts), None)
        if drafted is None:
            raise InputError(f"{job}: no page has dots of colour yet")
        told = client.hints(job_id, drafted)
        series = client.job(job_id).series
        known = client.series(series) if series else None
    colours = [_hex(rgb) for rgb in told.get("palette", ())]
    corrected = {_hex(one["old"]): _hex(one["new"]) for one in known.colours} if known else {}
    if as_json:
        show_json([{"colour": colour, "corrected": corrected.get(colour)} for colour in colours])
        return
    console = type(setup.console)()
    for colour in colours:
        line = Text.assemble(("██ ", colour), colour)
        if new := corrected.get(colour):
            line.append_text(Text.assemble(" → ", ("██ ", new), new))
        console.print(line)


@click.command()
@click.argument("job", metavar="JOB")
@click.argument("colours", type=Colour(), nargs=-1, required=True, metavar="OLD NEW...")
@click.pass_obj
@with_examples(
    ("nurie palette ch12", "which colours there are"),
    ("nurie recolour ch12 '#b03a2e' '#c82828'", "that red, on all pages, in this and later chapters"),
    ("nurie recolour ch12 176,58,46 200,40,40", "the same"),
)
def recolour(setup: Setup, job: str, colours: Sequence[Rgb]) -> None:
    """Give colours of the palette other ones, on all pages of a job that has ended.

    OLD is the palette's own colour, also where it was corrected before. Of a job that belongs to a series, the series
    remembers it.
    """
    if len(colours) % 2:
        raise click.UsageError("colours come in pairs: OLD NEW")
    with setup.client() as client:
        job_id = find_job(client, job)
        pages = client.recolour(job_id, dict(zip(colours[::2], colours[1::2], strict=True)))
        series = client.job(job_id).series
    count = f"{len(pages)} pages run again; {take_home(job)}" if pages else "no page changes by it"
    setup.say(f"{job}: {count}" + (f"; {series} remembers it" if series else ""))


@click.group(cls=Group)
def series() -> None:
    """What the server remembers of a series: references, and corrected colours."""


@series.command("list")
@json_option
@click.pass_obj
def list_series(setup: Setup, as_json: bool) -> None:
    """All series of yours."""
    with setup.client() as client:
        found = list(client.all_series())
    if as_json:
        show_json([_series_summary(one) for one in found])
        return
    for one in found:
        click.echo(f"{one.name}  references: {len(one.references)}, corrected colours: {len(one.colours)}")


@series.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_series(setup: Setup, name: str, as_json: bool) -> None:
    """The references and colours of one."""
    with setup.client() as client:
        found = _series(client, name)
    if as_json:
        show_json(_series_summary(found))
        return
    click.echo(found.name)
    for reference in found.references:
        click.echo(f"  reference  {reference['name']}")
    console = type(setup.console)()
    for colour in found.colours:
        old, new = _hex(colour["old"]), _hex(colour["new"])
        console.print(Text.assemble("  colour     ", ("██ ", old), f"{old} → ", ("██ ", new), new))


@series.command("undo")
@click.argument("name")
@click.argument("old", type=Colour(), metavar="OLD")
@click.pass_obj
def undo_colour(setup: Setup, name: str, old: Rgb) -> None:
    """Forget the correction of a colour; pages that are painted already keep it."""
    with setup.client() as client:
        found = _series(client, name)
        kept = {tuple(one["old"]): tuple(one["new"]) for one in found.colours if tuple(one["old"]) != old}
        if len(kept) == len(found.colours):
            raise InputError(f"{name} has no correction of {_hex(old)}: `nurie series show` lists them")
        client.set_series_colours(found.id, kept)
    setup.say(f"{name}: corrected colours left: {len(kept)}")


@series.command("forget")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def forget_series(setup: Setup, name: str, yes: bool) -> None:
    """Delete what the server remembers; jobs stay."""
    with setup.client() as client:
        found = _series(client, name)
        if not yes:
            click.confirm(f"Forget the references and colours of {name}?", abort=True, err=True)
        client.delete_series(found.id)
    setup.say(f"{name} is forgotten")


def _series(client: Client, name: str) -> Series:
    found = client.series(name)
    if found is None:
        raise InputError(f"no series is called {name!r}: `nurie series list` lists them")
    return found


def _series_summary(one: Series) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "references": list(one.references), "colours": list(one.colours)}


def _hex(rgb: Sequence[int]) -> str:
    return "#" + bytes(rgb).hex()


def _say_rerun(setup: Setup, job: str, page: int, stage: str | None) -> None:
    if stage is None:
        setup.say(f"page {page}: nothing changed")
    else:
        setup.say(f"page {page} runs again from {stage}; {take_home(job)}")
