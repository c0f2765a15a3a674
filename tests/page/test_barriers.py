"""axe-core over every view, in light and dark, on a desk and on a phone; and the keyboard alone."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import PAGES, REFERENCE, Visit
from tests.service import ROOT, Service

AXE = ROOT / ".venvs" / "page" / "node" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "color_scheme": "light"}
DESK_AT_NIGHT = {"color_scheme": "dark"}

needs_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: tests/install_browser wants npm")


def barriers(page: Page) -> list[str]:
    """What axe-core finds that is serious, each with where."""
    # Not as a script of the page: its policy lets nothing in.
    page.evaluate(AXE.read_text())
    result: dict[str, Any] = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {violation['help']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in result["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"][:3]
    ]


@needs_axe
@pytest.mark.parametrize("options", [{}, DESK_AT_NIGHT, PHONE], ids=["desk", "night", "phone"])
def test_no_view_has_a_barrier(
    house: Service, visit: Callable[..., Visit], chapter: str, options: dict[str, Any]
) -> None:
    window = visit(house, **options)
    page = window.go()
    page.locator("#choose-pages").set_input_files(PAGES)
    page.locator("#choose-references").set_input_files(REFERENCE)
    expect(page.locator(".card canvas")).to_have_count(4)
    page.get_by_text("More, for those who want it").click()
    assert barriers(page) == []
    window.go("#/jobs")
    expect(page.locator(".job").first).to_be_visible()
    assert barriers(page) == []
    window.go(f"#/jobs/{chapter}")
    expect(page.locator(".frame.final").first).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="Delete").click()
    assert barriers(page) == []
    page.get_by_role("button", name="No, go back").click()
    window.go(f"#/jobs/{chapter}/pages/1")
    expect(page.locator(".versus")).to_contain_text("Final")
    assert barriers(page) == []
    page.get_by_role("button", name="Correct colours").click()
    expect(page.locator(".dot").first).to_be_visible()
    page.locator(".dot").nth(4).focus()
    assert barriers(page) == []
    # Nothing is wider than the window.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@needs_axe
def test_asking_for_a_key_has_no_barrier(locked: Service, visit: Callable[..., Visit]) -> None:
    window = visit(locked)
    window.tolerated = "Failed to load resource"
    page = window.go()
    expect(page.locator("#key")).to_be_visible()
    assert barriers(page) == []


def test_a_chapter_is_reached_by_keys_alone(house: Service, visit: Callable[..., Visit], chapter: str) -> None:
    page = visit(house).go(f"#/jobs/{chapter}")
    expect(page.locator(".frame.final")).to_have_count(3)
    focused = "document.activeElement.getAttribute('href') ?? document.activeElement.textContent"
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(focused))
        if seen[-1] == f"#/jobs/{chapter}/pages/2":
            break
    assert "Skip to the content" in seen[0] or seen[0] == "#main"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("2. 002.png")
    page.locator(".skip").press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.locator("h1")).to_have_text("2. 002.png")

    # And a dot is added, moved and taken away without a pointer.
    page.get_by_role("button", name="Correct colours").press("Enter")
    dots = page.locator(".dot")
    expect(dots.first).to_be_visible()
    count = dots.count()
    page.get_by_label("Add", exact=True).press("Space")
    page.locator(".easel").press("Enter")
    expect(dots).to_have_count(count + 1)
    chosen = page.locator(".dot.chosen")
    expect(chosen).to_be_focused()
    expect(chosen).to_have_class("dot user chosen")
    left = chosen.evaluate("(dot) => dot.style.left")
    page.keyboard.press("ArrowRight")
    assert chosen.evaluate("(dot) => parseFloat(dot.style.left)") > float(left.removesuffix("%"))
    page.keyboard.press("Delete")
    expect(dots).to_have_count(count)
    # Undone three times, what was taken away, moved and added, and done again, wherever the focus has gone.
    page.keyboard.press("Control+z")
    expect(dots).to_have_count(count + 1)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(dots).to_have_count(count)
    page.keyboard.press("Control+y")
    expect(dots).to_have_count(count + 1)
    page.keyboard.press("Control+z")
    expect(dots).to_have_count(count)


def test_two_fingers_zoom(house: Service, visit: Callable[..., Visit], chapter: str) -> None:
    window = visit(house, **PHONE)
    page = window.go(f"#/jobs/{chapter}/pages/1")
    expect(page.locator(".versus")).to_contain_text("Final")
    scale = "() => Number(document.querySelector('.sheet').style.getPropertyValue('--scale'))"
    before = page.evaluate(scale)
    box = page.locator(".easel").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = window.context.new_cdp_session(page)
    for apart, kind in ((20, "touchStart"), (50, "touchMove"), (90, "touchMove"), (0, "touchEnd")):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}] if apart else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert page.evaluate(scale) > 2 * before
