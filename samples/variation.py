"""Pages without end: the chapter's people, places and tone drawn anew by chance, to train networks on."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from samples.balloons import Balloon, Voice
from samples.canvas import SUPERSAMPLE
from samples.characters import (
    AKIMBO,
    CHEER,
    MIRA,
    NO_SHINE,
    PIP,
    POINT,
    REACH,
    RUN,
    STAND,
    THEO,
    WALK,
    WAVE,
    Actor,
    Character,
    Creature,
    Expression,
    Eyes,
    Mouth,
    Shaded,
)
from samples.effects import Motion, Star
from samples.layout import Row
from samples.page import InkStyle, PageScript, Panel, draw_page
from samples.scenes import Light, Place, Scene
from samples.tones import Paint, Rgb, Sheet, ToneStyle

POSES = (STAND, WALK, RUN, POINT, WAVE, REACH, AKIMBO, CHEER)
SKINS: tuple[Rgb, ...] = ((255, 226, 205), (248, 212, 180), (226, 178, 140), (176, 122, 88), (120, 80, 60))
LINES = ("Where to?", "I knew it!", "Wait\nfor me!", "Are you sure\nabout this?", "...", "Then we go\ntogether.", "Ha!")


def draw_varied_page(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a page that is in no chapter.

    Args:
        seed: decides panels, people and their colours, places, light, tone and ink.

    Returns:
        colour_rgb and manga_rgb, each (1420, 1000, 3) uint8; the manga's channels are equal.
    """
    rng = np.random.default_rng((seed, 7919))
    people: tuple[Character | Creature, ...] = (*(_vary_person(rng) for _ in range(2)), _vary_creature(rng))
    rows = _cut_rows(rng)
    panels = tuple(_vary_panel(rng, people) for row in rows for _ in row.widths)
    tone = ToneStyle(
        # Whole pixels of the canvas: a cell between them would beat against the page's own grid.
        cell_px=int(rng.integers(4 * SUPERSAMPLE, 8 * SUPERSAMPLE)) / SUPERSAMPLE,
        contrast=float(rng.choice([0.0, rng.uniform(0.1, 0.8)], p=[0.25, 0.75])),
        sheet_step=float(rng.uniform(0.02, 0.1)),
    )
    ink = InkStyle(
        line_share=float(rng.uniform(0.018, 0.045)),
        thinnest_px=float(rng.uniform(0.8, 1.8)),
        border_px=float(rng.uniform(1.5, 5)),
        rim_px=float(rng.choice([0.0, 2.2])),
    )
    return draw_page(PageScript(rows, panels), tone, ink, seed).develop()


def _pick_colour(
    rng: np.random.Generator, hue: float, saturation: tuple[float, float], value: tuple[float, float]
) -> Rgb:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, rng.uniform(*saturation), rng.uniform(*value))
    return round(255 * red), round(255 * green), round(255 * blue)


def _vary_shaded(rng: np.random.Generator) -> Shaded:
    """A material of any colour, its shadow darker and of a neighbouring hue."""
    hue = rng.random()
    base = _pick_colour(rng, hue, (0.05, 0.9), (0.25, 1.0))
    shift = rng.uniform(0.55, 0.8)
    shade = (round(base[0] * shift), round(base[1] * shift), round(min(255, base[2] * (shift + 0.1))))
    sheet = Sheet(rng.choice([Sheet.AUTO.value, Sheet.GREY.value]))
    shine = Paint(_pick_colour(rng, hue, (0.1, 0.4), (0.9, 1.0)), Sheet.GREY) if rng.random() < 0.6 else NO_SHINE
    return Shaded(Paint(base, sheet), Paint(shade, sheet), shine)


def _vary_person(rng: np.random.Generator) -> Character:
    model = MIRA if rng.random() < 0.5 else THEO
    skin = SKINS[rng.integers(len(SKINS))]
    shade = (round(skin[0] * 0.9), round(skin[1] * 0.8), round(skin[2] * 0.78))
    hair, iris, top, inner, legs, shoes = (_vary_shaded(rng) for _ in range(6))
    return Character(
        name="anybody",
        hair_style=model.hair_style,
        outfit=model.outfit,
        skin=Shaded(Paint(skin, Sheet.GREY), Paint(shade)),
        hair=hair,
        iris=iris,
        top=top,
        inner=inner,
        legs=legs,
        shoes=shoes,
        accent=_vary_shaded(rng).base,
    )


def _vary_creature(rng: np.random.Generator) -> Creature:
    return Creature("something", _vary_shaded(rng), _vary_shaded(rng), PIP.dark, PIP.iris)


def _cut_rows(rng: np.random.Generator) -> tuple[Row, ...]:
    heights = rng.dirichlet(np.full(rng.integers(2, 5), 9.0))
    rows = []
    for height in heights:
        widths = rng.dirichlet(np.full(rng.integers(1, 4), 12.0))
        slant = float(rng.uniform(-50, 50)) if len(widths) > 1 else 0.0
        rows.append(Row(float(height), tuple(widths.tolist()), slant, float(rng.uniform(-30, 30))))
    return tuple(rows)


def _vary_panel(rng: np.random.Generator, people: tuple[Character | Creature, ...]) -> Panel:
    light = list(Light)[rng.choice(3, p=[0.5, 0.2, 0.3])]
    place = list(Place)[rng.integers(len(Place))]
    scene = Scene(
        place,
        light,
        horizon=float(rng.uniform(0.35, 0.85)),
        seed=int(rng.integers(1 << 30)),
        detail_px=float(rng.uniform(80, 160)),
        moon=(float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.3))),
    )
    cast = []
    for x in rng.permutation([0.22, 0.5, 0.78])[: rng.integers(0, 4)]:
        size = float(np.exp(rng.uniform(np.log(0.07), np.log(0.3))))
        cast.append(
            Actor(
                people[rng.integers(len(people))],
                float(x + rng.uniform(-0.08, 0.08)),
                float(rng.uniform(0.3, 0.65)),
                size,
                turn=float(rng.random()),
                left=bool(rng.random() < 0.5),
                expression=Expression(list(Eyes)[rng.integers(4)], list(Mouth)[rng.integers(6)]),
                pose=POSES[rng.integers(len(POSES))],
            )
        )
    balloons = []
    if rng.random() < 0.6:
        voice = list(Voice)[rng.integers(3)]
        line = LINES[rng.integers(len(LINES))]
        balloons.append(Balloon(line, float(rng.uniform(0.25, 0.75)), float(rng.uniform(0.12, 0.2)), voice=voice))
    motion = list(Motion)[rng.choice(3, p=[0.7, 0.15, 0.15])]
    star = Star(float(rng.uniform(0.2, 0.8)), 0.3, 0.07) if rng.random() < 0.1 else None
    return Panel(scene, tuple(cast), tuple(balloons), motion, star)
