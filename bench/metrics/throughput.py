"""How fast features of pictures are had, beside torch-fidelity's own way with the same files and the same network."""

import hashlib
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.figures import Figure
from bench.pages import read
from common.imaging import encode_image
from workers.metrics.inception import WEIGHTS, Inception, InceptionFeatures, build_network, open_inception
from workers.metrics.streaming import stream

PICTURES = 16
TURNS = 4
SIZE_PX = (512, 768)
LIBRARY_WAYS = {
    "in one batch": {"batch_size": 64, "save_cpu_ram": True},
    "in batches of 8": {"batch_size": 8, "save_cpu_ram": True},
    "of 8, with worker processes": {"batch_size": 8, "save_cpu_ram": False},
}


def measure_inception(turns: int = TURNS) -> list[Figure]:
    """Pictures a second, ours and the library's best way, turn by turn; random weights, which take the same time.

    With one thread each: several wait for each other wherever another process takes a processor, and then the figures
    are of that process.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure_ways(turns)
    finally:
        torch.set_num_threads(threads)


def _measure_ways(turns: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as temporary:
        models, pictures = Path(temporary, "models"), Path(temporary, "pictures")
        inception = open_inception(models, _write_weights(models / WEIGHTS))
        assert inception is not None
        _write_pictures(pictures)
        files = sorted(pictures.iterdir())
        ways = {"ours": lambda: _extract(inception, files), **_library_ways(models / WEIGHTS, pictures)}
        seconds = dict.fromkeys(ways, math.inf)
        for _ in range(turns):
            for way, extract in ways.items():
                started = time.monotonic()
                extract()
                seconds[way] = min(seconds[way], time.monotonic() - started)
    speeds = {way: PICTURES / least_s for way, least_s in seconds.items()}
    ours = speeds.pop("ours")
    what = "Inception's features"
    return [
        Figure(f"{what}, PNG files of {SIZE_PX[0]}×{SIZE_PX[1]} px, one thread", ours, "1/s"),
        *(Figure(f"{what}: torch-fidelity, {way}", speed, "1/s") for way, speed in speeds.items()),
        Figure(f"{what}: beside torch-fidelity's best", ours / max(speeds.values()), "×", 0.9, at_least=True),
    ]


def _extract(inception: Inception, files: list[Path]) -> None:
    features = InceptionFeatures(inception)
    for picture in stream(read, files):
        features.add(picture)
    features.flush()


def _library_ways(weights: Path, pictures: Path) -> dict[str, Callable[[], object]]:
    _stand_in_for_torchvision()
    from torch_fidelity import FeatureExtractorInceptionV3
    from torch_fidelity.utils import extract_featuresdict_from_input_id

    cuda = torch.cuda.is_available()
    network = FeatureExtractorInceptionV3("library", ["2048"], feature_extractor_weights_path=str(weights))
    network.to("cuda" if cuda else "cpu")
    # Of more worker processes than processors: the library always starts four.
    warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
    given: dict[str, Any] = {"input1": str(pictures), "cuda": cuda, "verbose": False}
    return {
        way: lambda chosen=chosen: extract_featuresdict_from_input_id(1, network, **given, **chosen)
        for way, chosen in LIBRARY_WAYS.items()
    }


def _stand_in_for_torchvision() -> None:
    """What little of torchvision the library's reading of PNG files uses; it is not installed, see requirements/."""

    class Compose:
        def __init__(self, transforms: list[Callable[[Any], Any]]) -> None:
            self.transforms = transforms

        def __call__(self, picture: Any) -> Any:
            for transform in self.transforms:
                picture = transform(picture)
            return picture

    def pil_to_tensor(picture: Image.Image) -> torch.Tensor:
        """(H, W, 3) → (3, H, W) uint8, a view, as torchvision's own gives it."""
        return torch.from_numpy(np.array(picture, copy=True)).permute(2, 0, 1)

    names = ("torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional")
    root, datasets, transforms, functional = modules = [ModuleType(name) for name in names]
    root.datasets, root.transforms, transforms.functional = datasets, transforms, functional
    datasets.CIFAR10 = datasets.CIFAR100 = datasets.STL10 = torch.utils.data.Dataset
    transforms.Compose, functional.pil_to_tensor = Compose, pil_to_tensor
    sys.modules.update(zip(names, modules, strict=True))


def _write_weights(path: Path) -> str:
    """Random weights that keep the size of what goes through; gives the start of the file's SHA-256."""
    torch.manual_seed(0)
    tensors = {}
    for name, wanted in build_network().state_dict().items():
        if name.endswith("conv.weight"):
            tensors[name] = torch.randn(wanted.shape) * math.sqrt(2 / math.prod(wanted.shape[1:]))
        elif not name.endswith("num_batches_tracked"):
            tensors[name] = torch.full(wanted.shape, float(name.endswith(("bn.weight", "running_var"))))
        else:
            tensors[name] = torch.tensor(0)
    path.parent.mkdir(parents=True)
    torch.save(tensors, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def _write_pictures(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        picture = rng.integers(0, 256, (*SIZE_PX[::-1], 3), dtype=np.uint8)
        (folder / f"{number:03}.png").write_bytes(encode_image(picture))
