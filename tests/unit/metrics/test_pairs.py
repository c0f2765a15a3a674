"""Names that belong together."""

import os

import pytest

from workers.metrics.pairs import label_names, list_pictures, pair_names


def pairs(real, output):
    return {output[at]: real[truth] for at, truth in pair_names(real, output).real_of_output.items()}


def test_pairs_are_by_name_whatever_the_order_and_the_suffix():
    assert pairs(["b.png", "a.jpg"], ["a.png", "b.png"]) == {"a.png": "a.jpg", "b.png": "b.png"}


def test_the_whole_path_goes_before_the_last_part():
    real, output = ["real/1/a.png", "real/2/a.png", "b.png"], ["out/b.webp", "real/2/a.png"]
    assert pairs(real, output) == {"out/b.webp": "b.png", "real/2/a.png": "real/2/a.png"}


def test_a_name_that_fits_two_fits_none():
    assert pairs(["x/a.png", "y/a.png"], ["a.png"]) == {}
    assert pairs(["a.png"], ["x/a.png", "y/a.png"]) == {}


def test_who_stands_alone_is_told():
    pairing = pair_names(["a.png", "c.png", "d.png"], ["b.png", "c.png"])
    assert (pairing.real_only, pairing.output_only) == ((0, 2), (0,))


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["a.png", "b.png"], ["a", "b"]),
        (["a.png", "a.jpg"], ["a.png", "a.jpg"]),
        (["a.png", "a.png"], ["a.png", "a.png (2)"]),
        (["v1.2", "x/a.png"], ["v1.2", "x/a"]),
    ],
)
def test_labels_are_short_and_never_twice_the_same(names, labels):
    assert label_names(names) == labels


def test_names_that_are_no_utf8_can_be_written(tmp_path):
    (tmp_path / os.fsdecode(b"p\xff.png")).write_bytes(b"")
    (tmp_path / "p10.png").write_bytes(b"")
    (tmp_path / "p2.png").write_bytes(b"")
    names = [picture.name for picture in list_pictures(tmp_path)]
    assert sorted(names) == ["p10.png", "p2.png", "p\\xff.png"]
    assert names.index("p2.png") < names.index("p10.png")
