"""Weights of the embedded network: one safetensors file, read and checked against the network that it is for."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from common.errors import ModelMissingError

if TYPE_CHECKING:
    import keras

EMBEDDED: Final = Path(__file__).parent / "weights" / "embedded.safetensors"


def save_weights(model: "keras.Model", path: Path) -> None:
    """Write a network's weights as float16, by the paths of its variables."""
    save_file({variable.path: np.asarray(variable.numpy(), dtype=np.float16) for variable in model.variables}, path)


def load_weights(model: "keras.Model", path: Path) -> None:
    """Fill a network with weights, all of them.

    Raises:
        ModelMissingError: the file is not there, is no safetensors file, or is of another network; it names the first
            tensor that is missing, unknown or of another shape.
    """
    try:
        tensors = load(path.read_bytes())
    except FileNotFoundError:
        raise ModelMissingError(f"{path}: not found") from None
    except SafetensorError as error:
        raise ModelMissingError(f"{path}: not a safetensors file ({error})") from None
    wanted = {variable.path: variable for variable in model.variables}
    if differing := sorted(wanted.keys() ^ tensors.keys()):
        raise ModelMissingError(f"{path}: {'no' if differing[0] in wanted else 'unknown'} tensor {differing[0]}")
    for name, variable in wanted.items():
        if tensors[name].shape != tuple(variable.shape):
            raise ModelMissingError(f"{path}: {name} is {tensors[name].shape}, not {tuple(variable.shape)}")
        variable.assign(tensors[name].astype(np.float32))


@lru_cache(maxsize=1)
def embedded_digest() -> str:
    """SHA-256 of the embedded weights."""
    return hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()
