"""Teaches a generator the colours of one work from one or a few of its coloured pages."""

import copy
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from common.errors import BadImageError, TrainingFailedError
from common.imaging import is_coloured
from workers.cgan.crops import Crops, CropSampler
from workers.cgan.network import Discriminator, Generator
from workers.cgan.progress import OnProgress, TrainingProgress, prepare_each
from workers.devices import autocast
from workers.muon import as_matrix, view_as_matrices

BATCH: Final = 16
STEPS_PER_EPOCH: Final = 2
"""The original sees the page four times in an epoch; ours takes what fits into less than a minute on two cores."""
LEARNING_RATE: Final = 1e-3
MUON_LEARNING_RATE: Final = 1e-2
ADVERSARIAL_WEIGHT: Final = 0.01
"""Small: it keeps chroma from washing out, while the distance to the truth decides which colour."""
ADVERSARIAL_EVERY: Final = 4
"""The discriminator is asked at every so many steps: enough for its small share of the loss."""
REAL_LABEL: Final = 0.9
EMA_DECAY: Final = 0.98
MAX_GRADIENT_NORM: Final = 1.0
SHARDS: Final = 2
"""A batch is worked on in so many parts at once, each by its own thread. Threads inside every operation would meet
a hundred times per step, and on a processor that others use too each meeting waits for the slowest."""
PROGRESS_EVERY_S: Final = 1.0
CHECK_EVERY: Final = 25
"""Steps between two looks at the held-out crops."""
PATIENCE: Final = 0.3
"""Training ends early when the held-out crops got no better for this share of all steps, and at least 100 of them."""
MIN_PATIENCE_STEPS: Final = 100


@dataclass(frozen=True)
class TrainingSettings:
    """What a trained model depends on, besides its references."""

    epochs: int = 100
    seed: int = 0


