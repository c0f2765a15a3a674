"""Teaches a generator the colours of one work from one or a few of its coloured pages."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import BadImageError, TrainingFailedError
from common.imaging import is_coloured
from workers.cgan.crops import CropSampler
from workers.cgan.network import Discriminator, Generator
from workers.cgan.progress import TrainingProgress

BATCH: Final = 16
STEPS_PER_EPOCH: Final = 5
"""The original sees the page four times in an epoch; ours takes what fits into about a minute on two cores."""
LEARNING_RATE: Final = 1e-3
ADVERSARIAL_WEIGHT: Final = 0.01
"""Small: it keeps chroma from washing out, while the distance to the truth decides which colour."""
REAL_LABEL: Final = 0.9
EMA_DECAY: Final = 0.98
MAX_GRADIENT_NORM: Final = 1.0
SHARDS: Final = 2
"""A batch is worked on in so many parts at once, each by its own thread. Threads inside every operation would meet
a hundred times per step, and on a processor that others use too each meeting waits for the slowest."""
PROGRESS_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class TrainingSettings:
    """What a trained model depends on, besides its references."""

    epochs: int = 100
    seed: int = 0


def train_reference(
    references: Sequence[NDArray[np.uint8]],
    settings: TrainingSettings,
    on_progress: Callable[[TrainingProgress], None],
) -> Generator:
    """Train a generator on coloured references; the same seed on the same machine gives the same weights.

    Args:
        references: one or more pages, each (H, W, 3) uint8, RGB.
        settings: length and seed.
        on_progress: called at the start, about once a second and at the end; may raise `CancelledError` to stop.

    Returns:
        The generator in eval mode: the running mean of its weights.

    Raises:
        BadImageError: there is no reference, or one has no colour.
        TrainingFailedError: a loss is no longer a finite number.

    Source: Hensman & Aizawa 2017 (arXiv 1706.06918), section 3.2: BCE with real labels 0.9 plus a weighted L1, Adam
    with betas (0.5, 0.999), angles in ±15° and flips. Ours learns chroma alone and on crops at many scales, in place
    of the whole page squeezed to 128×128 px.
    """
    check_references(references)
    sampler = CropSampler(references, settings.seed)
    steps = settings.epochs * STEPS_PER_EPOCH
    with _seeded(settings.seed), limit_threads(torch.get_num_threads() // SHARDS), ThreadPoolExecutor(SHARDS) as pool:
        trainer = _Trainer(steps)
        batch = sampler.draw_batch(BATCH)
        started = time.monotonic()
        reported = -math.inf
        for step in range(steps):
            seconds = time.monotonic() - started
            if seconds - reported >= PROGRESS_EVERY_S:
                on_progress(TrainingProgress(step // STEPS_PER_EPOCH, settings.epochs, trainer.losses, seconds))
                reported = seconds
            pairs = zip(*(torch.from_numpy(part).chunk(SHARDS) for part in batch), strict=True)
            shards = [pool.submit(trainer.find_gradients, lightness, chroma) for lightness, chroma in pairs]
            batch = sampler.draw_batch(BATCH)  # the next one, while the shards are worked on
            trainer.step(shards)
        seconds = time.monotonic() - started
        on_progress(TrainingProgress(settings.epochs, settings.epochs, trainer.losses, seconds))
    return trainer.averaged.eval()


def check_references(references: Sequence[NDArray[np.uint8]]) -> None:
    """Refuse references that can teach no colour.

    Raises:
        BadImageError: there is none, or one is grey; it is named by its number, from 1.
    """
    if not references:
        raise BadImageError("no reference: at least one coloured page is needed")
    for number, reference in enumerate(references, start=1):
        if not is_coloured(reference):
            size = f"{reference.shape[1]}×{reference.shape[0]} px"
            raise BadImageError(f"reference {number} ({size}) has no colour: a coloured page is needed to learn from")


@dataclass(frozen=True)
class _Gradients:
    """Of one shard of a batch, in the order of the networks' parameters."""

    generator: tuple[Tensor, ...]
    discriminator: tuple[Tensor, ...]
    losses: dict[str, float]


