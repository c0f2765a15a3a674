"""The golden page tells a painter that paints wrongly from one that only rounds otherwise."""

import dataclasses
from functools import lru_cache

import numpy as np
import pytest
import tensorflow as tf

from workers.s2p import embedded, golden, tasks
from workers.s2p.embedded import EmbeddedPainter
from workers.s2p.network import build_network


@pytest.fixture(scope="module")
def painter():
    return EmbeddedPainter()


@pytest.fixture
def changed(monkeypatch):
    """A painter whose weights were changed."""

    def make(change):
        made = []
        monkeypatch.setattr(embedded, "build_network", lambda: made.append(build_network()) or made[-1])
        painter, generator = EmbeddedPainter(), np.random.default_rng(1)
        for variable in made[0].variables:
            variable.assign(change(variable.numpy(), generator))
        return painter

    return make


class Altered:
    """Paints what is made of another painter's picture."""

    label = "altered"

    def __init__(self, painter, alter):
        self._painter, self._alter = painter, alter

    def paint(self, page_rgb, hints):
        result = self._painter.paint(page_rgb, hints)
        return dataclasses.replace(result, rough_rgb=self._alter(result.rough_rgb))


def passes(checks):
    return all(check.passed for check in checks)


def add_noise(weights, generator):
    return weights + 0.03 * generator.standard_normal(weights.shape) * (weights.std() or np.abs(weights).mean())


def test_our_own_weights_pass(painter):
    (check,) = golden.check_embedded(painter)
    assert check.share < 0.5, check.said


def test_weights_that_are_rounded_to_bf16_pass(changed):
    rounded = changed(lambda weights, _: tf.cast(tf.cast(weights, tf.bfloat16), tf.float32))
    assert passes(golden.check_embedded(rounded))


@pytest.mark.parametrize(
    "change",
    [add_noise, lambda weights, _: 0 * weights, lambda weights, _: np.nan * weights],
    ids=["noise", "zeros", "no-numbers"],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_other_weights_fail(changed, change):
    assert not passes(golden.check_embedded(changed(change)))


def test_swapped_channels_fail(painter):
    assert not passes(golden.check_embedded(Altered(painter, lambda rgb: rgb[..., ::-1])))


def test_official_networks_are_looked_at_for_what_all_must_do(painter):
    # Our own painter stands for them: the rules must let a good picture of unknown weights pass, of any size.
    paint = painter.paint_small
    assert passes(golden.check_official(paint))
    assert passes(golden.check_official(lambda page, hints: paint(page, hints).repeat(2, axis=0).repeat(2, axis=1)))
    for spoil in (lambda rgb: rgb[..., ::-1], np.zeros_like, lambda rgb: np.full_like(rgb, 255), lambda rgb: 255 - rgb):
        assert not passes(golden.check_official(lambda page, hints, spoil=spoil: spoil(paint(page, hints))))


def test_a_warm_up_does_both_golden_pages_where_official_networks_are_there(monkeypatch):
    class Official:
        def paint_small(self, page_rgb, hints):
            return np.zeros_like(page_rgb)

    assert passes(tasks.warm_up())
    monkeypatch.setattr(tasks, "open_painter", lru_cache(lambda models: Official()))
    checks = tasks.warm_up()
    assert checks[0].passed
    assert not passes(checks[1:])
