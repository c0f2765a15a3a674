"""From the drop to the download: a chapter sent, watched, looked at, corrected and taken home, in the browser alone."""

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import JOB_LIMIT_S, LIMIT_MS, PAGES, REFERENCE, Visit, finished, send
from tests.service import Service

JOB_LIMIT_MS = 1000 * JOB_LIMIT_S
# Pixels stay in the browser: millions of numbers are slow to carry.
KEEP = """(canvas, name) => {
  window.kept ??= {};
  window.kept[name] = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
}"""
DIFFERENCE = """([one, other]) => {
  const [a, b] = [window.kept[one], window.kept[other]];
  return a.length === b.length ? a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length : -1;
}"""


def keep_picture(page: Page, name: str) -> None:
    page.locator(".easel canvas.picture").first.evaluate(KEEP, name)


def difference(page: Page, one: str, other: str) -> float:
    """Mean difference of two pictures that were kept, of 255."""
    return page.evaluate(DIFFERENCE, [one, other])


def open_page(window: Visit, job_id: str, number: int) -> Page:
    page = window.go(f"#/jobs/{job_id}/pages/{number}")
    expect(page.locator("h1")).to_contain_text(f"{number}. ")
    expect(page.locator(".versus")).to_contain_text("Final")
    return page


def start_correcting(page: Page) -> Locator:
    page.get_by_role("button", name="Correct colours").click()
    dots = page.locator(".dot")
    expect(dots.first).to_be_visible()
    return dots


def hints_of(service: Service, job_id: str, number: int) -> dict:
    return service.ask("GET", f"/v1/jobs/{job_id}/pages/{number}/hints")


def colourful(hints: list[dict]) -> int:
    """Index of a dot of clear colour inside the page, where another colour is seen."""
    return next(
        index
        for index, hint in enumerate(hints)
        if max(hint["rgb"]) - min(hint["rgb"]) > 40 and all(0.2 < hint[axis] < 0.8 for axis in "xy")
    )


def attempts_of(service: Service, job_id: str) -> dict[int, int]:
    pages = service.ask("GET", f"/v1/jobs/{job_id}/pages")["pages"]
    return {page["number"]: page["attempt"] for page in pages}


def test_a_chapter_is_sent_watched_and_taken_home(house: Service, visit: Callable[..., Visit], tmp_path: Path) -> None:
    window = visit(house)
    page = window.go()
    # Chosen in no order; read in natural order.
    page.locator("#choose-pages").set_input_files([PAGES[2], PAGES[0], PAGES[1]])
    page.locator("#choose-references").set_input_files(REFERENCE)
    names = page.locator(".chapter .card .name")
    expect(names).to_have_text(["001.png", "002.png", "003.png"])
    expect(page.locator("section.side .badge")).to_be_visible()
    expect(page.locator(".chapter .badge:visible")).to_have_count(0)
    page.get_by_label("Move 003.png earlier").click()
    expect(names).to_have_text(["001.png", "003.png", "002.png"])
    # By mouse, too.
    page.locator(".chapter .card").nth(2).drag_to(page.locator(".chapter .card").nth(1))
    expect(names).to_have_text(["001.png", "002.png", "003.png"])
    page.get_by_label("Name").fill("Fox, 第1話")
    page.get_by_text("More, for those who want it").click()
    page.get_by_label("epochs").fill("3")  # other than those of other tests: it is trained, and seen to wait
    page.get_by_label("epochs").press("Tab")
    page.get_by_role("button", name="Colour it").click()

    expect(page.locator("h1")).to_have_text("Fox, 第1話")
    expect(page.locator(".grid .page")).to_have_count(3)
    expect(page).to_have_title("0/3 · Fox, 第1話 · Nurie")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.locator(".state")).to_contain_text("done · 3 of 3 pages", timeout=JOB_LIMIT_MS)
    expect(page).to_have_title("done · Fox, 第1話 · Nurie")
    expect(page.locator(".frame.final")).to_have_count(3)
    with page.expect_download() as download:
        page.get_by_role("button", name="Take home the CBZ").click()
    assert download.value.suggested_filename == "Fox, 第1話.cbz"
    download.value.save_as(tmp_path / "chapter.cbz")
    with zipfile.ZipFile(tmp_path / "chapter.cbz") as archive:
        assert archive.testzip() is None
        assert [name for name in archive.namelist() if name.endswith(".png")] == ["001.png", "002.png", "003.png"]
        assert archive.read("001.png").startswith(b"\x89PNG")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report").click()
    assert download.value.suggested_filename.endswith("report.html")
    # The next visit starts with nothing, and finds the chapter in the list.
    page.get_by_role("link", name="Send").click()
    expect(page.locator(".card")).to_have_count(0)
    page.get_by_role("link", name="Chapters").click()
    expect(page.locator(".job").first).to_contain_text("Fox, 第1話")


