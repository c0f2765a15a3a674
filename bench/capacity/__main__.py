"""`make capacity`: what a page costs at each stage on this machine, and how many workers of each pool a rate needs.

The real stages work on pages of 1.5 megapixels, or on those of --pages, each stage alone. Written to out/capacity.
"""

import argparse
import io
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from bench.capacity.measuring import WARM_UP, Measured, measure
from bench.capacity.planning import Plan, chapter_seconds, plan_pools, rate_of_cores
from bench.capacity.table import LOAD, describe
from bench.machine import describe_machine
from common.names import STAGES
from common.params import JobParams
from embedded.services import ROOT, stop_on_signals

OUT = ROOT / "out" / "capacity"
SAMPLE = ROOT / "samples" / "chapter"
PAGE_PX = (1028, 1460)
"""1.5 megapixels, portrait."""
PAGES = 6
MEASURED_EPOCHS = 10
"""Of a longer training so many are measured, and the rest is scaled."""
CHAPTER_PAGES = 20


def main() -> int:
    arguments = _parse()
    stop_on_signals()
    OUT.mkdir(parents=True, exist_ok=True)
    machine = describe_machine() | {LOAD: f"{os.getloadavg()[0]:.2f}"}
    epochs = arguments.epochs
    measured = measure(
        read_pages(arguments.pages) if arguments.pages else draw_pages(),
        arguments.reference.read_bytes(),
        epochs,
        epochs if arguments.full else min(epochs, MEASURED_EPOCHS),
        OUT / "var",
    )
    plan = plan_pools(measured.costs, arguments.chapter, arguments.rate)
    text = describe(measured, plan, epochs, arguments.chapter, machine)
    print(text)
    (OUT / "capacity.md").write_text(text)
    record = _record(measured, plan, arguments, machine)
    (OUT / "capacity.json").write_text(json.dumps(record, indent=1))
    print(f"written to {OUT}/capacity.md and capacity.json")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--rate", type=_positive, help="pages an hour; what one worker of the slowest pool makes")
    parser.add_argument("--chapter", type=int, default=CHAPTER_PAGES, help="pages that share one reference")
    parser.add_argument("--epochs", type=int, default=JobParams().epochs, help="of a training")
    parser.add_argument("--full", action="store_true", help=f"train whole; else {MEASURED_EPOCHS} epochs, scaled")
    parser.add_argument(
        "--pages", type=Path, help="folder of pages to measure with; they are painted whatever they are"
    )
    parser.add_argument("--reference", type=Path, default=SAMPLE / "reference.png", help="the coloured page")
    arguments = parser.parse_args()
    if arguments.chapter < 1 or arguments.epochs < 1:
        parser.error("--chapter and --epochs are at least 1")
    return arguments


def _positive(text: str) -> float:
    if (value := float(text)) <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def draw_pages() -> list[bytes]:
    """The sample's pages at 1.5 MP, no two alike, so that none is linked from another."""
    files = sorted((SAMPLE / "manga").glob("*.png"))
    pages = []
    for number in range(WARM_UP + PAGES):
        with Image.open(files[number % len(files)]) as picture:
            page = picture.convert("L").resize(PAGE_PX, Image.Resampling.LANCZOS)
        page.putpixel((0, 0), number)
        buffer = io.BytesIO()
        page.save(buffer, "PNG")
        pages.append(buffer.getvalue())
    return pages


def read_pages(folder: Path) -> list[bytes]:
    """The folder's pictures, the first one twice: with it a process loads its networks, and it does not count."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    if not files:
        sys.exit(f"{folder}: no pictures")
    return [_again(files[0]), *(path.read_bytes() for path in files)]


def _again(file: Path) -> bytes:
    """A picture with one pixel changed: the very same one would be linked, not painted."""
    with Image.open(file) as picture:
        changed = picture.convert("RGB")
    red, green, blue = changed.getpixel((0, 0))
    changed.putpixel((0, 0), (red ^ 1, green, blue))
    buffer = io.BytesIO()
    changed.save(buffer, "PNG")
    return buffer.getvalue()


def _record(
    measured: Measured, plan: Plan, arguments: argparse.Namespace, machine: dict[str, str]
) -> dict[str, object]:
    cores = os.cpu_count() or 1
    one_each = dict.fromkeys(STAGES, 1)
    return {
        "machine": machine,
        "epochs": arguments.epochs,
        "chapter_pages": arguments.chapter,
        "measured": asdict(measured),
        "plan": asdict(plan) | {"cores": plan.cores},
        "most_pages_per_hour_here": rate_of_cores(measured.costs, arguments.chapter, cores),
        "chapter_s": {
            "one worker a pool, processors enough": chapter_seconds(measured.costs, arguments.chapter, one_each),
            f"one worker a pool, {cores} processors": chapter_seconds(
                measured.costs, arguments.chapter, one_each, cores
            ),
        },
    }


if __name__ == "__main__":
    sys.exit(main())
