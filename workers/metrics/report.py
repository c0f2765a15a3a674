"""Scores and pictures as one HTML file that needs nothing beside it. Pure."""

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.metrics.score import PageScore
from workers.metrics.scores import turn_grey
from workers.metrics.table import HEADINGS, table_rows

THUMBNAIL_WIDTH_PX: Final = 480
_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } tr:last-child td { font-weight: 600; }
figure { display: inline-block; margin: .5rem .5rem .5rem 0; } figcaption { color: #666; }
img { max-width: 30vw; border: 1px solid #ddd; }
"""


def thumbnail_uri(picture_rgb: NDArray[np.uint8]) -> str:
    """A data URI of the picture (H, W, 3) uint8 RGB as WebP, at most 480 px wide and 1920 px high."""
    image = Image.fromarray(picture_rgb)
    image.thumbnail((THUMBNAIL_WIDTH_PX, 4 * THUMBNAIL_WIDTH_PX), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def show_page(stem: str, truth_rgb: NDArray[np.uint8], output_rgb: NDArray[np.uint8]) -> str:
    """The HTML of one page: its name, and grey, output and truth side by side; pictures (H, W, 3) uint8 RGB."""
    pictures = {"grey": turn_grey(truth_rgb), "output": output_rgb, "truth": truth_rgb}
    figures = "".join(
        f'<figure><img src="{thumbnail_uri(rgb)}" alt="{escape(stem)}: {name}"><figcaption>{name}</figcaption></figure>'
        for name, rgb in pictures.items()
    )
    return f"<h2>{escape(stem)}</h2>\n<div>{figures}</div>\n"


def render_report(scores: Mapping[str, PageScore], shown_pages: Iterable[str], notes: Iterable[str]) -> str:
    """The whole report.

    Args:
        scores: by stem, in the order of the table.
        shown_pages: what `show_page` gave.
        notes: lines under the table, plain text: the names without a partner.
    """
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in table_rows(scores)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Nurie: scores</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>Scores</h1>\n"
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>\n"
        + "".join(f"<p>{escape(note)}</p>\n" for note in notes)
        + "".join(shown_pages)
        + "</body></html>\n"
    )
