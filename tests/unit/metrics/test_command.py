"""`python -m workers.metrics` on folders: pairing, table, JSON, CSV, report."""

import csv
import io
import json

import pytest

from workers.metrics.__main__ import main
from workers.metrics.inception import NOT_INSTALLED


@pytest.fixture
def folders(tmp_path, save):
    real, output = tmp_path / "real", tmp_path / "output"
    for seed, name in enumerate(("p1.png", "p10.webp", "<p3>.png", "p2.png")):
        save(real / name, seed)
    save(output / "p10" / "final.jpg", 1)
    save(output / "<p3>.png", 2)
    save(output / "p2.png", 4, (80, 60))
    save(output / "extra.png", 3)
    (output / "notes.txt").write_text("no picture")
    return real, output


def run(folders, tmp_path, *more):
    out = tmp_path / "out"
    files = [f"--{kind}={out / kind}" for kind in ("json", "csv", "report")]
    code = main([*map(str, folders), *files, f"--models={tmp_path / 'models'}", *map(str, more)])
    figures = json.loads((out / "json").read_text()) if (out / "json").exists() else None
    return code, figures, out


def test_table_json_csv_and_report_show_the_same_pages(folders, tmp_path, capsys):
    code, figures, out = run(folders, tmp_path)
    assert code == 0
    table = capsys.readouterr().out
    report = (out / "report").read_text()
    rows = list(csv.DictReader(io.StringIO((out / "csv").read_text())))
    assert list(figures["pages"]) == ["<p3>", "extra", "p2", "p10"]
    assert [row["page"] for row in rows] == ["<p3>", "extra", "p2", "p10"]
    assert "no result for p1" in table
    assert "no true page for extra" in table
    assert "p2: resized from 80×60 to 40×30" in table
    assert f"FID –, KID –: {NOT_INSTALLED}" in table
    for name in ("p2", "p10"):
        psnr = figures["pages"][name]["final"]["psnr_db"]
        assert float(next(row for row in rows if row["page"] == name)["final_psnr_db"]) == psnr
        assert f"{psnr:.2f}" in table
        assert f"{psnr:.2f}" in report
    mean = (figures["pages"]["p2"]["final"]["psnr_db"] + figures["pages"]["p10"]["final"]["psnr_db"]) / 2
    assert figures["mean"]["final"]["psnr_db"] == pytest.approx(mean)
    low, high = figures["interval_95"]["final"]["psnr_db"]
    assert low <= mean <= high
    for text in ("True pages without a result: p1", "Results without a true page: extra", "p2 from 80×60 to 40×30"):
        assert text in report


def test_equal_pictures_have_an_infinite_psnr_and_are_named(folders, tmp_path, capsys):
    _, figures, out = run(folders, tmp_path)
    assert figures["pages"]["<p3>"]["final"] | {"psnr_db": None, "identical": True} == figures["pages"]["<p3>"]["final"]
    assert figures["mean"]["final"]["identical"] == 1
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("<p3>"))
    assert row.split()[1] == "∞"
    assert "\r\n<p3>,40,30,inf," in (out / "csv").read_bytes().decode()
    assert "Identical to the true page (PSNR ∞, left out of its mean): &lt;p3&gt;" in (out / "report").read_text()


def test_a_palette_is_followed_where_a_reference_is_given(folders, tmp_path, capsys):
    code, figures, out = run(folders, tmp_path, "--reference", folders[0] / "p1.png")
    assert code == 0
    assert figures["palette"]["by_truth"] is False  # one result has no true page
    assert figures["palette_truth"]["spread"] is not None
    assert "palette: spread" in capsys.readouterr().out
    assert "Palette over the chapter" in (out / "report").read_text()


def test_one_corrupt_file_is_reported_and_the_others_are_scored(folders, tmp_path, capsys):
    (folders[1] / "p2.png").write_text("no picture")
    code, figures, out = run(folders, tmp_path)
    assert code == 3
    assert list(figures["pages"]) == ["<p3>", "extra", "p10"]
    assert "not a picture" in figures["failed"]["p2"]
    assert "not scored: p2.png: not a picture" in capsys.readouterr().out
    assert "not a picture" in (out / "report").read_text()
    assert "not a picture" in list(csv.DictReader(io.StringIO((out / "csv").read_text())))[-1]["error"]


def test_bad_input_is_one_clear_line_and_exit_code_2(folders, tmp_path, save, capsys):
    real, output = folders
    (tmp_path / "empty").mkdir()
    save(tmp_path / "twice" / "p1.png")
    save(tmp_path / "twice" / "p1.jpg")
    save(tmp_path / "others" / "q1.png")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "p1.png").write_text("no picture")
    for arguments, message in (
        ((real, tmp_path / "none"), "no such folder"),
        ((real, tmp_path / "empty"), "no picture in it"),
        ((real, tmp_path / "twice"), "share the stem p1"),
        ((real, tmp_path / "others"), "is also one of the 1 output pictures (such as q1.png)"),
        ((real, tmp_path / "broken"), "not a picture"),
        ((real, output, "--reference", tmp_path / "gone.png"), "gone.png"),
    ):
        assert main([*map(str, arguments), f"--models={tmp_path}"]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
