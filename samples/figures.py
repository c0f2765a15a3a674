"""People from hair to shoes.

Local frame: the middle of the skull is (0, 0), 1 is the head's radius; a person is about 9 units tall.
"""

from __future__ import annotations

import numpy as np

from samples.canvas import Pen
from samples.characters import Character, Expression, Hand, Outfit, Pose, Shaded
from samples.clothes import draw_coat, draw_coat_collar, draw_jacket, draw_jacket_collar
from samples.faces import draw_brows, draw_face, draw_features
from samples.geometry import CORNER, Points, contour, ellipse, ribbon, smooth, to_points
from samples.hair import draw_back_hair, draw_front_hair, draw_hair_from_behind, shade_forehead

HIP_Y = 4.0
UPPER_ARM, FOREARM = 1.3, 1.15
THIGH, SHIN = 1.9, 1.85


def draw_person(pen: Pen, who: Character, expression: Expression, pose: Pose, turn: float) -> None:
    """Draw a whole person; the panel's edge cuts off what it does not show.

    Args:
        pen: its frame's origin is the middle of the head, its scale the head's radius.
        who: the person.
        expression: what the face shows.
        pose: joints.
        turn: 0 faces the reader, 1 is a three-quarter view.
    """
    lean = np.deg2rad(pose.lean)
    body = pen.at(pen.frame.child(0, 0, lean))
    head = pen.at(pen.frame.child(0, 0, np.deg2rad(pose.tilt) + lean * 0.4))
    hips = pen.at(pen.frame.child(-np.sin(lean) * HIP_Y, np.cos(lean) * HIP_Y))
    slim = 1 - 0.18 * turn
    if not pose.away:
        draw_back_hair(head, who, pose.flutter)
    _draw_arm(body, who, (0.66 * slim, 1.72), pose.far_arm, far=True, gesture=pose.far_hand)
    _draw_leg(hips, who, 0.33 * slim, pose.far_leg, far=True)
    _draw_leg(hips, who, -0.33 * slim, pose.near_leg, far=False)
    _draw_neck(body, who)
    if who.outfit is Outfit.COAT:
        draw_coat(body, who, slim, pose.flutter, pose.away)
    else:
        draw_jacket(body, who, slim, pose.flutter, pose.away)
    near_arm_behind_head = abs(pose.near_arm[1]) > 130
    if near_arm_behind_head:
        _draw_arm(body, who, (-0.7 * slim, 1.74), pose.near_arm, far=False, gesture=pose.near_hand)
    if who.outfit is Outfit.COAT:
        draw_coat_collar(body, who, slim, pose.flutter)
    elif not pose.away:
        draw_jacket_collar(body, who, slim)
    _draw_head(head, who, expression, pose, turn)
    if not near_arm_behind_head:
        _draw_arm(body, who, (-0.7 * slim, 1.74), pose.near_arm, far=False, gesture=pose.near_hand)


def _draw_head(pen: Pen, who: Character, expression: Expression, pose: Pose, turn: float) -> None:
    if pose.away:
        draw_hair_from_behind(pen, who, pose.flutter)
        return
    draw_face(pen, who, turn)
    shade_forehead(pen, who, turn, pose.flutter)
    draw_features(pen, who, expression, turn)
    draw_front_hair(pen, who, turn, pose.flutter)
    draw_brows(pen, expression, turn)


def _swing(angle_deg: float, length: float) -> Points:
    """Where a bone of this length ends when it hangs at an angle."""
    angle = np.deg2rad(angle_deg)
    return np.array([np.sin(angle), np.cos(angle)]) * length


def _draw_neck(pen: Pen, who: Character) -> None:
    neck = to_points([(-0.26, 0.7), (0.3, 0.75), (0.33, 1.35), (0.5, 1.6), (0.0, 1.95), (-0.5, 1.6), (-0.3, 1.35)])
    pen.shape(neck, who.skin.base, 0.8)
    pen.fill(to_points([(-0.4, 0.8), (0.5, 0.8), (0.34, 1.3), (-0.2, 1.22)]), who.skin.shade, within=neck)


