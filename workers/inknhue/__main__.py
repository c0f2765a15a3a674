"""Fit rough colours to pages: `python -m workers.inknhue PAGE... --rough rough.png... --out DIR`.

`--check-weights DIR` looks at a folder of official checkpoints instead.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, NurieError
from common.imaging import decode_image, encode_image
from common.names import Artifact, artifact_filename
from workers.device_choice import add_option
from workers.inknhue.aligner import Aligner, open_embedded, open_official
from workers.inknhue.paint import align_page, blend_page, check_blend, check_shape
from workers.inknhue.weights import CONDITIONAL, FIRST_STAGE, SHADER

if TYPE_CHECKING:
    from torch import nn


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when what was given cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m workers.inknhue", description=__doc__)
    parser.add_argument("pages", type=Path, nargs="*", metavar="PAGE", help="a grey page")
    parser.add_argument("--rough", type=Path, nargs="+", help="for each page rough.png of the s2p stage")
    parser.add_argument(
        "--sketch", type=Path, nargs="+", help="not read: the stage's third input, which its networks do not need"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="DIR/PAGE-STEM/ gets the artifacts")
    parser.add_argument("--blend", type=float, default=0.8, help="λ: 0 all aligned, 1 all rough (default %(default)s)")
    parser.add_argument(
        "--no-keep-lightness", action="store_true", help="take lightness from the network, not from the page"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="DIR", help="folder of the official checkpoints (nurie models list)"
    )
    parser.add_argument("--check-weights", type=Path, metavar="DIR", help="say what such a folder holds")
    add_option(parser)
    options = parser.parse_args(arguments)
    try:
        if options.check_weights and (options.pages or options.rough or options.out or options.weights):
            raise InputError("--check-weights goes alone")
        if options.check_weights:
            _check_weights(options.check_weights)
        elif not (options.pages and options.rough and options.out):
            raise InputError("give PAGE, --rough and --out, or --check-weights")
        else:
            _paint_files(options)
    except (NurieError, OSError) as error:
        print(f"workers.inknhue: {error}", file=sys.stderr)
        return 2
    return 0


def _paint_files(options: argparse.Namespace) -> None:
    check_blend(options.blend)
    if len(options.rough) != len(options.pages):
        raise InputError(f"--rough: give one file for each page; {len(options.rough)} for {len(options.pages)} pages")
    if len({page.stem for page in options.pages}) < len(options.pages):
        raise InputError("two pages have the same name: their results would lie in one folder")
    # All files are read before anything is painted, so that a bad one is told at once.
    for page, rough in zip(options.pages, options.rough, strict=True):
        check_shape(str(rough), _read(rough), _read(page))
    aligner = open_official(options.weights) if options.weights else open_embedded()
    for page, rough in zip(options.pages, options.rough, strict=True):
        _paint_file(_read(page), _read(rough), aligner, options, options.out / page.stem)


def _paint_file(
    page_rgb: NDArray[np.uint8],
    rough_rgb: NDArray[np.uint8],
    aligner: Aligner,
    options: argparse.Namespace,
    folder: Path,
) -> None:
    keep_lightness = not options.no_keep_lightness
    aligned = align_page(page_rgb, rough_rgb, aligner, keep_lightness=keep_lightness)
    if aligned.warning:
        print(f"workers.inknhue: {folder.name}: {aligned.warning}", file=sys.stderr)
    final_rgb = blend_page(page_rgb, aligned.rgb, rough_rgb, blend=options.blend, keep_lightness=keep_lightness)
    folder.mkdir(parents=True, exist_ok=True)
    for artifact, rgb in ((Artifact.ALIGNED, aligned.rgb), (Artifact.FINAL, final_rgb)):
        (folder / artifact_filename(artifact)).write_bytes(encode_image(rgb))


def _check_weights(folder: Path) -> None:
    """Say what the folder holds, once all of it was loaded. Raises ModelMissingError."""
    from workers.inknhue.official.weights import digest_official, load_autoencoder, load_shader

    autoencoder, shader = load_autoencoder(folder), load_shader(folder)
    print(f"{FIRST_STAGE}, {CONDITIONAL}: {_count_parameters(autoencoder):,} parameters")
    print(f"{SHADER}: {f'{_count_parameters(shader):,} parameters' if shader else 'not there, and not needed'}")
    print(f"all fit together ({digest_official(folder)[:12]})")


def _count_parameters(network: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _read(path: Path) -> NDArray[np.uint8]:
    return decode_image(path.read_bytes(), str(path))


if __name__ == "__main__":
    sys.exit(main())
