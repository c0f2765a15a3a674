"""`python -m workers.metrics` on folders: pairing, table, JSON, report."""

import json

import numpy as np
import pytest
from PIL import Image

from workers.metrics.__main__ import main
from workers.metrics.pairs import pair_pictures


def save(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    real, output = tmp_path / "real", tmp_path / "output"
    for seed, name in enumerate(("p1.png", "p2.webp", "<p3>.png")):
        save(real / name, seed)
    save(output / "p2" / "final.jpg", 1)
    save(output / "<p3>.png", 2)
    save(output / "extra.png", 3)
    (output / "notes.txt").write_text("no picture")
    return real, output


def test_pairs_are_by_stem_and_lonely_names_are_listed(folders):
    pairing = pair_pictures(*folders)
    assert [(stem, real.name, output.name) for stem, real, output in pairing.pairs] == [
        ("<p3>", "<p3>.png", "<p3>.png"),
        ("p2", "p2.webp", "final.jpg"),
    ]
    assert pairing.real_only == ("p1",)
    assert pairing.output_only == ("extra",)


def test_table_json_and_report_show_the_same_pages(folders, tmp_path, capsys):
    files = ["--json", str(tmp_path / "out" / "m.json"), "--report", str(tmp_path / "out" / "r.html")]
    assert main([*map(str, folders), *files]) == 0
    table = capsys.readouterr().out
    figures = json.loads((tmp_path / "out" / "m.json").read_text())
    report = (tmp_path / "out" / "r.html").read_text()
    assert list(figures["pages"]) == ["<p3>", "p2"]
    assert figures["pages"]["<p3>"]["final"]["psnr_db"] == 150
    assert "no result for p1" in table
    assert "no true page for extra" in table
    mean = (150 + figures["pages"]["p2"]["final"]["psnr_db"]) / 2
    assert figures["mean"]["final"]["psnr_db"] == pytest.approx(mean)
    assert f"{mean:.2f}" in table
    assert f"{mean:.2f}" in report
    assert report.count("data:image/webp;base64,") == 6
    assert "&lt;p3&gt;" in report
    assert "<p3>" not in report
    assert "http" not in report


def test_bad_input_is_one_clear_line_and_exit_code_2(folders, tmp_path, capsys):
    real, _ = folders
    (tmp_path / "empty").mkdir()
    save(tmp_path / "twice" / "p1.png", 0)
    save(tmp_path / "twice" / "p1.jpg", 0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "p1.png").write_text("no picture")
    for arguments, message in (
        ((real, tmp_path / "none"), "no such folder"),
        ((real, tmp_path / "empty"), "has a partner"),
        ((real, tmp_path / "twice"), "share the stem p1"),
        ((real, tmp_path / "broken"), "not a picture"),
    ):
        assert main([str(argument) for argument in arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
