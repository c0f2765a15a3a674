"""Trains the embedded autoencoder: `python -m workers.inknhue.training --out DIR [--pages DIR] [--steps N]`.

Seeded: the same command gives the same views, crops and order; sums in another order (more cores, a GPU) differ in the
last digits. Started again on the same DIR it goes on from its last checkpoint.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from common.errors import ModelMissingError
from common.hints import Hints
from common.imaging import decode_image, encode_image
from common.screentone import smooth_screentone
from samples.hinting import draw_hints
from samples.scanning import draw_scan, lift_lightness
from workers.devices import autocast, pick_device
from workers.inknhue.colour import lab_to_network
from workers.inknhue.losses import PatchDiscriminator, hinge_loss, measure_loss, to_lab
from workers.inknhue.views import (
    View,
    assemble_view,
    cut_crops,
    load_view,
    make_view,
    oversaturate,
    save_view,
    simulate_view,
)
from workers.inknhue.weights import build_embedded, save_weights
from workers.muon import as_matrix, view_as_matrices
from workers.training_run import (
    HELD_OUT,
    claim_folder,
    read_log,
    run_command,
    seconds_so_far,
    split_pages,
    take_steps,
    write_log,
)

ROOT: Final = Path(__file__).parents[2]
S2P_PYTHON: Final = ROOT / ".venvs" / "s2p" / "bin" / "python"
"""The s2p room's environment: stages never import each other, so its painter is run as people run it."""
GUIDE_SHORT_PX: Final = 384
PAINTED_AT_ONCE: Final = 40
EASY: Final = 0.1
"""Added to the rough picture's own loss, by which a crop's is divided: there is little to win where it is right."""
ADVERSARY_WEIGHT: Final = 0.02


@dataclass(frozen=True)
class TrainingSettings:
    """How the autoencoder is trained.

    Attributes:
        steps: of the optimizer.
        seed: decides views, crops and fresh weights.
        batch: crops in a step.
        crop_px: their side at working size.
        pool: views held at once, from which crops are cut.
        refresh_every, refresh: every so many steps so many of the oldest views give way to new ones.
        painter_roughs: pages painted by the embedded s2p painter before the training.
        learning_rate: of Adam, at its peak; it warms up over 100 steps and falls along a cosine.
        muon_learning_rate: the same of Muon (Jordan et al. 2024), which steps all inner convolutions.
        clip_norm: of the gradient.
        ema: decay of the averaged weights, which are the ones that are kept.
        adversary_from: share of the steps after which a discriminator of patches joins in.
        judge_every: steps between two lines of the log, and two checkpoints.
    """

    steps: int = 2400
    seed: int = 1
    batch: int = 6
    crop_px: int = 160
    pool: int = 80
    refresh_every: int = 25
    refresh: int = 2
    painter_roughs: int = 160
    learning_rate: float = 2e-3
    muon_learning_rate: float = 1e-2
    clip_norm: float = 1.0
    ema: float = 0.997
    adversary_from: float = 0.75
    judge_every: int = 200


_Module = TypeVar("_Module", bound=nn.Module)