def _draw_arm(
    pen: Pen, who: Character, shoulder: tuple[float, float], angles: tuple[float, float], far: bool, gesture: Hand
) -> None:
    start = np.array(shoulder)
    elbow = start + _swing(angles[0], UPPER_ARM)
    wrist = elbow + _swing(angles[1], FOREARM)
    hand = pen.at(pen.frame.child(float(wrist[0]), float(wrist[1]), -np.deg2rad(angles[1])))
    _draw_hand(hand, who, gesture)
    spine = np.vstack([start, (start + elbow) / 2, elbow, (elbow + wrist) / 2, wrist])
    # Turned round, so that the ribbon's rounded end becomes the shoulder.
    sleeve = ribbon(spine[::-1], (0.6, 0.56, 0.56, 0.64, 0.62))
    pen.fill(sleeve, who.top.shade if far else who.top.base)
    if not far:
        light = 1 if not pen.frame.mirror else -1
        pen.fill(sleeve + np.array([0.2 * light, 0.06]), who.top.shade, within=sleeve)
    # A sharp bend folds the band over itself and leaves a hole in the crook.
    crook = elbow + (start + wrist - 2 * elbow) * 0.09
    pen.fill(ellipse(float(crook[0]), float(crook[1]), 0.16, 0.16), who.top.shade)
    # The shoulder itself stays open towards the trunk: only the arm's two sides are inked.
    sides = (len(sleeve) - 7) // 2
    pen.line(sleeve[: sides + 2], (0.9, 1.2, 1.0, 0.5))
    pen.line(sleeve[-sides:], (0.2, 1.0, 1.2, 0.9))
    _draw_folds(pen, start, elbow, wrist)
    cuff = pen.at(hand.frame)
    rim = contour([(-0.34, -0.2, CORNER), (0.34, -0.2, CORNER), (0.34, 0.05, CORNER), (0, 0.1), (-0.34, 0.05, CORNER)])
    cuff.shape(rim, who.inner.base if who.outfit is Outfit.COAT else who.top.shade, 0.9)


def _draw_folds(pen: Pen, start: Points, elbow: Points, wrist: Points) -> None:
    """Creases that gather in the crook of the arm."""
    along = (wrist - start) / max(float(np.hypot(*(wrist - start))), 1e-6)
    across = np.array([-along[1], along[0]])
    for reach, k in ((0.3, -0.08), (0.24, 0.1), (0.18, 0.26)):
        root = elbow + across * 0.27 + along * k
        pen.line(
            smooth(np.vstack([root, root - across * reach * 0.6 + along * 0.04, root - across * reach - along * 0.03])),
            (1.0, 0.6, 0.1),
        )


def _draw_hand(pen: Pen, who: Character, gesture: Hand) -> None:
    """A hand; local +y runs along the forearm."""
    skin = who.skin.base
    if gesture is Hand.INDEX:
        pen.shape(ribbon([(-0.12, 0.3), (-0.13, 0.6), (-0.12, 0.86)], (0.17, 0.15, 0.12)), skin, 0.9)
    if gesture is not Hand.OPEN:
        fist = smooth(
            [(-0.2, -0.05), (-0.25, 0.2), (-0.18, 0.42), (0.05, 0.48), (0.23, 0.38), (0.25, 0.12), (0.2, -0.05)],
            closed=True,
        )
        pen.shape(fist, skin, 0.9)
        for x in (-0.08, 0.04, 0.15):
            pen.line(smooth([(x, 0.46), (x + 0.01, 0.36), (x + 0.03, 0.26)]), (0.7, 0.5, 0.1))
        thumb = ribbon([(0.2, 0.05), (0.16, 0.22), (0.02, 0.28)], (0.15, 0.14, 0.1))
        pen.fill(thumb, skin)
        pen.line(smooth(thumb[8:-6]), (0.3, 0.7, 0.3))
        return
    for x, angle, length in ((-0.15, -15, 0.34), (-0.05, -5, 0.42), (0.06, 5, 0.41), (0.16, 15, 0.34)):
        tip = np.array([x, 0.3]) + _swing(angle, length)
        finger = ribbon([(x, 0.2), ((x + tip[0]) / 2, (0.3 + tip[1]) / 2), (tip[0], tip[1])], (0.13, 0.125, 0.1))
        pen.shape(finger, skin, 0.7)
    thumb = ribbon([(0.15, 0.08), (0.3, 0.18), (0.4, 0.34)], (0.17, 0.14, 0.1))
    pen.shape(thumb, skin, 0.7)
    pen.fill(ellipse(0, 0.16, 0.22, 0.22), skin)
    pen.line(smooth([(-0.2, -0.05), (-0.235, 0.12), (-0.2, 0.28)]), (0.6, 0.8, 0.4))
    pen.line(smooth([(0.1, 0.12), (0.06, 0.24), (0.1, 0.32)]), (0.1, 0.6, 0.1))


