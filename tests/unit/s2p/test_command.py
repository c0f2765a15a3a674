"""`python -m workers.s2p` on files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workers import device_choice
from workers.s2p.__main__ import main
from workers.s2p.device import set_up_tensorflow

NETS = Path(__file__).parents[2] / "golden" / "s2p" / "nets"


@pytest.fixture
def page(tmp_path):
    Image.fromarray(np.full((90, 120), 180, dtype=np.uint8)).save(tmp_path / "p01.png")
    return tmp_path / "p01.png"


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def write_hints(path):
    dot = {"x": 0.5, "y": 0.5, "rgb": [200, 40, 40], "region": None, "source": "user"}
    path.write_text(json.dumps({"version": 1, "size": [120, 90], "hints": [dot]}))
    return path


def test_json_and_picture_hints_colour_the_page(page, tmp_path):
    dots = np.zeros((90, 120, 3), dtype=np.uint8)
    dots[45, 60] = (200, 40, 40)
    Image.fromarray(dots).save(tmp_path / "dots.png")
    pictures = []
    for name, hints in (("a", write_hints(tmp_path / "hints.json")), ("b", tmp_path / "dots.png")):
        assert main([str(page), "--hints", str(hints), "--out", str(tmp_path / name)]) == 0
        folder = tmp_path / name / "p01"
        assert sorted(path.name for path in folder.iterdir()) == ["rough.png", "sketch.png"]
        pictures.append(read(folder / "rough.png").astype(int))
    assert (pictures[0][..., 0] - pictures[0][..., 1]).min() > 40
    np.testing.assert_array_equal(*pictures)


def test_several_pages_are_painted_each_from_its_hints(page, tmp_path):
    second = tmp_path / "p02.png"
    Image.fromarray(np.full((60, 50), 180, dtype=np.uint8)).save(second)
    hints = str(write_hints(tmp_path / "hints.json"))
    none = tmp_path / "none.json"
    none.write_text('{"version": 1, "size": [50, 60], "hints": []}')
    assert main([str(page), str(second), "--hints", hints, str(none), "--out", str(tmp_path / "out")]) == 0
    first = read(tmp_path / "out" / "p01" / "rough.png").astype(int)
    assert (first[..., 0] - first[..., 1]).min() > 40
    np.testing.assert_array_equal(read(tmp_path / "out" / "p02" / "rough.png")[..., 0], read(second))


def test_bad_input_is_one_clear_line_and_exit_code_2(page, tmp_path, capsys):
    hints = str(write_hints(tmp_path / "hints.json"))
    (tmp_path / "broken.json").write_text('{"version": 1}')
    (tmp_path / "text.png").write_text("no picture")
    wide = tmp_path / "wide.png"
    Image.fromarray(np.zeros((90, 300), dtype=np.uint8)).save(wide)
    out = ["--out", str(tmp_path / "out")]
    for arguments, message in (
        ([str(page), "--hints", hints, *out, "--weights", str(tmp_path)], "tail.net: not found"),
        ([str(page), "--hints", hints, *out, "--face", str(page)], "give --weights too"),
        ([str(page), "--hints", hints], "give PAGE, --hints and --out"),
        (["--check-weights", str(tmp_path), "--face", str(page)], "goes with --out only"),
        (["--check-weights", str(tmp_path)], "Style2Paints needs tail.net, reader.net, head.net, neck.net"),
        ([str(page), "--hints", str(wide), *out], "not of the page's shape"),
        ([str(page), "--hints", str(tmp_path / "broken.json"), *out], "size: Field required"),
        ([str(tmp_path / "text.png"), "--hints", hints, *out], "not a picture"),
        ([str(tmp_path / "none.png"), "--hints", hints, *out], "No such file"),
        ([str(page), str(wide), "--hints", hints, *out], "one file for each page; 1 for 2 pages"),
        ([str(page), str(page), "--hints", hints, hints, *out], "two pages have the same name"),
        ([str(page), str(tmp_path / "text.png"), "--hints", hints, hints, *out], "not a picture"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_page_without_hints_stays_grey_with_a_warning(page, tmp_path, capsys):
    (tmp_path / "none.json").write_text('{"version": 1, "size": [120, 90], "hints": []}')
    assert main([str(page), "--hints", str(tmp_path / "none.json"), "--out", str(tmp_path)]) == 0
    assert "the page stays grey" in capsys.readouterr().err
    np.testing.assert_array_equal(read(tmp_path / "p01" / "rough.png")[..., 0], read(page))


def test_official_weights_are_checked_and_paint(page, tmp_path, capsys):
    assert main(["--check-weights", str(NETS), "--out", str(tmp_path / "cards")]) == 0
    said = capsys.readouterr().out
    assert "head.net: 0.1 MB" in said
    assert "channels 1, 3, 4, 6, 8 → 2, 2, 3" in said
    assert "all four fit together" in said
    assert read(tmp_path / "cards" / "style2paints-test-card.png").shape == (1024, 1364, 3)
    hints = str(write_hints(tmp_path / "hints.json"))
    arguments = [str(page), "--hints", hints, "--out", str(tmp_path), "--weights", str(NETS), "--face", str(page)]
    assert main(arguments) == 0
    assert read(tmp_path / "p01" / "rough.png").shape == read(tmp_path / "p01" / "sketch.png").shape


def test_official_weights_are_checked_without_painting_where_no_place_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--check-weights", str(NETS)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("all four fit together")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["--check-weights", str(NETS)], ["p01.png", "--hints", "h.json", "--out", "out"]]
)
def test_a_gpu_that_is_insisted_on_must_be_there(page, tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.setattr(device_choice, "_chosen", "auto")
    monkeypatch.chdir(tmp_path)
    write_hints(tmp_path / "h.json")
    set_up_tensorflow.cache_clear()
    try:
        assert main([*arguments, "--device", "cuda"]) == 2
    finally:
        set_up_tensorflow.cache_clear()
    assert "this process sees 0 GPUs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
