"""Trains the embedded painter: `python -m workers.s2p.training --out DIR [--pages DIR] [--steps N]`.

Seeded: the same command gives the same views, crops and order; sums in another order (more cores, a GPU) differ in the
last digits. Started again on the same DIR it goes on from its last checkpoint.
"""

import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from common.screentone import smooth_screentone
from samples.hinting import simulate_people_hints
from samples.scanning import lift_lightness
from workers.s2p.features import CHROMA_SCALE, PRIOR
from workers.s2p.network import STRIDE, build_network
from workers.s2p.views import View, assemble_view, cut_crops, make_view
from workers.s2p.weights import load_weights, save_weights
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

EARLY: Final = 0.36
"""Of the steps: the last weights before are blended with those at the end."""
BLENDS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
SHARES: Final = (0.7, 0.8, 0.9, 1.0)
EASY: Final = 0.05
"""Added to propagation's loss, by which a crop's is divided: there is nothing to win where it is right."""
JUDGED_HINTS: Final = (10, 30, 60, 150)


@dataclass(frozen=True)
class TrainingSettings:
    """How the painter is trained.

    Attributes:
        steps: of the optimizer.
        seed: decides views, crops and fresh weights.
        batch: crops in a step.
        crop_px: their side at working size.
        pool: views held at once, from which crops are cut.
        refresh_every, refresh: every so many steps so many of the oldest views give way to new ones.
        learning_rate: at its peak; it warms up over 100 steps and falls along a cosine.
        weight_decay: of AdamW.
        clip_norm: of the gradient.
        ema: decay of the averaged weights, which are the ones that are kept.
        judge_every: steps between two lines of the log, and two checkpoints.
    """

    steps: int = 2800
    seed: int = 1
    batch: int = 8
    crop_px: int = 192
    pool: int = 120
    refresh_every: int = 25
    refresh: int = 2
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    clip_norm: float = 1.0
    ema: float = 0.998
    judge_every: int = 250


