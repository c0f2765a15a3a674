"""The fox: small, big ears, bushy tail.

Local frame: (0, 0) is the middle of the head, 1 half its height; a sitting fox is about 4 units tall.
"""

from __future__ import annotations

import numpy as np

from samples.canvas import Pen
from samples.characters import Creature, Expression, Mouth, Pose
from samples.faces import WHITE, draw_brow, draw_eye, draw_mouth
from samples.geometry import CORNER, Points, contour, ellipse, ribbon, shift, smooth, to_points

RUNNING_LEAN = 10.0


def draw_fox(pen: Pen, who: Creature, expression: Expression, pose: Pose, turn: float) -> None:
    """Draw the fox; a pose that leans far makes it leap, all others sit."""
    body = pen.at(pen.frame.child(0, 0))
    head = pen.at(pen.frame.child(0, 0, np.deg2rad(pose.tilt)))
    if pose.lean >= RUNNING_LEAN:
        _draw_leaping(body, who)
    else:
        _draw_sitting(body, who)
    _draw_head(head, who, expression, turn)


def _draw_tail(pen: Pen, who: Creature, spine: list[tuple[float, float]]) -> None:
    tail = ribbon(spine, (0.3, 0.75, 1.05, 1.0, 0.28))
    pen.fill(tail, who.fur.base)
    pen.fill(shift(tail, 0.1, 0.28), who.fur.shade, within=tail)
    curve = smooth(spine)
    tip = curve[int(len(curve) * 0.72) :]
    along = tip[0] - tip[2]
    along /= max(float(np.hypot(*along)), 1e-6)
    across = np.array([-along[1], along[0]])
    # The white tip begins with a zigzag of fur as wide as the tail is there.
    reach = np.linspace(-0.47, 0.47, 7)
    teeth = np.array([tip[0] + across * k + along * (0.16 if i % 2 else -0.1) for i, k in enumerate(reach)])
    beyond = np.array([tip[-1] - along + across, tip[-1] - along - across])
    pen.fill(np.vstack([teeth, teeth[-1] + across * 0.6, beyond, teeth[0] - across * 0.6]), who.belly.base, within=tail)
    pen.line(teeth, (0.4, 0.6, 0.4))
    pen.outline(tail, (0.8, 1.2, 1.0, 1.2, 0.8))


def _draw_sitting(pen: Pen, who: Creature) -> None:
    _draw_tail(pen, who, [(-0.7, 3.3), (-1.7, 3.4), (-2.25, 2.5), (-1.95, 1.5), (-2.3, 0.75)])
    trunk = smooth(
        [
            (-0.4, 0.6),
            (-0.72, 1.3),
            (-1.05, 2.3),
            (-1.0, 3.2),
            (-0.3, 3.6),
            (0.5, 3.5),
            (0.66, 2.4),
            (0.6, 1.3),
            (0.4, 0.6),
        ],
        closed=True,
    )
    pen.fill(trunk, who.fur.base)
    pen.fill(trunk * (0.55, 1) + (-0.62, 0.5), who.fur.shade, within=trunk)
    pen.outline(trunk)
    bib = contour(
        [
            (-0.4, 0.85),
            (-0.36, 1.5),
            (-0.16, 1.85, CORNER),
            (-0.1, 1.7, CORNER),
            (0.1, 2.2, CORNER),
            (0.22, 1.75, CORNER),
            (0.36, 1.9, CORNER),
            (0.56, 1.4),
            (0.5, 0.85),
        ]
    )
    pen.fill(bib, who.belly.base)
    pen.line(bib[6:-8], (0.3, 0.7, 0.7, 0.3))
    for x, paint in ((0.36, who.fur.shade), (0.0, who.fur.base)):
        leg = ribbon([(x, 1.6), (x + 0.03, 2.6), (x, 3.5)], (0.06, 0.5, 0.46, 0.42, 0.36))
        pen.fill(leg, paint)
        pen.fill(ellipse(x + 0.02, 3.4, 0.3, 0.42), who.dark, within=leg)
        pen.line(leg[7:-7], (0.1, 1.0, 1.0, 1.0, 0.1))
        paw = smooth([(x - 0.2, 3.5), (x + 0.08, 3.36), (x + 0.36, 3.5), (x + 0.36, 3.7), (x - 0.2, 3.7)], closed=True)
        pen.shape(paw, who.dark, 0.9)
    thigh = smooth([(-0.95, 2.5), (-0.5, 2.3), (-0.2, 2.8), (-0.3, 3.4), (-0.8, 3.62), (-1.15, 3.2)], closed=True)
    pen.fill(thigh, who.fur.base)
    pen.line(thigh[6:22], (0.2, 1.1, 0.2))
    foot = smooth([(-0.85, 3.44), (-0.4, 3.36), (-0.06, 3.5), (-0.06, 3.7), (-0.9, 3.72)], closed=True)
    pen.shape(foot, who.dark, 0.9)


