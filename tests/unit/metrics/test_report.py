"""The report and its charts: complete, safe, and in need of nothing."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from common.imaging import ImageLimits
from workers.metrics import report as module
from workers.metrics.charts import draw_distributions, draw_histogram, draw_scatter
from workers.metrics.evaluation import evaluate_sets
from workers.metrics.pictures import PictureFile, PictureSets
from workers.metrics.report import render_report
from workers.metrics.table import format_csv

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def files(tmp_path, save):
    def make(side, names, seed, colour=(200, 90, 80)):
        made = []
        for at, name in enumerate(names):
            picture = np.full((200, 180, 3), colour, dtype=np.uint8)
            picture[:60] = np.random.default_rng(seed + at).integers(0, 256, (60, 180, 3))
            path = tmp_path / side / f"{at}.png"
            save(path, picture)
            made.append(PictureFile(name, path.read_bytes))
        return made

    return make


@pytest.fixture
def evaluation(files, tmp_path):
    names = [HOSTILE, "p1.png", "p2.png"]
    real, output = files("real", names, 0), files("output", names, 9, (190, 100, 80))
    sets = PictureSets(real=real, output=output, references=real[1:2])
    return evaluate_sets(sets, limits=ImageLimits(), models=tmp_path)


def test_it_has_every_part(evaluation):
    html = render_report(evaluation)
    for part in ("Palette over the chapter", "true pages", "Pages", "Distributions", "The worst pages", "No FID"):
        assert part in html
    # grey | final | truth | ΔE map of each, and no other pictures
    assert html.count('<img src="data:image/webp;base64,') == 4 * 3
    assert len(re.findall("<svg ", html)) == 4 + 3
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_it_loads_and_runs_nothing_and_names_are_text(evaluation):
    html = render_report(evaluation)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert not re.search(r"(src|href)=[\"'](?!data:image/webp)", html)
    assert "http:" not in html
    assert "https:" not in html
    assert "default-src 'none'" in html


def test_its_markup_closes_what_it_opens(evaluation):
    body = re.search("<body>(.*)</body>", render_report(evaluation), re.DOTALL)[1]
    body = re.sub(r"<img ([^>]*)>", r"<img \1/>", body)
    ElementTree.fromstring(f"<body>{body}</body>")


def test_a_chapter_without_truths_and_a_single_page_have_a_report_too(files, tmp_path):
    pages = files("pages", ["1.png", "2.png"], 0)
    sets = PictureSets(real=(), output=pages, pages=pages, references=pages[:1])
    html = render_report(evaluate_sets(sets, limits=ImageLimits(), models=tmp_path))
    assert "nothing to measure errors against" in html
    assert "The first pages" in html
    assert "Distributions" not in html
    single = PictureSets(real=pages[:1], output=pages[:1])
    html = render_report(evaluate_sets(single, limits=ImageLimits(), models=tmp_path))
    assert "∞" in html
    assert "Palette over the chapter" not in html
    assert "95 % from" not in html


def test_a_large_table_is_cut_and_says_so(evaluation, monkeypatch):
    monkeypatch.setattr(module, "MAX_TABLE_ROWS", 2)
    html = render_report(evaluation)
    assert "The first 2 of 3 pages; metrics.csv has them all" in html
    assert html.count('<td title="p2">') == 0


def test_no_cell_of_the_csv_is_a_formula(files, tmp_path):
    names = ["=1+1.png", "@x.png"]
    sets = PictureSets(real=files("real", names, 0), output=files("output", names, 5))
    text = format_csv(evaluate_sets(sets, limits=ImageLimits(), models=tmp_path))
    assert "\r\n'=1+1,180,200," in text
    assert "\r\n'@x,180,200," in text


def test_a_scatter_places_points_and_the_diagonal_on_one_scale():
    svg = ElementTree.fromstring(draw_scatter({"a": (10, 10), "b<": (20, 5)}, "grey", "ours"))
    points = {dot[0].text: (float(dot.get("cx")), float(dot.get("cy"))) for dot in svg.iter("circle")}
    (ax, ay), (bx, by) = points["a: 10.00, 10.00"], points["b<: 20.00, 5.00"]
    rule = next(line for line in svg.iter("line") if line.get("class") == "rule")
    x1, y1, x2, y2 = (float(rule.get(end)) for end in ("x1", "y1", "x2", "y2"))
    assert (ax - x1) / (x2 - x1) == pytest.approx((ay - y1) / (y2 - y1), abs=0.01)  # on the diagonal
    assert bx > ax
    assert by > ay  # lower on the page


def test_a_histograms_bars_are_as_high_as_their_shares():
    svg = ElementTree.fromstring(draw_histogram([30, 60, 10], "ΔE"))
    heights = [float(bar.get("height")) for bar in svg.iter("rect")]
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.02)
    assert heights[0] / heights[2] == pytest.approx(3, rel=0.05)


def test_distributions_of_equal_values_and_of_none_can_be_drawn():
    svg = ElementTree.fromstring(draw_distributions({"ours": [1.0, 1.0], "grey": [1.0]}, "ΔE"))
    assert len(list(svg.iter("circle"))) == 3
    assert draw_distributions({"ours": []}, "ΔE") == ""
