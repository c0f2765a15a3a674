"""The story, page by page: "The Star of Lark Hill"."""

from __future__ import annotations

from dataclasses import replace

from samples.balloons import Balloon, Voice
from samples.characters import (
    AKIMBO,
    CHEER,
    MIRA,
    PIP,
    POINT,
    REACH,
    RUN,
    STAND,
    THEO,
    WALK,
    WAVE,
    Actor,
    Expression,
    Eyes,
    Mouth,
)
from samples.effects import Motion, Sound, Star
from samples.layout import Row
from samples.page import PageScript, Panel
from samples.scenes import Light, Place, Scene

HAPPY = Expression(Eyes.OPEN, Mouth.OPEN)
CALM = Expression(Eyes.OPEN, Mouth.SMILE)
LAUGH = Expression(Eyes.SMILE, Mouth.OPEN)
PLEASED = Expression(Eyes.SMILE, Mouth.SMILE)
ASLEEP = Expression(Eyes.SHUT, Mouth.SMILE)
STARTLED = Expression(Eyes.WIDE, Mouth.SMALL, brow=-0.6)
AMAZED = Expression(Eyes.WIDE, Mouth.OPEN, brow=-0.4)
EAGER = Expression(Eyes.OPEN, Mouth.GRIN, brow=0.7)
FIERCE = Expression(Eyes.OPEN, Mouth.SHOUT, brow=1.0)
DOUBTFUL = Expression(Eyes.OPEN, Mouth.FLAT, brow=-0.7, blush=False, gaze=-0.6)
TILTED = replace(STAND, tilt=9)
BREEZE = replace(STAND, flutter=0.35)

MORNING = PageScript(
    rows=(
        Row(0.29, tilt_px=24),
        Row(0.33, (0.56, 0.44), slant_px=46, tilt_px=-20),
        Row(0.38, (0.66, 0.34), slant_px=-36),
    ),
    panels=(
        Panel(
            Scene(Place.ROOFTOPS, horizon=0.5, seed=11, detail_px=150),
            balloons=(Balloon("Once a year, a star falls\non Lark Hill.", 0.2, 0.13, voice=Voice.CAPTION),),
            cast=(Actor(PIP, 0.8, 0.575, 0.09, left=True, expression=CALM),),
        ),
        Panel(
            Scene(Place.ROOM, horizon=0.86, seed=12, detail_px=118),
            cast=(Actor(PIP, 0.16, 0.62, 0.125, expression=PLEASED), Actor(MIRA, 0.57, 0.44, 0.235, expression=HAPPY)),
            balloons=(Balloon("It is\ntonight,\nTheo!", 0.17, 0.2, speaker=1),),
        ),
        Panel(
            Scene(Place.PLAIN, seed=13),
            cast=(Actor(THEO, 0.48, 0.6, 0.2, turn=0.8, left=True, expression=DOUBTFUL, pose=TILTED),),
            balloons=(Balloon("You said that\nyesterday, too.", 0.56, 0.13, speaker=0),),
        ),
        Panel(
            Scene(Place.HILLS, horizon=0.42, seed=14, detail_px=120),
            cast=(
                Actor(THEO, 0.81, 0.305, 0.073, turn=0.8, left=True, expression=CALM, pose=AKIMBO),
                Actor(MIRA, 0.49, 0.295, 0.075, turn=0.7, expression=HAPPY, pose=POINT),
                Actor(PIP, 0.2, 0.62, 0.062, expression=HAPPY),
            ),
            balloons=(Balloon("But today\nI have a map!", 0.22, 0.12, speaker=1), Balloon("Kyu!", 0.2, 0.4, speaker=2)),
        ),
        Panel(
            Scene(Place.SKY, Light.NIGHT, horizon=1.0, seed=15, moon=(0.2, 0.32)),
            cast=(Actor(PIP, 0.62, 0.62, 0.13, turn=0.4, expression=AMAZED),),
            balloons=(Balloon("And then we wait\nfor the dark.", 0.5, 0.12, voice=Voice.CAPTION, size_px=19),),
        ),
    ),
)

