"""Which output belongs to which true page: by file stem, never by order."""

from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.imaging import READ_SUFFIXES
from common.names import PICTURE_FORMATS, Artifact, artifact_filename


@dataclass(frozen=True)
class Pairing:
    """The pairs, by stem, and the stems that stand alone on either side; all sorted."""

    pairs: tuple[tuple[str, Path, Path], ...]
    real_only: tuple[str, ...]
    output_only: tuple[str, ...]


def pair_pictures(real_dir: Path, output_dir: Path) -> Pairing:
    """Pair the pictures of two folders.

    Args:
        real_dir: true pages, `STEM.png` (or any suffix that we read).
        output_dir: results, `STEM.png` likewise, or as the stages write them: `STEM/final.png`.

    Raises:
        InputError: a path is no folder, a stem stands for two pictures, or no picture has a partner.
    """
    real, output = list_pictures(real_dir), list_pictures(output_dir)
    stems = sorted(real.keys() & output.keys())
    if not stems:
        raise InputError(
            f"no picture in {real_dir} ({len(real)}) has a partner of the same stem in {output_dir} ({len(output)})"
        )
    return Pairing(
        pairs=tuple((stem, real[stem], output[stem]) for stem in stems),
        real_only=tuple(sorted(real.keys() - output.keys())),
        output_only=tuple(sorted(output.keys() - real.keys())),
    )


def list_pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by stem; a folder in it that holds a `final` picture counts by its name.

    Raises:
        InputError: no such folder, or a stem stands for two pictures.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    pictures: dict[str, Path] = {}
    for entry in sorted(folder.iterdir()):
        picture, stem = (_final_of(entry), entry.name) if entry.is_dir() else (entry, entry.stem)
        if picture is None or picture.suffix.lower() not in READ_SUFFIXES:
            continue
        if stem in pictures:
            raise InputError(f"{folder}: {pictures[stem].name} and {entry.name} share the stem {stem}; keep one")
        pictures[stem] = picture
    return pictures


def _final_of(folder: Path) -> Path | None:
    names = (artifact_filename(Artifact.FINAL, picture_format) for picture_format in PICTURE_FORMATS)
    return next((folder / name for name in names if (folder / name).is_file()), None)
