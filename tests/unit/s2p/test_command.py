"""`python -m workers.s2p` on files."""

import json

import numpy as np
import pytest
from PIL import Image

from workers.s2p.__main__ import main


@pytest.fixture
def page(tmp_path):
    Image.fromarray(np.full((90, 120), 180, dtype=np.uint8)).save(tmp_path / "p01.png")
    return tmp_path / "p01.png"


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
        pictures.append(np.asarray(Image.open(folder / "rough.png")).astype(int))
    assert (pictures[0][..., 0] - pictures[0][..., 1]).min() > 40
    np.testing.assert_array_equal(*pictures)


def test_bad_input_is_one_clear_line_and_exit_code_2(page, tmp_path, capsys):
    hints = str(write_hints(tmp_path / "hints.json"))
    (tmp_path / "broken.json").write_text('{"version": 1}')
    (tmp_path / "text.png").write_text("no picture")
    out = ["--out", str(tmp_path / "out")]
    for arguments, message in (
        ([str(page), "--hints", hints, *out, "--weights", str(tmp_path)], "official weights are not read yet"),
        ([str(page), "--hints", str(tmp_path / "broken.json"), *out], "size: Field required"),
        ([str(tmp_path / "text.png"), "--hints", hints, *out], "not a picture"),
        ([str(tmp_path / "none.png"), "--hints", hints, *out], "No such file"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
