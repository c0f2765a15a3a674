"""Reference models as bytes: safetensors that say how to build what they fill. Never a pickle."""

import hashlib
import json
import math
from dataclasses import asdict
from typing import Any, Final, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from common.errors import ModelMissingError
from common.names import TRAINING_VERSION
from workers.cgan.model import ReferenceModel
from workers.cgan.network import Generator, NetworkConfig
from workers.cgan.original import network as original
from workers.cgan.presets import Model

FORMAT: Final = "nurie-cgan"
METADATA_KEY: Final = "nurie"
DIGEST_KEY: Final = "sha256"
COLOURS_KEY: Final = "reference_colours"
MAX_WIDTH: Final = 1024
MAX_LEVELS: Final = 6
MAX_WAVES: Final = 16
DAMAGED: Final = "reference model: its weights are damaged"

Network = TypeVar("Network", bound=nn.Module)


def save_model(model: Model) -> bytes:
    """Encode a model with its configuration, its preset and the version of the training code."""
    generator = model.generator if isinstance(model, ReferenceModel) else model
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in generator.state_dict().items()}
    if isinstance(model, ReferenceModel):
        tensors[COLOURS_KEY] = torch.from_numpy(model.samples)
    about: dict[str, Any] = {
        "format": FORMAT,
        "training_version": TRAINING_VERSION,
        "preset": "default" if isinstance(model, ReferenceModel) else "original",
        "config": asdict(generator.config),
    }
    if isinstance(model, ReferenceModel):
        about["shading"] = model.shading
    about[DIGEST_KEY] = _digest(about, tensors)
    # One entry: safetensors writes several in any order, and the same model must be the same bytes.
    return safetensors.torch.save(tensors, metadata={METADATA_KEY: json.dumps(about, sort_keys=True)})


def load_model(data: bytes) -> Model:
    """Decode a model, in eval mode.

    Raises:
        ModelMissingError: the bytes are damaged, or are no reference model of this version.
    """
    metadata = _read_metadata(data)
    if metadata.get("format") != FORMAT:
        raise ModelMissingError("reference model: this file is none of ours")
    version = metadata.get("training_version")
    if version != TRAINING_VERSION:
        raise ModelMissingError(f"reference model: made by training version {version}, not {TRAINING_VERSION}")
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError) as error:
        raise ModelMissingError(f"{DAMAGED} ({type(error).__name__})") from error
    if metadata.get(DIGEST_KEY) != _digest(metadata, tensors):
        raise ModelMissingError(f"{DAMAGED} (they are not what was saved)")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ModelMissingError(f"{DAMAGED} (not all are finite numbers)")
    if metadata.get("preset") == "original":
        return _fill(original.Generator(_original_config(metadata)), tensors)
    samples = tensors.pop(COLOURS_KEY, None)
    if samples is None or samples.ndim != 2 or samples.shape[1] != 3 or not len(samples):
        raise ModelMissingError(f"{DAMAGED} (the references' colours are missing)")
    generator = _fill(Generator(_config(metadata)), tensors)
    generator = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ReferenceModel(generator, samples.float().numpy(), _shading(metadata))


def _fill(network: Network, tensors: dict[str, Tensor]) -> Network:
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, KeyError) as error:
        raise ModelMissingError(f"{DAMAGED} ({type(error).__name__})") from error
    return network.eval()


def _config(metadata: dict[str, Any]) -> NetworkConfig:
    try:
        raw = metadata["config"]
        config = NetworkConfig(tuple(map(int, raw["widths"])), int(raw["waves"]), float(raw["chroma_scale"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelMissingError("reference model: its configuration is damaged") from error
    _check_widths(config.widths)
    if not 0 <= config.waves <= MAX_WAVES or not 0 < config.chroma_scale < math.inf:
        raise ModelMissingError("reference model: its configuration is damaged")
    return config


def _shading(metadata: dict[str, Any]) -> float:
    shading = metadata.get("shading")
    if not isinstance(shading, float) or not 0 <= shading < math.inf:
        raise ModelMissingError("reference model: its shading is damaged")
    return shading


def _original_config(metadata: dict[str, Any]) -> original.OriginalConfig:
    try:
        first, second, third, fourth, fifth = map(int, metadata["config"]["widths"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelMissingError("reference model: its configuration is damaged") from error
    config = original.OriginalConfig((first, second, third, fourth, fifth))
    _check_widths(config.widths)
    return config


def _check_widths(widths: tuple[int, ...]) -> None:
    """A header must not make us build a network that fills the memory."""
    if not 1 <= len(widths) <= MAX_LEVELS or not all(1 <= width <= MAX_WIDTH for width in widths):
        raise ModelMissingError("reference model: its configuration is damaged")


def _digest(about: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """SHA-256 of what the metadata says and of the tensors: their names, types, shapes and numbers."""
    said = json.dumps({name: value for name, value in about.items() if name != DIGEST_KEY}, sort_keys=True)
    return hashlib.sha256(said.encode() + safetensors.torch.save(tensors)).hexdigest()


def _read_metadata(data: bytes) -> dict[str, Any]:
    """Ours in a safetensors header: 8 bytes of its length, little-endian, then JSON."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ModelMissingError("reference model: the file is truncated or no safetensors file")
    try:
        entries = json.loads(data[8 : 8 + length])["__metadata__"]
        metadata = json.loads(entries[METADATA_KEY])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelMissingError("reference model: its header is damaged") from error
    if not isinstance(metadata, dict):
        raise ModelMissingError("reference model: its header is damaged")
    return metadata