PLAN = PageScript(
    rows=(Row(0.4, tilt_px=-26), Row(0.28, (0.4, 0.6), slant_px=40, tilt_px=22), Row(0.32, (0.52, 0.48), slant_px=-40)),
    panels=(
        Panel(
            Scene(Place.ROOM, horizon=0.8, seed=21, detail_px=150),
            cast=(
                Actor(PIP, 0.135, 0.66, 0.08, expression=CALM),
                Actor(THEO, 0.68, 0.4, 0.12, turn=0.7, left=True, expression=CALM, pose=AKIMBO),
                Actor(MIRA, 0.31, 0.42, 0.12, turn=0.6, expression=EAGER, pose=POINT),
            ),
            balloons=(
                Balloon("Over the old bridge,\npast the mill,\nand straight up!", 0.2, 0.14, speaker=2),
                Balloon("And if\nit rains?", 0.88, 0.15, speaker=1),
            ),
        ),
        Panel(
            Scene(Place.PLAIN, Light.DAWN, seed=22),
            cast=(Actor(PIP, 0.5, 0.6, 0.26, turn=0.5, expression=STARTLED, pose=replace(STAND, tilt=10)),),
            balloons=(Balloon("Kyu?", 0.22, 0.14, speaker=0),),
        ),
        Panel(
            Scene(Place.PLAIN, seed=23),
            motion=Motion.FOCUS,
            cast=(Actor(MIRA, 0.42, 0.56, 0.32, turn=0.5, expression=FIERCE),),
            balloons=(Balloon("Then we\nget wet!", 0.8, 0.28, speaker=0, voice=Voice.SHOUT, size_px=25),),
        ),
        Panel(
            Scene(Place.ROOFTOPS, horizon=0.36, seed=24, detail_px=130),
            cast=(
                Actor(THEO, 0.68, 0.34, 0.07, turn=0.7, expression=PLEASED, pose=WALK),
                Actor(MIRA, 0.3, 0.35, 0.07, turn=0.7, expression=LAUGH, pose=WAVE),
            ),
            balloons=(Balloon("Good morning,\nroofs!", 0.36, 0.13, speaker=1, size_px=19),),
        ),
        Panel(
            Scene(Place.HILLS, horizon=0.5, seed=25, detail_px=110),
            cast=(
                Actor(THEO, 0.7, 0.52, 0.21, turn=0.9, expression=CALM, pose=BREEZE),
                Actor(PIP, 0.27, 0.68, 0.13, turn=0.5, expression=PLEASED),
            ),
            balloons=(Balloon("All right.\nI'm coming.", 0.25, 0.2, speaker=0),),
        ),
    ),
)

RACE = PageScript(
    rows=(
        Row(0.32, tilt_px=-60),
        Row(0.25, (0.5, 0.5), slant_px=70, tilt_px=50),
        Row(0.43, (0.36, 0.64), slant_px=-50),
    ),
    panels=(
        Panel(
            Scene(Place.HILLS, horizon=0.6, seed=31, detail_px=110),
            motion=Motion.SPEED,
            cast=(Actor(MIRA, 0.56, 0.26, 0.088, turn=0.8, expression=LAUGH, pose=RUN),),
            sounds=(Sound("DASH", 0.2, 0.72, 84, -12),),
            balloons=(Balloon("Last one up\nis a turnip!", 0.83, 0.2, speaker=0, voice=Voice.SHOUT),),
        ),
        Panel(
            Scene(Place.PLAIN, seed=32),
            motion=Motion.SPEED,
            cast=(Actor(THEO, 0.48, 0.5, 0.26, turn=0.8, expression=FIERCE, pose=RUN),),
            balloons=(Balloon("No fair!", 0.2, 0.16, speaker=0, voice=Voice.SHOUT),),
        ),
        Panel(
            Scene(Place.PLAIN, Light.DAWN, seed=33),
            motion=Motion.SPEED,
            cast=(Actor(PIP, 0.62, 0.42, 0.17, turn=0.5, expression=HAPPY, pose=RUN),),
            sounds=(Sound("ZIP", 0.2, 0.22, 64, -8, (236, 84, 70)),),
        ),
        Panel(
            Scene(Place.SKY, seed=34, horizon=1.0),
            cast=(Actor(MIRA, 0.5, 0.42, 0.2, turn=0.4, expression=PLEASED, pose=replace(STAND, flutter=0.6)),),
            balloons=(Balloon("Listen...\nlarks.", 0.32, 0.86, speaker=0),),
        ),
        Panel(
            Scene(Place.HILLS, Light.DAWN, horizon=0.5, seed=35, detail_px=100),
            cast=(
                Actor(THEO, 0.3, 0.39, 0.062, turn=0.8, expression=DOUBTFUL, pose=replace(STAND, lean=9, tilt=12)),
                Actor(MIRA, 0.68, 0.36, 0.064, turn=0.5, left=True, expression=LAUGH, pose=CHEER),
                Actor(PIP, 0.48, 0.66, 0.058, expression=PLEASED),
            ),
            balloons=(
                Balloon("Here we are,\nturnip.", 0.68, 0.12, speaker=1),
                Balloon("Hff... hff...", 0.2, 0.22, speaker=0, size_px=18),
            ),
        ),
    ),
)

