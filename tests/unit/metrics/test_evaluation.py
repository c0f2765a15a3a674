"""Sets of pictures against each other: streaming, bad input, and what is said of it."""

import io
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError, ModelMissingError
from common.imaging import ImageLimits
from workers.metrics import evaluation as module
from workers.metrics.evaluation import VIEWS, evaluate_sets
from workers.metrics.pictures import PictureFile, PictureSets
from workers.metrics.report import render_report
from workers.metrics.streaming import AHEAD, MAX_THREADS


def noise(seed, size=(20, 24)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def png(picture, **options):
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, "PNG", **options)
    return buffer.getvalue()


def file(name, data):
    data = data if isinstance(data, bytes) else png(data)
    return PictureFile(name, lambda: data)


def chapter(count, seed=0):
    return [file(f"{number:03}.png", noise(seed + number)) for number in range(1, count + 1)]


def evaluate(real, output, tmp_path, **more):
    sets = PictureSets(real=real, output=output, **more)
    return evaluate_sets(sets, limits=ImageLimits(), models=tmp_path)


def test_one_corrupt_picture_among_a_hundred_is_reported_and_the_rest_scored(tmp_path):
    output = chapter(100, seed=1000)
    output[41] = file("042.png", png(noise(1))[:-200])
    found = evaluate(chapter(100), output, tmp_path)
    assert len(found.pairs) == 99
    assert list(found.failed) == ["042"]
    assert "042.png" in found.failed["042"]


def test_unequal_counts_are_paired_by_name_and_the_others_listed(tmp_path):
    found = evaluate(chapter(5), chapter(3, seed=9)[1:], tmp_path)
    assert list(found.pairs) == ["002", "003"]
    assert found.real_only == ("001", "004", "005")
    assert found.output_only == ()


def test_without_a_common_name_and_without_inception_there_is_nothing_to_compare(tmp_path):
    with pytest.raises(InputError, match=r"no name of the 2 real pictures \(such as 001.png\)"):
        evaluate(chapter(2), [file("a.png", noise(1))], tmp_path)


def test_when_nothing_can_be_read_the_first_fault_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none of 1 pages could be scored; the first: a\.png: not a picture"):
        evaluate([file("a.png", noise(1))], [file("a.png", b"no picture")], tmp_path)


def test_16_bit_and_alpha_pictures_are_compared_as_they_look(tmp_path):
    grey = np.full((20, 24), 128, dtype=np.uint8)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    clear = Image.new("RGBA", (24, 20), (128, 128, 128, 255))
    glass = Image.new("RGBA", (24, 20), (255, 0, 0, 0))  # nothing but white paper
    found = evaluate(
        [file("deep.png", png(deep)), file("clear.png", grey), file("glass.png", np.full((20, 24, 3), 255, np.uint8))],
        [file("deep.png", grey), file("clear.png", png(clear)), file("glass.png", png(glass))],
        tmp_path,
    )
    assert [score.to_dict()["final"]["identical"] for score in found.scores.values()] == [True, True, True]


def test_a_set_of_one_picture_has_no_interval_and_no_distance_and_says_why(tmp_path):
    found = evaluate(chapter(1), chapter(1, seed=5), tmp_path).to_dict()
    assert found["interval_95"]["final"]["psnr_db"] is None
    assert found["set"]["fid"] is None
    assert found["set"]["reason"]


def test_identical_sets(tmp_path):
    found = evaluate(chapter(4), chapter(4), tmp_path)
    figures = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert figures["mean"]["final"]["psnr_db"] is None
    assert figures["mean"]["final"]["identical"] == 4
    assert figures["mean"]["final"]["delta_e2000"] == 0
    assert figures["mean"]["chroma_ratio"] == 0
    assert figures["delta_e2000_pixels"][0] == 4 * 20 * 24


def test_pictures_stream_however_many_there_are(tmp_path):
    held, most, lock = 0, 0, threading.Lock()

    class Held(bytes):
        """Bytes that count how many of them are alive."""

        def __new__(cls, data):
            nonlocal held, most
            with lock:
                held += 1
                most = max(most, held)
            return super().__new__(cls, data)

        def __del__(self):
            nonlocal held
            with lock:
                held -= 1

    data = png(noise(1))
    real, output = ([PictureFile(f"{at}.png", lambda: Held(data)) for at in range(60)] for _ in range(2))
    evaluate(real, output, tmp_path)
    assert held == 0
    assert most <= 2 * (AHEAD + 1) * min(MAX_THREADS, len(os.sched_getaffinity(0))) + 2


def test_what_the_check_raises_ends_it_and_no_thread_stays(tmp_path):
    seen = []

    def check():
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt

    sets = PictureSets(real=chapter(30), output=chapter(30, seed=7))
    with pytest.raises(KeyboardInterrupt):
        evaluate_sets(sets, limits=ImageLimits(), models=tmp_path, check=check)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stream")]


def test_an_error_that_is_nobodys_picture_is_not_swallowed(tmp_path):
    def fail():
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        evaluate(chapter(2), [PictureFile("001.png", fail), *chapter(2)[1:]], tmp_path)


