import cv2
import numpy as np
import pytest

from common.hints import parse_hints
from common.imaging import encode_image
from workers.cgan.__main__ import main


@pytest.fixture
def folder(tmp_path, two_tone_page, to_grey):
    (tmp_path / "reference.png").write_bytes(encode_image(two_tone_page))
    (tmp_path / "001.png").write_bytes(encode_image(to_grey(two_tone_page)))
    return tmp_path


def run(folder, *more, page="001.png", reference="reference.png"):
    arguments = [folder / page, "--reference", folder / reference, "--out", folder / "out", "--epochs", "1", *more]
    return main([str(argument) for argument in arguments])


def test_the_command_writes_draft_regions_and_hints(folder):
    assert run(folder, "--trapped-ball-radii", "6", "4", "--saturation", "1") == 0
    out = folder / "out" / "001"
    assert sorted(path.name for path in out.iterdir()) == ["draft.png", "hints.json", "regions.png"]
    assert cv2.imread(str(out / "draft.png")).shape == (160, 160, 3)
    regions = cv2.imread(str(out / "regions.png"), cv2.IMREAD_UNCHANGED)
    assert regions.dtype == np.uint16
    hints = parse_hints((out / "hints.json").read_bytes(), "hints.json")
    assert hints.size == (160, 160)
    assert {hint.region for hint in hints.hints} <= set(np.unique(regions).tolist())


def test_a_page_that_is_no_picture_ends_with_2_and_one_line(folder, capsys):
    (folder / "002.png").write_bytes(b"no picture")
    assert run(folder, page="002.png") == 2
    error = capsys.readouterr().err
    assert "002.png" in error
    assert error.count("\n") == 1


def test_a_missing_file_ends_with_2(folder, capsys):
    assert run(folder, page="003.png") == 2
    assert "003.png: cannot be read" in capsys.readouterr().err


def test_a_grey_reference_ends_with_2_and_its_reason(folder, capsys):
    assert run(folder, reference="001.png") == 2
    assert "no colour" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [("--palette-size", "0"), ("--preset", "fancy"), ("--seed", "x")])
def test_a_wrong_parameter_ends_with_2_and_its_name(folder, capsys, wrong):
    assert run(folder, *wrong) == 2
    assert wrong[0].strip("-").replace("-", "_") in capsys.readouterr().err


def test_two_pages_of_one_name_are_refused(folder, capsys):
    (folder / "b").mkdir()
    (folder / "b" / "001.png").write_bytes((folder / "001.png").read_bytes())
    arguments = [folder / "001.png", folder / "b" / "001.png", "--reference", folder / "reference.png", "--out", folder]
    assert main([str(argument) for argument in arguments]) == 2
    assert "001" in capsys.readouterr().err
