"""Who plays in the chapter: constant colours, and the ways they can look and stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from samples.tones import Paint, Rgb, Sheet


class Hair(Enum):
    """Hair that can be drawn."""

    LONG = "long with a fringe"
    SPIKY = "short and spiky"


class Outfit(Enum):
    """Clothes that can be drawn."""

    COAT = "long coat, scarf, boots"
    JACKET = "open jacket, shirt, trousers, shoes"


NO_SHINE = Paint((255, 255, 255), Sheet.PAPER)


@dataclass(frozen=True)
class Shaded:
    """A material: its colour in light, in shadow, and where it shines."""

    base: Paint
    shade: Paint
    shine: Paint = NO_SHINE


@dataclass(frozen=True)
class Character:
    """A person; every colour stays the same through the chapter."""

    name: str
    hair_style: Hair
    outfit: Outfit
    skin: Shaded
    hair: Shaded
    iris: Shaded
    top: Shaded
    inner: Shaded
    legs: Shaded
    shoes: Shaded
    accent: Paint


@dataclass(frozen=True)
class Creature:
    """A small fox."""

    name: str
    fur: Shaded
    belly: Shaded
    dark: Paint
    iris: Shaded


class Eyes(Enum):
    """How eyes are drawn."""

    OPEN = "open"
    WIDE = "wide"
    SMILE = "closed, smiling"
    SHUT = "closed, calm"


class Mouth(Enum):
    """How a mouth is drawn."""

    SMILE = "smile"
    OPEN = "open and happy"
    SHOUT = "shouting"
    SMALL = "a small o"
    FLAT = "flat"
    GRIN = "teeth"


class Hand(Enum):
    """What the fingers do."""

    FIST = "closed"
    OPEN = "spread"
    INDEX = "pointing"


@dataclass(frozen=True)
class Expression:
    """What a face shows.

    Attributes:
        brow: -1 worried .. 0 calm .. 1 fierce.
        gaze: -1 looking back .. 1 looking ahead, shares of the room an iris has.
    """

    eyes: Eyes = Eyes.OPEN
    mouth: Mouth = Mouth.SMILE
    brow: float = 0.0
    blush: bool = True
    gaze: float = 0.0


@dataclass(frozen=True)
class Pose:
    """Joint angles in degrees; 0 hangs straight down, positive swings ahead (local +x).

    Attributes:
        near_arm, far_arm: (upper arm, forearm).
        near_leg, far_leg: (thigh, shin).
        lean: of the whole body above the hips.
        tilt: of the head on the neck.
        flutter: how strongly wind blows hair and hems back, 0..1.
        near_hand, far_hand: what the fingers do.
        away: whether the back is turned to the reader.
    """

    near_arm: tuple[float, float] = (-8, 4)
    far_arm: tuple[float, float] = (10, 16)
    near_leg: tuple[float, float] = (-3, -3)
    far_leg: tuple[float, float] = (5, 2)
    lean: float = 0.0
    tilt: float = 0.0
    flutter: float = 0.0
    near_hand: Hand = Hand.FIST
    far_hand: Hand = Hand.FIST
    away: bool = False


STAND = Pose()
WALK = Pose(near_arm=(-28, -8), far_arm=(26, 44), near_leg=(22, 6), far_leg=(-18, -34), lean=3, flutter=0.25)
RUN = Pose(near_arm=(-62, 30), far_arm=(48, 128), near_leg=(62, -8), far_leg=(-34, -88), lean=17, tilt=-8, flutter=1.0)
POINT = Pose(near_arm=(-10, 2), far_arm=(96, 104), tilt=-6, flutter=0.2, far_hand=Hand.INDEX)
WAVE = Pose(near_arm=(-8, 4), far_arm=(128, 165), tilt=5, far_hand=Hand.OPEN)
REACH = Pose(near_arm=(58, 92), far_arm=(64, 96), lean=5, tilt=8, near_hand=Hand.OPEN, far_hand=Hand.OPEN)
AKIMBO = Pose(near_arm=(-38, 34), far_arm=(12, 20), tilt=-3)
CHEER = Pose(
    near_arm=(-150, -172),
    far_arm=(150, 172),
    tilt=-8,
    near_leg=(-12, -8),
    far_leg=(14, 10),
    flutter=0.3,
    near_hand=Hand.OPEN,
    far_hand=Hand.OPEN,
)


@dataclass(frozen=True)
class Actor:
    """A character placed in a panel.

    Attributes:
        x, y: where the middle of the head lies, shares of the panel's width and height.
        size: head radius as a share of the panel's height.
        turn: 0 faces the reader, 1 is a three-quarter view.
        left: whether the character faces the left edge.
    """

    who: Character | Creature
    x: float
    y: float
    size: float
    turn: float = 0.6
    left: bool = False
    expression: Expression = field(default_factory=Expression)
    pose: Pose = STAND


def _cloth(base: Rgb, shade: Rgb) -> Shaded:
    return Shaded(Paint(base), Paint(shade))


SKIN_GIRL = Shaded(Paint((255, 226, 205), Sheet.GREY), Paint((238, 184, 164)))
SKIN_BOY = Shaded(Paint((248, 212, 180), Sheet.GREY), Paint((222, 168, 136)))

MIRA = Character(
    name="Mira",
    hair_style=Hair.LONG,
    outfit=Outfit.COAT,
    skin=SKIN_GIRL,
    hair=Shaded(Paint((34, 150, 156)), Paint((14, 86, 102), Sheet.GREY), Paint((142, 224, 214), Sheet.GREY)),
    iris=Shaded(Paint((196, 120, 40)), Paint((92, 44, 22), Sheet.GREY), Paint((250, 206, 110), Sheet.GREY)),
    top=Shaded(Paint((206, 44, 52), cell_px=7), Paint((140, 22, 46), cell_px=7)),
    inner=Shaded(Paint((250, 236, 196), Sheet.GREY), Paint((220, 192, 140))),
    legs=Shaded(Paint((52, 48, 84), Sheet.GREY), Paint((32, 28, 56), Sheet.GREY)),
    shoes=_cloth((126, 78, 46), (82, 46, 30)),
    accent=Paint((250, 200, 40), Sheet.GREY),
)
THEO = Character(
    name="Theo",
    hair_style=Hair.SPIKY,
    outfit=Outfit.JACKET,
    skin=SKIN_BOY,
    hair=Shaded(Paint((250, 214, 92), Sheet.GREY), Paint((214, 152, 48)), Paint((255, 246, 190), Sheet.GREY)),
    iris=Shaded(Paint((64, 140, 80)), Paint((20, 64, 48), Sheet.GREY), Paint((160, 220, 130), Sheet.GREY)),
    top=Shaded(Paint((48, 92, 190)), Paint((28, 50, 128), Sheet.GREY)),
    inner=Shaded(Paint((246, 246, 250), Sheet.PAPER), Paint((196, 202, 222))),
    legs=Shaded(Paint((146, 136, 92), Sheet.GREY), Paint((104, 94, 62), Sheet.GREY)),
    shoes=Shaded(Paint((236, 232, 226), Sheet.GREY), Paint((178, 172, 176))),
    accent=Paint((226, 80, 60)),
)
PIP = Creature(
    name="Pip",
    fur=Shaded(Paint((242, 138, 40)), Paint((192, 88, 26))),
    belly=Shaded(Paint((255, 244, 222), Sheet.GREY), Paint((232, 206, 170))),
    dark=Paint((70, 40, 34), Sheet.GREY),
    iris=Shaded(Paint((70, 150, 90)), Paint((24, 60, 40), Sheet.GREY), Paint((180, 230, 140), Sheet.GREY)),
)