def train_generator(
    references: Sequence[NDArray[np.uint8]], settings: TrainingSettings, on_progress: OnProgress
) -> Generator:
    """Train a generator on coloured references; the same seed on the same machine gives the same weights.

    Args:
        references: one or more coloured pages, each (H, W, 3) uint8, RGB, that `check_references` lets pass.
        settings: length and seed.
        on_progress: called at the start, about once a second and at the end; may raise `CancelledError` to stop.

    Returns:
        The generator in eval mode: the running mean of its weights, where the held-out crops liked it best.

    Raises:
        TrainingFailedError: a loss is no longer a finite number.

    Source: Hensman & Aizawa 2017 (arXiv 1706.06918), section 3.2: BCE with real labels 0.9 plus a weighted L1, angles
    in ±15° and flips. Ours learns chroma alone and on crops at many scales, in place of the whole page squeezed to
    128×128 px, and steps the convolutions with Muon (Jordan et al. 2024; Liu et al. 2025, arXiv 2502.16982, section
    2.2, for its rate), which in a minute gets twice as far as Adam.
    """
    sampler = CropSampler(prepare_each(references, settings.epochs, on_progress), settings.seed)
    steps = settings.epochs * STEPS_PER_EPOCH
    with seeded(settings.seed), limit_threads(torch.get_num_threads() // SHARDS), ThreadPoolExecutor(SHARDS) as pool:
        trainer = _Trainer(steps, sampler.held_out)
        batch = sampler.draw_batch(BATCH)
        started = time.monotonic()
        reported = -math.inf
        for step in range(steps):
            seconds = time.monotonic() - started
            if seconds - reported >= PROGRESS_EVERY_S:
                on_progress(TrainingProgress(step // STEPS_PER_EPOCH, settings.epochs, dict(trainer.losses), seconds))
                reported = seconds
            shards = [pool.submit(trainer.find_gradients, shard) for shard in _split(batch)]
            batch = sampler.draw_batch(BATCH)  # the next one, while the shards are worked on
            trainer.step(shards)
            if trainer.is_spent:
                break
        seconds = time.monotonic() - started
        on_progress(TrainingProgress(settings.epochs, settings.epochs, trainer.losses, seconds))
    return trainer.best.eval()


def check_references(references: Sequence[NDArray[np.uint8]], names: Sequence[str] = ()) -> None:
    """Refuse references that can teach no colour.

    Args:
        references: each (H, W, 3) uint8, RGB.
        names: what errors call them besides their number, where that is known.

    Raises:
        BadImageError: there is none, or one is grey; it is named by its number, from 1.
    """
    if not references:
        raise BadImageError("no reference: at least one coloured page is needed")
    for index, reference in enumerate(references):
        if not is_coloured(reference):
            name = names[index] if names else f"{reference.shape[1]}×{reference.shape[0]} px"
            raise BadImageError(
                f"reference {index + 1} ({name}) has no colour: a coloured page is needed to learn from"
            )


@dataclass(frozen=True)
class _Gradients:
    """Of one shard of a batch, in the order of the networks' parameters; none of the discriminator where it rested."""

    generator: tuple[Tensor, ...]
    discriminator: tuple[Tensor, ...]
    losses: dict[str, float]


class _Trainer:
    """Generator, discriminator, their optimisers, the running mean, and the best of it so far."""

    def __init__(self, steps: int, held_out: Crops) -> None:
        self.losses: dict[str, float] = {}
        self.generator = Generator().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator = Discriminator().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.best = self.averaged
        self._matrices = _view_as_matrices(self.generator)
        matrices = {id(weight) for weight, _ in self._matrices}
        others = [parameter for parameter in self.generator.parameters() if id(parameter) not in matrices]
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                [matrix for _, matrix in self._matrices],
                lr=MUON_LEARNING_RATE,
                weight_decay=0.0,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.Adam(others, lr=LEARNING_RATE, betas=(0.9, 0.99), fused=True),
            torch.optim.Adam(self.discriminator.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.999), fused=True),
        ]
        self._rates = [optimizer.param_groups[0]["lr"] for optimizer in self._optimizers]
        self._steps, self._steps_done = steps, 0
        self._held_out = held_out
        self._least_error, self._least_error_at = math.inf, 0

    @property
    def is_spent(self) -> bool:
        """Whether the held-out crops got no better for so long that the rest of the training can be spared."""
        patience = max(MIN_PATIENCE_STEPS, self._steps * PATIENCE)
        return self._steps_done - self._least_error_at >= patience

    def step(self, shards: Sequence[Future[_Gradients]]) -> None:
        """Join the gradients of a batch's shards, always in the same order, and step both networks by them."""
        results = [shard.result() for shard in shards]
        for name in results[0].losses:
            self.losses[name] = sum(result.losses[name] for result in results) / len(results)
        self.check_finite()
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * rate_share(self._steps_done, self._steps)
        _set_gradients(self.generator, [result.generator for result in results])
        for weight, matrix in self._matrices:
            assert weight.grad is not None
            matrix.grad = as_matrix(weight.grad)
        with limit_threads(SHARDS):  # the shards rest now
            for optimizer in self._optimizers[:2]:
                optimizer.step()
        if results[0].discriminator:
            _set_gradients(self.discriminator, [result.discriminator for result in results])
            self._optimizers[2].step()
        self._average()
        if self._steps_done % CHECK_EVERY == 0 or self._steps_done == self._steps:
            self._judge()

    def find_gradients(self, crops: Crops) -> _Gradients:
        """Both networks' gradients on a shard of a batch."""
        scale = self.generator.config.chroma_scale
        x, real, weight = _to_tensors(crops, scale)
        with autocast():
            fake = self.generator(x).float()
        distance = _mean_distance(fake, real, weight)
        losses = {"chroma": float(distance.detach()) * scale}
        loss, discriminator_gradients = distance, ()
        if self._steps_done % ADVERSARIAL_EVERY == 0:
            adversarial, discriminator = self._judge_patches(x, real, fake)
            loss = distance + ADVERSARIAL_WEIGHT * ADVERSARIAL_EVERY * adversarial
            discriminator_gradients = torch.autograd.grad(discriminator, list(self.discriminator.parameters()))
            losses |= {"adversarial": float(adversarial.detach()), "discriminator": float(discriminator.detach())}
        return _Gradients(torch.autograd.grad(loss, list(self.generator.parameters())), discriminator_gradients, losses)

    def check_finite(self) -> None:
        """Raise TrainingFailedError when a loss is not a finite number."""
        for name, value in self.losses.items():
            if not math.isfinite(value):
                raise TrainingFailedError(f"training on the reference failed: the {name} loss became {value}")

    def _judge_patches(self, x: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The generator's and the discriminator's loss over patches."""
        with autocast():
            judged = self.discriminator(torch.cat((x, x)), torch.cat((real, fake.detach()))).float()
            judged_fake = self.discriminator(x, fake).float()
        labels = torch.cat((torch.full_like(judged[: len(x)], REAL_LABEL), torch.zeros_like(judged[len(x) :])))
        adversarial = F.binary_cross_entropy_with_logits(judged_fake, torch.full_like(judged_fake, REAL_LABEL))
        return adversarial, F.binary_cross_entropy_with_logits(judged, labels)

    @torch.no_grad()
    def _average(self) -> None:
        # A short training must not hand out its untrained beginning: the mean is young at first.
        decay = min(EMA_DECAY, (1 + self._steps_done) / (4 + self._steps_done))
        self._steps_done += 1
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.generator.parameters()), 1 - decay)

    @torch.no_grad()
    def _judge(self) -> None:
        """Score the running mean on the held-out crops and keep it when it is the best so far."""
        scale = self.generator.config.chroma_scale
        x, real, weight = _to_tensors(self._held_out, scale)
        if not weight.any():  # a reference too small to hold anything out
            self.best, self._least_error_at = self.averaged, self._steps_done
            return
        with autocast(), limit_threads(SHARDS):
            error = float(_mean_distance(self.averaged(x).float(), real, weight)) * scale
        self.losses["held_out"] = error
        self.check_finite()
        if error < self._least_error:
            self._least_error, self._least_error_at = error, self._steps_done
            self.best = copy.deepcopy(self.averaged)


def _split(batch: Crops) -> list[Crops]:
    """A batch in `SHARDS` parts."""
    parts = (np.array_split(planes, SHARDS) for planes in (batch.lightness, batch.chroma, batch.weight))
    return [Crops(*shard) for shard in zip(*parts, strict=True)]


def _to_tensors(crops: Crops, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Lightness -1..1, chroma over `scale` and weight, channels last."""
    planes = (crops.lightness / 50 - 1, crops.chroma / scale, crops.weight)
    x, real, weight = (torch.from_numpy(plane).contiguous(memory_format=torch.channels_last) for plane in planes)
    return x, real, weight


def _mean_distance(fake: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Mean distance in the plane of a and b, by weight (B, 1, H, W)."""
    distance = (fake - real).square().sum(dim=1, keepdim=True).add(1e-3).sqrt()
    return (distance * weight).sum() / weight.sum().clamp(min=1.0)


def _view_as_matrices(generator: Generator) -> list[tuple[nn.Parameter, nn.Parameter]]:
    """Muon's view of all but the first and the last layer."""
    inner = [module for name, module in generator.named_modules() if name not in ("stem", "head")]
    return view_as_matrices(module for module in inner if isinstance(module, nn.Conv2d))


def _set_gradients(network: nn.Module, gradients: list[tuple[Tensor, ...]]) -> None:
    """Give the network the mean of the shards' gradients, bounded in norm."""
    means = gradients[0]
    for other in gradients[1:]:
        means = torch._foreach_add(means, other)
    means = torch._foreach_mul(means, 1 / len(gradients))
    for parameter, mean in zip(network.parameters(), means, strict=True):
        parameter.grad = mean
    torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM, foreach=True)


def rate_share(step: int, steps: int) -> float:
    """The share of the full learning rate at a step: up over the first twentieth, then down to nearly 0 on a cosine."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
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
