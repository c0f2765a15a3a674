"""Which device this process was told to compute on. Pure, and without any network library.

Told once, before networks are loaded: by the tasks from NURIE_DEVICE, by commands from `--device`.
"""

import argparse
import os
import re
from collections.abc import Sequence
from typing import Final, TypeVar

from common.errors import ModelMissingError

AUTO: Final = "auto"
CPU: Final = "cpu"
Gpu = TypeVar("Gpu")

_chosen = AUTO


def choose_device(name: str) -> None:
    """`auto` takes the first GPU where there is one, `cpu` none; `cuda` and `cuda:1` insist on one."""
    global _chosen  # noqa: PLW0603  a process computes on one device
    _chosen = name


def add_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the option --device, which chooses as it is read."""
    default = os.environ.get("NURIE_DEVICE", AUTO)
    parser.add_argument(
        "--device",
        type=_read,
        default=default,
        metavar="DEVICE",
        help="where networks run: auto, cpu, cuda or cuda:1 (default: NURIE_DEVICE, else auto)",
    )


def _read(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise argparse.ArgumentTypeError(f"{name!r} is none of auto, cpu, cuda, cuda:1")
    choose_device(name)
    return name


def chosen_device() -> str:
    return _chosen


def find_gpu(gpus: Sequence[Gpu]) -> Gpu | None:
    """The chosen one of a process's GPUs; None for the processor.

    Raises:
        ModelMissingError: a GPU was insisted on that is not there.
    """
    if _chosen == CPU or (_chosen == AUTO and not gpus):
        return None
    number = int(_chosen.partition(":")[2] or 0)
    if number >= len(gpus):
        raise ModelMissingError(
            f"NURIE_DEVICE={_chosen}: this process sees {len(gpus)} GPUs; is the driver there, the environment built "
            "with NURIE_ACCELERATOR=cu, and CUDA_VISIBLE_DEVICES right? NURIE_DEVICE=auto or cpu works without"
        )
    return gpus[number]
