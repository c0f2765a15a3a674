"""Coat and jacket: what lies over the trunk. Frame as in figures; slim narrows the body when it turns."""

from __future__ import annotations

import numpy as np

from samples.canvas import Pen
from samples.characters import Character
from samples.geometry import CORNER, Points, Vertex, contour, ellipse, ribbon, shift, smooth, to_points


def _narrow(points: Points, slim: float) -> Points:
    return np.asarray(points * (slim, 1.0), dtype=np.float64)


def _shadow_side(pen: Pen, body: Points, who: Character, edge: float) -> None:
    """Lay the cloth's shadow along the side away from the light, which shines from the page's left."""
    light = 1 if not pen.frame.mirror else -1
    band = smooth(
        [
            (light * edge, 1.2),
            (light * (edge + 0.12), 2.2),
            (light * (edge - 0.08), 3.1),
            (light * (edge + 0.2), 4.2),
            (light * (edge + 0.3), 6.0),
        ]
    )
    outer = to_points([(light * 3, 6.0), (light * 3, 1.2)])
    pen.fill(np.vstack([band, outer]), who.top.shade, within=body)


def draw_coat(pen: Pen, who: Character, slim: float, flutter: float, away: bool) -> None:
    """Draw a belted coat that flares to the knees."""
    back = 1.3 * flutter
    outline: list[Vertex] = [
        (-0.28, 1.3, CORNER),
        (-0.82, 1.48),
        (-0.98, 1.9),
        (-0.82, 2.5),
        (-0.62, 3.15, CORNER),
        (-0.86 - back * 0.4, 4.2),
        (-1.16 - back, 5.35 - back * 0.5, CORNER),
        (-0.5 - back * 0.6, 5.5 - back * 0.2),
        (0.1 - back * 0.2, 5.42),
        (0.6, 5.5),
        (1.1 + 0.15 * flutter, 5.3, CORNER),
        (0.84, 4.2),
        (0.6, 3.15, CORNER),
        (0.78, 2.5),
        (0.92, 1.9),
        (0.78, 1.48),
        (0.28, 1.3, CORNER),
    ]
    body = _narrow(contour(outline), slim)
    pen.fill(body, who.top.base)
    _shadow_side(pen, body, who, 0.38 * slim)
    pen.outline(body, (1.0, 1.4, 1.0, 1.4, 1.0))
    if not away:
        _draw_coat_front(pen, who, slim, back)
    for fold in (
        [(-0.45, 3.4), (-0.62 - back * 0.3, 4.2), (-0.72 - back * 0.7, 5.2)],
        [(-0.2, 3.45), (-0.22 - back * 0.1, 4.1), (-0.3 - back * 0.3, 4.8)],
        [(0.42, 3.4), (0.55, 4.1), (0.66, 5.1)],
        [(0.52, 2.0), (0.42, 2.4), (0.5, 2.9)],
        [(-0.6, 2.2), (-0.48, 2.5), (-0.5, 2.95)],
    ):
        pen.line(_narrow(smooth(fold), slim), (0.9, 0.7, 0.1))
    belt = contour(
        [
            (-0.65, 3.08, CORNER),
            (0.0, 3.16),
            (0.63, 3.08, CORNER),
            (0.64, 3.32, CORNER),
            (0.0, 3.4),
            (-0.66, 3.32, CORNER),
        ],
        bulge=0.0,
    )
    pen.shape(_narrow(belt, slim), who.shoes.base, 0.9)
    if away:
        return
    pen.shape(to_points([(0.02, 3.08), (0.34, 3.08), (0.34, 3.44), (0.02, 3.44)]) * (slim, 1), who.accent, 0.8)
    pocket = smooth([(-0.62 - back * 0.2, 3.95), (-0.45 - back * 0.15, 3.86), (-0.3 - back * 0.1, 3.9)])
    pen.line(_narrow(pocket, slim), (0.7, 1.0, 0.7))


