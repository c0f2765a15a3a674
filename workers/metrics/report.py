"""An evaluation as one HTML file that needs nothing beside it: no script, no network. Pure."""

import base64
import io
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.metrics.charts import draw_distributions, draw_histogram, draw_scatter
from workers.metrics.consistency import Consistency
from workers.metrics.result import Evaluation, PageView
from workers.metrics.table import COLUMNS, Row, table_rows

MAX_TABLE_ROWS: Final = 500
"""Of a larger set the table shows so many; metrics.csv has them all."""
MAX_STRIP_PAGES: Final = 60
MAX_POINTS: Final = 2_000
_NAMES_SHOWN: Final = 20
_NO_SWATCH: Final = '<i class="none"></i>'

_STYLE: Final = Path(__file__).with_name("report.css")


def render_report(evaluation: Evaluation) -> str:
    """The whole report as HTML."""
    sections = "".join(
        part
        for part in (
            _render_head(evaluation),
            _render_palette(evaluation),
            _render_table(evaluation),
            _render_charts(evaluation),
            _render_views(evaluation),
            _render_explanations(),
        )
        if part
    )
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Nothing may be loaded and nothing may run, whatever a picture is called.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; style-src '
        "'unsafe-inline'\">"
        f"<title>Nurie: evaluation</title><style>{style}</style></head>\n<body>\n{sections}</body></html>\n"
    )


