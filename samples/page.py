"""One page from its script: panels, then sounds and balloons over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageChops, ImageFilter

from samples.balloons import Balloon, draw_balloon
from samples.canvas import SUPERSAMPLE, Canvas, Pen
from samples.characters import RUN, Actor, Character
from samples.effects import Motion, Sound, Star, draw_motion, draw_sound, draw_star
from samples.figures import draw_person
from samples.fox import draw_fox
from samples.geometry import Frame, Points, to_points
from samples.layout import PAGE_HEIGHT_PX, PAGE_WIDTH_PX, Row, bounds, cut_panels
from samples.scenes import Scene, draw_scene
from samples.tones import ToneStyle

TAIL_STOP = 1.45
"""How far from the middle of a head a balloon's tail ends, in head radii."""


@dataclass(frozen=True)
class InkStyle:
    """How an artist inks.

    Attributes:
        line_share: width of a figure's contour as a share of its head's radius.
        thinnest_px, thickest_px: limits of that width.
        border_px: width of the panels' frames.
        rim_px: width of the paper left white around figures in the manga.
    """

    line_share: float = 0.03
    thinnest_px: float = 1.3
    thickest_px: float = 4.0
    border_px: float = 3.6
    rim_px: float = 2.2


@dataclass(frozen=True)
class Panel:
    """What happens in one panel; later actors stand in front of earlier ones."""

    scene: Scene
    cast: tuple[Actor, ...] = ()
    balloons: tuple[Balloon, ...] = ()
    motion: Motion = Motion.NONE
    star: Star | None = None
    sounds: tuple[Sound, ...] = ()


@dataclass(frozen=True)
class PageScript:
    """A page: how it is cut, and what each panel shows."""

    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]


def draw_page(script: PageScript, style: ToneStyle, ink: InkStyle, seed: int) -> Canvas:
    """Draw a page.

    Args:
        script: the page.
        style: how tone is laid.
        ink: how lines are drawn.
        seed: decides all that is left to chance.

    Returns:
        The page's canvas, both layers.

    Raises:
        ValueError: the script has more or fewer panels than its rows.
    """
    outlines = cut_panels(script.rows)
    if len(outlines) != len(script.panels):
        raise ValueError(f"rows make {len(outlines)} panels, the script has {len(script.panels)}")
    page = Canvas(PAGE_WIDTH_PX, PAGE_HEIGHT_PX, style)
    for index, (outline, panel) in enumerate(zip(outlines, script.panels, strict=True)):
        left, top, width, height = bounds(outline)
        canvas = Canvas(width, height, style)
        _draw_panel(canvas, panel, ink, seed, index)
        page.paste(canvas, left, top, outline)
        page.stroke(np.vstack([outline, outline[:1]]), (ink.border_px, ink.border_px))
    for outline, panel in zip(outlines, script.panels, strict=True):
        _draw_words(page, panel, outline)
    return page


def _draw_panel(canvas: Canvas, panel: Panel, ink: InkStyle, seed: int, index: int) -> None:
    draw_scene(canvas, panel.scene, seed)
    rng = np.random.default_rng((seed, panel.scene.seed, index))
    focus = (panel.cast[0].x, panel.cast[0].y) if panel.cast else (0.5, 0.5)
    draw_motion(canvas, panel.motion, focus, rng)
    for actor in panel.cast:
        _draw_apart(canvas, actor, ink)
    if panel.star is not None:
        draw_star(canvas, panel.star)


def _draw_apart(canvas: Canvas, actor: Actor, ink: InkStyle) -> None:
    """Draw a character with a thin rim of paper, as artists scrape tone off around figures; manga only."""
    if actor.pose is not RUN:
        _hatch_ground(canvas, actor)
    colour, manga = canvas.colour.copy(), canvas.manga.copy()
    draw_actor(canvas, actor, ink)
    # Colour shows the whole silhouette; in the manga a black shoe on black ground would go unnoticed.
    touched = ImageChops.difference(colour, canvas.colour).convert("L").point([0] + [255] * 255)
    box = touched.getbbox()
    if box is None:
        return
    grow = round(ink.rim_px * SUPERSAMPLE)
    box = (
        max(box[0] - grow, 0),
        max(box[1] - grow, 0),
        min(box[2] + grow, canvas.size[0]),
        min(box[3] + grow, canvas.size[1]),
    )
    rim = touched.crop(box).filter(ImageFilter.BoxBlur(ink.rim_px * SUPERSAMPLE)).point([0] * 12 + [255] * 244)
    manga.paste(255, box, rim)
    canvas.manga.paste(manga)
    draw_actor(canvas, actor, ink)


def _hatch_ground(canvas: Canvas, actor: Actor) -> None:
    """A shadow of a few strokes under the feet."""
    radius = actor.size * canvas.height_px
    drop, half = (8.2, 1.5) if isinstance(actor.who, Character) else (3.68, 1.5)
    x, y = actor.x * canvas.width_px, actor.y * canvas.height_px + drop * radius
    for k in range(4):
        reach = half * radius * (1.0 - 0.16 * k)
        at = y + (k * 0.1 - 0.12) * radius
        canvas.stroke(to_points([(x - reach, at), (x, at), (x + reach, at)]), (0.3, 1.6, 0.3))


def draw_actor(canvas: Canvas, actor: Actor, ink: InkStyle) -> None:
    """Draw a character where the script puts it."""
    radius = actor.size * canvas.height_px
    frame = Frame((actor.x * canvas.width_px, actor.y * canvas.height_px), radius, 0.0, actor.left)
    pen = Pen(canvas, frame, float(np.clip(radius * ink.line_share, ink.thinnest_px, ink.thickest_px)))
    if isinstance(actor.who, Character):
        draw_person(pen, actor.who, actor.expression, actor.pose, actor.turn)
    else:
        draw_fox(pen, actor.who, actor.expression, actor.pose, actor.turn)


def balloon_centre(balloon: Balloon, outline: Points) -> tuple[float, float]:
    """The middle of a balloon in a panel of this outline, x and y in page pixels."""
    left, top, width, height = bounds(outline)
    return left + balloon.x * width, top + balloon.y * height


def _draw_words(page: Canvas, panel: Panel, outline: Points) -> None:
    left, top, width, height = bounds(outline)
    for sound in panel.sounds:
        draw_sound(page, sound, (left + sound.x * width, top + sound.y * height))
    for balloon in panel.balloons:
        centre = balloon_centre(balloon, outline)
        tip = None
        if balloon.speaker is not None:
            speaker = panel.cast[balloon.speaker]
            head = np.array([left + speaker.x * width, top + speaker.y * height])
            way = np.array(centre) - head
            # The tail stops short of the head, so that it points and does not poke.
            stop = head + way / np.hypot(*way) * speaker.size * height * TAIL_STOP
            tip = (float(stop[0]), float(stop[1]))
        draw_balloon(page, balloon, centre, tip)
