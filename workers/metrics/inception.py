"""Inception's features of pictures, as the standard FID and KID have them.

InceptionV3's last pooling layer (2048 numbers a picture) with TensorFlow's weights of 2015, by torch-fidelity's
network. The weights are the user's to install; they are read as tensors and nothing else.

Source: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", section 4.
"""

import hashlib
import importlib.util
import io
import pickle
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from common.errors import ModelMissingError

# PyTorch takes seconds to import, and most of what is scored needs no Inception: it is imported where it is used.
if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS: Final = "inception/pt_inception-2015-12-05-6726825d.pth"
"""Below the folder of models. By PyTorch's custom the name ends in the start of the file's SHA-256."""
SHA256_START: Final = "6726825d"
NOT_INSTALLED: Final = f"models/{WEIGHTS} is not installed: `nurie models fetch inception`"
"""Why there is no FID and no KID, where the weights are missing."""
MAX_BYTES: Final = 256 << 20
"""The file has 95 MB."""
DIMENSIONS: Final = 2048
MAX_HELD: Final = {"cpu": 8, "cuda": 32}
"""Pictures at once. On a processor 8 are a tenth faster than 16, whose values fit its caches less; on a GPU 32 are a
quarter faster than 8."""
MAX_HELD_PIXELS: Final = {"cpu": 8_000_000, "cuda": 32_000_000}
"""Of which the network makes float32: 96 MB, and 384 MB on a GPU."""
_PICKLE_STARTS: Final = (b"PK", *(bytes([0x80, protocol]) for protocol in range(2, 6)))
"""Of a checkpoint: a zip around a pickle, or, of old versions, the bare pickle."""
_CODE_SIGNS: Final = ("Unsupported", "GLOBAL")
"""Of what PyTorch says of a pickle that asks for more than tensors."""