class Trainer:
    """Network, averaged weights, discriminator and optimizers; one step at a time."""

    def __init__(self, settings: TrainingSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = pick_device()
        self.network = self._place(build_embedded())
        self.averaged = self._place(build_embedded()).eval().requires_grad_(False)
        self.averaged.load_state_dict(self.network.state_dict())
        self.discriminator = self._place(PatchDiscriminator())
        network = self.network
        outer = (network.encoder.conv_in, network.cond_encoder.conv_in, network.cond_decoder.conv_out)
        convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d))
        self._matrices = view_as_matrices(module for module in convolutions if module not in outer)
        weights = {id(weight) for weight, _ in self._matrices}
        others = [parameter for parameter in self.network.parameters() if id(parameter) not in weights]
        self.muon = torch.optim.Muon(
            [matrix for _, matrix in self._matrices], weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        )
        self.adam = torch.optim.Adam(others, betas=(0.9, 0.99), fused=True)
        self.adversary = torch.optim.Adam(self.discriminator.parameters(), 4e-4, (0.5, 0.99))
        self.step = 0

    def _place(self, module: _Module) -> _Module:
        return module.to(self.device, memory_format=torch.channels_last)

    def train(self, crops: tuple[NDArray[np.float32], ...]) -> float:
        """One step on crops as `cut_crops` gives them; the loss before it."""
        settings = self.settings
        share = _rate(self.step, settings.steps)
        self.muon.param_groups[0]["lr"] = share * settings.muon_learning_rate
        self.adam.param_groups[0]["lr"] = share * settings.learning_rate
        shaded, rough, truth = (
            torch.from_numpy(crop).to(self.device, memory_format=torch.channels_last) for crop in crops
        )
        with autocast(self.device):
            aligned = self.network(rough, shaded)
        # Beside rough's own: badly wrong ones, where all is guessing, would drown the others.
        loss = (measure_loss(aligned, truth) / (measure_loss(rough, truth) + EASY)).mean()
        total = loss
        if self.step >= settings.adversary_from * settings.steps:
            self._teach_adversary(shaded, aligned.detach(), truth)
            total = loss - ADVERSARY_WEIGHT * self.discriminator(shaded, aligned).mean()
        self.network.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        for weight, matrix in self._matrices:
            matrix.grad = as_matrix(weight.grad)
        self.muon.step()
        self.adam.step()
        self.step += 1
        # Young averages would remember the start.
        decay = min(settings.ema, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)
        return float(loss.detach())

    def _teach_adversary(self, shaded: Tensor, aligned: Tensor, truth: Tensor) -> None:
        """One step of the discriminator."""
        loss = hinge_loss(self.discriminator(shaded, truth), self.discriminator(shaded, aligned))
        self.adversary.zero_grad()
        loss.backward()
        self.adversary.step()

    def align(self, view: View) -> tuple[Tensor, Tensor, Tensor]:
        """The averaged network's picture of a whole view, beside rough and truth, each (1, 3, H, W)."""
        sides = tuple(side // self.averaged.config.stride * self.averaged.config.stride for side in view.shaded.shape)
        shaded, rough, truth = (
            torch.from_numpy(lab_to_network(picture[: sides[0], : sides[1]]))[None].to(self.device)
            for picture in view.pictures()
        )
        with torch.inference_mode(), autocast(self.device):
            return self.averaged(rough, shaded), rough, truth

    def state(self) -> dict[str, Any]:
        """All that is needed to go on: tensors and numbers only."""
        return {name: getattr(self, name).state_dict() for name in _STATES} | {"step": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        for name in _STATES:
            getattr(self, name).load_state_dict(state[name])
        self.step = state["step"]


_STATES: Final = ("network", "averaged", "discriminator", "muon", "adam", "adversary")


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate."""
    if step < 100:
        return (step + 1) / 100
    along = (step - 100) / max(1, steps - 100)
    return float(0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * along)))


def judge(trainer: Trainer, held_out: dict[str, list[View]]) -> dict[str, float]:
    """Chroma error of aligned beside rough's, over held-out views by kind of rough, pages weighing alike."""
    ratios = {}
    for kind, views in held_out.items():
        errors = np.zeros(2)
        for view in views:
            aligned, rough, truth = (to_lab(picture)[0, 1:] for picture in trainer.align(view))
            errors += [float((each - truth).norm(dim=0).mean()) for each in (aligned, rough)]
        ratios[f"chroma_{kind}"] = round(float(errors[0] / errors[1]), 4)
    return ratios


def train(painted: dict[str, NDArray[np.uint8]], settings: TrainingSettings, out: Path) -> None:
    """Train, with a log, a curve, checkpoints and the averaged weights in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    claim_folder(out, {"settings": asdict(settings), "pages": sorted(painted)})
    seen, unseen = split_pages(painted, HELD_OUT)
    roughs = paint_roughs(
        lambda index: draw_scan(seen, np.random.default_rng((settings.seed, 3, index))),
        settings.painter_roughs,
        settings.seed,
        out / "roughs",
    )
    held_out = _hold_out(unseen, settings, out)
    trainer = Trainer(settings)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load_state(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
        print(f"going on from step {trainer.step}")

    def report(line: dict[str, float]) -> None:
        partial_path = checkpoint.with_suffix(".part")
        torch.save(trainer.state(), partial_path)
        partial_path.replace(checkpoint)
        write_log(out, line | judge(trainer, held_out))

    if trainer.step < settings.steps:
        make = partial(make_view, seen, roughs, settings.seed)

        def step(chosen: list[View], rng: np.random.Generator) -> float:
            return trainer.train(cut_crops(chosen, settings.crop_px, rng))

        take_steps(settings, trainer.step, make, step, report=report, before_s=seconds_so_far(out))
    save_weights(trainer.averaged, out / "embedded.safetensors")
    record = {
        "settings": asdict(settings),
        "pages": sorted(painted),
        "held_out": judge(trainer, held_out),
        "log": list(read_log(out)),
    }
    (out / "training.json").write_text(json.dumps(record, indent=1))
    print(f"weights in {out / 'embedded.safetensors'}")


Scan = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""A page's colours (H, W, 3) and the page as it comes in (H, W)."""


def paint_roughs(scan: Callable[[int], Scan], count: int, seed: int, folder: Path) -> list[Path]:
    """Have the embedded s2p painter paint pages from simulated hints.

    Args:
        scan: gives the page of a number.
        count: of the pages.
        seed: decides the hints.
        folder: for what it makes; what is there already is not made again.

    Returns:
        A view of each page, in a file.

    Raises:
        ModelMissingError: the s2p room has no environment.
    """
    views = [folder / f"{index:04d}.npz" for index in range(count)]
    missing = [index for index, view in enumerate(views) if not view.exists()]
    if missing and not S2P_PYTHON.exists():
        raise ModelMissingError(f"{S2P_PYTHON}: not found; the s2p painter makes roughs to train on: run make setup")
    for start in range(0, len(missing), PAINTED_AT_ONCE):
        chosen = missing[start : start + PAINTED_AT_ONCE]
        _paint_some({index: scan(index) for index in chosen}, seed, folder)
    return views


def _paint_some(scans: dict[int, Scan], seed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pages, hint_files, greys = [], [], []
    for index, (colour, page) in scans.items():
        grey = smooth_screentone(page)
        scale = min(1.0, GUIDE_SHORT_PX / min(grey.shape))
        guide = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        dots = draw_hints(guide, colour, np.random.default_rng((seed, 4, index)))
        pages.append(folder.absolute() / f"{index:04d}.png")
        pages[-1].write_bytes(encode_image(np.repeat(page[..., None], 3, axis=2)))
        hint_files.append(folder.absolute() / f"{index:04d}.json")
        hint_files[-1].write_bytes(Hints(size=page.shape[::-1], hints=tuple(dots)).to_json())
        greys.append(grey)
    command: list[str | Path] = [S2P_PYTHON, "-m", "workers.s2p", *pages, "--hints", *hint_files]
    command += ["--out", folder.absolute()]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603  our own command
    for index, grey in zip(scans, greys, strict=True):
        made = folder / f"{index:04d}" / "rough.png"
        rough = decode_image(made.read_bytes(), str(made))
        save_view(assemble_view(grey, rough, scans[index][0]), folder / f"{index:04d}.npz")


def _hold_out(unseen: Sequence[NDArray[np.uint8]], settings: TrainingSettings, out: Path) -> dict[str, list[View]]:
    """Views of held-out pages by kind of rough: simulated ones, and the s2p painter's."""
    if not unseen:
        return {}
    scans = [(page, lift_lightness(page)) for page in unseen for _ in range(2)]
    simulated = [
        simulate_view(smooth_screentone(grey), page, np.random.default_rng((settings.seed, 2, index)))
        for index, (page, grey) in enumerate(scans)
    ]
    if not settings.painter_roughs:
        return {"simulated": simulated}
    painter = [
        oversaturate(load_view(path), np.random.default_rng((settings.seed, 5, index)))
        for index, path in enumerate(paint_roughs(scans.__getitem__, len(scans), settings.seed + 1, out / "held-out"))
    ]
    return {"simulated": simulated, "painter": painter}


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    return run_command("workers.inknhue.training", __doc__, TrainingSettings, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
