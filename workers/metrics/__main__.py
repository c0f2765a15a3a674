"""`python -m workers.metrics REAL_DIR OUTPUT_DIR`: score a folder of results against the true pages."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from common.errors import NurieError
from common.imaging import ImageLimits
from workers.device_choice import add_option
from workers.metrics.evaluation import evaluate_sets
from workers.metrics.pairs import list_pictures
from workers.metrics.pictures import PictureFile, PictureSets
from workers.metrics.report import render_report
from workers.metrics.result import Evaluation
from workers.metrics.table import format_csv, format_table


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when what was given cannot be scored, 3 when only some of it can."""
    options = _parse_arguments(arguments)
    try:
        sets = PictureSets(
            real=list_pictures(options.real_dir),
            output=list_pictures(options.output_dir),
            references=[PictureFile(str(path), path.read_bytes) for path in options.reference],
        )
        evaluation = evaluate_sets(sets, limits=ImageLimits(), models=options.models)
        _write(options.json, lambda: json.dumps(evaluation.to_dict(), indent=2, allow_nan=False, ensure_ascii=False))
        _write(options.csv, lambda: format_csv(evaluation))
        _write(options.report, lambda: render_report(evaluation))
    except (NurieError, OSError) as error:
        print(f"workers.metrics: {error}", file=sys.stderr)
        return 2
    print(format_table(evaluation), *_notes(evaluation), sep="\n")
    return 3 if evaluation.failed else 0


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workers.metrics", description=__doc__)
    parser.add_argument("real_dir", type=Path, metavar="REAL_DIR", help="true pages in colour")
    parser.add_argument("output_dir", type=Path, metavar="OUTPUT_DIR", help="results: STEM.png or STEM/final.png")
    parser.add_argument("--reference", type=Path, nargs="+", default=[], metavar="REF", help="follow their palette")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the pages' figures here")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write an HTML page with figures and pictures here")
    parser.add_argument(
        "--models",
        type=Path,
        default=Path(os.environ.get("NURIE_MODELS", "models")),
        metavar="DIR",
        help="folder of models, which has inception/ for FID and KID (default: NURIE_MODELS, else models)",
    )
    add_option(parser)
    return parser.parse_args(arguments)


def _write(path: Path | None, render: Callable[[], str]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(), encoding="utf-8", newline="")


def _notes(evaluation: Evaluation) -> list[str]:
    """What belongs under the table."""
    distances, palette = evaluation.distances, evaluation.palette
    notes = [f"no result for {name}" for name in evaluation.real_only]
    notes += [f"no true page for {name}" for name in evaluation.output_only]
    notes += [f"not scored: {fault}" for fault in evaluation.failed.values()]
    notes += [
        f"{name}: resized from {score.resized_from[0]}×{score.resized_from[1]} to {score.size[0]}×{score.size[1]}"
        for name, score in evaluation.scores.items()
        if score.resized_from
    ]
    if distances.reason:
        notes.append(f"FID –, KID –: {distances.reason}")
    elif distances.fid is not None and distances.kid is not None:
        error = "" if distances.kid_standard_error is None else f" ± {distances.kid_standard_error:.5f}"
        notes.append(f"FID {distances.fid:.3f}, KID {distances.kid:.5f}{error}")
    notes += [distances.warning] if distances.warning else []
    if palette and palette.spread is not None and palette.drift is not None:
        notes.append(f"palette: spread {palette.spread:.2f}, drift {palette.drift:.2f}")
    return notes


if __name__ == "__main__":
    sys.exit(main())