def picture_uri(picture_rgb: NDArray[np.uint8]) -> str:
    """A data URI of the picture (H, W, 3) uint8 RGB as WebP."""
    buffer = io.BytesIO()
    Image.fromarray(picture_rgb).save(buffer, format="WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _render_head(evaluation: Evaluation) -> str:
    distances, mean, intervals = evaluation.distances, evaluation.mean, evaluation.interval_95
    cards = []
    if mean["final"]:
        for title, name, places in (
            ("ΔE2000", "delta_e2000", 2),
            ("chroma error", "chroma_error", 2),
            ("PSNR dB", "psnr_db", 2),
        ):
            value, grey = mean["final"][name], mean["grey"][name]
            identical = value is None and mean["final"]["identical"]
            text = "∞" if identical else _number(value, places)
            cards.append(
                _card(title, text, _between(intervals["final"][name], places), f"grey {_number(grey, places)}")
            )
        cards.append(
            _card("chroma error / grey's", _number(mean["chroma_ratio"], 3), _between(intervals["chroma_ratio"], 3))
        )
    if evaluation.palette:
        truth = evaluation.palette_truth
        beside = f"truth {_number(truth.spread, 2)}" if truth else ""
        cards.append(_card("palette spread", _number(evaluation.palette.spread, 2), beside))
    if distances.real_count:
        error = distances.kid_standard_error
        cards.append(_card("FID", _number(distances.fid, 2)))
        cards.append(_card("KID × 1000", _scaled(distances.kid), "" if error is None else f"± {_scaled(error)}"))
    notes = "".join(f"<p>{note}</p>\n" for note in _notes(evaluation))
    pages = len(evaluation.scores)
    count = f"{pages} {'page' if pages == 1 else 'pages'}, {len(evaluation.pairs)} of them with a true page"
    head = f'<header><h1>Evaluation</h1><p class="soft">{count}</p></header>'
    return f'{head}\n<div class="cards">{"".join(cards)}</div>\n{notes}'


def _notes(evaluation: Evaluation) -> Iterator[str]:
    """What one must know before reading the figures, as HTML."""
    distances = evaluation.distances
    if distances.real_count and distances.reason:
        yield f"No FID and no KID: {escape(distances.reason)}."
    if distances.warning:
        yield escape(distances.warning[0].upper() + distances.warning[1:]) + "."
    for name, fault in list(evaluation.failed.items())[:_NAMES_SHOWN]:
        yield f'<span class="bad">{escape(name)} was not scored</span>: {escape(fault)}'
    if len(evaluation.failed) > _NAMES_SHOWN:
        yield f'<span class="bad">{len(evaluation.failed)} in all were not scored</span>; metrics.csv names them'
    if distances.real_count:
        if evaluation.real_only:
            yield f"True pages without a result: {_name(evaluation.real_only)}"
        if evaluation.output_only:
            yield f"Results without a true page: {_name(evaluation.output_only)}"
    else:
        yield "No true pages: there is nothing to measure errors against."
    resized = [
        f"{name} from {_size(score.resized_from)} to {_size(score.size)}"
        for name, score in evaluation.scores.items()
        if score.resized_from
    ]
    if resized:
        yield f"Resized to the true page (bicubic) before comparing: {_name(resized)}"
    same = [name for name, score in evaluation.pairs.items() if score.to_dict()["final"]["identical"]]
    if same:
        yield f"Identical to the true page (PSNR ∞, left out of its mean): {_name(same)}"


def _render_palette(evaluation: Evaluation) -> str:
    palette = evaluation.palette
    if palette is None:
        return ""
    whose = (
        "The true pages say where each colour belongs"
        if palette.by_truth
        else "Without true pages, the result's own colours say where each belongs: watch the share explained"
    )
    figures = (
        f"spread {_number(palette.spread, 2)}, drift from the reference {_number(palette.drift, 2)}, "
        f"{_number(palette.explained and 100 * palette.explained, 0)} % of the coloured area explained"
    )
    strips = _render_strip("results", palette)
    if evaluation.palette_truth:
        strips += _render_strip("true pages", evaluation.palette_truth)
    return (
        f"<section><h2>Palette over the chapter</h2><p>{figures}.</p>"
        f'<p class="soft">Each row is a colour of the reference, each cell that colour on a page. {whose}. Spread is '
        "how far a colour wanders between pages, in units of CIELAB: below 3 is hard to see."
        f'</p><div class="charts">{strips}</div></section>\n'
    )


def _render_strip(title: str, palette: Consistency) -> str:
    pages = palette.pages[:MAX_STRIP_PAGES]
    more = len(palette.pages) - len(pages)
    head = "".join(f'<th title="{escape(page, quote=True)}">{escape(page)}</th>' for page in pages)
    rows = []
    for track in sorted(palette.tracks, key=lambda track: -track.area):
        if not track.swatches:
            continue
        swatches = [track.swatches.get(page) for page in pages]
        cells = "".join(f"<td>{_swatch(swatch.rgb) if swatch else _NO_SWATCH}</td>" for swatch in swatches)
        rows.append(f"<tr><td>{_swatch(track.rgb)}</td><td>{_number(track.spread, 1)}</td>{cells}</tr>")
    note = f'<p class="soft">{more} more pages are not shown.</p>' if more else ""
    head = f'<tr><th title="in the reference">ref.</th><th>spread</th>{head}</tr>'
    return (
        f'<div><h3>{title}</h3><div class="scroll"><table class="strip"><thead>{head}</thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{note}</div>"
    )


def _render_table(evaluation: Evaluation) -> str:
    pages, summary = table_rows(evaluation)
    head = "".join(f"<th>{escape(column.heading)}</th>" for column in COLUMNS)
    note = ""
    if len(pages) > MAX_TABLE_ROWS:
        note = f'<p class="soft">The first {MAX_TABLE_ROWS} of {len(pages)} pages; metrics.csv has them all.</p>'
    return (
        f'<section><h2>Pages</h2>{note}<div class="scroll"><table><thead><tr><th>page</th>{head}</tr></thead>\n'
        f"<tbody>{_render_rows(pages[:MAX_TABLE_ROWS])}</tbody>\n<tfoot>{_render_rows(summary)}</tfoot></table></div>"
        "</section>\n"
    )


def _render_rows(rows: Iterable[Row]) -> str:
    return "".join(
        f'<tr><td title="{escape(row.name, quote=True)}">{escape(row.name)}</td>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        + "</tr>\n"
        for row in rows
    )


def _render_charts(evaluation: Evaluation) -> str:
    pairs = dict(list(evaluation.pairs.items())[:MAX_POINTS])
    if not pairs:
        return ""
    both = {name: (score.grey, score.final) for name, score in pairs.items() if score.grey and score.final}
    errors = {name: (grey.chroma_error, final.chroma_error) for name, (grey, final) in both.items()}
    charts = {
        "Every page: below the line, colouring has gained something": draw_scatter(
            errors, "chroma error of grey", "chroma error of ours"
        ),
        "All pixels of all pages": draw_histogram(evaluation.delta_e_counts.tolist(), "ΔE2000"),
        "ΔE2000 over pages: quartiles and median": draw_distributions(
            {
                "ours": [final.delta_e2000 for _, final in both.values()],
                "grey": [grey.delta_e2000 for grey, _ in both.values()],
            },
            "mean ΔE2000 of a page",
        ),
        "SSIM over pages": draw_distributions(
            {
                "ours": [final.ssim for _, final in both.values() if final.ssim is not None],
                "grey": [grey.ssim for grey, _ in both.values() if grey.ssim is not None],
            },
            "SSIM of a page",
        ),
    }
    figures = "".join(
        f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, chart in charts.items()
        if chart
    )
    return f'<section><h2>Distributions</h2><div class="charts">{figures}</div></section>\n'


def _render_views(evaluation: Evaluation) -> str:
    if not evaluation.views:
        return ""
    title = "The worst pages" if evaluation.pairs else "The first pages"
    return f"<section><h2>{title}</h2>\n{''.join(map(_render_view, evaluation.views))}</section>\n"


def _render_view(view: PageView) -> str:
    figures = "".join(
        f'<figure><img src="{picture_uri(rgb)}" width="{rgb.shape[1]}" height="{rgb.shape[0]}" '
        f'alt="{escape(view.name, quote=True)}: {escape(name)}"><figcaption>{escape(name)}</figcaption></figure>'
        for name, rgb in view.pictures.items()
    )
    if view.delta_e_counts is not None:
        chart = draw_histogram(view.delta_e_counts.tolist(), "ΔE2000")
        figures += f'<figure class="wide">{chart}<figcaption>pixels by ΔE2000</figcaption></figure>'
    return f'<h3>{escape(view.name)}</h3><div class="views">{figures}</div>\n'


def _render_explanations() -> str:
    return (
        '<section class="soft"><h2>What the figures say</h2>'
        "<p>PSNR, SSIM (7×7, uniform) and MS-SSIM are of 8-bit RGB: higher is nearer. ΔE2000 is the difference that "
        "people see, 1 being about the least; p95: 95 % of the pixels are nearer. Chroma error is the mean distance in "
        "a and b of CIELAB, lightness aside; ratio is ours as a share of the page left grey: below 1, colouring has "
        "gained something. Edges is the correlation of the gradients of lightness. Intervals are 95 % bootstrap over "
        "pages. In ΔE maps black is equal and yellow is 40 or more.</p></section>\n"
    )


def _card(title: str, value: str, *beside: str) -> str:
    small = " · ".join(escape(text) for text in beside if text)
    return f'<div class="card">{escape(title)}<b>{value}</b><small>{small}</small></div>'


def _swatch(rgb: tuple[int, int, int]) -> str:
    colour = "#{:02x}{:02x}{:02x}".format(*rgb)
    return f'<i style="background:{colour}" title="{colour}"></i>'


def _between(interval: list[float] | None, places: int) -> str:
    return "" if interval is None else f"{interval[0]:.{places}f} to {interval[1]:.{places}f}"


def _number(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _scaled(value: float | None) -> str:
    return _number(None if value is None else 1000 * value, 2)


def _size(size: tuple[int, int] | None) -> str:
    return "" if size is None else f"{size[0]}×{size[1]}"


def _name(names: Iterable[str]) -> str:
    names = list(names)
    listed = ", ".join(escape(name) for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{listed} and {more} more" if more > 0 else listed
