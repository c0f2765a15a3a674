"""Curves and local coordinate frames: everything is drawn from arrays of points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Vertex = tuple[float, float] | tuple[float, float, int]
CORNER = 1


def to_points(vertices: Sequence[tuple[float, float]] | Points) -> Points:
    """Turn a list of (x, y) into an array (N, 2) float64."""
    return np.asarray(vertices, dtype=np.float64).reshape(-1, 2)


def smooth(vertices: Sequence[tuple[float, float]] | Points, closed: bool = False, steps: int = 8) -> Points:
    """Run a Catmull-Rom spline through the vertices.

    Args:
        vertices: (N, 2), at least two.
        closed: whether the curve returns to its first vertex.
        steps: points per span.

    Returns:
        (M, 2) float64, without the repeated first point when closed.

    Source: Catmull and Rom, "A class of local interpolating splines", 1974; uniform, tension 0.5.
    """
    knots = to_points(vertices)
    if len(knots) < 3:
        return knots
    if closed:
        knots = np.vstack([knots[-1:], knots, knots[:2]])
    else:
        knots = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (knots[i : len(knots) - 3 + i, None, :] for i in range(4))
    spans = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    curve = spans.reshape(-1, 2)
    return curve if closed else np.vstack([curve, knots[-2:-1]])


def contour(vertices: Sequence[Vertex], bulge: float = 0.1, steps: int = 7) -> Points:
    """Draw a closed outline that is smooth except at the vertices marked as corners.

    Args:
        vertices: (x, y) for a smooth vertex, (x, y, CORNER) for a sharp one.
        bulge: how far an edge between two neighbouring corners swells, as a share of its length;
            positive swells to the left of the direction of travel.
        steps: points per span.

    Returns:
        (M, 2) float64.
    """
    corners = [i for i, vertex in enumerate(vertices) if len(vertex) == 3]
    knots = to_points([(vertex[0], vertex[1]) for vertex in vertices])
    if not corners:
        return smooth(knots, closed=True, steps=steps)
    pieces = []
    for i, start in enumerate(corners):
        stop = corners[(i + 1) % len(corners)]
        span = (stop - start) % len(knots) or len(knots)
        section = knots[[(start + k) % len(knots) for k in range(span + 1)]]
        if len(section) == 2:
            along = section[1] - section[0]
            middle = section.mean(axis=0) + bulge * np.array([along[1], -along[0]])
            section = np.vstack([section[0], middle, section[1]])
        pieces.append(smooth(section, steps=steps)[:-1])
    return np.vstack(pieces)


def shift(points: Points, dx: float, dy: float) -> Points:
    """The same points, moved."""
    return np.asarray(points + np.array([dx, dy]), dtype=np.float64)


def ellipse(cx: float, cy: float, rx: float, ry: float, count: int = 40) -> Points:
    """Points of an axis-aligned ellipse, (count, 2)."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=1)


def arc_lengths(curve: Points) -> NDArray[np.float64]:
    """Distance along the curve at each point, from 0 to 1, (N,)."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    return travelled / max(float(travelled[-1]), 1e-9)


def ribbon(spine: Sequence[tuple[float, float]] | Points, widths: Sequence[float], round_end: bool = True) -> Points:
    """Outline of a band of varying width around a spline: limbs, tails, fingers.

    Args:
        spine: (N, 2) vertices of the middle line.
        widths: full widths, spread evenly along the line.
        round_end: close the far end with a half circle.

    Returns:
        (M, 2) float64, closed outline.
    """
    middle = smooth(spine)
    along = arc_lengths(middle)
    half = np.interp(along, np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    tangent = np.gradient(middle, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    left, right = middle + normal * half, middle - normal * half
    if not round_end:
        return np.vstack([left, right[::-1]])
    turn = np.linspace(0, np.pi, 9)[1:-1, None]
    cap = middle[-1] + half[-1] * (np.cos(turn) * normal[-1] + np.sin(turn) * tangent[-1])
    return np.vstack([left, cap, right[::-1]])


@dataclass(frozen=True)
class Frame:
    """A local coordinate system on the page: turn by angle, then mirror, scale and move.

    Attributes:
        origin: where local (0, 0) lies, page pixels.
        scale: page pixels per local unit.
        angle: clockwise turn on the page, radians.
        mirror: whether local +x points left on the page.
    """

    origin: tuple[float, float]
    scale: float
    angle: float = 0.0
    mirror: bool = False

    def place(self, vertices: Sequence[tuple[float, float]] | Points) -> Points:
        """Local points to page pixels, (N, 2)."""
        local = to_points(vertices)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        x = local[:, 0] * cos - local[:, 1] * sin
        y = local[:, 0] * sin + local[:, 1] * cos
        if self.mirror:
            x = -x
        return np.stack([self.origin[0] + self.scale * x, self.origin[1] + self.scale * y], axis=1)

    def child(self, x: float, y: float, angle: float = 0.0, scale: float = 1.0) -> Frame:
        """A frame that hangs on this one at local (x, y), turned further by angle."""
        px, py = self.place([(x, y)])[0]
        return Frame((float(px), float(py)), self.scale * scale, self.angle + angle, self.mirror)