def _draw_leg(pen: Pen, who: Character, x: float, angles: tuple[float, float], far: bool) -> None:
    hip = np.array([x, -0.1])
    knee = hip + _swing(angles[0], THIGH)
    ankle = knee + _swing(angles[1], SHIN)
    loose = who.outfit is Outfit.JACKET
    widths = (0.78, 0.72, 0.6, 0.58, 0.56) if loose else (0.74, 0.62, 0.5, 0.46, 0.36)
    spine = np.vstack([hip, (hip + knee) / 2, knee, (knee + ankle) / 2, ankle])
    leg = ribbon(spine, widths, round_end=False)
    pen.shape(leg, who.legs.shade if far else who.legs.base)
    if not far:
        light = 1 if not pen.frame.mirror else -1
        pen.fill(leg + np.array([0.22 * light, 0.0]), who.legs.shade, within=leg)
        pen.outline(leg)
    if loose:
        for dy, reach in ((-0.12, 0.3), (0.06, 0.22)):
            pen.line(
                smooth(
                    [
                        (knee[0] - 0.24, knee[1] + dy),
                        (knee[0] - 0.05, knee[1] + dy + 0.06),
                        (knee[0] - 0.26 + reach, knee[1] + dy + 0.02),
                    ]
                ),
                (0.9, 0.5, 0.1),
            )
    foot = pen.at(pen.frame.child(float(ankle[0]), float(ankle[1]), -np.deg2rad(angles[1] * 0.8)))
    _draw_shoe(foot, who, boot=not loose)


def _draw_shoe(pen: Pen, who: Character, boot: bool) -> None:
    """A shoe around the ankle; local +x is where the toes point, +y the sole."""
    shoe: Shaded = who.shoes
    if boot:
        upper = contour(
            [
                (-0.3, -0.95, CORNER),
                (0.0, -0.9),
                (0.3, -0.95, CORNER),
                (0.27, -0.2),
                (0.42, 0.02),
                (0.74, 0.15),
                (0.8, 0.38, CORNER),
                (-0.34, 0.38, CORNER),
                (-0.34, 0.1),
                (-0.26, -0.3),
            ]
        )
    else:
        upper = contour(
            [
                (-0.32, -0.1, CORNER),
                (0.3, -0.1, CORNER),
                (0.48, 0.06),
                (0.8, 0.18),
                (0.86, 0.38, CORNER),
                (-0.36, 0.38, CORNER),
                (-0.38, 0.1),
            ]
        )
    pen.fill(upper, shoe.base)
    pen.fill(to_points([(-0.6, 0.14), (0.2, 0.14), (0.9, 0.26), (0.9, 0.5), (-0.6, 0.5)]), shoe.shade, within=upper)
    pen.outline(upper)
    sole = to_points([(-0.38, 0.34), (0.86, 0.34), (0.84, 0.47), (-0.36, 0.47)])
    pen.shape(sole, shoe.shade if boot else shoe.base, 0.8)
    if boot:
        pen.line(smooth([(-0.29, -0.72), (0.0, -0.67), (0.29, -0.72)]), (0.8, 0.8))
        pen.line(smooth([(0.1, -0.16), (0.25, -0.1), (0.34, 0.02)]), (0.2, 0.7, 0.2))
    else:
        for k in (0.18, 0.3, 0.42):
            pen.line(to_points([(k, 0.0 + k * 0.2), (k + 0.12, 0.14 + k * 0.1)]), (0.9, 0.9))