def test_a_page_is_looked_at_from_all_sides(house: Service, visit: Callable[..., Visit], chapter: str) -> None:
    page = open_page(visit(house), chapter, 2)
    expect(page.locator(".tabs label")).to_have_text(["Grey", "Draft", "Sketch", "Rough", "Aligned", "Final"])
    expect(page.locator(".versus")).to_have_text("Left: Grey · Right: Final")
    page.get_by_text("Rough", exact=True).first.click()
    expect(page.locator(".versus")).to_have_text("Left: Grey · Right: Rough")
    page.get_by_label("Beside").select_option("draft")
    expect(page.locator(".versus")).to_have_text("Left: Draft · Right: Rough")
    page.get_by_label("Where the left picture ends").fill("25")
    expect(page.locator(".picture.upper")).to_have_css("clip-path", "inset(0px 75% 0px 0px)")
    easel, sheet = page.locator(".easel"), page.locator(".sheet")

    def scale() -> float:
        return float(sheet.evaluate("sheet => sheet.style.getPropertyValue('--scale')"))

    fitted = scale()
    easel.focus()
    page.keyboard.press("+")
    assert scale() == pytest.approx(fitted * 1.25)
    box = easel.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        f"() => Number(document.querySelector('.sheet').style.getPropertyValue('--scale')) > {fitted * 1.3}"
    )
    before = sheet.get_attribute("style")
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 340, steps=4)
    page.mouse.up()
    assert sheet.get_attribute("style") != before
    page.keyboard.press("0")
    assert scale() == pytest.approx(fitted)
    expect(page.get_by_role("row", name="PSNR, dB")).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.locator("h1")).to_have_text("3. 003.png")
    with page.expect_download() as download:
        page.get_by_role("button", name="Take this page home").click()
    assert download.value.suggested_filename == "003.png"


