"""Which output belongs to which true page: by name, never by order. Pure but for the listing of folders."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from common.archives import natural_key
from common.errors import InputError
from common.imaging import READ_SUFFIXES
from common.names import PICTURE_FORMATS, Artifact, artifact_filename
from workers.metrics.pictures import PictureFile


@dataclass(frozen=True)
class Pairing:
    """The true page of each output that has one, and the names that stand alone on either side; by index."""

    real_of_output: dict[int, int]
    real_only: tuple[int, ...]
    output_only: tuple[int, ...]


def pair_names(real: Sequence[str], output: Sequence[str]) -> Pairing:
    """Pair names without suffix: by the whole path, or else by the last part, where only one on each side has it."""
    pairs: dict[int, int] = {}
    for form in (_drop_suffix, _take_stem):
        real_names, output_names = [form(name) for name in real], [form(name) for name in output]
        taken = set(pairs.values())
        free = {real_names[index]: index for index in _unique(real_names) if index not in taken}
        for index in _unique(output_names):
            if index not in pairs and output_names[index] in free:
                pairs[index] = free[output_names[index]]
    paired = set(pairs.values())
    return Pairing(
        real_of_output=dict(sorted(pairs.items())),
        real_only=tuple(index for index in range(len(real)) if index not in paired),
        output_only=tuple(index for index in range(len(output)) if index not in pairs),
    )


def label_names(names: Sequence[str]) -> list[str]:
    """What to call each picture in a table: its name without suffix, or with it, or numbered: never twice the same."""
    short = [_drop_suffix(name) for name in names]
    alone = set(_unique(short))
    labels: dict[str, None] = {}  # in order, and quick to look up
    for index, name in enumerate(names):
        label, count = short[index] if index in alone else name, 1
        while label in labels:
            count += 1
            label = f"{name} ({count})"
        labels[label] = None
    return list(labels)


def list_pictures(folder: Path) -> list[PictureFile]:
    """The pictures of a folder, 2 before 10; a folder in it that holds a `final` picture counts by its own name.

    Raises:
        InputError: no such folder, no picture in it, or a stem stands for two pictures.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    pictures: dict[str, Path] = {}
    for entry in sorted(folder.iterdir()):
        picture, stem = (_final_of(entry), entry.name) if entry.is_dir() else (entry, entry.stem)
        stem = os.fsencode(stem).decode("utf-8", "backslashreplace")  # names need not be UTF-8; what we write is
        if picture is None or picture.suffix.lower() not in READ_SUFFIXES:
            continue
        if stem in pictures:
            raise InputError(f"{folder}: {pictures[stem].name} and {entry.name} share the stem {stem}; keep one")
        pictures[stem] = picture
    if not pictures:
        raise InputError(f"{folder}: no picture in it ({', '.join(READ_SUFFIXES)})")
    # The suffix is the file's: a stem may have dots of its own.
    return [
        PictureFile(stem + pictures[stem].suffix, pictures[stem].read_bytes)
        for stem in sorted(pictures, key=natural_key)
    ]


def _final_of(folder: Path) -> Path | None:
    names = (artifact_filename(Artifact.FINAL, picture_format) for picture_format in PICTURE_FORMATS)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _drop_suffix(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in READ_SUFFIXES else name


def _take_stem(name: str) -> str:
    return PurePosixPath(_drop_suffix(name)).name


def _unique(names: Iterable[str]) -> list[int]:
    """Indices of the names that stand there once."""
    names = list(names)
    counts = Counter(names)
    return [index for index, name in enumerate(names) if counts[name] == 1]
