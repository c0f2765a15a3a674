"""The official networks' files: legacy Keras HDF5, installed by the user, trusted with nothing but numbers."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h5py

from common.errors import ModelMissingError

if TYPE_CHECKING:
    import tf_keras

NETS: Final = ("tail", "reader", "head", "neck")
MAX_BYTES: Final = 2 << 30
"""Of a file, and of all its numbers unpacked."""
MAX_CHANNELS: Final = 1 << 16
"""Of a layer: more would ask for memory before a number is read."""
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_LAYERS: Final = frozenset(
    {
        "Model",
        "Functional",
        "Sequential",
        "InputLayer",
        "Dense",
        "Reshape",
        "Flatten",
        "Permute",
        "RepeatVector",
        "Dropout",
        "SpatialDropout2D",
        "Conv2D",
        "Conv2DTranspose",
        "SeparableConv2D",
        "DepthwiseConv2D",
        "BatchNormalization",
        "LayerNormalization",
        "Activation",
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "Add",
        "Subtract",
        "Multiply",
        "Average",
        "Maximum",
        "Minimum",
        "Concatenate",
        "Rescaling",
        "GaussianNoise",
        "MaxPooling2D",
        "AveragePooling2D",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "UpSampling2D",
        "ZeroPadding2D",
        "Cropping2D",
    }
)
"""The layers of networks that turn pictures into pictures; none of them holds code."""
_PARTS: Final = frozenset(
    {
        "Zeros",
        "Ones",
        "Constant",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "GlorotUniform",
        "GlorotNormal",
        "HeUniform",
        "HeNormal",
        "LecunUniform",
        "LecunNormal",
        "Orthogonal",
        "Identity",
        "L1",
        "L2",
        "L1L2",
        "MaxNorm",
        "MinMaxNorm",
        "NonNeg",
        "UnitNorm",
    }
)
"""Initializers, regularizers and constraints."""


@dataclass(frozen=True)
class OfficialNets:
    """The four networks of Style2Paints V4.5, checked to fit each other.

    Attributes:
        digest: SHA-256 over the four files.
    """

    tail: "tf_keras.Model"
    reader: "tf_keras.Model"
    head: "tf_keras.Model"
    neck: "tf_keras.Model"
    digest: str


def find_official(folder: Path) -> bool:
    """Whether a folder holds official networks.

    Raises:
        ModelMissingError: it holds some of the four, but not all.
    """
    there = [name for name in NETS if (folder / f"{name}.net").is_file()]
    if there and (missing := [f"{name}.net" for name in NETS if name not in there]):
        raise ModelMissingError(f"{folder}: {', '.join(missing)} not found beside {there[0]}.net")
    return bool(there)


def digest_official(folder: Path) -> str:
    """SHA-256 over the four files, read in pieces."""
    digest = hashlib.sha256()
    for name in NETS:
        with (folder / f"{name}.net").open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def load_official(folder: Path) -> OfficialNets:
    """Load and check all four networks.

    Raises:
        ModelMissingError: names the file, what is wrong with it and what would be right.
    """
    tail, reader, head, neck = (load_net(folder / f"{name}.net") for name in NETS)
    nets = OfficialNets(tail, reader, head, neck, digest_official(folder))
    check_official(folder, nets)
    return nets


def load_net(path: Path) -> "tf_keras.Model":
    """Load one file, after a look at what it would build.

    Raises:
        ModelMissingError: it is not there, is no legacy Keras HDF5 file, is cut off, or holds code.
    """
    if not path.is_file():
        raise ModelMissingError(f"{path}: not found; Style2Paints needs {', '.join(f'{net}.net' for net in NETS)}")
    if path.stat().st_size > MAX_BYTES:
        raise ModelMissingError(f"{path}: {path.stat().st_size} bytes are over the limit of {MAX_BYTES}")
    with path.open("rb") as file:
        if file.read(len(_HDF5)) != _HDF5:
            raise ModelMissingError(f"{path}: not an HDF5 file, which Style2Paints' .net files are")
    try:
        with h5py.File(path, "r") as file:
            _check_contents(path, file)
            _check_config(path, file)
            import tf_keras  # takes seconds; only where official networks are used
            from tf_keras.src.saving.serialization_lib import SafeModeScope

            with SafeModeScope(True):  # a second fence behind our own
                return tf_keras.models.load_model(file, compile=False)
    except ModelMissingError:
        raise
    except Exception as error:  # Keras raises whatever a damaged file makes it stumble over
        raise ModelMissingError(f"{path}: damaged, cut off, or no Keras network ({_first_line(error)})") from error


def check_official(folder: Path, nets: OfficialNets) -> None:
    """Check that channels and outputs fit, then run each network once on a small picture.

    Raises:
        ModelMissingError: names the first file that does not fit, and what would be right.
    """
    features = _channels(nets.reader.outputs)
    painter = f"inputs of {[1, 3, *features]} channels: sketch, hints, the reader's features"
    needs: dict[str, tuple[list[int | None], list[int | None], str]] = {
        "tail": ([3], [3], "a picture of 3 channels to one of 3"),
        "reader": ([3], features, "a picture of 3 channels to feature maps"),
        "head": ([1, 3, *features], [], painter),
        "neck": ([1, 3, *features], [], painter),
    }
    for name, (inputs, outputs, right) in needs.items():
        net = getattr(nets, name)
        found = _channels(net.outputs)
        has_picture = len(found) >= 3 and found[2] == 3
        if _channels(net.inputs) != inputs or (found != outputs if outputs else not has_picture):
            extra = "" if outputs else ", and three outputs, the third of 3 channels"
            raise ModelMissingError(
                f"{folder / name}.net: the wrong network: it has inputs of {_channels(net.inputs)} and outputs of "
                f"{found} channels; right would be {right}{extra}"
            )
    _try_out(folder, nets)


def _try_out(folder: Path, nets: OfficialNets) -> None:
    import tensorflow as tf

    picture = tf.zeros((1, 64, 128, 3))
    made: dict[str, Any] = {}
    for name in NETS:
        try:
            if name in ("tail", "reader"):
                made[name] = tf.nest.flatten(getattr(nets, name)(picture, training=False))
            else:
                means = [tf.reduce_mean(feature, axis=[1, 2]) for feature in made["reader"]]
                made[name] = getattr(nets, name)([picture[..., :1], picture, *means], training=False)
        except Exception as error:
            raise ModelMissingError(f"{folder / name}.net: does not run on 128×64 px ({_first_line(error)})") from error
    shape = tuple(made["tail"][0].shape)
    if shape != (1, 130, 258, 3):
        raise ModelMissingError(f"{folder / 'tail'}.net: makes {shape} of 128×64 px, not 258×130; another network's?")
    for name in ("head", "neck"):
        shape = tuple(made[name][2].shape)
        if len(shape) != 4:
            raise ModelMissingError(f"{folder / name}.net: its third output is of shape {shape}, no picture")


def _check_contents(path: Path, file: h5py.File) -> None:
    """Refuse links to elsewhere, data that lie in other files, and more numbers than memory should hold."""
    links: list[str] = []
    file.visititems_links(lambda name, link: links.append(name) if not isinstance(link, h5py.HardLink) else None)
    if links:
        raise ModelMissingError(f"{path}: {links[0]} links to elsewhere")
    total = 0

    def look(name: str, item: h5py.Dataset | h5py.Group) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ModelMissingError(f"{path}: {name} lies in another file")
            total += item.nbytes

    file.visititems(look)
    if total > MAX_BYTES:
        raise ModelMissingError(f"{path}: {total} bytes unpacked are over the limit of {MAX_BYTES}")


def _check_config(path: Path, file: h5py.File) -> None:
    """Refuse a network with anything in it that could be code: only known layers and their parts, and plain values."""
    raw = file.attrs.get("model_config")
    if raw is None:
        raise ModelMissingError(f"{path}: holds no network (no model_config); weights alone are not enough")
    config = json.loads(raw)
    if not isinstance(config, dict) or config.get("class_name") not in ("Model", "Functional", "Sequential"):
        raise ModelMissingError(f"{path}: its model_config is no network")
    for entry in _walk(config):
        name = entry.get("name") or (entry.get("config") or {}).get("name") if "class_name" in entry else None
        kind = entry.get("class_name")
        if kind in ("Lambda", "TFOpLambda", "SlicingOpLambda"):
            raise ModelMissingError(f"{path}: layer {name!r} is a {kind}, which holds code; Nurie loads no code")
        if "class_name" in entry and kind not in _LAYERS | _PARTS:
            raise ModelMissingError(f"{path}: layer {name!r} is of the unknown kind {kind!r}")
        module = entry.get("module")
        is_code = "__passive_serialization__" in entry or any(
            key.endswith("_type") and value in ("lambda", "function") for key, value in entry.items()
        )
        if is_code or (module is not None and str(module).split(".")[0] not in ("keras", "tf_keras")):
            raise ModelMissingError(f"{path}: its model_config holds a function, which is code; Nurie loads no code")
        for key in ("units", "filters"):
            if isinstance(entry.get(key), int | float) and entry[key] > MAX_CHANNELS:
                raise ModelMissingError(f"{path}: {key} of {entry[key]} are over the limit of {MAX_CHANNELS}")


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict in a JSON value, at any depth and under any key."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _channels(tensors: Any) -> list[int | None]:
    return [tensor.shape[-1] if tensor.shape.rank else None for tensor in tensors]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