def test_the_worst_pages_are_shown_the_worst_first(tmp_path):
    truth = np.full((20, 24, 3), 100, dtype=np.uint8)
    offs = [3, 80, 10, 60, 0, 40, 20]
    found = evaluate(
        [file(f"{at}.png", truth) for at in range(len(offs))],
        [file(f"{at}.png", truth + np.uint8(off)) for at, off in enumerate(offs)],
        tmp_path,
    )
    assert [view.name for view in found.views] == ["1", "3", "5", "6", "2"]
    assert len(found.views) == VIEWS
    view = found.views[0]
    assert list(view.pictures) == ["grey", "final", "truth", "ΔE2000"]
    assert (view.pictures["final"] == 180).all()
    dark, bright = (found.views[at].pictures["ΔE2000"].mean() for at in (4, 0))
    assert dark < bright


def test_a_chapter_without_truths_is_followed_by_its_own_colours(tmp_path):
    pages = [file(f"{at}.png", np.full((300, 200, 3), 200, np.uint8)) for at in (1, 2)]
    finals = [file(f"{at}.png", np.full((300, 200, 3), (200, 90, 80), np.uint8)) for at in (1, 2)]
    found = evaluate([], finals, tmp_path, pages=pages, references=[finals[0]])
    assert found.pairs == {}
    assert found.palette.spread == pytest.approx(0, abs=1e-3)
    assert found.palette_truth is None
    assert [list(view.pictures) for view in found.views] == [["grey", "final"], ["grey", "final"]]
    assert found.to_dict()["mean"]["final"] is None


def test_the_page_that_was_coloured_is_the_grey_beside(tmp_path):
    truth = noise(1)
    found = evaluate([file("a.png", truth)], [file("a.png", truth)], tmp_path, pages=[file("a.png", truth)])
    assert found.scores["a"].grey.psnr_db < 30  # the page's grey, not its colours
    assert (found.views[0].pictures["grey"][..., 0] == found.views[0].pictures["grey"][..., 2]).all()


def flat(value, size=(20, 24)):
    return np.full((*size, 3), value, dtype=np.uint8)


def test_grey_truths_have_no_ratio_and_take_none_from_the_others(tmp_path):
    real = [file("white.png", flat(255)), file("grey.png", flat(90)), *chapter(2)]
    output = [file("white.png", noise(5)), file("grey.png", noise(6)), *chapter(2, seed=50)]
    mixed, coloured = evaluate(real, output, tmp_path), evaluate(real[2:], output[2:], tmp_path)
    assert mixed.mean["chroma_ratio"] == coloured.mean["chroma_ratio"] is not None
    assert mixed.interval_95["chroma_ratio"] == coloured.interval_95["chroma_ratio"] is not None
    grey = evaluate(real[:2], output[:2], tmp_path)
    assert grey.mean["chroma_ratio"] is grey.interval_95["chroma_ratio"] is None


def test_the_order_of_the_pictures_changes_no_figure(tmp_path):
    real, output = chapter(7), chapter(7, seed=50)
    straight, turned = evaluate(real, output, tmp_path), evaluate(real[::-1], output[2:] + output[:2], tmp_path)
    assert turned.interval_95 == straight.interval_95
    known = {name: value for name, value in straight.mean["final"].items() if value is not None}
    assert {name: turned.mean["final"][name] for name in known} == pytest.approx(known, rel=1e-12)


class FlatFeatures:
    """Stands in for Inception: a picture's mean colour, and which pictures it saw."""

    max_held, max_held_pixels = 3, 10**6

    def __init__(self):
        self.seen = 0

    def extract(self, pictures):
        self.seen += len(pictures)
        return pictures.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture
def inception(monkeypatch):
    network = FlatFeatures()
    monkeypatch.setattr(module, "open_inception", lambda models: network)
    return network


def test_sets_have_distances_whatever_is_paired(tmp_path, inception):
    same = evaluate(chapter(4), chapter(4), tmp_path)
    assert same.distances.fid == pytest.approx(0, abs=1e-6)
    assert same.distances.warning.startswith("below 50 pictures")
    apart = evaluate(chapter(4), [file(f"x{at}.png", noise(at) // 2) for at in range(3)], tmp_path)
    assert apart.pairs == {}
    assert apart.distances.fid > 100
    assert apart.distances.kid_standard_error is not None
    assert inception.seen == 4 + 4 + 4 + 3
    html = render_report(apart)
    assert f"<b>{apart.distances.fid:.2f}</b>" in html
    assert "True pages without a result: 001" in html
    assert "No true pages" not in html


def test_a_corrupt_result_takes_nothing_from_the_set_of_true_pages(tmp_path, inception):
    output = [*chapter(4, seed=9)[:3], file("004.png", b"no picture")]
    found = evaluate(chapter(4), output, tmp_path)
    assert (found.distances.real_count, found.distances.output_count) == (4, 3)
    assert list(found.failed) == ["004"]


def test_why_there_is_no_distance(tmp_path, inception, monkeypatch):
    assert "need 2 pictures" in evaluate(chapter(1), chapter(1), tmp_path).distances.reason
    assert evaluate([], chapter(2), tmp_path).distances.reason == "there are no true pages"

    def refuse(models):
        raise ModelMissingError("inception.pth: truncated")

    monkeypatch.setattr(module, "open_inception", refuse)
    found = evaluate(chapter(2), chapter(2, seed=4), tmp_path)
    assert found.distances.reason == "inception.pth: truncated"
    assert "inception.pth: truncated" in render_report(found)


def test_whoever_streams_keeps_all_processors_for_torch():
    # In a process of its own, where nothing has used torch yet.
    code = """
import torch
from workers.metrics.report import render_report
from workers.metrics.streaming import stream
list(stream(lambda item: torch.get_num_threads(), range(5)))
print(torch.get_num_threads())
"""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    made = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True, text=True)
    assert made.stdout.strip() == "2"
