"""Two sets of pictures against each other: paired by name, scored, and compared as sets. Pure.

Pictures stream: each is read when its turn comes, by as many threads as there are processors, and let go when its
figures are known, so that memory does not depend on how many there are.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import InputError, ModelMissingError
from common.imaging import ImageLimits
from workers.metrics.consistency import Consistency, PageColours, find_colours, follow_palette, learn_palette
from workers.metrics.distances import DistanceMeter, Side
from workers.metrics.inception import open_inception
from workers.metrics.pairs import label_names, pair_names
from workers.metrics.pictures import PictureFile, PictureSets
from workers.metrics.result import Evaluation, PageView
from workers.metrics.score import PageScore, map_delta_e, score_page
from workers.metrics.scores import fit_to, turn_grey
from workers.metrics.streaming import stream

VIEWS: Final = 5
VIEW_SIDE_PX: Final = 480
"""Width of a view's pictures; a long strip is four times as high at most."""
VIEW_DELTA_E: Final = 40.0
"""Shown as the brightest of the ΔE map; what is further off too."""


def evaluate_sets(
    sets: PictureSets, *, limits: ImageLimits, models: Path, check: Callable[[], None] = lambda: None
) -> Evaluation:
    """Score every result that has a true page, and both sets as sets.

    Args:
        sets: what to compare; a picture that cannot be read is reported, and the others are scored.
        limits: of each picture.
        models: the folder of models, for FID and KID.
        check: called between pictures; what it raises ends the evaluation.

    Raises:
        InputError: no name is on both sides and without Inception there is nothing else to compare; no picture of a
            side can be read; or a reference cannot be read.
    """
    meter = _open_meter(sets, models)
    todo = _pair(sets)
    if sets.real and not any(item.output and item.truth for item in todo) and not meter.is_open:
        raise InputError(
            f"no name of the {len(sets.real)} real pictures (such as {sets.real[0].name}) is also one of the "
            f"{len(sets.output)} output pictures (such as {sets.output[0].name})"
        )
    palette_lab = learn_palette(reference.decode(limits) for reference in sets.references)
    tally = _Tally()
    for seen in stream(lambda item: _look_at(item, limits, palette_lab, keep=meter.is_open), todo):
        check()
        tally.add(seen)
        for side, picture_rgb in seen.pictures:
            meter.add(side, picture_rgb)
    if not tally.scores and sets.output:
        raise InputError(f"none of {len(todo)} pages could be scored; the first: {next(iter(tally.failed.values()))}")
    views = []
    for item in _choose_views(tally.scores, todo):
        check()
        views.append(_view(item, tally.scores[item.label], limits))
    return Evaluation(
        scores=tally.scores,
        real_only=tuple(item.label for item in todo if item.output is None),
        output_only=tuple(item.label for item in todo if item.truth is None),
        failed=tally.failed,
        distances=meter.finish(),
        palette=_follow(palette_lab, tally.colours),
        palette_truth=_follow(palette_lab, tally.truth_colours),
        views=tuple(views),
    )


_Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class _Item:
    """What belongs together; a result, a true page, or both."""

    label: str
    output: PictureFile | None
    truth: PictureFile | None
    page: PictureFile | None = None

    def decode(self, limits: ImageLimits) -> tuple[_Picture | None, _Picture | None, _Picture | None]:
        """The true page, the result and the grey page, as far as there are any."""
        truth, output, page = (
            None if file is None else file.decode(limits) for file in (self.truth, self.output, self.page)
        )
        return truth, output, page


@dataclass
class _Seen:
    """What one item gave."""

    label: str
    score: PageScore | None = None
    failure: str | None = None
    colours: PageColours | None = None
    truth_colours: PageColours | None = None
    pictures: list[tuple[Side, _Picture | None]] = field(default_factory=list)
    """(side, picture) of all that could be read; the picture only where somebody wants to see it."""


class _Tally:
    """What all items gave, by label."""

    def __init__(self) -> None:
        self.scores: dict[str, PageScore] = {}
        self.failed: dict[str, str] = {}
        self.colours: dict[str, PageColours] = {}
        self.truth_colours: dict[str, PageColours] = {}

    def add(self, seen: _Seen) -> None:
        if seen.score is not None:
            self.scores[seen.label] = seen.score
        if seen.failure is not None:
            self.failed[seen.label] = seen.failure
        if seen.colours is not None:
            self.colours[seen.label] = seen.colours
        if seen.truth_colours is not None:
            self.truth_colours[seen.label] = seen.truth_colours


