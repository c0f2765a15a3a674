"""`python -m workers.metrics REAL_DIR OUTPUT_DIR`: score a folder of results against the true pages."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from common.errors import NurieError
from common.imaging import decode_image
from workers.metrics.pairs import Pairing, pair_pictures
from workers.metrics.report import render_report, show_page
from workers.metrics.score import SCORE_VERSION, PageScore, score_page
from workers.metrics.table import format_table, mean_figures


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 when what was given cannot be scored."""
    parser = argparse.ArgumentParser(prog="python -m workers.metrics", description=__doc__)
    parser.add_argument("real_dir", type=Path, metavar="REAL_DIR", help="true pages in colour")
    parser.add_argument("output_dir", type=Path, metavar="OUTPUT_DIR", help="results: STEM.png or STEM/final.png")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write an HTML page with the pictures here")
    options = parser.parse_args(arguments)
    try:
        _score_folders(options)
    except (NurieError, OSError) as error:
        print(f"workers.metrics: {error}", file=sys.stderr)
        return 2
    return 0


def _score_folders(options: argparse.Namespace) -> None:
    pairing = pair_pictures(options.real_dir, options.output_dir)
    scores: dict[str, PageScore] = {}
    shown_pages: list[str] = []
    for stem, real_path, output_path in pairing.pairs:
        truth_rgb = decode_image(real_path.read_bytes(), str(real_path))
        output_rgb = decode_image(output_path.read_bytes(), str(output_path))
        scores[stem] = score_page(output_rgb, truth_rgb, None)
        if options.report:
            shown_pages.append(show_page(stem, truth_rgb, output_rgb))
    notes = [f"no result for {stem}" for stem in pairing.real_only]
    notes += [f"no true page for {stem}" for stem in pairing.output_only]
    print(format_table(scores), *notes, sep="\n")
    if options.json:
        figures = json.dumps(_figures(scores, pairing), indent=2, allow_nan=False, ensure_ascii=False)
        _write(options.json, figures + "\n")
    if options.report:
        _write(options.report, render_report(scores, shown_pages, notes))


def _figures(scores: dict[str, PageScore], pairing: Pairing) -> dict[str, Any]:
    return {
        "version": SCORE_VERSION,
        "pages": {stem: score.to_dict() for stem, score in scores.items()},
        "mean": mean_figures(scores),
        "real_only": list(pairing.real_only),
        "output_only": list(pairing.output_only),
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
