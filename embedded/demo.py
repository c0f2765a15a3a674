"""`make demo`: start the house, colour a chapter through REST, show what came of it, stop the house."""

import argparse
import io
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nurie_client import Client, NurieError, Page
from nurie_client.chapters import loose_pages
from nurie_client.colouring import Run, finish_chapter
from nurie_client.crew import run_chapters
from nurie_client.notes import Notes
from nurie_client.outputs import Form, Target
from nurie_client.progress import ProgressView
from PIL import Image
from rich.console import Console
from rich.table import Table

from common.names import SET_ARTIFACTS, Artifact, artifact_filename
from embedded.contact_sheet import draw_contact_sheet
from embedded.services import ROOT, Services, StartError, free_port, stop_on_signals

SAMPLE = ROOT / "samples" / "chapter"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
COLUMNS = {"grey": Artifact.SOURCE, "draft": Artifact.DRAFT, "rough": Artifact.ROUGH, "final": Artifact.FINAL}
FIGURES = (("chroma error", "chroma_error"), ("PSNR, dB", "psnr_db"), ("SSIM", "ssim"), ("ΔE2000", "delta_e2000"))


@dataclass(frozen=True)
class Chapter:
    """What to colour; a page and its truth have the same file name."""

    pages: list[Path]
    reference: Path
    truths: list[Path]
    reference_page: str | None = None  # the page that the reference is the truth of


def main() -> int:
    arguments = _parse_arguments()
    console = Console()
    stop_on_signals()
    try:
        chapter = _find_chapter(arguments)
        return _run(chapter, arguments.out, arguments.data, console)
    except (NurieError, StartError, FileNotFoundError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 130


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--pages", type=Path, help="folder of grey pages, coloured in order of their names")
    parser.add_argument("--reference", type=Path, help="a coloured page of the same work")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo", help="where results go (made anew)")
    parser.add_argument("--data", type=Path, default=ROOT / "var" / "demo", help="database and storage (made anew)")
    arguments = parser.parse_args()
    if bool(arguments.pages) != bool(arguments.reference):
        parser.error("give both PAGES and REFERENCE, or neither")
    return arguments


def _find_chapter(arguments: argparse.Namespace) -> Chapter:
    if arguments.pages is None:
        truths = _pictures(SAMPLE / "colour")
        reference = SAMPLE / "reference.png"
        same = [path.name for path in truths if path.read_bytes() == reference.read_bytes()]
        return Chapter(_pictures(SAMPLE / "manga"), reference, truths, same[0] if same else None)
    if not arguments.reference.is_file():
        raise FileNotFoundError(f"REFERENCE={arguments.reference}: no such file")
    return Chapter(_pictures(arguments.pages), arguments.reference, [])


def _pictures(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise FileNotFoundError(f"no pictures in {folder}")
    return found


def _run(chapter: Chapter, out: Path, data: Path, console: Console) -> int:
    for path in (*chapter.pages, chapter.reference):
        if path.resolve().is_relative_to(out.resolve()) or path.resolve().is_relative_to(data.resolve()):
            raise FileNotFoundError(f"{path} lies where results go, which is made anew: copy it elsewhere first")
    # Made anew: a demo shows the whole work each time, nothing kept from the last one.
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    environment = {
        "NURIE_DATA": str(data),
        "NURIE_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
        "NURIE_LOG_FORMAT": "console",
    }
    with Services(environment, free_port(), log=out / "nurie.log") as services:
        console.print("starting API, control, Redis and four workers …")
        services.wait_until_ready()
        pages = loose_pages(chapter.pages)
        run = Run(pages, Target(out / "chapter.cbz", Form.ARCHIVE))
        with Client(services.base_url) as client, ProgressView([run], console) as view:
            run.job = client.submit(pages.sources(), [chapter.reference], truths=chapter.truths)
            console.print(f"job {run.job.id}: {len(chapter.pages)} pages, reference {chapter.reference.name}")
            run_chapters([run], lambda _: finish_chapter(client, Notes(data), run), view.refresh)
            if run.error:
                raise run.error
            _write_results(client, chapter, run, out)
    console.print(_metrics_table(run.pages, chapter.reference_page))
    for name in sorted(path.name for path in out.iterdir()):
        console.print(f"  {out / name}", highlight=False)
    return 0 if run.status == "succeeded" else 1


def _write_results(client: Client, chapter: Chapter, run: Run, out: Path) -> None:
    assert run.job is not None
    for artifact in SET_ARTIFACTS:
        if artifact in run.job.links:
            client.save(run.job.links[artifact], out / artifact_filename(artifact))
    truths = {path.stem: path for path in chapter.truths}
    rows = []
    for page in run.pages:
        row = {
            title: Image.open(io.BytesIO(client.read(page.artifacts[artifact])))
            for title, artifact in COLUMNS.items()
            if artifact in page.artifacts
        }
        stem = Path(page.name).stem
        if "final" in row:
            (out / "pages").mkdir(exist_ok=True)
            client.save(page.artifacts[Artifact.FINAL], out / "pages" / f"{stem}.png")
        if stem in truths:
            row["truth"] = Image.open(truths[stem])
        rows.append(row)
    columns = [*COLUMNS, "truth"] if chapter.truths else list(COLUMNS)
    draw_contact_sheet(columns, rows).save(out / "contact_sheet.png")


def _metrics_table(pages: Sequence[Page], reference_page: str | None) -> Table:
    """Ours with grey (the page as it came) beside it; without truths only how colourful the pages are."""
    table = Table(title="metrics (grey in brackets)", title_justify="left")
    table.add_column("page")
    scored = {page.name: page.metrics for page in pages if page.metrics}
    if not any(metrics["final"] for metrics in scored.values()):
        table.add_column("colourfulness", justify="right")
        for name, metrics in scored.items():
            table.add_row(name, f"{metrics['colourfulness']:.1f}")
        return table
    for title, _ in FIGURES:
        table.add_column(title, justify="right")
    others = [metrics for name, metrics in scored.items() if name != reference_page and metrics["final"]]
    for name, metrics in scored.items():
        if not metrics["final"]:
            continue
        label = f"{name} (reference)" if name == reference_page else name
        table.add_row(label, *(_figure([metrics], key) for _, key in FIGURES))
    table.add_section()
    table.add_row("mean of the others", *(_figure(others, key) for _, key in FIGURES))
    return table


def _figure(metrics: Sequence[Mapping[str, Any]], key: str) -> str:
    ours, grey = ([entry[side][key] for entry in metrics if entry[side][key] is not None] for side in ("final", "grey"))
    return f"{sum(ours) / len(ours):.2f} ({sum(grey) / len(grey):.2f})" if ours else ""


if __name__ == "__main__":
    sys.exit(main())
