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
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_CONTAINERS: Final = frozenset({"Model", "Functional", "Sequential"})
_CODE: Final = frozenset(
    {"Lambda", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"}
)
"""Layers that hold code or call it by name."""
_PLACES: Final = frozenset({"layers", "layer", "forward_layer", "backward_layer", "cell", "cells"})
"""Where a layer's config holds other layers."""


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
    for name in NETS:
        if not (folder / f"{name}.net").is_file():
            raise ModelMissingError(
                f"{folder / f'{name}.net'}: not found; Style2Paints needs {', '.join(f'{net}.net' for net in NETS)}"
            )
    tail, reader, head, neck = (load_net(folder / f"{name}.net") for name in NETS)
    _check_shapes(folder / "tail.net", tail, [3], [3])
    globals_ = _channels(reader.outputs)
    if _channels(reader.inputs) != [3] or len(globals_) < 1 or any(len(out.shape) != 4 for out in reader.outputs):
        raise _wrong(folder / "reader.net", reader, "one picture of 3 channels to feature maps")
    for name, net in (("head", head), ("neck", neck)):
        path = folder / f"{name}.net"
        if _channels(net.inputs) != [1, 3, *globals_]:
            raise _wrong(path, net, f"inputs of {[1, 3, *globals_]} channels: sketch, hints, and the reader's features")
        if len(net.outputs) < 3 or _channels(net.outputs)[2] != 3:
            raise _wrong(path, net, "three outputs, the third a picture of 3 channels")
    _check_tail(folder / "tail.net", tail)
    return OfficialNets(tail, reader, head, neck, digest_official(folder))


def load_net(path: Path) -> "tf_keras.Model":
    """Load one file, after a look at what it would build.

    Raises:
        ModelMissingError: it is no legacy Keras HDF5 file, is cut off, or holds code.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ModelMissingError(f"{path}: {path.stat().st_size} bytes are over the limit of {MAX_BYTES}")
    with path.open("rb") as file:
        if file.read(len(_HDF5)) != _HDF5:
            raise ModelMissingError(f"{path}: not an HDF5 file, which Style2Paints' .net files are")
    try:
        with h5py.File(path, "r") as file:
            _refuse_code(path, file)
            import tf_keras  # takes seconds; only where official networks are used

            return tf_keras.models.load_model(file, compile=False)
    except ModelMissingError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelMissingError(f"{path}: damaged, cut off, or no Keras network ({first_line})") from None


def _refuse_code(path: Path, file: h5py.File) -> None:
    """Raise when the file would run code, or read other files, as it is loaded."""
    raw = file.attrs.get("model_config")
    if raw is None:
        raise ModelMissingError(f"{path}: holds no network (no model_config); weights alone are not enough")
    config = json.loads(raw)
    for name, layer in _walk_layers(config):
        if name in _CODE:
            raise ModelMissingError(
                f"{path}: layer {layer!r} is a {name}, which holds code; Nurie loads no code with weights"
            )
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise ModelMissingError(f"{path}: layer {layer!r} is of the unknown kind {name!r}")
        import tf_keras

        if name not in _CONTAINERS and not hasattr(tf_keras.layers, name):
            raise ModelMissingError(f"{path}: layer {layer!r} is of the unknown kind {name!r}")
    if _holds_lambda(config):
        raise ModelMissingError(f"{path}: holds a function, which is code; Nurie loads no code with weights")
    links: list[str] = []
    file.visititems_links(lambda name, link: links.append(name) if not isinstance(link, h5py.HardLink) else None)
    if links:
        raise ModelMissingError(f"{path}: {links[0]} links to elsewhere")


def _walk_layers(config: Any) -> Iterator[tuple[Any, Any]]:
    """Class name and name of a network's config and of every layer in it, nested ones too."""
    yield config.get("class_name"), config.get("name") or config.get("config", {}).get("name")
    inner = config.get("config")
    if not isinstance(inner, dict):
        # Sequential networks of the oldest files hold a bare list.
        inner = {"layers": inner} if isinstance(inner, list) else {}
    for place in _PLACES & inner.keys():
        held = inner[place]
        for layer in held if isinstance(held, list) else [held]:
            if isinstance(layer, dict) and "class_name" in layer:
                yield from _walk_layers(layer)


def _holds_lambda(config: Any) -> bool:
    """Whether a serialised Python function lies anywhere in a config."""
    if isinstance(config, dict):
        if config.get("class_name") in ("__lambda__", "function") or config.get("function_type") == "lambda":
            return True
        return any(_holds_lambda(value) for value in config.values())
    return isinstance(config, list) and any(_holds_lambda(value) for value in config)


def _channels(tensors: Any) -> list[int | None]:
    return [tensor.shape[-1] for tensor in tensors]


def _check_shapes(path: Path, net: "tf_keras.Model", inputs: list[int], outputs: list[int]) -> None:
    if _channels(net.inputs) != inputs or _channels(net.outputs) != outputs:
        raise _wrong(path, net, f"inputs of {inputs} and outputs of {outputs} channels")


def _check_tail(path: Path, tail: "tf_keras.Model") -> None:
    """The tail doubles: n px become 2n + 2."""
    import tensorflow as tf

    made = tuple(tail(tf.zeros((1, 24, 40, 3))).shape)
    if made != (1, 50, 82, 3):
        raise ModelMissingError(f"{path}: makes {made[1]}×{made[2]} px of 24×40, not 50×82; another network's file?")


def _wrong(path: Path, net: "tf_keras.Model", right: str) -> ModelMissingError:
    return ModelMissingError(
        f"{path}: the wrong network: it has inputs of {_channels(net.inputs)} and outputs of {_channels(net.outputs)} "
        f"channels; right would be {right}"
    )