def _open_meter(sets: PictureSets, models: Path) -> DistanceMeter:
    if not sets.real:
        return DistanceMeter(None, "there are no true pages")
    try:
        return DistanceMeter(open_inception(models))
    except ModelMissingError as error:  # another's file, or damaged: the rest can be had without it
        return DistanceMeter(None, str(error))


def _pair(sets: PictureSets) -> list[_Item]:
    """Every result in its order, with what belongs to it; then the true pages that stand alone."""
    real, output, pages = ([file.name for file in files] for files in (sets.real, sets.output, sets.pages))
    pairing, page_of_output = pair_names(real, output), pair_names(pages, output).real_of_output
    items = []
    for index, label in enumerate(label_names(output)):
        truth, page = pairing.real_of_output.get(index), page_of_output.get(index)
        items.append(
            _Item(
                label,
                sets.output[index],
                None if truth is None else sets.real[truth],
                None if page is None else sets.pages[page],
            )
        )
    labels = label_names(real)
    return items + [_Item(labels[index], None, sets.real[index]) for index in pairing.real_only]


def _look_at(item: _Item, limits: ImageLimits, palette_lab: NDArray[np.float32], *, keep: bool) -> _Seen:
    """Read an item's pictures, score them, and let them go unless they are to be kept."""
    seen = _Seen(item.label)
    if item.output is None and not keep:
        seen.pictures = [("real", None)]  # nothing to compare it with: nothing to read it for
        return seen

    def decode(file: PictureFile | None, side: Side | None) -> _Picture | None:
        # Each by itself: a corrupt result takes nothing from the set of true pages, nor the other way round.
        try:
            picture_rgb = None if file is None else file.decode(limits)
        except InputError as error:
            seen.failure = seen.failure or str(error)
            return None
        if side and picture_rgb is not None:
            seen.pictures.append((side, picture_rgb if keep else None))
        return picture_rgb

    truth_rgb, output_rgb = decode(item.truth, "real"), decode(item.output, "output")
    page_rgb = decode(item.page, None)
    if seen.failure or output_rgb is None:
        return seen
    seen.score = score_page(output_rgb, truth_rgb, page_rgb)
    if len(palette_lab):
        fitted_rgb = output_rgb if truth_rgb is None else fit_to(output_rgb, *truth_rgb.shape[:2])
        seen.colours = find_colours(fitted_rgb, truth_rgb, palette_lab)
        seen.truth_colours = None if truth_rgb is None else find_colours(truth_rgb, truth_rgb, palette_lab)
    return seen


def _follow(palette_lab: NDArray[np.float32], colours: dict[str, PageColours]) -> Consistency | None:
    return follow_palette(palette_lab, colours) if len(palette_lab) and colours else None


def _choose_views(scores: dict[str, PageScore], items: list[_Item]) -> list[_Item]:
    """The worst pages, or the first where no truth says which these are."""
    known = {label: score.final.delta_e2000 for label, score in scores.items() if score.final is not None}
    chosen = heapq.nlargest(VIEWS, known, key=known.__getitem__) if known else list(scores)[:VIEWS]
    by_label = {item.label: item for item in items if item.output is not None}
    return [by_label[label] for label in chosen]


def _view(item: _Item, score: PageScore, limits: ImageLimits) -> PageView:
    truth_rgb, output_rgb, page_rgb = item.decode(limits)
    assert output_rgb is not None
    pictures = {}
    uncoloured_rgb = truth_rgb if page_rgb is None else page_rgb
    if uncoloured_rgb is not None:
        pictures["grey"] = turn_grey(uncoloured_rgb)
    pictures["final"] = output_rgb
    if truth_rgb is not None:
        fitted_rgb = fit_to(output_rgb, *truth_rgb.shape[:2])
        pictures |= {"truth": truth_rgb, "ΔE2000": _paint_delta_e(map_delta_e(fitted_rgb, truth_rgb))}
    small = {name: _shrink(picture_rgb) for name, picture_rgb in pictures.items()}
    return PageView(item.label, small, score.delta_e_counts)


def _paint_delta_e(differences: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) ΔE as (H, W, 3) uint8 RGB: black is equal, yellow is `VIEW_DELTA_E` and more."""
    levels = np.clip(differences * (255 / VIEW_DELTA_E), 0, 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1], dtype=np.uint8)


def _shrink(picture_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture_rgb.shape[:2]
    factor = min(1.0, VIEW_SIDE_PX / width, 4 * VIEW_SIDE_PX / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(np.ascontiguousarray(picture_rgb), size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
