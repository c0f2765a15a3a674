"""Pictures from outside, read with limits; pictures of ours, written. Pure: bytes in, arrays out."""

import io
import re
import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from common.errors import BadImageError, TooLargeError

READ_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
READ_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
MEDIA_TYPES: Final = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
MAX_SIDE_PX: Final = {"jpeg": 65_500, "webp": 16_383}
"""The longest side that a format can hold; PNG has no limit that a page could reach."""
PNG_END: Final = b"IEND\xaeB`\x82"
"""The last chunk of every PNG; Pillow does not miss it when all pixels are there."""
COLOUR_CHROMA: Final = 12.0
"""A pixel counts as coloured when its channels lie further apart than this, of 255: JPEG noise on grey stays below."""
MAX_SHEET_TINT: Final = 0.25
"""The most that paper yellowed by age leans to a colour, as a share of its brightness; beyond, the page is coloured."""
COLOUR_SHARE: Final = 0.01
"""A page is in colour when more than this share of its pixels is coloured: a small stamp is not enough."""


@dataclass(frozen=True)
class ImageLimits:
    """Where reading stops. A limit of pixels bounds memory before a single pixel is decoded."""

    max_pixels: int = 100_000_000
    max_bytes: int = 200_000_000


@dataclass(frozen=True)
class ImageHeader:
    """What a picture's header says; width and height in pixels as stored, before EXIF orientation."""

    format: str
    width: int
    height: int


def read_header(data: bytes, name: str, limits: ImageLimits | None = None) -> ImageHeader:
    """Check a picture by its header alone.

    Args:
        data: the file's bytes.
        name: what errors call it.
        limits: what is too large; the defaults of `ImageLimits` when None.

    Raises:
        BadImageError: empty, no picture, or a format outside `READ_FORMATS`.
        TooLargeError: more bytes or pixels than the limits.
    """
    with _open(data, name, limits or ImageLimits()) as image:
        return _header(image)


def check_image(data: bytes, name: str, limits: ImageLimits | None = None) -> ImageHeader:
    """Check a picture whole, by decoding it: header, limits, and that no data is missing.

    Raises:
        BadImageError: as `read_header`, and when the data is truncated or damaged.
        TooLargeError: more bytes or pixels than the limits.
    """
    limits = limits or ImageLimits()
    with _open(data, name, limits) as image:
        _load(image, data, name, limits)
        return _header(image)


def decode_image(data: bytes, name: str, limits: ImageLimits | None = None) -> NDArray[np.uint8]:
    """Decode a picture from outside to RGB.

    EXIF orientation is applied, alpha is laid over white, 16-bit samples are scaled to 8, palettes are resolved, and of
    an animation the first frame is taken.

    Args:
        data: the file's bytes.
        name: what errors call it.
        limits: what is too large; the defaults of `ImageLimits` when None.

    Returns:
        (H, W, 3) uint8, RGB, 0..255.

    Raises:
        BadImageError: empty, no picture, truncated, damaged, or a format outside `READ_FORMATS`.
        TooLargeError: more bytes or pixels than the limits.
    """
    limits = limits or ImageLimits()
    with _open(data, name, limits) as image:
        _load(image, data, name, limits)
        try:
            upright = ImageOps.exif_transpose(image) or image
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  Pillow raises many kinds on damaged EXIF; the pixels are good without it
            upright = image
        try:
            return np.asarray(_to_rgb(upright), dtype=np.uint8)
        except ValueError as error:  # a colour model that Pillow reads and cannot convert
            raise BadImageError(f"{name}: its colours ({upright.mode}) cannot be read as RGB") from error


def encode_image(rgb: NDArray[np.uint8], picture_format: str = "png") -> bytes:
    """Encode RGB (H, W, 3) or grey (H, W), uint8 or (png only) uint16.

    The formats are png, jpeg (quality 95, 4:4:4) and webp (quality 92).

    Raises:
        TooLargeError: a side is longer than the format can hold.
    """
    longest, limit = max(rgb.shape[:2]), MAX_SIDE_PX.get(picture_format)
    if limit and longest > limit:
        size = f"{rgb.shape[1]}×{rgb.shape[0]} px"
        raise TooLargeError(f"{size} is over the limit of {limit} px a side of {picture_format}: take png")
    options: dict[str, dict[str, object]] = {
        "png": {"compress_level": 3},
        "jpeg": {"quality": 95, "subsampling": 0},
        "webp": {"quality": 92, "method": 2},
    }
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format=picture_format.upper(), **options[picture_format])
    return buffer.getvalue()