VIGIL = PageScript(
    rows=(Row(0.34), Row(0.26, (0.5, 0.5), slant_px=-50), Row(0.4, (0.4, 0.6), slant_px=60)),
    panels=(
        Panel(
            Scene(Place.HILLS, Light.NIGHT, horizon=0.56, seed=41, detail_px=110),
            cast=(
                Actor(MIRA, 0.36, 0.41, 0.063, turn=0.0, pose=replace(STAND, away=True, flutter=0.12)),
                Actor(THEO, 0.5, 0.41, 0.062, turn=0.0, pose=replace(STAND, away=True)),
                Actor(PIP, 0.64, 0.7, 0.058, left=True, expression=CALM),
            ),
            balloons=(Balloon("The dark came slowly.\nThe star came slower still.", 0.2, 0.1, voice=Voice.CAPTION),),
        ),
        Panel(
            Scene(Place.PLAIN, Light.NIGHT, seed=42),
            cast=(Actor(THEO, 0.58, 0.6, 0.26, turn=0.7, left=True, expression=DOUBTFUL),),
            balloons=(Balloon("Nothing.", 0.2, 0.18, speaker=0),),
        ),
        Panel(
            Scene(Place.SKY, Light.NIGHT, horizon=1.0, seed=43, moon=(0.13, 0.22)),
            cast=(Actor(MIRA, 0.42, 0.56, 0.28, turn=0.6, expression=ASLEEP, pose=replace(STAND, flutter=0.15)),),
            balloons=(Balloon("Wait.", 0.82, 0.2, speaker=0),),
        ),
        Panel(
            Scene(Place.PLAIN, Light.DAWN, seed=44),
            motion=Motion.FOCUS,
            cast=(Actor(PIP, 0.5, 0.56, 0.2, turn=0.5, expression=AMAZED),),
            balloons=(Balloon("Kyuuu!", 0.5, 0.14, speaker=0, voice=Voice.SHOUT, size_px=25),),
        ),
        Panel(
            Scene(Place.HILLS, Light.NIGHT, horizon=0.84, seed=45, detail_px=100, moon=(0.26, 0.16)),
            star=Star(0.3, 0.52, 0.055, falling=True, face=False),
            sounds=(Sound("FWOOSH", 0.56, 0.76, 82, -14),),
        ),
    ),
)