class Trainer:
    """Network, averaged weights and optimizer; one step at a time."""

    def __init__(self, settings: TrainingSettings) -> None:
        keras.utils.set_random_seed(settings.seed)
        # Half precision where it is safe: twice as fast, on processors and graphics cards alike.
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        self.network = build_network()
        keras.mixed_precision.set_global_policy("float32")
        self.averaged = build_network()
        self.averaged.set_weights(self.network.get_weights())
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, settings.steps - 100), alpha=0.01, warmup_target=settings.learning_rate, warmup_steps=100
        )
        self.optimizer = keras.optimizers.AdamW(
            rate, weight_decay=settings.weight_decay, global_clipnorm=settings.clip_norm, beta_2=0.99
        )
        self.optimizer.build(self.network.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64)
        self._ema = settings.ema

    @tf.function(reduce_retracing=True, autograph=False)
    def train(self, features: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
        """One step on crops (N, s, s, 15) and their truth (N, s, s, 2); the loss before it."""
        variables = self.network.trainable_variables
        with tf.GradientTape() as tape:
            # Beside propagation's own, or crops with few hints, where all is guessing, would drown the others.
            hard = measure_loss(features[..., PRIOR], truth)
            loss = tf.reduce_mean(measure_loss(self.network(features, training=True), truth) / (hard + EASY))
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.step.assign_add(1)
        # Young averages would remember the start.
        decay = tf.minimum(self._ema, (tf.cast(self.step, tf.float32) + 1) / (tf.cast(self.step, tf.float32) + 10))
        for kept, variable in zip(self.averaged.trainable_variables, variables, strict=True):
            kept.assign(decay * kept + (1 - decay) * tf.cast(variable, tf.float32))
        return loss

    @tf.function(reduce_retracing=True, autograph=False)
    def correct(self, features: tf.Tensor) -> tf.Tensor:
        """The averaged network's chroma for features (1, h, w, 15)."""
        return self.averaged(features, training=False)


def measure_loss(painted: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """Of chroma (N, h, w, 2): squares (as PSNR counts), distances (as eyes do), and differences of neighbours; (N,).

    The last makes edges fall where the truth's fall, and fills even where it has none.
    """
    error = painted - truth
    squares = tf.reduce_sum(error**2, axis=-1)
    distance = tf.sqrt(squares + 1 / CHROMA_SCALE**2)
    across = tf.abs(error[:, :, 1:] - error[:, :, :-1])
    down = tf.abs(error[:, 1:] - error[:, :-1])
    edges = tf.reduce_mean(across, axis=[1, 2, 3]) + tf.reduce_mean(down, axis=[1, 2, 3])
    means = (tf.reduce_mean(each, axis=[1, 2]) for each in (squares, distance))
    return 4 * next(means) + 0.5 * next(means) + 0.5 * edges


def judge(trainer: Trainer, held_out: dict[int, list[View]], share: float = 1.0) -> dict[str, float]:
    """By how many dB a share of the correction brings chroma nearer to the truth than propagation's.

    Args:
        trainer: whose averaged network is judged.
        held_out: views by their count of hints.
        share: of the way from propagation to what the network says.

    Returns:
        Mean gain for each count, `gain_db_10` and so on.
    """
    gains = {}
    for count, views in held_out.items():
        decibels = []
        for view in views:
            height, width = (side // STRIDE * STRIDE for side in view.truth.shape[:2])
            features = view.features[None, :height, :width].astype(np.float32)
            truth = view.truth[:height, :width].astype(np.float32)
            prior = features[0, ..., PRIOR]
            painted = prior + share * (trainer.correct(features).numpy()[0] - prior)
            decibels.append(10 * np.log10(((prior - truth) ** 2).mean() / ((painted - truth) ** 2).mean()))
        gains[f"gain_db_{count}"] = round(float(np.mean(decibels)), 3)
    return gains


def settle(trainer: Trainer, early: Path, held_out: dict[int, list[View]]) -> dict[str, float]:
    """Blend early and last weights, and take a share of their correction, as serves held-out pages best.

    That is: at the count of hints where it serves least. What was learned by heart is trusted less.

    Returns:
        The share of the early weights in the blend, and that of the correction.

    Source: Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization" (UAI), section 3.
    """
    if not (held_out and early.exists()):
        return {"early": 0.0, "correction": 1.0}
    last = trainer.averaged.get_weights()
    load_weights(trainer.averaged, early)
    first = trainer.averaged.get_weights()
    scores: dict[tuple[float, float], float] = {}
    for blend in BLENDS:
        trainer.averaged.set_weights(_mix(first, last, blend))
        for share in SHARES:
            scores[blend, share] = min(judge(trainer, held_out, share).values())
    blend, share = max(scores, key=lambda pair: scores[pair])
    trainer.averaged.set_weights(_mix(first, last, blend))
    # The mixture's shares are linear in its last layer, so the whole correction scales with it.
    for variable in trainer.averaged.get_layer("mixture").variables:
        variable.assign(share * variable)
    return {"early": blend, "correction": share}


def _mix(first: list[NDArray[Any]], last: list[NDArray[Any]], blend: float) -> list[NDArray[Any]]:
    return [blend * one + (1 - blend) * other for one, other in zip(first, last, strict=True)]


def train(painted: dict[str, NDArray[np.uint8]], settings: TrainingSettings, out: Path) -> None:
    """Train, with a log, a curve, checkpoints and the averaged weights in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    claim_folder(out, {"settings": asdict(settings), "pages": sorted(painted)})
    seen, held_out = _hold_out(painted, settings.seed)
    trainer = Trainer(settings)
    checkpoint = tf.train.Checkpoint(
        step=trainer.step, network=trainer.network, averaged=trainer.averaged, optimizer=trainer.optimizer
    )
    manager = tf.train.CheckpointManager(checkpoint, str(out / "checkpoints"), max_to_keep=2)
    if manager.latest_checkpoint:
        checkpoint.restore(manager.latest_checkpoint).assert_existing_objects_matched()
        print(f"going on from step {int(trainer.step.numpy())}")

    def report(line: dict[str, float]) -> None:
        write_log(out, line | judge(trainer, held_out))
        manager.save()
        if line["step"] <= EARLY * settings.steps:
            save_weights(trainer.averaged, out / "early.safetensors")

    if int(trainer.step.numpy()) < settings.steps:
        make = partial(make_view, seen, settings.seed)

        def step(chosen: list[View], rng: np.random.Generator) -> float:
            return float(trainer.train(*cut_crops(chosen, settings.crop_px, rng)).numpy())

        take_steps(settings, int(trainer.step.numpy()), make, step, report=report, before_s=seconds_so_far(out))
    settled = settle(trainer, out / "early.safetensors", held_out)
    save_weights(trainer.averaged, out / "embedded.safetensors")
    record = {
        "settings": asdict(settings),
        "pages": sorted(painted),
        "settled": settled,
        "held_out": judge(trainer, held_out),
        "log": list(read_log(out)),
    }
    (out / "training.json").write_text(json.dumps(record, indent=1))
    print(f"settled on {settled}; weights in {out / 'embedded.safetensors'}")


def _hold_out(
    painted: dict[str, NDArray[np.uint8]], seed: int
) -> tuple[list[NDArray[np.uint8]], dict[int, list[View]]]:
    """Pages to train on, and views of what is held out by count of hints."""
    seen, unseen = split_pages(painted, HELD_OUT)
    rng = np.random.default_rng((seed, 2))
    views = {
        count: [
            assemble_view(smooth_screentone(lift_lightness(page)), page, simulate_people_hints(page, count, rng))
            for page in unseen
        ]
        for count in JUDGED_HINTS
    }
    return seen, views if unseen else {}


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    return run_command("workers.s2p.training", __doc__, TrainingSettings, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
