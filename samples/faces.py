"""Heads without hair: face, eyes, brows, nose, mouth, blush.

Local frame: (0, 0) is the middle of the skull, 1 its radius, +y down, +x where the head is turned to.
"""

from __future__ import annotations

import numpy as np

from samples.canvas import Pen
from samples.characters import Character, Expression, Eyes, Mouth, Shaded
from samples.geometry import CORNER, Frame, Points, contour, ellipse, smooth, to_points
from samples.tones import Paint, Sheet

WHITE = Paint((255, 255, 255), Sheet.PAPER)
PUPIL = Paint((26, 18, 28), Sheet.INK)
MOUTH_RED = Paint((150, 40, 48), Sheet.GREY)
TONGUE = Paint((236, 128, 122), Sheet.GREY)
BLUSH = Paint((255, 188, 172), Sheet.GREY)

FRONT_FACE = to_points(
    [
        (0, -0.9),
        (0.75, -0.55),
        (0.86, -0.05),
        (0.86, 0.22),
        (0.79, 0.52),
        (0.5, 0.9),
        (0.13, 1.13),
        (-0.13, 1.13),
        (-0.5, 0.9),
        (-0.79, 0.52),
        (-0.86, 0.22),
        (-0.86, -0.05),
        (-0.75, -0.55),
    ]
)
TURNED_FACE = to_points(
    [
        (0.05, -0.9),
        (0.72, -0.58),
        (0.81, -0.1),
        (0.765, 0.14),
        (0.82, 0.46),
        (0.67, 0.84),
        (0.42, 1.12),
        (0.2, 1.14),
        (-0.32, 0.92),
        (-0.72, 0.6),
        (-0.88, 0.22),
        (-0.9, -0.05),
        (-0.78, -0.55),
    ]
)


def blend(front: float, turned: float, turn: float) -> float:
    """Value between the front view (turn 0) and the three-quarter view (turn 1)."""
    return front + (turned - front) * turn


def face_outline(turn: float) -> Points:
    """Closed outline of the face, local units."""
    return smooth(FRONT_FACE + (TURNED_FACE - FRONT_FACE) * turn, closed=True, steps=6)


def draw_face(pen: Pen, who: Character, turn: float) -> None:
    """Draw ears and the bare face."""
    _draw_ear(pen, who, blend(-0.9, -0.74, turn), -1)
    if turn < 0.35:
        _draw_ear(pen, who, 0.9, 1)
    pen.shape(face_outline(turn), who.skin.base)


def _eye_pens(pen: Pen, turn: float) -> tuple[Pen, Pen]:
    """Pens whose frames lie on the near and the far eye."""
    return (
        pen.at(pen.frame.child(blend(-0.41, -0.15, turn), 0.3)),
        pen.at(pen.frame.child(blend(0.41, 0.51, turn), 0.3)),
    )


def draw_brows(pen: Pen, expression: Expression, turn: float) -> None:
    """Draw the brows; they go over the fringe, so that one can read them."""
    near, far = _eye_pens(pen, turn)
    draw_brow(near, expression, -1, 0.25)
    draw_brow(far, expression, 1, blend(0.25, 0.18, turn))


def draw_features(pen: Pen, who: Character, expression: Expression, turn: float) -> None:
    """Draw blush, eyes, nose and mouth on a bare face."""
    face = face_outline(turn)
    middle = blend(0, 0.3, turn)
    if expression.blush:
        for x, rx in ((blend(-0.55, -0.3, turn), 0.2), (blend(0.55, 0.62, turn), blend(0.2, 0.13, turn))):
            pen.fill(ellipse(x, 0.6, rx, 0.1), BLUSH, within=face)
            for k in (-0.5, 0.0, 0.5):
                dash = to_points([(x + k * rx + 0.03, 0.55), (x + k * rx - 0.03, 0.64)])
                pen.line(dash, (0.3, 0.45, 0.2), (206, 92, 88))
    near, far = _eye_pens(pen, turn)
    draw_eye(near, who.iris, expression, -1, 0.25)
    draw_eye(far, who.iris, expression, 1, blend(0.25, 0.18, turn))
    _draw_nose(pen, who, turn)
    draw_mouth(pen.at(pen.frame.child(middle * 0.95, 0.83)), expression.mouth, blend(1, 0.85, turn))


