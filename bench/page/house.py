"""The whole house with stages that only tint, and a browser before it: what is measured is the page."""

import base64
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.service import FAST_STAGES, PROCFILE, ROOT, STAGES, Service

OUT = ROOT / "out" / "bench-page"
SAMPLE = ROOT / "samples" / "chapter"
PNG_END = bytes.fromhex("0000000049454e44ae426082")
VIEWPORT = {"width": 1280, "height": 900}


@contextmanager
def open_house(name: str, stage_s: float) -> Iterator[tuple[Service, Browser]]:
    """Everything, on an empty store; each stage takes `stage_s` seconds a page. Logs go to out/bench-page."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = {"NURIE_TEST_STAGE_S": str(stage_s), "NURIE_LOG_LEVEL": "WARNING"}
    with (
        Service(folder, "off", ("control", *STAGES), PROCFILE | FAST_STAGES, settings) as service,
        open_browser() as one,
    ):
        yield service, one
    shutil.rmtree(folder / "var")


@contextmanager
def open_browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        yield browser
        browser.close()


def submit(service: Service, pages: list[bytes]) -> str:
    """Send a chapter over REST; the job's id. Pages alike in their pixels are told apart, and each is painted."""
    parts = [("pages", f"{number:03}.png", _signed(page, number)) for number, page in enumerate(pages, 1)]
    return service.submit([("references", "reference.png", (SAMPLE / "reference.png").read_bytes()), *parts])


def _signed(png: bytes, number: int) -> bytes:
    """The same picture in other bytes: a text chunk before its end."""
    content = b"tEXt" + b"Comment\0" + str(number).encode()
    chunk = (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")
    return png.removesuffix(PNG_END) + chunk + PNG_END


def resized(page: Page, file: Path, width: int, height: int) -> bytes:
    """A picture in another size, as a PNG, drawn by the browser."""
    data = base64.b64encode(file.read_bytes()).decode()
    script = """async ([data, width, height]) => {
      const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
      const picture = await createImageBitmap(new Blob([bytes]));
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      canvas.getContext('2d').drawImage(picture, 0, 0, width, height);
      return canvas.toDataURL('image/png').split(',')[1];
    }"""
    return base64.b64decode(page.evaluate(script, [data, width, height]))
