"""Reference models as bytes: safetensors that say how to build what they fill. Never a pickle."""

import json
from typing import Any, Final

import safetensors
import safetensors.torch
import torch

from common.errors import ModelMissingError
from common.names import TRAINING_VERSION
from workers.cgan.network import Generator, NetworkConfig

FORMAT: Final = "nurie-cgan"
METADATA_KEY: Final = "nurie"
MAX_WIDTH: Final = 1024
MAX_LEVELS: Final = 6
MAX_WAVES: Final = 16


def save_model(generator: Generator) -> bytes:
    """Encode a generator with its configuration and the version of the training code."""
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in generator.state_dict().items()}
    about = {"format": FORMAT, "training_version": TRAINING_VERSION, "config": generator.config.to_dict()}
    # One entry: safetensors writes several in any order, and the same model must be the same bytes.
    return safetensors.torch.save(tensors, metadata={METADATA_KEY: json.dumps(about, sort_keys=True)})


def load_model(data: bytes) -> Generator:
    """Decode a generator, in eval mode.

    Raises:
        ModelMissingError: the bytes are damaged, or are no reference model of this version.
    """
    config = _read_config(data)
    try:
        tensors = safetensors.torch.load(data)
        generator = Generator(config)
        generator.load_state_dict(tensors)
    except (safetensors.SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise ModelMissingError(f"reference model: its weights are damaged ({type(error).__name__})") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ModelMissingError("reference model: its weights are damaged (not all are finite numbers)")
    return generator.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def _read_config(data: bytes) -> NetworkConfig:
    """The configuration in a safetensors header: 8 bytes of its length, little-endian, then JSON."""
    metadata = _read_metadata(data)
    if metadata.get("format") != FORMAT:
        raise ModelMissingError("reference model: this file is none of ours")
    version = metadata.get("training_version")
    if version != TRAINING_VERSION:
        raise ModelMissingError(f"reference model: made by training version {version}, not {TRAINING_VERSION}")
    try:
        raw = metadata["config"]
        widths = tuple(int(width) for width in raw["widths"])
        config = NetworkConfig(widths, int(raw["waves"]), float(raw["chroma_scale"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelMissingError("reference model: its configuration is damaged") from error
    if not 1 <= len(config.widths) <= MAX_LEVELS or not all(1 <= width <= MAX_WIDTH for width in config.widths):
        raise ModelMissingError("reference model: its configuration is damaged")
    if not 0 <= config.waves <= MAX_WAVES:
        raise ModelMissingError("reference model: its configuration is damaged")
    return config


def _read_metadata(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ModelMissingError("reference model: the file is truncated or no safetensors file")
    try:
        entries = json.loads(data[8 : 8 + length])["__metadata__"]
        metadata = json.loads(entries[METADATA_KEY])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelMissingError("reference model: its header is damaged") from error
    if not isinstance(metadata, dict):
        raise ModelMissingError("reference model: its header is damaged")
    return metadata
