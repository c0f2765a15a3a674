"""Places in which the story happens, and the light that falls on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from samples.canvas import Canvas
from samples.geometry import Points, smooth, to_points
from samples.interiors import draw_room
from samples.landscape import (
    GREENS,
    TRUNK,
    draw_clouds,
    draw_hill,
    draw_moon,
    draw_stars,
    draw_sun,
    draw_tree,
    draw_tufts,
)
from samples.sky import DAWN_SKY, DAY_SKY, NIGHT_SKY, SkyColours, fade_down, fade_round
from samples.tones import Rgb
from samples.town import draw_house, draw_roof_ridge, draw_skyline


class Light(Enum):
    """Time of the day."""

    DAY = "day"
    DAWN = "dawn"
    NIGHT = "night"


class Place(Enum):
    """What stands behind the characters."""

    HILLS = "hills and trees"
    ROOFTOPS = "houses of the town"
    ROOM = "a room"
    SKY = "nothing but sky"
    CLEARING = "a glow among trunks"
    PLAIN = "a soft tone"


SKIES: dict[Light, SkyColours] = {Light.DAY: DAY_SKY, Light.DAWN: DAWN_SKY, Light.NIGHT: NIGHT_SKY}
PLAIN_STOPS: dict[Light, tuple[Rgb, Rgb]] = {
    Light.DAY: ((206, 236, 244), (255, 255, 255)),
    Light.DAWN: ((255, 206, 160), (255, 246, 224)),
    Light.NIGHT: ((44, 52, 112), (128, 122, 186)),
}


@dataclass(frozen=True)
class Scene:
    """A background.

    Attributes:
        horizon: where the ground begins, share of the panel's height.
        seed: decides clouds, trees, houses and stars.
        detail_px: size of trees and houses, page pixels.
        moon: where it stands at night, shares of the panel.
    """

    place: Place
    light: Light = Light.DAY
    horizon: float = 0.6
    seed: int = 0
    detail_px: float = 120.0
    moon: tuple[float, float] = (0.86, 0.2)


def draw_scene(canvas: Canvas, scene: Scene, seed: int) -> None:
    """Fill a panel with its background.

    Args:
        canvas: the panel.
        scene: what to draw.
        seed: of the chapter; together with the scene's own it decides all that is left to chance.
    """
    rng = np.random.default_rng((seed, scene.seed))
    painters: dict[Place, Callable[[Canvas, Scene, np.random.Generator], None]] = {
        Place.HILLS: _draw_hills,
        Place.ROOFTOPS: _draw_rooftops,
        Place.ROOM: _draw_room,
        Place.SKY: _draw_sky,
        Place.CLEARING: _draw_clearing,
        Place.PLAIN: _draw_plain,
    }
    painters[scene.place](canvas, scene, rng)


def _draw_sky(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    sky = SKIES[scene.light]
    fade_down(canvas, sky.stops, scene.horizon)
    if scene.light is Light.NIGHT:
        draw_stars(canvas, rng)
        x, y = scene.moon[0] * canvas.width_px, scene.moon[1] * canvas.height_px
        draw_moon(canvas, x, y, min(canvas.width_px, canvas.height_px) * 0.09)
    elif scene.light is Light.DAWN:
        draw_sun(canvas, 0.5 * canvas.width_px, scene.horizon * canvas.height_px, canvas.height_px * 0.2)
        draw_clouds(canvas, rng, scene.horizon, sky)
    else:
        draw_clouds(canvas, rng, scene.horizon, sky)


def _ridge(canvas: Canvas, rng: np.random.Generator, level: float, swing: float) -> Points:
    """A wavy line across the panel, page pixels."""
    x = np.linspace(-0.05, 1.05, 7)
    y = level + swing * rng.uniform(-1, 1, len(x))
    return smooth(np.stack([x * canvas.width_px, y * canvas.height_px], axis=1))


def _draw_hills(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    _draw_sky(canvas, scene, rng)
    greens = GREENS[scene.light.value]
    levels = (scene.horizon - 0.08, scene.horizon + 0.02, scene.horizon + 0.18)
    for i, (level, green) in enumerate(zip(levels, greens, strict=True)):
        ridge = _ridge(canvas, rng, level, 0.05 - 0.012 * i)
        draw_hill(canvas, ridge, green)
        if i == 2:
            draw_tufts(canvas, rng, level, green)
            continue
        size = scene.detail_px * (0.32 + 0.3 * i)
        for x in np.sort(rng.uniform(0.02, 0.98, 4 + 2 * (1 - i))):
            spot = ridge[int(x * (len(ridge) - 1))]
            draw_tree(
                canvas,
                float(spot[0]),
                float(spot[1]) + size * 0.06,
                size * float(rng.uniform(0.8, 1.2)),
                greens[i],
                rng,
                inked=i > 0,
            )


def _draw_rooftops(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    _draw_sky(canvas, scene, rng)
    night = scene.light is Light.NIGHT
    draw_skyline(canvas, rng, scene.horizon, scene.detail_px, night)
    for level, size in ((scene.horizon + 0.02, 0.75), (scene.horizon + 0.16, 1.05)):
        x = -scene.detail_px * float(rng.uniform(0.1, 0.5))
        while x < canvas.width_px:
            width = scene.detail_px * size * float(rng.uniform(0.9, 1.35))
            top = canvas.height_px * level + scene.detail_px * float(rng.uniform(-0.18, 0.12))
            draw_house(canvas, x, top, width, rng, night)
            x += width * float(rng.uniform(0.98, 1.12))
    draw_roof_ridge(canvas, canvas.height_px * min(scene.horizon + 0.42, 0.9), night)


def _draw_room(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    draw_room(canvas, rng, scene.horizon, SKIES[scene.light], scene.detail_px)


def _draw_clearing(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    fade_round(canvas, (0.5, scene.horizon), ((255, 250, 214), (250, 214, 120), (66, 96, 140), (20, 26, 66)))
    ground = _ridge(canvas, rng, scene.horizon + 0.1, 0.015)
    draw_hill(canvas, ground, GREENS["night"][1])
    for x in (0.02, 0.13, 0.88, 0.98, 0.24, 0.78):
        width = canvas.width_px * float(rng.uniform(0.03, 0.055)) * (1.4 if abs(x - 0.5) > 0.4 else 0.7)
        _draw_trunk(canvas, x * canvas.width_px, width, canvas.height_px * (scene.horizon + 0.15))
    draw_tufts(canvas, rng, scene.horizon + 0.16, GREENS["night"][1])


def _draw_trunk(canvas: Canvas, x: float, width: float, foot: float) -> None:
    right = to_points(
        [(x + width, foot), (x + width * 0.55, foot * 0.92), (x + width * 0.42, foot * 0.5), (x + width * 0.4, -10)]
    )
    left = right[::-1] * (-1, 1) + (2 * x, 0)
    trunk = smooth(np.vstack([left, right]))
    canvas.fill(trunk, TRUNK)
    canvas.stroke(trunk, (2.0, 2.4, 2.0))
    for k in (-0.2, 0.05, 0.25):
        bark = to_points([(x + k * width, foot * 0.2), (x + k * width * 1.3, foot * 0.45), (x + k * width, foot * 0.7)])
        canvas.stroke(smooth(bark), (0.5, 1.4, 0.3))


def _draw_plain(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    fade_down(canvas, PLAIN_STOPS[scene.light], float(rng.uniform(0.85, 1.0)))