def is_coloured(rgb: NDArray[np.uint8]) -> bool:
    """Whether a page (H, W, 3) uint8 is in colour already, judged on at most about 0.06 megapixels of it."""
    step = max(1, int((rgb.shape[0] * rgb.shape[1] / 60_000) ** 0.5))
    sample = rgb[::step, ::step].reshape(-1, 3).astype(np.float32)
    brightness = sample.mean(axis=1, keepdims=True)
    spread = sample - brightness
    # A sheet yellowed by age is grey in another tint, which fades towards black: what counts is how far pixels lie from
    # the tint of the page's bright parts, at their own brightness.
    bright = brightness[:, 0] > 64
    tint = np.median((spread / np.maximum(brightness, 1))[bright], axis=0) if bright.any() else np.zeros(3)
    chroma = np.abs(spread - np.clip(tint, -MAX_SHEET_TINT, MAX_SHEET_TINT) * brightness).max(axis=1)
    return float((chroma > COLOUR_CHROMA).mean()) > COLOUR_SHARE


def _open(data: bytes, name: str, limits: ImageLimits) -> Image.Image:
    if not data:
        raise BadImageError(f"{name}: the file is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise TooLargeError(f"{name}: {len(data)} bytes is over the limit of {limits.max_bytes} bytes")
    try:
        with warnings.catch_warnings():
            # Our own limit below replaces Pillow's warning about decompression bombs; its error, at 178 megapixels,
            # stays: it strikes before WebP's decoder and TIFF's tiles take their memory.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=READ_FORMATS)
    except Image.DecompressionBombError as error:
        raise _bomb(error, name, limits) from None
    except UnidentifiedImageError:
        raise BadImageError(f"{name}: not a picture that we read ({', '.join(READ_FORMATS).lower()})") from None
    except Exception as error:  # Pillow's readers raise many kinds on hostile headers
        raise BadImageError(f"{name}: its header cannot be read ({type(error).__name__})") from error
    if image.width * image.height > limits.max_pixels:
        image.close()
        size = f"{image.width}×{image.height} px"
        raise TooLargeError(f"{name}: {size} is over the limit of {limits.max_pixels / 1e6:g} megapixels")
    return image


def _load(image: Image.Image, data: bytes, name: str, limits: ImageLimits) -> None:
    # The process-wide switch that would let truncated files through must be off.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if image.format == "PNG" and PNG_END not in data:
        raise BadImageError(f"{name}: truncated (it has no end)")
    try:
        image.load()
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:  # of a tile or a frame that is larger than the picture
        raise _bomb(error, name, limits) from None
    except Exception as error:  # Pillow's decoders raise many kinds on damaged data
        raise BadImageError(f"{name}: truncated or damaged ({error})") from error


def _bomb(error: Image.DecompressionBombError, name: str, limits: ImageLimits) -> TooLargeError:
    claimed = re.search(r"\((\d+) pixels\)", str(error))
    size = f"{int(claimed[1]) / 1e6:.0f} megapixels, which its header claims," if claimed else "its header's claim"
    return TooLargeError(f"{name}: {size} is over the limit of {limits.max_pixels / 1e6:g} megapixels")


def _header(image: Image.Image) -> ImageHeader:
    # A JPEG with further pictures behind the first, as cameras write it, is MPO to Pillow.
    return ImageHeader("JPEG" if image.format == "MPO" else str(image.format), image.width, image.height)


def _to_rgb(image: Image.Image) -> Image.Image:
    transparent = image.info.get("transparency")
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        samples = np.asarray(image)
        grey = _scale_deep_grey(samples)
        if isinstance(transparent, int):
            grey[samples == transparent] = 255
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "P" or transparent is not None:
        image = image.convert("RGBA")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _scale_deep_grey(samples: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale 16-bit (0..65535) or float grey (0..1, or as far as it goes) to 0..255."""
    if samples.dtype.kind == "f":
        values = samples.astype(np.float32)
        top = max(1.0, float(values[np.isfinite(values)].max(initial=0)))
        values = np.nan_to_num(values, nan=0, posinf=top, neginf=0)
        return np.asarray(np.clip(values / top * 255 + 0.5, 0, 255), dtype=np.uint8)
    # Integers of 32 bits, because a page of 100 megapixels in float64 takes gigabytes.
    deep = np.clip(samples.astype(np.int32), 0, 65535).astype(np.uint32)
    return np.asarray((deep * 255 + 32767) // 65535, dtype=np.uint8)