def _draw_ear(pen: Pen, who: Character, x: float, side: int) -> None:
    ear = smooth(
        [
            (x - side * 0.05, 0.02),
            (x + side * 0.13, -0.02),
            (x + side * 0.17, 0.22),
            (x + side * 0.05, 0.5),
            (x - side * 0.06, 0.45),
        ],
        closed=True,
    )
    pen.shape(ear, who.skin.base, 0.8)
    pen.line(smooth([(x + side * 0.1, 0.07), (x + side * 0.05, 0.2), (x + side * 0.07, 0.34)]), (0.2, 0.6, 0.2))


def _draw_nose(pen: Pen, who: Character, turn: float) -> None:
    x = blend(0.0, 0.4, turn)
    pen.fill(to_points([(x, 0.54), (x + 0.03, 0.61), (x - 0.07, 0.63)]), who.skin.shade)
    pen.line(smooth([(x - 0.015, 0.5), (x + 0.03, 0.59), (x - 0.03, 0.625)]), (0.1, 0.8, 0.3))


def draw_brow(pen: Pen, expression: Expression, side: int, half_width: float) -> None:
    """Draw the brow above one eye; arguments as for draw_eye."""
    fierce = expression.brow
    brow = to_points([(-0.95, -1.62 + 0.42 * fierce), (0.1, -1.92 - 0.1 * fierce), (1.15, -1.62 - 0.3 * fierce)])
    pen.line(smooth(brow * np.array([side * half_width, 0.235])), (0.9, 1.5, 0.3))


def draw_eye(pen: Pen, iris: Shaded, expression: Expression, side: int, half_width: float) -> None:
    """Draw one eye around the frame's origin.

    Args:
        pen: its frame's origin is the middle of the eye.
        iris: colours of the iris.
        expression: decides the lid and the gaze.
        side: the local x direction in which the outer corner lies, -1 or 1.
        half_width: local units.
    """
    half_height = 0.27 if expression.eyes is Eyes.WIDE else 0.235
    to_eye = np.array([side * half_width, half_height])
    if expression.eyes in (Eyes.SMILE, Eyes.SHUT):
        bow = -0.75 if expression.eyes is Eyes.SMILE else 0.6
        lid = smooth(
            to_points([(-1, 0.25), (-0.5, 0.25 + bow * 0.75), (0.1, 0.25 + bow), (0.65, 0.25 + bow * 0.7), (1.1, 0.2)])
            * to_eye
        )
        pen.line(lid, (0.6, 1.7, 1.9, 1.2))
        for x in (0.75, 1.0):
            lash = to_points([(x, 0.25 + bow * 0.3), (x + 0.28, 0.3 + bow * 0.1)])
            pen.line(lash * to_eye, (1.0, 0.2))
        return
    white = smooth(
        to_points(
            [
                (-0.95, 0.25),
                (-0.72, -0.5),
                (-0.1, -0.95),
                (0.6, -0.8),
                (1.0, -0.2),
                (0.85, 0.45),
                (0.35, 0.95),
                (-0.4, 0.93),
                (-0.85, 0.62),
            ]
        )
        * to_eye,
        closed=True,
    )
    pen.fill(white, WHITE)
    _draw_iris(pen, iris, expression, white, half_width, half_height)
    lid = smooth(
        to_points([(-1.05, 0.2), (-0.72, -0.55), (-0.1, -1.0), (0.6, -0.84), (1.05, -0.2), (1.22, 0.0)]) * to_eye
    )
    pen.line(lid, (0.7, 1.6, 2.2, 2.5, 2.2, 0.5))
    pen.line(to_points([(0.88, -0.5), (1.35, -0.52)]) * to_eye, (1.6, 0.2))
    pen.line(smooth(to_points([(-0.55, -1.12), (0.1, -1.36), (0.75, -1.12)]) * to_eye), (0.1, 0.55, 0.1))
    pen.line(smooth(to_points([(0.85, 0.5), (0.35, 0.97), (-0.3, 0.97)]) * to_eye), (0.9, 0.8, 0.1))


