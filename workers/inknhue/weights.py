"""Weights of the embedded autoencoder, and which weights there are."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from common.errors import ModelMissingError

if TYPE_CHECKING:
    from torch import nn

    from workers.inknhue.network import Autoencoder

EMBEDDED: Final = Path(__file__).parent / "weights" / "embedded.safetensors"
EMBEDDED_SIZES: Final[dict[str, Any]] = {
    "channels": 16,
    "multipliers": (1, 2, 4),
    "blocks": 1,
    "z_channels": 16,
    "embed_channels": 16,
    "groups": 8,
    "attention_side": 48,
}
"""Of the embedded network's `AutoencoderConfig`."""
EMBEDDED_STRIDE: Final[int] = 2 ** (len(EMBEDDED_SIZES["multipliers"]) - 1)
FIRST_STAGE: Final = "pretrained_nets/kl-f8.ckpt"
CONDITIONAL: Final = "conditional_nets/model_epoch000019.ckpt"
SHADER: Final = "pretrained_nets/shader.ckpt"


def build_embedded() -> "Autoencoder":
    """The embedded network, not trained."""
    from workers.inknhue.network import Autoencoder, AutoencoderConfig

    return Autoencoder(AutoencoderConfig(**EMBEDDED_SIZES))


def save_weights(network: "nn.Module", path: Path) -> None:
    """Write a network's weights as float16, by their names."""
    from safetensors.torch import save_file

    save_file({name: tensor.half().contiguous().cpu() for name, tensor in network.state_dict().items()}, path)


def load_embedded(path: Path = EMBEDDED) -> "Autoencoder":
    """The embedded network with its weights, in eval mode.

    Raises:
        ModelMissingError: the file is not there, is no safetensors file, or is of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(path.read_bytes())
    except FileNotFoundError:
        raise ModelMissingError(f"{path}: not found") from None
    except SafetensorError as error:
        raise ModelMissingError(f"{path}: not a safetensors file ({error})") from None
    network = build_embedded()
    fill_network(network, tensors, str(path))
    return network.eval()


def fill_network(network: "nn.Module", tensors: Mapping[str, Any], where: str) -> None:
    """Fill a network with tensors, all of them.

    Raises:
        ModelMissingError: names the first key that is missing, unknown, no tensor or of another shape.
    """
    import torch

    wanted = network.state_dict()
    for name in [*wanted, *(name for name in tensors if name not in wanted)]:
        if name not in wanted:
            raise ModelMissingError(f"{where}: unknown key {str(name)[:200]}")
        if name not in tensors:
            raise ModelMissingError(f"{where}: key {name} is missing")
        if not isinstance(tensors[name], torch.Tensor):
            raise ModelMissingError(f"{where}: {name} is no tensor")
        if (
            tensors[name].layout != torch.strided
            or not tensors[name].is_floating_point() == wanted[name].is_floating_point()
        ):
            raise ModelMissingError(f"{where}: {name} holds {tensors[name].dtype} ({tensors[name].layout})")
        if tensors[name].shape != wanted[name].shape:
            found, right = (tuple(shape) for shape in (tensors[name].shape, wanted[name].shape))
            raise ModelMissingError(f"{where}: {name} is {found}, not {right}: another network's")
    network.load_state_dict(tensors)


def find_official(folder: Path) -> bool:
    """Whether a folder holds the official autoencoder.

    Raises:
        ModelMissingError: it holds one of its two files, but not the other.
    """
    there = [name for name in (FIRST_STAGE, CONDITIONAL) if (folder / name).is_file()]
    if there and (missing := {FIRST_STAGE, CONDITIONAL} - set(there)):
        raise ModelMissingError(f"{folder}: {missing.pop()} not found beside {there[0]}")
    return bool(there)


@lru_cache(maxsize=1)
def embedded_digest() -> str:
    """SHA-256 of the embedded weights."""
    return hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()


def label_embedded() -> str:
    """What the record calls our own network."""
    return f"embedded ({embedded_digest()[:12]})"


def label_official(digest: str) -> str:
    """What the record calls official networks of this SHA-256."""
    return f"inkn'hue ({digest[:12]})"