def _draw_coat_front(pen: Pen, who: Character, slim: float, back: float) -> None:
    """Edge and buttons."""
    front = smooth([(0.12, 1.5), (0.18, 2.4), (0.14, 3.1), (0.2, 4.2), (0.28 - back * 0.1, 5.44)])
    pen.line(_narrow(front, slim), (0.8, 1.1, 0.8))
    for x, y in ((-0.02, 2.15), (0.0, 2.65), (0.02, 3.75), (0.06, 4.3)):
        pen.shape(ellipse(x * slim, y, 0.075, 0.075, 16), who.accent, 0.6)


def draw_coat_collar(pen: Pen, who: Character, slim: float, flutter: float) -> None:
    """Draw the scarf around the neck, with a loose end in the wind."""
    if flutter > 0.5:
        tail = ribbon([(-0.3, 1.45), (-1.2, 1.25), (-2.0, 1.55), (-2.8, 1.3)], (0.4, 0.5, 0.5, 0.6), round_end=False)
    else:
        tail = ribbon(
            [(-0.22, 1.5), (-0.34, 2.0), (-0.32, 2.6), (-0.42 - flutter, 3.0)],
            (0.34, 0.42, 0.44, 0.48),
            round_end=False,
        )
    pen.fill(tail, who.inner.base)
    pen.fill(shift(tail, 0.16, 0.12), who.inner.shade, within=tail)
    pen.outline(tail)
    wrap = contour([(-0.66, 1.36), (-0.3, 1.12), (0.3, 1.12), (0.66, 1.34), (0.62, 1.68), (0.1, 1.88), (-0.5, 1.74)])
    wrap = _narrow(wrap, slim)
    pen.fill(wrap, who.inner.base)
    pen.fill(
        smooth([(-0.62, 1.2), (0.0, 1.42), (0.64, 1.2), (0.5, 0.9), (-0.5, 0.9)], closed=True),
        who.inner.shade,
        within=wrap,
    )
    pen.outline(wrap)
    for fold in ([(-0.58, 1.42), (-0.1, 1.62), (0.45, 1.5)], [(-0.3, 1.74), (0.1, 1.74), (0.56, 1.58)]):
        pen.line(_narrow(smooth(fold), slim), (0.2, 0.9, 0.2))