class _Trainer:
    """Generator, discriminator, their optimisers, and the running mean that is handed out."""

    def __init__(self, steps: int) -> None:
        self.losses: dict[str, float] = {}
        self.generator = Generator().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = Discriminator().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=(beta, 0.999), fused=True)
            for network, beta in ((self.generator, 0.9), (self.discriminator, 0.5))
        ]
        self._schedules = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, steps))
            for optimizer in self._optimizers
        ]
        self._steps_done = 0

    def step(self, shards: Sequence[Future[_Gradients]]) -> None:
        """Join the gradients of a batch's shards, always in the same order, and step both networks by them."""
        results = [shard.result() for shard in shards]
        for name in results[0].losses:
            self.losses[name] = sum(result.losses[name] for result in results) / len(results)
        self.check_finite()
        self._apply(self.generator, self._optimizers[0], [result.generator for result in results])
        self._apply(self.discriminator, self._optimizers[1], [result.discriminator for result in results])
        for schedule in self._schedules:
            schedule.step()
        self._average()

    def find_gradients(self, lightness: Tensor, chroma: Tensor) -> _Gradients:
        """Both networks' gradients on a shard: lightness (B, 1, H, W), 0..100; chroma (B, 2, H / 2, W / 2), Lab."""
        scale = self.generator.config.chroma_scale
        x = (lightness / 50 - 1).contiguous(memory_format=torch.channels_last)
        real = (chroma / scale).contiguous(memory_format=torch.channels_last)
        with autocast():
            fake = self.generator(x).float()
            judged = self.discriminator(torch.cat((x, x)), torch.cat((real, fake.detach()))).float()
            judged_fake = self.discriminator(x, fake).float()
        labels = torch.cat((torch.full_like(judged[: len(x)], REAL_LABEL), torch.zeros_like(judged[len(x) :])))
        discriminator = F.binary_cross_entropy_with_logits(judged, labels)
        distance = (fake - real).square().sum(dim=1).add(1e-3).sqrt().mean()
        adversarial = F.binary_cross_entropy_with_logits(judged_fake, torch.full_like(judged_fake, REAL_LABEL))
        loss = distance + ADVERSARIAL_WEIGHT * adversarial
        return _Gradients(
            torch.autograd.grad(loss, list(self.generator.parameters())),
            torch.autograd.grad(discriminator, list(self.discriminator.parameters())),
            {
                "chroma": float(distance.detach()) * scale,
                "adversarial": float(adversarial.detach()),
                "discriminator": float(discriminator.detach()),
            },
        )

    def check_finite(self) -> None:
        """Raise TrainingFailedError when a loss is not a finite number."""
        for name, value in self.losses.items():
            if not math.isfinite(value):
                raise TrainingFailedError(f"training on the reference failed: the {name} loss became {value}")

    @staticmethod
    def _apply(network: nn.Module, optimizer: torch.optim.Optimizer, gradients: list[tuple[Tensor, ...]]) -> None:
        means = gradients[0]
        for other in gradients[1:]:
            means = torch._foreach_add(means, other)
        means = torch._foreach_mul(means, 1 / len(gradients))
        for parameter, mean in zip(network.parameters(), means, strict=True):
            parameter.grad = mean
        torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM, foreach=True)
        optimizer.step()

    @torch.no_grad()
    def _average(self) -> None:
        # A short training must not hand out its untrained beginning: the mean is young at first.
        decay = min(EMA_DECAY, (1 + self._steps_done) / (4 + self._steps_done))
        self._steps_done += 1
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.generator.parameters()), 1 - decay)


def rate_share(step: int, steps: int) -> float:
    """The share of the full learning rate at a step: up over the first tenth, then down to nearly 0 on a cosine."""
    warm_up = max(1, steps // 10)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def autocast() -> AbstractContextManager[object]:
    """bf16 where the processor computes it natively (there it is about 2.5 times as fast), else plain float32."""
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast("cpu", torch.bfloat16, enabled=native)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch inside, and leave its generator outside as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Give each of PyTorch's operations `count` threads (at least 1) inside; outside it is as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
