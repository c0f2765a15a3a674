"""`python -m workers.inknhue` on files."""

import numpy as np
import pytest
from PIL import Image

from workers.inknhue.__main__ import main
from workers.inknhue.network import Autoencoder, AutoencoderConfig
from workers.inknhue.official import weights
from workers.inknhue.weights import CONDITIONAL, FIRST_STAGE, SHADER


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
        ("rough.png", ("--weights", str(folder)), "kl-f8.ckpt: not found"),
        ("rough.png", ("--rough", "a.png", "b.png"), "--rough: give one file for each page; 2 for 1 pages"),
        ("none.png", (), "No such file"),
        ("rough.png", ("--check-weights", str(folder)), "--check-weights goes alone"),
    ):
        assert command(folder, rough, *more) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (folder / "out").exists()


def test_several_pages_are_read_before_any_is_painted(folder, capsys):
    Image.new("L", (60, 45), 150).save(folder / "p02.png")
    pages, roughs = ([str(folder / name) for name in names] for names in (("p01.png", "p02.png"), ("rough.png",) * 2))
    assert main([*pages, "--rough", *roughs, "--out", str(folder / "out")]) == 0
    with Image.open(folder / "out" / "p02" / "final.png") as final:
        assert final.size == (60, 45)
    bad = [roughs[0], str(folder / "square.png")]
    assert main([*pages, "--rough", *bad, "--out", str(folder / "none")]) == 2
    assert "square.png: 90×90" in capsys.readouterr().err
    assert main([pages[0], pages[0], "--rough", *roughs, "--out", str(folder / "none")]) == 2
    assert "same name" in capsys.readouterr().err
    assert not (folder / "none").exists()


def test_pages_or_weights_to_check_must_be_given(folder, capsys):
    assert main([str(folder / "p01.png")]) == 2
    assert "give PAGE, --rough and --out, or --check-weights" in capsys.readouterr().err


def test_official_weights_are_checked_by_loading_them(folder, monkeypatch, capsys):
    assert main(["--check-weights", str(folder)]) == 2
    assert capsys.readouterr().err == f"workers.inknhue: {folder / FIRST_STAGE}: not found\n"
    small = Autoencoder(
        AutoencoderConfig(channels=8, multipliers=(1, 2), blocks=1, z_channels=4, embed_channels=4, groups=4)
    )
    monkeypatch.setattr(weights, "load_autoencoder", lambda _: small)
    assert main(["--check-weights", str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    parameters = sum(parameter.numel() for parameter in small.parameters())
    assert said[0] == f"{FIRST_STAGE}, {CONDITIONAL}: {parameters:,} parameters"
    assert said[1] == f"{SHADER}: not there, and not needed"
    assert said[2].startswith("all fit together (")