def draw_jacket(pen: Pen, who: Character, slim: float, flutter: float, away: bool) -> None:
    """Draw a short open jacket over a shirt, and the trousers' waist."""
    waist = to_points([(-0.72, 3.3), (0.7, 3.3), (0.74, 4.15), (0.0, 4.3), (-0.76, 4.15)])
    pen.shape(_narrow(waist, slim), who.legs.base)
    if away:
        _draw_jacket_back(pen, who, slim)
        return
    shirt = contour(
        [
            (-0.3, 1.35, CORNER),
            (0.34, 1.35, CORNER),
            (0.5, 2.4),
            (0.52, 3.62, CORNER),
            (0.1, 3.72),
            (-0.3, 3.62, CORNER),
            (-0.3, 2.4),
        ]
    )
    shirt = _narrow(shirt, slim)
    pen.fill(shirt, who.inner.base)
    pen.fill(to_points([(-0.4, 1.3), (-0.1, 1.3), (-0.14, 3.8), (-0.4, 3.8)]), who.inner.shade, within=shirt)
    pen.outline(shirt)
    stripe = to_points([(-0.5, 2.5), (0.7, 2.5), (0.7, 2.72), (-0.5, 2.72)])
    pen.fill(stripe, who.accent, within=shirt)
    for y in (2.5, 2.72):
        pen.line(to_points([(-0.24, y), (0.46 * slim, y)]), (0.6, 0.6))
    pen.line(smooth([(0.1, 3.0), (0.16, 3.3), (0.08, 3.55)]), (0.7, 0.5, 0.1))
    back = 0.9 * flutter
    near = contour(
        [
            (-0.24, 1.32, CORNER),
            (-0.85, 1.5),
            (-1.0, 1.95),
            (-0.84, 2.7),
            (-0.82 - back * 0.4, 3.4),
            (-0.92 - back, 4.0, CORNER),
            (-0.5 - back * 0.4, 4.08),
            (-0.16, 4.0, CORNER),
            (-0.12, 3.0),
            (-0.2, 2.1),
        ]
    )
    far = contour(
        [
            (0.26, 1.32, CORNER),
            (0.82, 1.5),
            (0.96, 1.95),
            (0.82, 2.7),
            (0.8, 3.4),
            (0.86, 3.95, CORNER),
            (0.66, 4.02),
            (0.46 + 0.1 * flutter, 3.96, CORNER),
            (0.46, 3.0),
            (0.42, 2.1),
        ]
    )
    for panel in (_narrow(near, slim), _narrow(far, slim)):
        pen.fill(panel, who.top.base)
        _shadow_side(pen, panel, who, 0.46 * slim)
        pen.outline(panel, (1.0, 1.4, 1.0, 1.4, 1.0))
    for fold in (
        [(-0.72, 2.1), (-0.58, 2.5), (-0.62, 2.9)],
        [(-0.3, 3.4), (-0.4, 3.62), (-0.34, 3.9)],
        [(0.72, 2.2), (0.62, 2.6), (0.68, 3.0)],
        [(-0.72, 3.55), (-0.56, 3.5), (-0.4, 3.56)],
    ):
        pen.line(_narrow(smooth(fold), slim), (0.8, 0.7, 0.1))


def draw_jacket_collar(pen: Pen, who: Character, slim: float) -> None:
    """Draw two turned-down lapels."""
    for side in (-1, 1):
        x = -0.02 if side < 0 else 0.06
        lapel = contour(
            [
                (x + side * 0.26, 1.14, CORNER),
                (x + side * 0.5, 1.36),
                (x + side * 0.62, 1.66, CORNER),
                (x + side * 0.46, 1.74, CORNER),
                (x + side * 0.24, 2.16, CORNER),
                (x + side * 0.2, 1.6),
            ]
        )
        pen.shape(_narrow(lapel, slim), who.top.shade)


def _draw_jacket_back(pen: Pen, who: Character, slim: float) -> None:
    """The jacket of somebody who looks away, with its collar."""
    outline = contour(
        [
            (-0.3, 1.25, CORNER),
            (-0.85, 1.5),
            (-0.98, 1.95),
            (-0.84, 2.7),
            (-0.82, 3.4),
            (-0.9, 4.0, CORNER),
            (0.0, 4.08),
            (0.9, 4.0, CORNER),
            (0.82, 3.4),
            (0.84, 2.7),
            (0.98, 1.95),
            (0.85, 1.5),
            (0.3, 1.25, CORNER),
        ]
    )
    cloth = _narrow(outline, slim)
    pen.fill(cloth, who.top.base)
    _shadow_side(pen, cloth, who, 0.46 * slim)
    pen.outline(cloth, (1.0, 1.4, 1.0, 1.4, 1.0))
    collar = contour(
        [(-0.5, 1.2, CORNER), (0.0, 1.3), (0.5, 1.2, CORNER), (0.6, 1.5, CORNER), (0.0, 1.64), (-0.6, 1.5, CORNER)]
    )
    pen.shape(_narrow(collar, slim), who.top.shade)
    for fold in (
        [(-0.3, 1.9), (-0.2, 2.8), (-0.3, 3.6)],
        [(0.3, 3.9), (0.34, 3.3), (0.2, 2.8)],
        [(-0.8, 3.66), (0.0, 3.76), (0.8, 3.66)],
    ):
        pen.line(_narrow(smooth(fold), slim), (0.4, 0.8, 0.2))