FINDING = PageScript(
    rows=(Row(0.3, tilt_px=30), Row(0.4, (0.58, 0.42), slant_px=40, tilt_px=-24), Row(0.3, (0.45, 0.55), slant_px=-40)),
    panels=(
        Panel(
            Scene(Place.CLEARING, Light.NIGHT, horizon=0.62, seed=51),
            star=Star(0.5, 0.68, 0.07),
            cast=(
                Actor(THEO, 0.2, 0.32, 0.072, turn=0.9, expression=AMAZED, pose=WALK),
                Actor(MIRA, 0.33, 0.33, 0.073, turn=0.9, expression=AMAZED, pose=REACH),
                Actor(PIP, 0.72, 0.64, 0.066, left=True, expression=STARTLED),
            ),
            balloons=(Balloon("Is that...?", 0.55, 0.14, speaker=1),),
        ),
        Panel(
            Scene(Place.CLEARING, Light.NIGHT, horizon=0.6, seed=52),
            star=Star(0.74, 0.58, 0.06),
            cast=(
                Actor(
                    MIRA,
                    0.4,
                    0.34,
                    0.14,
                    turn=0.7,
                    expression=CALM,
                    pose=replace(REACH, near_arm=(38, 88), far_arm=(48, 92)),
                ),
            ),
            balloons=(Balloon("It's warm.", 0.76, 0.14, speaker=0),),
        ),
        Panel(
            Scene(Place.PLAIN, Light.NIGHT, seed=53),
            motion=Motion.FOCUS,
            cast=(Actor(THEO, 0.5, 0.6, 0.2, turn=0.4, left=True, expression=AMAZED),),
            balloons=(Balloon("It has\na face!", 0.46, 0.15, speaker=0, voice=Voice.SHOUT),),
        ),
        Panel(
            Scene(Place.PLAIN, Light.DAWN, seed=54),
            star=Star(0.79, 0.58, 0.125),
            cast=(Actor(PIP, 0.31, 0.56, 0.2, turn=0.6, expression=PLEASED),),
            balloons=(Balloon("Kyu.", 0.56, 0.14, speaker=0),),
        ),
        Panel(
            Scene(Place.SKY, Light.NIGHT, horizon=1.0, seed=55, moon=(0.86, 0.76)),
            cast=(Actor(MIRA, 0.3, 0.55, 0.25, turn=0.7, expression=Expression(Eyes.OPEN, Mouth.SMILE, brow=-0.6)),),
            balloons=(Balloon("Someone\nup there must be\nmissing you.", 0.74, 0.24, speaker=0),),
        ),
    ),
)

FAREWELL = PageScript(
    rows=(Row(0.34, (0.6, 0.4), slant_px=40, tilt_px=36), Row(0.28, (0.5, 0.5), slant_px=-44, tilt_px=-30), Row(0.38)),
    panels=(
        Panel(
            Scene(Place.ROOFTOPS, Light.NIGHT, horizon=0.5, seed=61, detail_px=130, moon=(0.1, 0.16)),
            star=Star(0.4, 0.16, 0.055),
            cast=(
                Actor(THEO, 0.76, 0.41, 0.064, turn=0.6, left=True, expression=LAUGH, pose=WAVE),
                Actor(MIRA, 0.42, 0.41, 0.065, turn=0.5, expression=LAUGH, pose=CHEER),
                Actor(PIP, 0.16, 0.7, 0.062, expression=HAPPY),
            ),
            balloons=(Balloon("Home\nyou go!", 0.78, 0.14, speaker=0),),
        ),
        Panel(
            Scene(Place.SKY, Light.NIGHT, horizon=1.0, seed=62, moon=(0.84, 0.15)),
            star=Star(0.5, 0.4, 0.1),
            sounds=(Sound("TWINKLE", 0.5, 0.78, 50, -10),),
        ),
        Panel(
            Scene(Place.PLAIN, Light.NIGHT, seed=63),
            cast=(Actor(THEO, 0.54, 0.62, 0.255, turn=0.7, expression=PLEASED),),
            balloons=(Balloon("You were\nright.", 0.16, 0.18, speaker=0),),
        ),
        Panel(
            Scene(Place.SKY, Light.DAWN, horizon=1.0, seed=64),
            cast=(Actor(MIRA, 0.42, 0.62, 0.26, turn=0.6, left=True, expression=LAUGH, pose=BREEZE),),
            balloons=(Balloon("Same time\nnext year?", 0.8, 0.15, speaker=0),),
        ),
        Panel(
            Scene(Place.HILLS, Light.DAWN, horizon=0.5, seed=65, detail_px=120),
            cast=(
                Actor(THEO, 0.56, 0.42, 0.066, turn=0.8, expression=PLEASED, pose=WALK),
                Actor(MIRA, 0.42, 0.41, 0.068, turn=0.8, expression=LAUGH, pose=WALK),
                Actor(PIP, 0.74, 0.68, 0.05, expression=HAPPY, pose=RUN),
            ),
            balloons=(
                Balloon("Same time\nnext year.", 0.66, 0.13, speaker=0),
                Balloon("Kyu!", 0.86, 0.44, speaker=2),
                Balloon("The end", 0.9, 0.92, voice=Voice.CAPTION),
            ),
        ),
    ),
)

STORY: tuple[PageScript, ...] = (MORNING, PLAN, RACE, VIGIL, FINDING, FAREWELL)