def test_dots_are_corrected_and_the_page_painted_again(
    house: Service, visit: Callable[..., Visit], chapter: str
) -> None:
    window = visit(house)
    page = open_page(window, chapter, 1)
    dots = start_correcting(page)
    count = dots.count()
    assert count == len(hints_of(house, chapter, 1)["hints"])
    others = {number: attempt for number, attempt in attempts_of(house, chapter).items() if number != 1}
    index = colourful(hints_of(house, chapter, 1)["hints"])
    dot = dots.nth(index)
    pink = f"Dot {index + 1}, #e01060"
    box = dot.bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 25, box["y"] + 35, steps=4)
    page.mouse.up()
    moved = dot.bounding_box()
    assert moved
    assert moved["y"] - box["y"] == pytest.approx(30, abs=8)
    expect(dot).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Colour", exact=True).fill("#e01060")
    expect(dot).to_have_attribute("aria-label", pink)
    page.keyboard.press("Control+z")
    expect(dot).not_to_have_attribute("aria-label", pink)
    page.keyboard.press("Control+y")
    expect(dot).to_have_attribute("aria-label", pink)

    # A dot added with a colour of the reference's, moved by keys, and another one deleted.
    page.get_by_text("Add", exact=True).click()
    page.locator(".swatch").nth(3).click()
    picture = page.locator(".sheet").bounding_box()
    assert picture
    page.mouse.click(picture["x"] + 3, picture["y"] + 3)  # the margin, where no dot lies
    expect(dots).to_have_count(count + 1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press(",")  # the last of the automatic ones, the least
    page.keyboard.press("Delete")
    expect(dots).to_have_count(count)

    # Nothing is lost on reload.
    page.reload()
    expect(page.locator(".versus")).to_contain_text("Final")
    keep_picture(page, "old")
    start_correcting(page)
    expect(dots).to_have_count(count)
    expect(dot).to_have_attribute("aria-label", pink)

    page.get_by_role("button", name="Paint again").click()
    expect(page.locator(".chip").first).to_have_text("done", timeout=JOB_LIMIT_MS)
    expect(page.locator(".versus")).to_have_text("Left: Final, before · Right: Final", timeout=JOB_LIMIT_MS)
    keep_picture(page, "new")
    assert difference(page, "old", "new") > 0.01
    hints = hints_of(house, chapter, 1)
    assert hints["hints"][index]["rgb"] == [0xE0, 0x10, 0x60]
    assert [hint["source"] for hint in hints["hints"]].count("user") == 2
    assert hints["palette"]
    finished(house, chapter)
    assert {n: attempt for n, attempt in attempts_of(house, chapter).items() if n != 1} == others


def test_a_page_that_the_browser_cannot_read_is_shown_in_colour(
    house: Service, visit: Callable[..., Visit], chapter: str
) -> None:
    window = visit(house)
    # As a TIFF is to most browsers.
    window.page.route("**/pages/1/source", lambda route: route.fulfill(body=b"II*\0", content_type="image/tiff"))
    page = window.go(f"#/jobs/{chapter}/pages/1")
    expect(page.locator(".versus")).to_have_text("Final")
    page.wait_for_function("() => document.querySelector('.easel canvas').width > 10")
    expect(page.locator(".message").first).to_be_empty()


def test_what_was_not_painted_is_not_lost_while_the_dots_are_on_their_way(
    house: Service, visit: Callable[..., Visit], chapter: str
) -> None:
    window = visit(house)
    window.tolerated = "Failed to load resource"
    page = open_page(window, chapter, 2)
    dots = start_correcting(page)
    count = dots.count()
    hints = hints_of(house, chapter, 2)["hints"]
    # Picking a dot's colour changes the dot that was chosen, and no other.
    index = colourful(hints)
    other = next(i for i, hint in enumerate(hints) if hint["rgb"] != hints[index]["rgb"])
    dots.nth(other).focus()
    page.get_by_text("Pick a colour", exact=True).click()
    dots.nth(index).click(force=True)
    hexes = ["#" + bytes(hints[i]["rgb"]).hex() for i in (index, other)]
    expect(dots.nth(other)).to_have_attribute("aria-label", f"Dot {other + 1}, {hexes[0]}")
    expect(dots.nth(index)).to_have_class("dot cgan")
    page.route("**/pages/2/hints", lambda route: route.abort("connectionreset"))
    page.reload()
    page.get_by_role("button", name="Correct colours").click()
    page.get_by_text("Add", exact=True).click()
    page.locator(".easel").press("Enter")
    expect(dots).to_have_count(0)
    page.unroute("**/pages/2/hints")
    page.reload()
    start_correcting(page)
    expect(dots).to_have_count(count)
    expect(dots.nth(other)).to_have_attribute("aria-label", f"Dot {other + 1}, {hexes[0]}")
    page.get_by_role("button", name="Back to what was painted").click()
    expect(dots.nth(other)).to_have_attribute("aria-label", f"Dot {other + 1}, {hexes[1]}")

    # What was taken without our hearing of it is there once.
    page.get_by_label("Add", exact=True).press("Space")
    page.locator(".easel").press("Enter")
    expect(dots).to_have_count(count + 1)
    taken = {"hints": [*hints, {"x": 0.5, "y": 0.5, "rgb": [200, 60, 60], "source": "user"}]}
    (added,) = json.loads(page.evaluate("() => Object.values(localStorage).find((one) => one.startsWith('{'))"))[
        "added"
    ]
    taken["hints"][-1] |= {name: added[1][name] for name in ("x", "y", "rgb")}
    house.ask("PUT", f"/v1/jobs/{chapter}/pages/2/hints", hints_of(house, chapter, 2) | taken)
    finished(house, chapter)
    page.reload()
    start_correcting(page)
    expect(dots).to_have_count(count + 1)
    expect(page.get_by_role("button", name="Paint again")).to_be_disabled()


def test_what_was_not_painted_lies_over_what_was_changed_meanwhile(
    house: Service, visit: Callable[..., Visit], chapter: str
) -> None:
    finished(house, chapter)
    page = open_page(visit(house), chapter, 1)
    dots = start_correcting(page)
    before = hints_of(house, chapter, 1)
    index = colourful(before["hints"])
    dots.nth(index).focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(dots.nth(index)).to_have_class("dot user chosen")
    # Meanwhile a colour is corrected on all pages.
    entries = [hint["entry"] for hint in before["hints"] if hint["source"] == "cgan"]
    entry = max(set(entries), key=entries.count)
    colours = [{"old": before["palette"][entry], "new": [1, 200, 99]}]
    assert 1 in house.ask("PATCH", f"/v1/jobs/{chapter}/palette", {"colours": colours})["pages"]
    finished(house, chapter)
    page.reload()
    start_correcting(page)
    expect(dots.nth(index)).to_have_class("dot user")
    page.get_by_role("button", name="Paint again").click()
    expect(page.locator("#status")).to_contain_text("painted again")
    finished(house, chapter)
    after = hints_of(house, chapter, 1)["hints"]
    moved = after[index]
    assert (moved["source"], moved["rgb"]) == ("user", before["hints"][index]["rgb"])
    assert moved["x"] == pytest.approx(before["hints"][index]["x"] + 0.02)
    of_entry = [hint for hint in after if hint["entry"] == entry and hint["source"] == "cgan"]
    assert of_entry
    assert all(hint["rgb"] == [1, 200, 99] for hint in of_entry)


def test_lambda_by_keys_is_sent_once(house: Service, visit: Callable[..., Visit], chapter: str) -> None:
    finished(house, chapter)
    page = open_page(visit(house), chapter, 2)
    slider = page.locator("#blend")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "PATCH" else None)
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".panel")).to_contain_text("Kept.")
    assert [json.loads(body) for body in sent] == [{"blend": 0.76}]
    expect(slider).to_be_enabled(timeout=JOB_LIMIT_MS)
    expect(slider).to_be_focused()
    finished(house, chapter)


