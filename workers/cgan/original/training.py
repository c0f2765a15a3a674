"""Teaches the original's generator the colours of one work from one or a few of its coloured pages."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import TrainingFailedError
from workers.cgan.original.network import Discriminator, Generator, OriginalConfig
from workers.cgan.original.thumbnail import make_thumbnail
from workers.cgan.progress import OnProgress, TrainingProgress
from workers.cgan.training import check_references

BATCH: Final = 4
LEARNING_RATE: Final = 2e-4
BETAS: Final = (0.5, 0.999)
REAL_LABEL: Final = 0.9
L1_WEIGHT: Final = 100.0
MAX_ANGLE_DEG: Final = 15.0
MAX_REFERENCE_PX: Final = 1 << 20
"""A larger reference is shrunk once beforehand: it ends at 128×128 px anyway, and is turned in every epoch."""
GREY_WEIGHTS: Final = (0.299, 0.587, 0.114)
PROGRESS_EVERY_S: Final = 1.0


def train_original(
    references: Sequence[NDArray[np.uint8]],
    epochs: int,
    seed: int,
    on_progress: OnProgress,
    config: OriginalConfig | None = None,
) -> Generator:
    """Train the original's generator; the same seed on the same machine gives the same weights.

    Args:
        references: one or more pages, each (H, W, 3) uint8, RGB; the copies of a batch take them in turn.
        epochs: batches of four copies; the original takes 100. One takes seconds.
        seed: of the weights and of the copies' angles and flips.
        on_progress: called at the start, about once a second (within an epoch too) and at the end; may raise
            `CancelledError` to stop.
        config: widths of both networks, the original's by default.

    Returns:
        The generator in eval mode.

    Raises:
        BadImageError: there is no reference, or one has no colour.
        TrainingFailedError: a loss is no longer a finite number.

    Source: Hensman & Aizawa 2017 (arXiv 1706.06918), section 3.2, as the original pipeline runs it: float32, BCE with
    real labels 0.9, 100 × L1, Adam.
    """
    check_references(references)
    shrunk = [_shrink(reference) for reference in references]
    draws = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trainer = _Trainer(epochs, on_progress, config)
        with trainer.watch():
            for epoch in range(epochs):
                trainer.step(*draw_batch(shrunk, epoch, draws))
    trainer.report()
    return trainer.generator.eval()


def draw_batch(
    references: Sequence[NDArray[np.uint8]], epoch: int, draws: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Four copies of the references, turned by up to 15°, squeezed to 128×128 px, flipped with probability ½.

    What a turn uncovers at the corners continues the page's edge, mostly its paper: black corners, as many libraries
    leave them, would teach a colour that the page does not have.

    Returns:
        Grey (4, 1, 128, 128) and colour (4, 3, 128, 128), float32, 0..1.
    """
    copies = []
    for number in range(BATCH):
        reference = references[(epoch * BATCH + number) % len(references)]
        height, width = reference.shape[:2]
        angle = draws.uniform(-MAX_ANGLE_DEG, MAX_ANGLE_DEG)
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
        turned = cv2.warpAffine(
            reference, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        copy = make_thumbnail(np.asarray(turned, dtype=np.uint8))
        copies.append(copy.flip(2) if draws.random() < 0.5 else copy)
    rgb = torch.stack(copies)
    weights = torch.tensor(GREY_WEIGHTS).view(1, 3, 1, 1)
    return (rgb * weights).sum(dim=1, keepdim=True), rgb


class _Trainer:
    """Both networks and their optimisers; tells how far it is."""

    def __init__(self, epochs: int, on_progress: OnProgress, config: OriginalConfig | None) -> None:
        self.losses: dict[str, float] = {}
        self._on_progress = on_progress
        self._epochs = epochs
        self._epochs_done = 0
        self._started = time.monotonic()
        self.report()
        self.generator = Generator(config)
        self._discriminator = Discriminator(config)
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS)
            for network in (self.generator, self._discriminator)
        ]

    def step(self, grey: Tensor, real: Tensor) -> None:
        """Step the discriminator, then the generator, on grey (B, 1, 128, 128) and colour (B, 3, 128, 128), 0..1."""
        self.pulse()
        fake = self.generator(grey)
        judged_real = self._discriminator(real, grey)
        judged_fake = self._discriminator(fake.detach(), grey)
        loss = self._judge("discriminator", judged_real, REAL_LABEL)
        loss = loss + self._judge("discriminator", judged_fake, 0.0)
        self._descend(self._optimizers[1], loss)

        distance = F.l1_loss(fake, real)
        adversarial = self._judge("adversarial", self._discriminator(fake, grey), REAL_LABEL)
        self._descend(self._optimizers[0], adversarial + L1_WEIGHT * distance)
        self._epochs_done += 1
        self.losses = {
            "l1": _check_finite("l1", distance),
            "adversarial": _check_finite("adversarial", adversarial),
            "discriminator": _check_finite("discriminator", loss),
        }

    def pulse(self) -> None:
        """Report when a second has passed since the last time; `on_progress` may raise to stop."""
        if time.monotonic() - self._reported >= PROGRESS_EVERY_S:
            self.report()

    def report(self) -> None:
        now = time.monotonic()
        self._on_progress(TrainingProgress(self._epochs_done, self._epochs, self.losses, now - self._started))
        self._reported = now

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Pulse inside at every convolution, forward and backward: an epoch is too long to be waited for."""

        def pulse_both_ways(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self.pulse()
            if output.requires_grad:
                output.register_hook(lambda _gradient: self.pulse())

        layers = [*self.generator.modules(), *self._discriminator.modules()]
        convolutions = (layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d))
        handles = [layer.register_forward_hook(pulse_both_ways) for layer in convolutions]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @staticmethod
    def _judge(name: str, judged: Tensor, label: float) -> Tensor:
        # PyTorch's BCE refuses what is no number, with an error that names no loss.
        _check_finite(name, judged.sum())
        return F.binary_cross_entropy(judged, torch.full_like(judged, label))

    def _descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        self.pulse()
        optimizer.step()


def _check_finite(name: str, loss: Tensor) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingFailedError(f"training on the reference failed: the {name} loss became {value}")
    return value


def _shrink(reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = reference.shape[:2]
    scale = math.sqrt(MAX_REFERENCE_PX / (height * width))
    if scale >= 1:
        return reference
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(reference, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
