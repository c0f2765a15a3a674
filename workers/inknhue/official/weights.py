"""The official checkpoints, installed by the user: read as tensors and nothing else."""

import contextlib
import hashlib
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from common.errors import ModelMissingError
from workers.inknhue.network import Autoencoder, AutoencoderConfig
from workers.inknhue.official.shader_network import ShadingGenerator
from workers.inknhue.weights import CONDITIONAL, FIRST_STAGE, SHADER, fill_network

MAX_BYTES: Final = 4 << 30
_FIRST_STAGE_PARTS: Final = ("encoder.", "quant_conv.", "post_quant_conv.")
_PICKLE_STARTS: Final = (b"PK", *(bytes([0x80, protocol]) for protocol in range(2, 6)))
"""Of a checkpoint: a zip around a pickle, or, of old versions, the bare pickle."""
_SHADER_PREFIX: Final = "generator."
"""Of every key, in files that were written from the whole of what the shader's family trains."""
_UNUSED_PARTS: Final = ("decoder.", "loss.", "model_ema.")
"""Of the first stage's file: what the conditional decoder takes the place of, and what only training needed."""


def load_autoencoder(folder: Path, config: AutoencoderConfig | None = None) -> Autoencoder:
    """The official autoencoder, in eval mode, in float32.

    Args:
        folder: holds `FIRST_STAGE` and `CONDITIONAL`.
        config: the official one unless given.

    Raises:
        ModelMissingError: names the file and what is wrong with it: not there, cut off, with code in it, or the first
            key that does not fit.
    """
    with torch.device("meta"):
        network = Autoencoder(config or AutoencoderConfig())
    network = network.to_empty(device="cpu")
    first = _take(folder / FIRST_STAGE, "state_dict")
    known = {str(name): tensor for name, tensor in first.items() if not str(name).startswith(_UNUSED_PARTS)}
    for name in known:
        if not name.startswith(_FIRST_STAGE_PARTS):
            raise ModelMissingError(f"{folder / FIRST_STAGE}: unknown key {name}")
    for part in _FIRST_STAGE_PARTS:
        tensors = {name.removeprefix(part): tensor for name, tensor in known.items() if name.startswith(part)}
        fill_network(network.get_submodule(part[:-1]), tensors, f"{folder / FIRST_STAGE}: {part[:-1]}")
    del first, known
    for part in ("cond_encoder", "cond_decoder"):
        its_own = _take(folder / CONDITIONAL, f"{part}_state_dict")
        fill_network(network.get_submodule(part), its_own, f"{folder / CONDITIONAL}: {part}")
    return network.eval()


def load_shader(folder: Path) -> ShadingGenerator | None:
    """The official shader, in eval mode; None where its file is not there.

    Raises:
        ModelMissingError: as `load_autoencoder`.
    """
    if not (folder / SHADER).is_file():
        return None
    with torch.device("meta"):
        network = ShadingGenerator()
    network = network.to_empty(device="cpu")
    tensors: Mapping[str, Any] = read_checkpoint(folder / SHADER)
    if all(str(name).startswith(_SHADER_PREFIX) for name in tensors):
        tensors = {name.removeprefix(_SHADER_PREFIX): tensor for name, tensor in tensors.items()}
    fill_network(network, tensors, str(folder / SHADER))
    return network.eval()


def digest_official(folder: Path) -> str:
    """SHA-256 over the files that are there, read in pieces."""
    digest = hashlib.sha256()
    for name in (FIRST_STAGE, CONDITIONAL, SHADER):
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """A checkpoint's dict.

    Raises:
        ModelMissingError: it is not there, too large, cut off, no checkpoint, or a pickle with code in it.
    """
    if not path.is_file():
        raise ModelMissingError(f"{path}: not found")
    size = _unpacked_bytes(path)
    if size > MAX_BYTES:
        raise ModelMissingError(f"{path}: {size} bytes are over the limit of {MAX_BYTES}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles in another protocol, which PyTorch writes none of
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        with path.open("rb") as file:
            is_pickle = file.read(2) in _PICKLE_STARTS
        if is_pickle and ("Unsupported" in str(error) or "GLOBAL" in str(error)):
            raise ModelMissingError(f"{path}: holds code or objects besides tensors; Nurie loads none") from error
        raise ModelMissingError(f"{path}: damaged, cut off, or no PyTorch checkpoint") from error
    except Exception as error:  # PyTorch raises whatever a damaged file makes it stumble over
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelMissingError(f"{path}: damaged, cut off, or no PyTorch checkpoint ({reason})") from error
    if not isinstance(loaded, dict):
        raise ModelMissingError(f"{path}: holds a {type(loaded).__name__}, not a dict of tensors")
    return loaded


def _unpacked_bytes(path: Path) -> int:
    """Of a zip what is packed in it: PyTorch packs nothing, others might."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        # A damaged one PyTorch will name.
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as file:
            size = max(size, sum(entry.file_size for entry in file.infolist()))
    return size


def _take(path: Path, key: str) -> Mapping[str, Any]:
    found = read_checkpoint(path).get(key)
    if not isinstance(found, Mapping):
        raise ModelMissingError(f"{path}: key {key} is missing, or holds no tensors")
    return found
