"""The stage on files: `python -m workers.cgan PAGE... --reference REF... --out DIR`."""

import argparse
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from common.errors import BadParamsError, InputError, NurieError
from common.imaging import decode_image, encode_image
from common.names import Artifact, Stage, artifact_filename
from common.params import STAGE_PARAMS, JobParams, parse_params

SHELL_PARAMS = tuple(name for name in STAGE_PARAMS[Stage.CGAN] if name != "skip_coloured")
"""Whoever names a page in the shell wants it coloured: passing coloured pages through is for chapters."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train on the references, colour the pages, write DIR/PAGE-STEM/{draft.png, regions.png, hints.json}.

    Returns:
        The exit code: 0, 1 when the work failed, or 2 when what was given is wrong.
    """
    arguments = _build_parser().parse_args(argv)
    try:
        _run(arguments)
    except NurieError as error:
        print(f"workers.cgan: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    # Imported here so that --help answers without loading PyTorch.
    from workers.cgan import presets
    from workers.cgan.progress import TrainingProgress
    from workers.cgan.working_size import shrink_page

    def print_progress(progress: TrainingProgress) -> None:
        losses = " ".join(f"{name} {value:.2f}" for name, value in progress.losses.items())
        print(f"epoch {progress.epoch}/{progress.epochs} {progress.seconds:.0f} s {losses}", file=sys.stderr)

    params = _read_params(arguments)
    stems = [page.stem for page in arguments.pages]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise InputError(f"two pages would be written to the same folder: {', '.join(twice)}")
    # All pictures are read before the training, so that a bad one is told at once.
    references = [shrink_page(decode_image(_read(path), str(path))) for path in arguments.reference]
    for page in arguments.pages:
        decode_image(_read(page), str(page))
    model = presets.learn(references, [str(path) for path in arguments.reference], params, print_progress)
    for page in arguments.pages:
        result = presets.paint(decode_image(_read(page), str(page)), model, params)
        folder = arguments.out / page.stem
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / artifact_filename(Artifact.DRAFT)).write_bytes(encode_image(result.draft_rgb))
            (folder / artifact_filename(Artifact.REGIONS)).write_bytes(encode_image(result.regions))  # type: ignore[arg-type]
            (folder / artifact_filename(Artifact.HINTS)).write_bytes(result.hints.to_json())
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
        print(folder)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.cgan", description="Draft colours, regions and hints.")
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE", help="grey pages")
    parser.add_argument("--reference", nargs="+", type=Path, required=True, metavar="REF", help="coloured pages")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    for name in SHELL_PARAMS:
        field = JobParams.model_fields[name]
        several = typing.get_origin(field.annotation) is tuple
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, dest=name, nargs="+" if several else None, help=f"{field.description}")
    return parser


def _read_params(arguments: argparse.Namespace) -> JobParams:
    """The parameters that were given, as text, checked by the same rules as a job's."""
    given = {name: getattr(arguments, name) for name in SHELL_PARAMS}
    try:
        return parse_params({name: value for name, value in given.items() if value is not None}, from_shell=True)
    except BadParamsError as error:
        raise BadParamsError(str(error).replace("params.", "--")) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


if __name__ == "__main__":
    sys.exit(main())
