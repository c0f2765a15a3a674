"""Pictures from outside: what is read, how, and what is refused before it costs anything."""

import io
import resource
import struct
import tracemalloc
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from common.errors import BadImageError, TooLargeError
from common.imaging import ImageHeader, ImageLimits, check_image, decode_image, encode_image, is_coloured, read_header

NAME = "第一話/頁 1.png"
FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"]
WHITE, BLACK, RED = [255, 255, 255], [0, 0, 0], [255, 0, 0]
RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 255, (48, 64, 3), dtype=np.uint8)


def encode(image: Image.Image, picture_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, picture_format, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG by hand, for what Pillow does not write; `rows` with their filter bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def claiming(picture_format: str, width: int, height: int) -> bytes:
    """A small file whose header claims a size."""
    data = bytearray(encode(Image.new("RGB", (300, 400)), picture_format))
    if picture_format == "PNG":
        return png(width, height, 8, 2, bytes(100))
    if picture_format == "JPEG":
        at = data.find(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif picture_format == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif picture_format == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif picture_format == "TIFF":
        for tag, old, new in ((256, 300, width), (257, 400, height)):
            for kind in (3, 4):
                data = data.replace(struct.pack("<HHII", tag, kind, 1, old), struct.pack("<HHII", tag, 4, 1, new))
    else:
        canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        data[12:12] = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas
        data[4:8] = struct.pack("<I", len(data) - 8)
    return bytes(data)


# --- what is read ---


@pytest.mark.parametrize("picture_format", FORMATS)
def test_every_format_of_the_list_is_read(picture_format: str) -> None:
    data = encode(Image.new("RGB", (30, 20), (255, 0, 0)), picture_format)
    header = ImageHeader(picture_format, 30, 20)
    assert read_header(data, NAME) == check_image(data, NAME) == header
    rgb = decode_image(data, NAME)
    assert rgb.shape == (20, 30, 3)
    assert rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - RED).max() <= 3


@pytest.mark.parametrize("picture_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken(picture_format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encode(frames[0], picture_format, save_all=True, append_images=frames[1:])
    assert np.abs(decode_image(data, NAME).astype(int) - RED).max() <= 3


def test_a_jpeg_of_a_camera_with_more_pictures_behind_is_a_jpeg() -> None:
    image = Image.new("RGB", (16, 8), "red")
    data = encode(image, "MPO", save_all=True, append_images=[image])
    assert read_header(data, NAME) == check_image(data, NAME) == ImageHeader("JPEG", 16, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(picture_format: str, orientation: int) -> None:
    # The stored picture is white with its left half black; only turning or mirroring moves the half.
    stored = np.full((16, 32), 255, np.uint8)
    stored[:, :16] = 0
    turned = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.T,
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].T,
        8: np.rot90(stored),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if picture_format == "WEBP" else {}
    data = encode(Image.fromarray(stored).convert("RGB"), picture_format, exif=exif, **options)
    rgb = decode_image(data, NAME)
    assert rgb.shape == (*turned.shape, 3)
    assert np.abs(rgb[..., 0].astype(int) - turned).max() <= 3


def test_damaged_exif_does_not_cost_the_picture() -> None:
    data = encode(Image.new("RGB", (4, 4), "red"), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert decode_image(data, NAME)[0, 0].tolist() == RED


def palette_with_hole() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    return image


def test_alpha_is_laid_over_white() -> None:
    half_black = [127, 127, 127]
    for image, options, expected in (
        (Image.new("RGBA", (2, 1), (0, 0, 0, 0)), {}, WHITE),
        (Image.new("RGBA", (2, 1), (0, 0, 0, 128)), {}, half_black),
        (Image.new("LA", (2, 1), (0, 128)), {}, half_black),
        (Image.new("L", (2, 1), 7), {"transparency": 7}, WHITE),
        (Image.new("1", (2, 1), 0), {"transparency": 0}, WHITE),
        (Image.new("RGB", (2, 1), (1, 2, 3)), {"transparency": (1, 2, 3)}, WHITE),
        (Image.fromarray(np.full((1, 2), 700, np.uint16)), {"transparency": 700}, WHITE),
        (palette_with_hole(), {"transparency": 1}, WHITE),
        (palette_with_hole(), {"transparency": b"\xff\x80"}, [127, 127, 255]),
    ):
        rgb = decode_image(encode(image, "PNG", **options), NAME)
        assert rgb[0, 1].tolist() == expected, (image.mode, options)
    assert decode_image(encode(palette_with_hole(), "GIF", transparency=1), NAME)[0].tolist() == [RED, WHITE]
    rgba = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    assert decode_image(encode(rgba, "WEBP", lossless=True), NAME)[0, 0].tolist() == WHITE


def test_palettes_and_single_bits_are_resolved() -> None:
    assert decode_image(encode(palette_with_hole(), "PNG"), NAME)[0].tolist() == [RED, [0, 0, 255]]
    bits = Image.fromarray(np.array([[True, False]]))
    for picture_format in ("PNG", "TIFF", "BMP"):
        assert decode_image(encode(bits, picture_format), NAME)[0].tolist() == [WHITE, BLACK]


@pytest.mark.parametrize("picture_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(picture_format: str) -> None:
    deep = np.array([[0, 257, 32896, 65535]], np.uint16)
    assert decode_image(encode(Image.fromarray(deep), picture_format), NAME)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_16_bit_colour_is_scaled() -> None:
    rgb = png(2, 1, 16, 2, b"\0" + struct.pack(">6H", 65535, 0, 32896, 0, 65535, 257))
    assert decode_image(rgb, NAME)[0].tolist() == [[255, 0, 128], [0, 255, 1]]
    rgba = png(1, 1, 16, 6, b"\0" + struct.pack(">4H", 65535, 0, 0, 0))
    assert decode_image(rgba, NAME)[0].tolist() == [WHITE]


def test_32_bit_and_float_tiffs_are_scaled_without_overflow() -> None:
    wide = Image.fromarray(np.array([[-5, 0, 65535, 2**31 - 1]], np.int32))
    assert decode_image(encode(wide, "TIFF"), NAME)[0, :, 0].tolist() == [0, 0, 255, 255]
    floats = Image.fromarray(np.array([[-1, 0.5, 1, np.nan, np.inf, -np.inf]], np.float32))
    assert decode_image(encode(floats, "TIFF"), NAME)[0, :, 0].tolist() == [0, 128, 255, 0, 255, 0]


@pytest.mark.parametrize("picture_format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb_and_is_not_inverted(picture_format: str) -> None:
    for inks, expected in (((0, 255, 255, 0), RED), ((0, 0, 0, 0), WHITE), ((0, 0, 0, 255), BLACK)):
        rgb = decode_image(encode(Image.new("CMYK", (16, 16), inks), picture_format), NAME)
        assert np.abs(rgb.astype(int) - expected).max() <= 3


def test_what_is_encoded_decodes_to_the_same() -> None:
    assert np.array_equal(decode_image(encode_image(NOISE), NAME), NOISE)
    smooth = np.full((64, 48, 3), (200, 80, 40), np.uint8)
    for picture_format in ("jpeg", "webp"):
        data = encode_image(smooth, picture_format)
        assert read_header(data, NAME) == ImageHeader(picture_format.upper(), 48, 64)
        assert np.abs(decode_image(data, NAME).astype(int) - smooth).max() <= 4
    regions = np.array([[0, 65535]], np.uint16)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_image(regions)))), regions)


def test_a_side_that_a_format_cannot_hold_is_refused() -> None:
    for picture_format, limit in (("webp", 16383), ("jpeg", 65500)):
        with pytest.raises(TooLargeError, match=rf"1×{limit + 1} px .* {limit} px"):
            encode_image(np.zeros((limit + 1, 1, 3), np.uint8), picture_format)
        assert encode_image(np.zeros((limit, 1, 3), np.uint8), picture_format)


# --- what is refused ---


@pytest.mark.parametrize("read", [read_header, check_image, decode_image])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"0 bytes"),
        (b"just some text\n" * 99, "not a picture"),
        (bytes(1000), "not a picture"),
        (b"%PDF-1.4\n%", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (encode(Image.new("RGB", (16, 16)), "ICO"), "not a picture"),
        (encode(Image.new("RGB", (16, 16)), "PPM"), "not a picture"),
        (encode(Image.new("RGB", (16, 16)), "TGA"), "not a picture"),
        (encode(Image.new("RGB", (16, 16)), "PDF"), "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (png(0, 5, 8, 2, b""), "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "."),
    ],
)
def test_what_is_no_picture_of_the_list_is_refused(read: object, data: bytes, reason: str) -> None:
    with pytest.raises(BadImageError, match=reason) as caught:
        read(data, NAME)  # type: ignore[operator]
    assert str(caught.value).startswith(NAME)
    assert "/tmp" not in str(caught.value)
    assert "BytesIO" not in str(caught.value)