def _draw_iris(
    pen: Pen, iris: Shaded, expression: Expression, white: Points, half_width: float, half_height: float
) -> None:
    wide = expression.eyes is Eyes.WIDE
    rx, ry = (0.5, 0.62) if wide else (0.7, 0.98)
    rx, ry = half_width * rx, half_height * ry
    x, y = half_width * (0.1 + 0.25 * expression.gaze), half_height * 0.02
    disc = ellipse(x, y, rx, ry)
    pen.fill(disc, iris.base, within=white)
    upper = contour(
        [
            (x - rx * 1.3, y - ry * 1.3),
            (x + rx * 1.3, y - ry * 1.3),
            (x + rx * 1.1, y - ry * 0.1, CORNER),
            (x, y + ry * 0.12),
            (x - rx * 1.1, y - ry * 0.1, CORNER),
        ]
    )
    inner = ellipse(x, y, rx * 0.93, ry * 0.95)
    pen.fill(_clip_ellipse(upper, x, y, rx, ry), iris.shade, within=white)
    pen.fill(ellipse(x, y + ry * 0.62, rx * 0.55, ry * 0.26), iris.shine, within=white)
    pen.fill(ellipse(x, y, rx * 0.42, ry * 0.46), PUPIL, within=white)
    pen.line(np.vstack([inner, inner[:1]]), (0.6, 0.6))
    # The light stands on the same side for both eyes whichever way the head faces.
    light = -1 if not pen.frame.mirror else 1
    pen.fill(ellipse(x + light * rx * 0.38, y - ry * 0.42, rx * 0.36, ry * 0.3), WHITE)
    pen.fill(ellipse(x - light * rx * 0.42, y + ry * 0.42, rx * 0.18, ry * 0.15), WHITE)


def _clip_ellipse(outline: Points, x: float, y: float, rx: float, ry: float) -> Points:
    """Pull the points of an outline that lie outside an ellipse onto it."""
    offset = (outline - (x, y)) / (rx, ry)
    reach = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), 1.0)[:, None]
    return np.asarray(offset / reach * (rx, ry) + (x, y), dtype=np.float64)


def draw_mouth(pen: Pen, mouth: Mouth, width: float) -> None:
    """Draw a mouth around the frame's origin; width stretches it."""
    stretch = np.array([width, 1.0])
    if mouth is Mouth.SMILE:
        pen.line(
            smooth(to_points([(-0.2, -0.03), (-0.07, 0.035), (0.08, 0.035), (0.21, -0.04)]) * stretch),
            (0.5, 1.0, 1.0, 0.3),
        )
    elif mouth is Mouth.FLAT:
        pen.line(smooth(to_points([(-0.14, 0.02), (0.0, -0.01), (0.14, 0.03)]) * stretch), (0.4, 1.0, 0.3))
    elif mouth is Mouth.SMALL:
        pen.shape(ellipse(0, 0.03, 0.085 * width, 0.105), MOUTH_RED, 0.8)
    elif mouth is Mouth.GRIN:
        teeth = contour([(-0.24, -0.07, CORNER), (0, -0.03), (0.25, -0.08, CORNER), (0.13, 0.1), (-0.1, 0.1)])
        pen.shape(teeth * stretch, WHITE, 0.9)
        pen.line(smooth(to_points([(-0.19, 0.015), (0, 0.035), (0.2, 0.01)]) * stretch), (0.3, 0.5, 0.3))
    else:
        deep = 0.34 if mouth is Mouth.SHOUT else 0.2
        lips = (
            contour(
                [
                    (-0.23, -0.08, CORNER),
                    (0, -0.04),
                    (0.24, -0.09, CORNER),
                    (0.16, deep * 0.7),
                    (0, deep),
                    (-0.15, deep * 0.7),
                ]
            )
            * stretch
        )
        pen.fill(lips, MOUTH_RED)
        pen.fill(ellipse(0, deep * 1.0, 0.15 * width, deep * 0.45), TONGUE, within=lips)
        pen.fill(to_points([(-0.3, -0.12), (0.3, -0.12), (0.3, 0.0), (-0.3, 0.01)]) * stretch, WHITE, within=lips)
        pen.outline(lips, (0.7, 0.9, 0.7))


def head_frame(x: float, y: float, radius_px: float, tilt_deg: float, left: bool) -> Frame:
    """The local frame of a head."""
    return Frame((x, y), radius_px, np.deg2rad(tilt_deg), left)
