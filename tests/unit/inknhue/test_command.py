"""`python -m workers.inknhue` on files."""

import numpy as np
import pytest
from PIL import Image

from workers.inknhue.__main__ import main


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(np.full((90, 120), 150, dtype=np.uint8)).save(tmp_path / "p01.png")
    Image.new("RGB", (120, 90), (255, 255, 255)).save(tmp_path / "sketch.png")
    Image.new("RGB", (120, 90), (200, 120, 120)).save(tmp_path / "rough.png")
    Image.new("RGB", (90, 90)).save(tmp_path / "square.png")
    return tmp_path


def command(folder, rough, *more):
    names = [str(folder / "p01.png"), "--sketch", str(folder / "sketch.png"), "--rough", str(folder / rough)]
    return main([*names, "--out", str(folder / "out"), *more])


def test_writes_the_aligned_and_the_final_picture(folder):
    assert command(folder, "rough.png", "--blend", "0.5") == 0
    written = folder / "out" / "p01"
    assert sorted(path.name for path in written.iterdir()) == ["aligned.png", "final.png"]
    final = np.asarray(Image.open(written / "final.png")).astype(int)
    assert (final[..., 0] - final[..., 1]).min() > 40


def test_bad_input_is_one_clear_line_and_exit_code_2(folder, capsys):
    for rough, more, message in (
        ("square.png", (), "not of the page's shape"),
        ("rough.png", ("--blend", "2"), "between 0 and 1"),
        ("rough.png", ("--weights", str(folder)), "official weights are not read yet"),
        ("none.png", (), "No such file"),
    ):
        assert command(folder, rough, *more) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