def _draw_leaping(pen: Pen, who: Creature) -> None:
    _draw_tail(pen, who, [(-2.3, 1.1), (-3.1, 0.7), (-3.8, 1.0), (-4.6, 0.5), (-5.2, 0.7)])
    for hip, knee, paw in (((-2.2, 1.5), (-2.9, 2.1), (-3.7, 2.0)), ((0.0, 1.5), (0.9, 1.8), (1.6, 1.5))):
        _draw_running_leg(pen, who, [hip, knee, paw], far=True)
    trunk = smooth(
        [
            (0.1, 0.3),
            (-0.9, 0.4),
            (-1.9, 0.55),
            (-2.6, 0.95),
            (-2.55, 1.6),
            (-1.8, 1.75),
            (-0.8, 1.6),
            (0.2, 1.75),
            (0.65, 1.2),
        ],
        closed=True,
    )
    pen.fill(trunk, who.fur.base)
    pen.fill(shift(trunk, 0.0, 0.75), who.fur.shade, within=trunk)
    pen.fill(
        smooth([(0.0, 0.8), (0.1, 1.4), (-0.3, 1.72), (0.3, 1.9), (0.9, 1.2)], closed=True),
        who.belly.base,
        within=trunk,
    )
    pen.outline(trunk)
    for hip, knee, paw in (((-2.0, 1.4), (-2.5, 2.2), (-3.3, 2.5)), ((-0.1, 1.4), (0.6, 2.1), (1.4, 2.2))):
        _draw_running_leg(pen, who, [hip, knee, paw], far=False)


def _draw_running_leg(pen: Pen, who: Creature, joints: list[tuple[float, float]], far: bool) -> None:
    leg = ribbon(joints, (0.75, 0.48, 0.34))
    pen.fill(leg, who.fur.shade if far else who.fur.base)
    end = np.array(joints[-1])
    pen.fill(ellipse(float(end[0]), float(end[1]), 0.5, 0.42), who.dark, within=leg)
    pen.line(leg[2:-2], (0.1, 1.0, 1.1, 1.0, 0.1))


def _ear(side: float, lean: float) -> Points:
    return contour(
        [
            (side * 0.22, -0.62, CORNER),
            (side * 0.42, -1.2),
            (side * 0.84 + lean, -1.78, CORNER),
            (side * 1.06, -1.1),
            (side * 0.98, -0.3, CORNER),
        ]
    )


def _draw_head(pen: Pen, who: Creature, expression: Expression, turn: float) -> None:
    middle = 0.2 * turn
    for side in (-1.0, 1.0):
        ear = _ear(side, 0.1 * turn)
        pen.shape(ear, who.fur.base)
        pen.fill((ear - (side * 0.68, -0.75)) * (0.55, 0.62) + (side * 0.69, -0.78), who.dark, within=ear)
    head = contour(
        [
            (0.0, -0.88),
            (0.62, -0.72),
            (0.98, -0.2),
            (1.16, 0.24),
            (1.52, 0.5, CORNER),
            (1.18, 0.55),
            (1.26, 0.8, CORNER),
            (0.8, 0.8),
            (0.3 + middle, 1.02),
            (-0.3 + middle, 1.02),
            (-0.8, 0.8),
            (-1.26, 0.8, CORNER),
            (-1.18, 0.55),
            (-1.52, 0.5, CORNER),
            (-1.16, 0.24),
            (-0.98, -0.2),
            (-0.62, -0.72),
        ]
    )
    pen.fill(head, who.fur.base)
    for side in (-1.0, 1.0):
        cheek = contour(
            [
                (side * 1.7, 0.3),
                (side * 1.0, 0.34),
                (side * 0.52 + middle, 0.3, CORNER),
                (side * 0.12 + middle, 0.2),
                (middle, 0.6),
                (middle, 1.3),
                (side * 1.7, 1.2),
            ]
        )
        pen.fill(cheek, who.belly.base, within=head)
    pen.outline(head, (0.9, 1.3, 0.9, 1.2, 0.9))
    tuft = contour(
        [
            (-0.2, -0.8, CORNER),
            (-0.12, -1.08),
            (0.06, -1.26, CORNER),
            (0.04, -1.04, CORNER),
            (0.26, -1.1, CORNER),
            (0.2, -0.8, CORNER),
        ]
    )
    pen.fill(tuft, who.fur.base)
    pen.line(tuft[:-7], (0.7, 0.9, 0.7))
    for side in (-1, 1):
        eye = pen.at(pen.frame.child(side * 0.5 + middle * 1.1, 0.06))
        half_width = 0.27 if side < 0 else 0.27 - 0.05 * turn
        draw_eye(eye, who.iris, expression, side, half_width)
        draw_brow(eye, expression, side, half_width)
    _draw_snout(pen, who, expression, middle * 1.3)


def _draw_snout(pen: Pen, who: Creature, expression: Expression, x: float) -> None:
    nose = smooth(
        [(x - 0.15, 0.38), (x, 0.35), (x + 0.15, 0.38), (x + 0.07, 0.5), (x, 0.54), (x - 0.07, 0.5)], closed=True
    )
    pen.shape(nose, who.dark, 0.8)
    pen.fill(ellipse(x - 0.05, 0.41, 0.045, 0.025), WHITE)
    if expression.mouth in (Mouth.SMILE, Mouth.FLAT, Mouth.GRIN):
        for side in (-1, 1):
            pen.line(
                smooth([(x, 0.55), (x + side * 0.06, 0.66), (x + side * 0.2, 0.68), (x + side * 0.3, 0.6)]),
                (0.8, 1.0, 0.3),
            )
    else:
        draw_mouth(pen.at(pen.frame.child(x, 0.7)), expression.mouth, 0.85)
    for side in (-1, 1):
        for dy in (0.0, 0.12):
            pen.line(to_points([(x + side * 0.42, 0.5 + dy), (x + side * 0.62, 0.48 + dy * 1.5)]), (0.4, 0.1))
