"""The weights that people may install beside the embedded ones: what they are, what is here, and fetching them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from admin.hub import Hub, HubError


@dataclass(frozen=True)
class Source:
    """A folder of files on a hub."""

    endpoint: str
    mirror_variable: str
    """The environment variable that may name a mirror of the endpoint."""
    folder: str


@dataclass(frozen=True)
class ModelSet:
    """Files that are of use together, in a folder of this name below the folder of models."""

    name: str
    files: tuple[str, ...]
    source: Source | None  # None: only people put them there
    room: str | None  # whose stage judges what is in them; None: their names promise their SHA-256, which says it all
    together: tuple[str, ...]  # of these the stage wants all or none: on some of them it fails
    instead_of_none: str
    instead_of_some: str

    def folder(self, models: Path) -> Path:
        return models / self.name

    def paths(self, models: Path) -> list[Path]:
        return [self.folder(models) / file for file in self.files]


STYLE2PAINTS: Final = ModelSet(
    name="style2paints",
    files=("tail.net", "reader.net", "head.net", "neck.net"),
    source=None,
    room="s2p",
    together=("tail.net", "reader.net", "head.net", "neck.net"),
    instead_of_none="the embedded weights",
    instead_of_some="nothing: the stage s2p fails until all four are there, or none",
)
INKNHUE: Final = ModelSet(
    name="inknhue",
    files=(
        "pretrained_nets/kl-f8.ckpt",
        "conditional_nets/model_epoch000019.ckpt",
        "pretrained_nets/shader.ckpt",
    ),
    # The mirror's variable is the hub's own, as its other clients read it: a mirror is named once for all.
    source=Source("https://huggingface.co", "HF_ENDPOINT", "rossiyareich/inknhue/resolve/main"),
    room="inknhue",
    together=("pretrained_nets/kl-f8.ckpt", "conditional_nets/model_epoch000019.ckpt"),
    instead_of_none="the embedded weights",
    instead_of_some="the first two where both are there, with the page's own grey for shading; with one of them the "
    "stage inknhue fails; the embedded weights where there are neither",
)
INCEPTION: Final = ModelSet(
    name="inception",
    files=("pt_inception-2015-12-05-6726825d.pth",),
    source=Source("https://github.com", "GITHUB_ENDPOINT", "mseitzer/pytorch-fid/releases/download/fid_weights"),
    room=None,
    together=(),
    instead_of_none="nothing: FID and KID are left out",
    instead_of_some="nothing",
)
MODEL_SETS: Final = {chosen.name: chosen for chosen in (STYLE2PAINTS, INKNHUE, INCEPTION)}
SOURCES: Final = {name: chosen.source for name, chosen in MODEL_SETS.items() if chosen.source}
"""Of the sets that can be fetched."""


def fetch_set(chosen: ModelSet, models: Path, hub: Hub, console: Console) -> None:
    """Fetch all files of a set that are not here as the hub has them, one after the other.

    Raises:
        HubError: a file could not be had; the message says how to put this one and those after it here by hand.
        ModelMissingError: a file could not be written.
    """
    source = SOURCES[chosen.name]
    waiting = list(zip(chosen.files, chosen.paths(models), strict=True))
    with _make_progress(console) as progress:
        while waiting:
            file, path = waiting[0]
            try:
                _fetch_file(hub, source.folder, file, path, progress)
            except HubError as error:
                by_hand = "\n".join(_explain_by_hand(hub.url(source.folder, file), path) for file, path in waiting)
                raise HubError(f"{error}\nRun it again to go on, or put these there by hand:\n{by_hand}") from error
            waiting.pop(0)


def describe_sets(models: Path) -> str:
    """All known sets: what is here, what is missing, and what is used."""
    return "\n".join(line for chosen in MODEL_SETS.values() for line in _describe_set(chosen, models))


def _make_progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)


def _fetch_file(hub: Hub, folder: str, file: str, path: Path, progress: Progress) -> None:
    task = progress.add_task(path.name, total=None)
    fetched = hub.fetch(folder, file, path, lambda done, total: progress.update(task, completed=done, total=total))
    progress.remove_task(task)
    said = f"{path}: {'fetched' if fetched else 'here already'}, {decimal(path.stat().st_size)}"
    progress.console.print(said, markup=False, highlight=False, soft_wrap=True)


def _explain_by_hand(url: str, path: Path) -> str:
    return f"  {url}\n    as {path}{' (what is there was not checked)' if path.exists() else ''}"


def _describe_set(chosen: ModelSet, models: Path) -> Iterator[str]:
    paths = chosen.paths(models)
    there = [path for path in paths if path.is_file()]
    whence = (
        f"`nurie models fetch {chosen.name}`"
        if chosen.source
        else f"put there by you, never fetched: `nurie models add {chosen.name} DIR`"
    )
    yield f"{chosen.name} ({whence})"
    for path in paths:
        yield f"  {path}  {decimal(path.stat().st_size) if path in there else 'missing'}"
    if len(there) == len(paths):
        yield "  used: these"
    else:
        yield f"  used instead: {chosen.instead_of_some if there else chosen.instead_of_none}"