@pytest.mark.parametrize("picture_format", FORMATS)
@pytest.mark.filterwarnings("ignore:.*[Tt]runcated:UserWarning")
def test_truncated_pictures_are_refused(picture_format: str) -> None:
    data = encode(Image.fromarray(NOISE), picture_format)
    # A GIF's last two bytes end the file, not the picture.
    cuts = {3, 5, 9, 13, 17, 21, 40, *range(3, len(data), max(1, len(data) // 25))}
    if picture_format != "GIF":
        cuts |= {1, 2}
    for cut in cuts:
        for read in (check_image, decode_image):
            with pytest.raises(BadImageError) as caught:
                read(data[:-cut], NAME)
            assert str(caught.value).startswith(NAME)
            assert "BytesIO" not in str(caught.value)


def test_truncated_pictures_are_refused_whatever_pillow_is_set_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(BadImageError, match="truncated"):
        check_image(encode(Image.fromarray(NOISE), "JPEG")[:-500], NAME)


def test_damaged_pixels_are_refused() -> None:
    data = bytearray(encode(Image.fromarray(NOISE), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BadImageError, match="damaged"):
        check_image(bytes(data), NAME)


@pytest.mark.parametrize(
    ("picture_format", "size"),
    # Of WebP the first only: libwebp itself refuses a canvas that no frame fills.
    [(name, (60000, 60000)) for name in FORMATS] + [(name, (10001, 10000)) for name in FORMATS if name != "WEBP"],
)
def test_a_header_that_claims_too_much_is_refused_before_decoding(
    monkeypatch: pytest.MonkeyPatch, picture_format: str, size: tuple[int, int]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("decoded")

    data = claiming(picture_format, *size)
    monkeypatch.setattr(ImageFile.ImageFile, "load", never)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    for read in (read_header, check_image, decode_image):
        with pytest.raises(TooLargeError, match="over the limit of 100 megapixels") as caught:
            read(data, NAME)
        assert str(caught.value).startswith(NAME)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


def test_the_limits_name_what_is_over_them() -> None:
    data = encode(Image.new("RGB", (30, 20)), "PNG")
    assert read_header(data, NAME, ImageLimits(max_pixels=600)).width == 30
    with pytest.raises(TooLargeError, match=r"30×20 px is over the limit of 0\.000599 megapixels"):
        read_header(data, NAME, ImageLimits(max_pixels=599))
    with pytest.raises(TooLargeError, match=rf"{len(data)} bytes is over the limit of {len(data) - 1} bytes"):
        read_header(data, NAME, ImageLimits(max_bytes=len(data) - 1))


def test_more_than_200_megabytes_are_refused() -> None:
    with pytest.raises(TooLargeError, match="200000001 bytes is over the limit of 200000000 bytes"):
        read_header(bytes(200_000_001), NAME)


def test_a_large_gif_frame_in_a_small_gif_is_refused() -> None:
    data = bytearray(encode(Image.new("L", (300, 400)), "GIF"))
    at = data.find(b",\0\0\0\0" + struct.pack("<HH", 300, 400))
    data[at + 5 : at + 9] = struct.pack("<HH", 60000, 60000)
    with pytest.raises(TooLargeError):
        decode_image(bytes(data), NAME)


# --- in colour or not ---


def grey_page() -> NDArray[np.uint8]:
    """White paper, black lines, grey tone."""
    page = np.full((200, 150), 255, np.uint8)
    page[20:60] = 128
    page[::10] = 0
    page[:, 140:] = np.linspace(0, 255, 200, dtype=np.uint8)[:, None]
    return np.repeat(page[..., None], 3, axis=2)


def tinted(page: NDArray[np.uint8], paper: tuple[int, int, int]) -> NDArray[np.uint8]:
    return (page * (np.array(paper) / 255)).astype(np.uint8)


def test_grey_pages_are_not_coloured() -> None:
    page = grey_page()
    assert not is_coloured(page)
    assert not is_coloured(np.zeros_like(page))
    assert not is_coloured(np.full_like(page, 255))
    assert not is_coloured(page[:1, :1])


@pytest.mark.parametrize("paper", [(255, 240, 210), (240, 225, 185), (225, 205, 160), (235, 240, 255)])
def test_a_sheet_yellowed_by_age_is_not_coloured(paper: tuple[int, int, int]) -> None:
    assert not is_coloured(tinted(grey_page(), paper))
    # Dark pages have little paper to judge by.
    assert not is_coloured(tinted((grey_page() * 0.5).astype(np.uint8), paper))


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_noise_is_not_colour(quality: int) -> None:
    noisy = np.clip(tinted(grey_page(), (250, 245, 230)) + RNG.normal(0, 3, (200, 150, 3)), 0, 255).astype(np.uint8)
    for page in (grey_page(), noisy):
        assert not is_coloured(decode_image(encode(Image.fromarray(page), "JPEG", quality=quality), NAME))


def test_a_small_stamp_does_not_make_a_page_coloured() -> None:
    page = grey_page()
    page[100:112, 50:62] = RED
    assert not is_coloured(page)


def coloured_pages() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    page = grey_page()
    page[100:130, 50:80] = RED
    yield "a red patch", page
    page = grey_page()
    page[60:200, :140] = np.where(page[60:200, :140] > 200, (255, 224, 200), page[60:200, :140])
    yield "skin", page
    yield "a page in two inks", np.where(grey_page() == 128, np.array([230, 90, 90]), grey_page()).astype(np.uint8)
    yield "a blue night", tinted(grey_page(), (60, 90, 200))
    yield "noise", NOISE
    page = tinted(grey_page(), (240, 225, 185))
    page[100:160, 20:100] = (120, 170, 220)
    yield "colour on a yellowed sheet", page
    yield "pale", np.where(grey_page() == 128, np.array([235, 205, 220]), grey_page()).astype(np.uint8)


@pytest.mark.parametrize(
    ("what", "page"), list(coloured_pages()), ids=lambda value: value if isinstance(value, str) else "page"
)
def test_coloured_pages_are_coloured(what: str, page: NDArray[np.uint8]) -> None:
    assert is_coloured(page)


def test_a_large_page_is_judged_on_a_sample() -> None:
    page = np.full((6000, 4000, 3), 255, np.uint8)
    assert not is_coloured(page)
    page[:3000] = (200, 120, 60)
    assert is_coloured(page)
