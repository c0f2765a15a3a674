"""The pictures of docs/img, from a chapter that was coloured: the sample's, so that all that is shown is ours.

make demo, or the sample sent to `make serve`; then
.venvs/page/bin/python -m tests.page.screenshots http://127.0.0.1:8000 JOB
"""

import base64
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.service import ROOT

SAMPLE = ROOT / "samples" / "chapter"
OUT = ROOT / "docs" / "img"
DESK = {"viewport": {"width": 1280, "height": 860}, "locale": "en-GB"}
NIGHT = DESK | {"color_scheme": "dark", "locale": "ja-JP"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "locale": "zh-TW",
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
QUALITY = 82


def fill(page: Page) -> None:
    page.locator("#choose-pages").set_input_files(sorted((SAMPLE / "manga").glob("*.png")))
    page.locator("#choose-references").set_input_files(SAMPLE / "reference.png")
    expect(page.locator(".thumb canvas")).to_have_count(7)
    page.locator(".chapter input").fill("The fox and the lantern")
    page.locator("h1").click()


def wait_for_grid(page: Page) -> None:
    expect(page.locator(".frame.final")).to_have_count(6)


def wait_for_pictures(page: Page) -> None:
    expect(page.locator(".versus")).not_to_be_empty()
    expect(page.locator(".easel canvas.picture").first).to_be_visible()


def correct(page: Page) -> None:
    wait_for_pictures(page)
    page.locator(".panel > button.strong").click()
    expect(page.locator(".dot").first).to_be_visible()
    dots = page.locator(".dot")
    # One in the hair is chosen, and the pointer lies on the sky beside it.
    places = dots.evaluate_all("(dots) => dots.map(({ style }) => [parseFloat(style.left), parseFloat(style.top)])")
    far = [abs(x - 24) + abs(y - 68) for x, y in places]
    dots.nth(far.index(min(far))).click()
    box = page.locator(".sheet").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.06 * box["width"], box["y"] + 0.62 * box["height"], steps=4)
    page.wait_for_function("() => !document.querySelector('.glow').hidden")


def show_dots(page: Page) -> None:
    wait_for_pictures(page)
    page.locator(".panel > button.strong").click()
    expect(page.locator(".dot").first).to_be_visible()


def shoot(browser: Browser, name: str, url: str, settings: dict[str, Any], act: Callable[[Page], None]) -> None:
    context = browser.new_context(**settings)
    page = context.new_page()
    page.goto(url)
    act(page)
    picture = context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    Path(OUT, f"page-{name}.webp").write_bytes(base64.b64decode(picture["data"]))
    context.close()


def main() -> None:
    url, job = sys.argv[1:3]
    chapter = f"{url}/#/jobs/{job}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        shoot(browser, "send", f"{url}/", DESK, fill)
        shoot(browser, "grid", chapter, DESK, wait_for_grid)
        shoot(browser, "look", f"{chapter}/pages/2", DESK, wait_for_pictures)
        shoot(browser, "correct", f"{chapter}/pages/3", DESK, correct)
        shoot(browser, "dark", f"{chapter}/pages/4", NIGHT, wait_for_pictures)
        shoot(browser, "phone", chapter, PHONE, wait_for_grid)
        shoot(browser, "phone-look", f"{chapter}/pages/2", PHONE, wait_for_pictures)
        shoot(browser, "phone-correct", f"{chapter}/pages/2", PHONE, show_dots)
        browser.close()


if __name__ == "__main__":
    main()