def test_lambda_is_seen_at_once_and_kept(house: Service, visit: Callable[..., Visit], chapter: str) -> None:
    finished(house, chapter)
    page = open_page(visit(house), chapter, 3)
    slider = page.locator("#blend")
    slider.focus()
    expect(page.locator(".panel")).to_contain_text("let go to keep it")
    page.wait_for_function("() => document.querySelector('.easel canvas').width > 10")
    keep_picture(page, "before")
    slider.evaluate(
        "(slider) => { slider.value = '0.1'; slider.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    deadline = time.monotonic() + LIMIT_MS / 1000
    while True:
        keep_picture(page, "live")
        if difference(page, "before", "live") > 0.05:
            break
        assert time.monotonic() < deadline
    assert house.ask("GET", f"/v1/jobs/{chapter}/pages/3/params")["blend"] == 0.8  # nothing was sent yet
    slider.dispatch_event("change")
    expect(page.locator(".panel")).to_contain_text("Kept.")
    assert house.ask("GET", f"/v1/jobs/{chapter}/pages/3/params")["blend"] == 0.1
    expect(page.locator(".versus")).to_have_text("Left: Final, before · Right: Final", timeout=JOB_LIMIT_MS)
    finished(house, chapter)
    keep_picture(page, "final")
    # What was seen while it moved is what came of it, and not what was there before.
    off = difference(page, "live", "final")
    assert off < 0.5 * difference(page, "before", "final")
    assert off < 1.5
    page.reload()
    expect(slider).to_have_value("0.1")


def test_a_corrected_colour_is_used_on_all_pages(house: Service, visit: Callable[..., Visit], chapter: str) -> None:
    finished(house, chapter)
    hints = {number: hints_of(house, chapter, number) for number in (1, 2, 3)}
    window = visit(house)
    page = open_page(window, chapter, 2)
    dots = start_correcting(page)
    index = colourful(hints[2]["hints"])
    entry = hints[2]["hints"][index]["entry"]
    dots.nth(index).focus()
    page.get_by_label("Colour", exact=True).fill("#7a1e8c")
    everywhere = page.get_by_role("button", name="Use these colours on all pages")
    expect(everywhere).to_be_disabled()  # first seen on this page
    page.get_by_role("button", name="Paint again").click()
    expect(everywhere).to_be_enabled(timeout=JOB_LIMIT_MS)
    before = attempts_of(house, chapter)
    everywhere.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox")).to_have_count(1)
    dialog.get_by_role("button", name="Use them").click()
    expect(page.locator("#status")).to_contain_text("Painted again: page")
    finished(house, chapter)
    purple = [0x7A, 0x1E, 0x8C]
    for number, old in hints.items():
        of_entry = [hint for hint in old["hints"] if hint["entry"] == entry and hint["source"] == "cgan"]
        now = hints_of(house, chapter, number)["hints"]
        changed = [hint for hint in now if hint["rgb"] == purple]
        assert len(changed) == len(of_entry), number
        has_run = attempts_of(house, chapter)[number] > before[number]
        automatic = len(of_entry) - (number == 2)  # the one that was changed by hand needs no other colour
        assert has_run == (automatic > 0), number


def test_colours_are_picked_from_pages_and_references(
    house: Service, visit: Callable[..., Visit], chapter: str
) -> None:
    page = open_page(visit(house), chapter, 3)
    start_correcting(page)
    colour = page.get_by_label("Colour", exact=True)
    before = colour.input_value()
    # The region under the pointer lights up.
    sheet = page.locator(".sheet").bounding_box()
    assert sheet
    page.locator(".dot").nth(colourful(hints_of(house, chapter, 3)["hints"])).hover()
    page.wait_for_function("() => document.querySelector('.glow') && !document.querySelector('.glow').hidden")
    page.get_by_text("Pick a colour", exact=True).click()
    page.mouse.click(sheet["x"] + 2, sheet["y"] + sheet["height"] - 2)
    expect(colour).not_to_have_value(before)
    picked = colour.input_value()
    page.get_by_text("Pick a colour from elsewhere").first.click()
    page.wait_for_function("() => document.querySelector('.sample').width > 10")
    sample = page.locator(".sample")
    box = sample.bounding_box()
    assert box
    sample.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.15})
    expect(colour).not_to_have_value(picked)
    page.locator("#pick-from").select_option("1")
    expect(page.locator("#pick-from")).to_have_value("1")


