"""Hair: what hangs behind the head, and what lies over it. Frame as in faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samples.canvas import INK_RGB, Pen
from samples.characters import Character, Hair, Shaded
from samples.faces import face_outline
from samples.geometry import CORNER, Points, Vertex, contour, shift, smooth, to_points

LONG_TIPS: tuple[tuple[float, float], ...] = (
    (-1.15, 2.75),
    (-0.78, 2.55),
    (-0.62, 3.05),
    (-0.25, 2.65),
    (0.02, 3.1),
    (0.35, 2.62),
    (0.72, 2.95),
    (0.86, 2.4),
)
SPIKES: tuple[Vertex, ...] = (
    (-0.8, 0.55, 1),
    (-0.88, 0.3),
    (-0.95, 0.16, 1),
    (-1.16, 0.28),
    (-1.38, 0.2, 1),
    (-1.24, 0.05),
    (-1.15, -0.14, 1),
    (-1.4, -0.12),
    (-1.66, -0.34, 1),
    (-1.38, -0.42),
    (-1.2, -0.58, 1),
    (-1.42, -0.74),
    (-1.56, -1.06, 1),
    (-1.2, -0.98),
    (-0.92, -0.98, 1),
    (-0.98, -1.2),
    (-0.9, -1.5, 1),
    (-0.6, -1.26),
    (-0.36, -1.2, 1),
    (-0.28, -1.44),
    (-0.04, -1.7, 1),
    (0.08, -1.4),
    (0.28, -1.2, 1),
    (0.52, -1.36),
    (0.86, -1.42, 1),
    (0.78, -1.18),
    (0.8, -0.98, 1),
    (1.02, -1.0),
    (1.28, -0.92, 1),
    (1.1, -0.74),
    (1.03, -0.52, 1),
    (1.16, -0.42),
    (1.28, -0.2, 1),
    (1.08, -0.2),
    (0.96, -0.1, 1),
    (0.95, 0.18),
    (0.86, 0.42, 1),
    (0.78, -0.08, 1),
)
SPIKE_FRINGE: tuple[tuple[float, float], ...] = (
    (0.66, 0.2),
    (0.5, -0.26),
    (0.4, 0.12),
    (0.24, -0.32),
    (0.0, 0.2),
    (-0.2, -0.3),
    (-0.36, 0.1),
    (-0.5, -0.22),
    (-0.68, 0.14),
    (-0.74, -0.1),
)


def draw_back_hair(pen: Pen, who: Character, flutter: float) -> None:
    """Draw the hair that hangs behind head and shoulders."""
    if who.hair_style is not Hair.LONG:
        return
    tips = [(x, y, CORNER) for x, y in LONG_TIPS]
    outline = contour(
        [(0.0, -1.0), (-0.85, -0.75), (-1.14, 0.1), (-1.22, 1.3), *tips, (0.98, 1.2), (1.02, 0.1), (0.85, -0.75)],
        bulge=-0.12,
    )
    blown = _blow(outline, flutter)
    pen.shape(blown, who.hair.shade)
    for x, length in ((-0.9, 2.5), (-0.5, 2.7), (0.05, 2.8), (0.5, 2.5)):
        strand = smooth([(x, 0.8), (x - 0.08, 1.6), (x + 0.02, length)])
        pen.line(_blow(strand, flutter), (0.2, 0.9, 0.1), who.hair.base.rgb)


def draw_hair_from_behind(pen: Pen, who: Character, flutter: float) -> None:
    """Draw the head of somebody who looks away from the reader."""
    strands: Sequence[Sequence[tuple[float, float]]]
    if who.hair_style is Hair.LONG:
        tips = [(x, y, CORNER) for x, y in LONG_TIPS]
        outline = _blow(
            contour(
                [
                    (0.0, -1.22),
                    (-0.85, -0.86),
                    (-1.12, 0.1),
                    (-1.18, 1.3),
                    *tips,
                    (1.08, 1.2),
                    (1.12, 0.1),
                    (0.85, -0.86),
                ],
                bulge=-0.12,
            ),
            flutter,
        )
        strands = (
            [(-0.1, -1.1), (-0.7, 0.2), (-0.78, 2.2)],
            [(0.0, -1.1), (-0.2, 0.6), (-0.25, 2.5)],
            [(0.05, -1.1), (0.4, 0.4), (0.3, 2.5)],
            [(0.1, -1.1), (0.85, 0.0), (0.8, 2.1)],
        )
    else:
        nape: list[Vertex] = [
            (0.55, 0.75, CORNER),
            (0.3, 0.62, CORNER),
            (0.12, 0.92, CORNER),
            (-0.12, 0.66, CORNER),
            (-0.4, 0.88, CORNER),
            (-0.55, 0.6, CORNER),
        ]
        outline = contour([*SPIKES[:-1], *nape], bulge=-0.07)
        strands = (
            [(-0.3, -0.9), (-0.5, -0.2), (-0.4, 0.5)],
            [(0.1, -1.0), (0.1, -0.2), (0.0, 0.5)],
            [(0.4, -0.8), (0.6, -0.1), (0.4, 0.5)],
        )
    pen.fill(outline, who.hair.base)
    _shade_hair(pen, who.hair, outline, who.hair_style, 0.0)
    pen.outline(outline, (1.0, 1.4, 1.0, 1.3, 1.0))
    for strand in strands:
        pen.line(_blow(smooth(strand), flutter), (0.1, 0.8, 0.5, 0.1), INK_RGB)


def _blow(points: Points, flutter: float) -> Points:
    """Bend what hangs below the ears backwards (local -x), more the lower it hangs."""
    drop = np.maximum(points[:, 1] - 0.1, 0)
    blown = points.copy()
    blown[:, 0] -= flutter * (0.55 * drop + 0.12 * drop**2)
    blown[:, 1] -= flutter * (0.42 * drop + 0.1 * np.sin(points[:, 0] * 4) * drop)
    return blown


def _front_outline(who: Character, turn: float, flutter: float) -> Points:
    return _long_front(turn, flutter) if who.hair_style is Hair.LONG else _spiky_front(turn)


def shade_forehead(pen: Pen, who: Character, turn: float, flutter: float) -> None:
    """Draw the shadow that the fringe throws on the bare face."""
    outline = shift(_front_outline(who, turn, flutter), 0.02, 0.13)
    pen.fill(outline, who.skin.shade, within=_forehead(face_outline(turn)))


def draw_front_hair(pen: Pen, who: Character, turn: float, flutter: float) -> None:
    """Draw fringe, top and side locks."""
    outline = _front_outline(who, turn, flutter)
    pen.fill(outline, who.hair.base)
    _shade_hair(pen, who.hair, outline, who.hair_style, turn)
    pen.outline(outline, (1.0, 1.4, 1.0, 1.3, 1.0))
    _draw_strands(pen, who.hair_style, turn)
    if who.hair_style is Hair.LONG:
        star = _star(_clip_x(turn), -0.32, 0.17)
        pen.shape(star, who.accent, 0.7)


def _clip_x(turn: float) -> float:
    """Where the hair clip sits: it wanders with the head."""
    return -0.62 + 0.16 * turn


def _forehead(face: Points) -> Points:
    """The part of the face on which hair can throw a shadow."""
    return np.stack([face[:, 0], np.minimum(face[:, 1], 0.62)], axis=1)


def _long_front(turn: float, flutter: float) -> Points:
    shift = 0.2 * turn
    fringe: list[Vertex] = [
        (x + shift, y, CORNER)
        for x, y in ((0.48, 0.16), (0.4, -0.24), (0.2, 0.13), (0.1, -0.26), (-0.12, 0.16), (-0.24, -0.24), (-0.48, 0.2))
    ]
    outline: list[Vertex] = [
        (-0.8, 1.5, CORNER),
        (-1.08, 0.95),
        (-1.14, 0.2),
        (-0.98, -0.62),
        (-0.5, -1.1),
        (0.08, -1.22),
        (0.62, -1.04),
        (1.0, -0.55),
        (1.1, 0.2),
        (1.02, 0.85),
        (0.78, 1.42, CORNER),
        (0.84, 0.9),
        (0.8, 0.45),
        (0.7 + 0.08 * turn, -0.12, CORNER),
        *fringe,
        (-0.62 + shift * 0.5, -0.12, CORNER),
        (-0.78, 0.45),
        (-0.72, 0.95),
    ]
    return _blow(contour(outline, bulge=-0.1), flutter * 0.5)


def _spiky_front(turn: float) -> Points:
    fringe = [(x + 0.16 * turn, y, CORNER) for x, y in SPIKE_FRINGE]
    return contour([*SPIKES, *fringe], bulge=-0.07)


def _shade_hair(pen: Pen, hair: Shaded, outline: Points, style: Hair, turn: float) -> None:
    """A shadow along the side away from the light, and a jagged shine across the crown."""
    low = contour(
        [
            (-0.3, 0.35, CORNER),
            (-0.62, -0.12),
            (-0.9, -0.35),
            (-1.5, -0.2, CORNER),
            (-1.5, 3.3, CORNER),
            (-0.6, 3.3, CORNER),
        ],
        bulge=0.0,
    )
    side = low if pen.frame.mirror else low * (-1, 1)
    pen.fill(side, hair.shade, within=outline)
    shift = 0.12 * turn
    zigzag = [
        (-0.86, -0.28),
        (-0.74, -0.5),
        (-0.62, -0.36),
        (-0.46, -0.66),
        (-0.3, -0.46),
        (-0.1, -0.74),
        (0.06, -0.5),
        (0.26, -0.74),
        (0.4, -0.5),
        (0.54, -0.66),
        (0.62, -0.44),
    ]
    upper = [(0.66, -0.68), (0.3, -0.88), (-0.1, -0.92), (-0.5, -0.8), (-0.8, -0.52)]
    if style is Hair.SPIKY:
        zigzag, upper = [(x, y - 0.1) for x, y in zigzag], [(x, y - 0.02) for x, y in upper]
    band: list[Vertex] = [(x + shift, y, CORNER) for x, y in zigzag]
    pen.fill(contour([*band, *((x + shift, y) for x, y in upper)], bulge=0.05), hair.shine, within=outline)


def _draw_strands(pen: Pen, style: Hair, turn: float) -> None:
    shift = 0.2 * turn
    strands: Sequence[Sequence[tuple[float, float]]]
    if style is Hair.LONG:
        strands = (
            [(0.05, -1.15), (0.3, -0.75), (0.42 + shift, -0.28)],
            [(0.0, -1.12), (0.02, -0.7), (0.1 + shift, -0.28)],
            [(-0.08, -1.15), (-0.3, -0.75), (-0.26 + shift, -0.28)],
            [(0.5, -0.9), (0.72, -0.5), (0.74, -0.1)],
            [(-0.5, -0.95), (-0.78, -0.5), (-0.66 + shift / 2, -0.12)],
            [(-0.98, 0.1), (-0.98, 0.6), (-0.84, 1.2)],
            [(0.95, 0.1), (0.95, 0.55), (0.84, 1.1)],
            [(-0.88, 0.0), (-0.88, 0.5), (-0.8, 0.9)],
        )
    else:
        strands = (
            [(0.2, -1.0), (0.42, -0.62), (0.5 + shift, -0.28)],
            [(0.05, -1.0), (0.1, -0.6), (0.2 + shift, -0.32)],
            [(-0.15, -0.95), (-0.22, -0.6), (-0.15 + shift, -0.32)],
            [(-0.45, -0.9), (-0.62, -0.5), (-0.55 + shift, -0.22)],
            [(-1.12, -0.15), (-0.95, -0.28), (-0.85, -0.45)],
            [(-1.1, -0.58), (-0.9, -0.62), (-0.75, -0.72)],
            [(1.03, -0.55), (0.88, -0.58), (0.78, -0.66)],
            [(0.8, -0.95), (0.7, -0.86), (0.6, -0.84)],
        )
    for strand in strands:
        pen.line(smooth(strand), (0.1, 0.8, 0.5, 0.1), INK_RGB)


def _star(x: float, y: float, radius: float) -> Points:
    angles = -np.pi / 2 + np.arange(10) * np.pi / 5
    reach = radius * np.where(np.arange(10) % 2 == 0, 1.0, 0.48)
    return to_points(np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1))
