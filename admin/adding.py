"""Weights that somebody has already, put where the stages look for them: a whole set that is good, or nothing."""

import filecmp
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.filesize import decimal

from admin.checking import Judgement, SetCheck, check_set
from admin.installation import ROOT
from admin.models import ModelSet
from common.errors import ModelMissingError

CHUNK_BYTES: Final = 1 << 20


class AddError(ModelMissingError):
    """A set was not put in place; the message names the files and what is wrong with them."""


def add_set(
    chosen: ModelSet, given: Path, models: Path, console: Console, *, replace: bool = False, root: Path = ROOT
) -> None:
    """Copy a set's files into the folder of models.

    They are copied beside their places and checked there as a set, and get their names when all are good: nobody ever
    sees half a file, or a set that its stage refuses. Files that are here already with the same bytes are left.

    Args:
        given: a folder with all files, at the set's own paths or all flat by their names; of a set of one file also
            that file itself, under any name.
        replace: put files in the place of those that are here with other bytes.
        root: the installation whose environments check them.

    Raises:
        AddError: files are missing, are here already with other bytes, or are not good. Nothing was changed.
        OSError: a file could not be read or written.
    """
    sources = find_files(chosen, given)
    targets = dict(zip(chosen.files, chosen.paths(models), strict=True))
    same = {file for file in targets if _is_same(sources[file], targets[file])}
    _refuse_taken({file: path for file, path in targets.items() if file not in same}, replace=replace)
    models.mkdir(parents=True, exist_ok=True)
    # On the same file system as their places, or renaming would be copying.
    with tempfile.TemporaryDirectory(prefix=f".{chosen.name}-", dir=models) as staging:
        for file, target in targets.items():
            staged = Path(staging) / file
            staged.parent.mkdir(parents=True, exist_ok=True)
            if file in same:
                staged.symlink_to(target.absolute())
            else:
                _copy(sources[file], staged)
        check = check_set(chosen, Path(staging), root)
        if not check.is_good:
            raise AddError("\n  ".join([f"{given}: nothing was put in place", *check.find_faults()]))
        for target in targets.values():
            target.parent.mkdir(parents=True, exist_ok=True)
        for file, target in targets.items():
            if file not in same:
                (Path(staging) / file).replace(target)
    _report(check, targets, same, console)


def find_files(chosen: ModelSet, given: Path) -> dict[str, Path]:
    """Where each of a set's files lies in what the user gave. Raises AddError, naming those that are missing."""
    if given.is_file() and len(chosen.files) == 1:
        return {chosen.files[0]: given}
    if not given.is_dir():
        what = "no folder" if given.exists() else "no such file or folder"
        raise AddError(f"{given}: {what}; {chosen.name} is {', '.join(chosen.files)}")
    layouts = [{file: given / place(file) for file in chosen.files} for place in (Path, lambda file: Path(file).name)]
    missing = [[file for file, path in layout.items() if not path.is_file()] for layout in layouts]
    for layout, its_missing in zip(layouts, missing, strict=True):
        if not its_missing:
            return layout
    fewest = min(missing, key=len)
    raise AddError(f"{given}: {', '.join(fewest)} not found; {chosen.name} is {', '.join(chosen.files)}")


def _is_same(source: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(source, target, shallow=False)


def _refuse_taken(targets: dict[str, Path], *, replace: bool) -> None:
    for path in targets.values():
        if path.exists() and not path.is_file():
            raise AddError(f"{path}: is there, and no file: take it away first")
    if not replace and (taken := [str(path) for path in targets.values() if path.exists()]):
        raise AddError(f"{', '.join(taken)}: here already with other bytes; --replace puts yours in their place")


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        shutil.copyfileobj(reader, writer, CHUNK_BYTES)
        writer.flush()
        os.fsync(writer.fileno())  # before it gets its name: a power cut must not leave a name without bytes


def _report(check: SetCheck, targets: dict[str, Path], same: set[str], console: Console) -> None:
    lines = [
        f"{path}: {'here already' if file in same else 'put in place'}, {decimal(path.stat().st_size)}"
        for file, path in targets.items()
    ]
    if check.verdict and check.verdict.judgement is Judgement.NONE:
        lines += check.verdict.said
    lines.append("Workers that run use them when they are started again.")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