class Inception:
    """The network, loaded once for all pictures."""

    def __init__(self, network: "nn.Module", device: "torch.device") -> None:
        self._network = network.to(device)
        self._device = device
        self.max_held = MAX_HELD.get(device.type, MAX_HELD["cpu"])
        self.max_held_pixels = MAX_HELD_PIXELS.get(device.type, MAX_HELD_PIXELS["cpu"])

    def extract(self, pictures_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The features of pictures (n, H, W, 3) uint8 RGB, at full size: (n, 2048) float32.

        The network resizes them to 299×299 itself, bilinear as TensorFlow 1 did it, and that is part of the standard.
        """
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(pictures_rgb).to(self._device).permute(0, 3, 1, 2)
            (features,) = self._network(batch)
        return np.asarray(features.cpu().numpy(), dtype=np.float32)


class InceptionFeatures:
    """The features of one set of pictures that come one after the other, in any sizes.

    Pictures of one size go through the network together. At most `MAX_HELD` of the device are held, and no more of
    them than its `MAX_HELD_PIXELS` allow, or a single larger one.
    """

    def __init__(self, inception: Inception) -> None:
        self._inception = inception
        self._held: dict[tuple[int, ...], list[NDArray[np.uint8]]] = {}
        self._held_pictures = self._held_pixels = 0

    def add(self, picture_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Add a picture, (H, W, 3) uint8 RGB.

        Returns:
            (n, 2048) float32, n ≥ 0: what is ready by now, pictures of one size together, not in the order they came.
        """
        height, width = picture_rgb.shape[:2]
        ready = []
        if self._held_pixels + height * width > self._inception.max_held_pixels:
            ready.append(self.flush())
        self._held.setdefault(picture_rgb.shape, []).append(picture_rgb)
        self._held_pictures += 1
        self._held_pixels += height * width
        if self._held_pictures == self._inception.max_held:
            ready.append(self.flush())
        return np.concatenate(ready) if ready else np.zeros((0, DIMENSIONS), np.float32)

    def flush(self) -> NDArray[np.float32]:
        """The features of the pictures that are still held, (n, 2048) float32, n ≥ 0: to be called after the last."""
        features = [self._inception.extract(np.stack(pictures)) for pictures in self._held.values()]
        self._held.clear()
        self._held_pictures = self._held_pixels = 0
        return np.concatenate(features) if features else np.zeros((0, DIMENSIONS), np.float32)


def open_inception(models: Path, sha256_start: str = SHA256_START) -> Inception | None:
    """Load the network, onto the GPU where there is one.

    Args:
        models: the folder of models.
        sha256_start: hexadecimal; of another file than the standard's, figures could not be compared with anybody's.

    Returns:
        None where the weights are not installed; `NOT_INSTALLED` says so.

    Raises:
        ModelMissingError: names the file and what is wrong with it: another's, cut off, with code in it, or the first
            key that does not fit.
    """
    path = models / WEIGHTS
    if not path.is_file():
        return None
    from workers.devices import pick_device

    network = build_network()
    tensors = _check_tensors(_read_checkpoint(path, sha256_start), network.state_dict(), path)
    network.load_state_dict(tensors, assign=True)
    return Inception(network.requires_grad_(False).eval(), pick_device())


def build_network() -> "nn.Module":
    """torch-fidelity's network, without values: on PyTorch's device `meta`.

    Its constructor always unpickles a file of weights, code included, or downloads one. It is given an empty one of our
    own, and what it then fills in is left out.
    """
    import torch

    class UnfilledExtractor(_import_extractor()):  # type: ignore[misc]
        def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
            return super().load_state_dict(state_dict, *args, **options) if state_dict else None

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with torch.device("meta"):
        network: nn.Module = UnfilledExtractor("inception", [str(DIMENSIONS)], feature_extractor_weights_path=empty)
    return network


def _import_extractor() -> Any:
    """torch-fidelity's class, by its own file and not by the package's start.

    That start imports every network of the package, and with some of them torchvision, which is not installed: its
    wheel cannot be imported beside a torch of another build. A package in name only takes its place meanwhile.
    """
    if "torch_fidelity" in sys.modules:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    else:
        found = importlib.util.find_spec("torch_fidelity")
        assert found is not None, "torch-fidelity is in requirements/metrics.txt"
        sys.modules["torch_fidelity"] = importlib.util.module_from_spec(found)
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        finally:
            del sys.modules["torch_fidelity"]
    return FeatureExtractorInceptionV3


def _read_checkpoint(path: Path, sha256_start: str) -> Mapping[str, Any]:
    """The file's dict. Read once: what is unpickled is what was checked."""
    import torch

    if path.stat().st_size > MAX_BYTES:
        raise ModelMissingError(f"{path}: {path.stat().st_size} bytes are over the limit of {MAX_BYTES}")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(sha256_start):
        raise ModelMissingError(f"{path}: its SHA-256 is {digest}, and must start with {sha256_start}: fetch it anew")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles in another protocol, which PyTorch writes none of
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises whatever a damaged file makes it stumble over
        asks_for_more = isinstance(error, pickle.UnpicklingError) and any(sign in str(error) for sign in _CODE_SIGNS)
        if asks_for_more and data[:2] in _PICKLE_STARTS:
            raise ModelMissingError(f"{path}: holds code or objects besides tensors; Nurie loads none") from error
        raise ModelMissingError(f"{path}: damaged, cut off, or no PyTorch checkpoint") from error
    if not isinstance(loaded, dict):
        raise ModelMissingError(f"{path}: holds a {type(loaded).__name__}, not a dict of tensors")
    return loaded


def _check_tensors(
    found: Mapping[str, Any], wanted: Mapping[str, "torch.Tensor"], path: Path
) -> dict[str, "torch.Tensor"]:
    """The tensors, each of the wanted name, shape and kind."""
    import torch

    tensors = {}
    for name in [*wanted, *(name for name in found if name not in wanted)]:
        if name not in wanted:
            raise ModelMissingError(f"{path}: unknown key {str(name)[:200]}")
        if name.endswith(".num_batches_tracked"):
            tensors[name] = torch.tensor(0)  # only training counts them, and old versions of PyTorch did not write them
            continue
        if name not in found:
            raise ModelMissingError(f"{path}: key {name} is missing")
        tensor, right = found[name], tuple(wanted[name].shape)
        if not isinstance(tensor, torch.Tensor):
            raise ModelMissingError(f"{path}: {name} is no tensor")
        if tensor.layout != torch.strided or tensor.dtype != torch.float32:
            raise ModelMissingError(f"{path}: {name} holds {tensor.dtype} ({tensor.layout}), not float32")
        if tensor.shape != right:
            raise ModelMissingError(f"{path}: {name} is {tuple(tensor.shape)}, not {right}: another network's")
        tensors[name] = tensor
    return tensors