def test_a_failed_page_says_why_and_the_others_are_done(
    house: Service, visit: Callable[..., Visit], chapter: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.cbz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(PAGES[0], "001.png")
        archive.writestr("002.png", PAGES[1].read_bytes()[:-20_000])  # good to look at, until it is read to its end
    job_id = finished(house, send(house, {"archive": [path], "references": [REFERENCE]}, name="Broken"))
    page = visit(house).go(f"#/jobs/{job_id}")
    expect(page.locator(".state")).to_contain_text("done in part · 2 of 2 pages · 1 page failed")
    failed = page.locator("#page-2")
    expect(failed.locator(".chip")).to_have_text("failed")
    expect(failed).to_contain_text("002.png")
    expect(page.locator("#page-1 .chip")).to_have_text("done")
    expect(page.get_by_role("button", name="Take home the CBZ")).to_be_visible()
    # It was asked for, and fails once more.
    first = attempts_of(house, job_id)
    page.get_by_role("button", name="Try failed pages again").click()
    expect(page.locator(".state")).not_to_contain_text("done in part")
    expect(page.locator(".state")).to_contain_text("done in part · 2 of 2 pages", timeout=JOB_LIMIT_MS)
    again = attempts_of(house, job_id)
    assert (again[1], again[2] > first[2]) == (first[1], True)
    failed.get_by_role("link").click()
    expect(page.locator(".message").first).to_contain_text("This page failed.")
    page.get_by_role("link", name="All pages").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("h1")).to_have_text("Chapters")
    assert job_id not in json.dumps(house.ask("GET", "/v1/jobs"))
