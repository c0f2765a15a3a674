"""What is dropped, and how it gets to the server: broken connections, reloads, keys, archives, what is refused."""

import json
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.page.conftest import LIMIT_MS, PAGES, REFERENCE, SAMPLE, Visit, send
from tests.service import ROOT, Service

MAX_FIRST_LOAD_BYTES = 150_000
LANGUAGES = {"en": "Colour a chapter", "zh-Hant": "為一個章節上色", "ja": "章に色を塗る"}


def fill(page: Page, pages: list[Path] | Path = PAGES, references: list[Path] | Path = REFERENCE) -> None:
    page.locator("#choose-pages").set_input_files(pages)
    page.locator("#choose-references").set_input_files(references)
    expect(page.locator("section.side .badge:visible")).not_to_have_count(0)


def colour_it(page: Page) -> None:
    page.get_by_role("button", name="Colour it").click()


def count_puts(page: Page) -> list[str]:
    """The addresses that files were sent to, each as often as it was tried."""
    puts: list[str] = []
    page.on("request", lambda request: puts.append(request.url) if request.method == "PUT" else None)
    return puts


def latest_job(service: Service) -> dict:
    return service.ask("GET", "/v1/jobs")["jobs"][0]


def test_a_broken_connection_is_mended_and_only_what_is_missing_sent_again(
    new_door: Service, visit: Callable[..., Visit]
) -> None:
    window = visit(new_door)
    window.tolerated = "Failed to load resource"  # as the browser says it of the connection that we break
    page = window.go()
    fill(page)
    puts = count_puts(page)
    broken: list[str] = []

    def break_once(route: Route) -> None:
        if broken:
            route.continue_()
        else:
            broken.append(route.request.url)
            route.abort("connectionreset")

    page.route("**/storage/uploads/**", break_once)
    colour_it(page)
    expect(page.locator(".message")).to_contain_text("It goes on by itself.")
    expect(page.locator(".grid .page")).to_have_count(3)
    assert len(set(puts)) == 4
    assert {url: puts.count(url) for url in puts if puts.count(url) > 1} == {broken[0]: 2}
    assert latest_job(new_door)["pages"]["total"] == 3


def test_what_has_arrived_is_not_sent_again_though_its_answer_was_lost(
    new_door: Service, visit: Callable[..., Visit]
) -> None:
    window = visit(new_door)
    window.tolerated = "Failed to load resource"
    page = window.go()
    fill(page)
    tries: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) > 1:
            return route.continue_()
        # It arrives; what a page sends of a file, Playwright cannot pass on by itself.
        size = int(parse_qs(urlsplit(tries[0]).query)["size"][0])
        (sent,) = [path for path in (*PAGES, REFERENCE) if path.stat().st_size == size]
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(tries[0], data=sent.read_bytes(), headers=headers, method="PUT")
        urllib.request.urlopen(request, timeout=20).close()
        return route.abort("connectionreset")

    page.route("**/storage/uploads/**", lose_the_first_answer)
    colour_it(page)
    expect(page.locator(".grid .page")).to_have_count(3)
    assert len(tries) == len(set(tries)) == 4


def test_nothing_is_lost_on_reload(new_door: Service, visit: Callable[..., Visit]) -> None:
    window = visit(new_door)
    window.tolerated = "Failed to load resource"
    page = window.go()
    fill(page)
    page.get_by_label("Name").fill("Kept")
    page.get_by_label("Move 002.png earlier").click()
    # One file gets through before the tab is closed.
    let_through: list[str] = []

    def let_one_through(route: Route) -> None:
        if not let_through:
            let_through.append(route.request.url)
            route.continue_()
        else:
            route.abort("connectionreset")

    page.route("**/storage/uploads/**", let_one_through)
    colour_it(page)
    expect(page.locator(".message")).to_contain_text("It goes on by itself.")
    page.wait_for_function("() => [...document.querySelectorAll('progress')].some((one) => one.value === 1)")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".message")).to_contain_text("What has arrived is not sent again.")
    page.unroute("**/storage/uploads/**")
    page.reload()
    expect(page.locator(".chapter .card .name")).to_have_text(["002.png", "001.png", "003.png"])
    expect(page.get_by_label("Name")).to_have_value("Kept")
    expect(page.locator("section.side .card")).to_have_count(1)
    puts = count_puts(page)
    colour_it(page)
    expect(page.locator("h1")).to_have_text("Kept")
    assert let_through[0] not in puts
    assert len(puts) == 3
    pages = new_door.ask("GET", f"/v1/jobs/{latest_job(new_door)['id']}/pages")["pages"]
    assert [one["name"] for one in pages] == ["002.png", "001.png", "003.png"]


def test_who_leaves_while_files_are_sent_finds_them_again(new_door: Service, visit: Callable[..., Visit]) -> None:
    window = visit(new_door)
    window.tolerated = "Failed to load resource"
    page = window.go()
    fill(page)
    page.route("**/storage/uploads/**", lambda route: route.abort("connectionreset"))
    colour_it(page)
    expect(page.locator(".message")).to_contain_text("It goes on by itself.")
    page.get_by_role("link", name="Chapters").click()
    expect(page.locator("h1")).to_have_text("Chapters")
    page.get_by_role("link", name="Send", exact=True).click()
    expect(page.locator(".message")).to_contain_text("It goes on by itself.")
    # What is on its way rests meanwhile.
    expect(page.get_by_label("Take 001.png out")).to_be_disabled()
    expect(page.locator("#choose-pages")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".message")).to_contain_text("What has arrived is not sent again.")
    expect(page.get_by_label("Take 001.png out")).to_be_enabled()
    page.unroute("**/storage/uploads/**")
    colour_it(page)
    expect(page.locator(".grid .page")).to_have_count(3)


def test_a_chapter_that_was_taken_is_not_sent_again_with_one_that_was_not(
    door: Service, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.cbz", tmp_path / "bad.cbz"
    with zipfile.ZipFile(good, "w") as archive:
        archive.write(PAGES[0], "1.png")
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("1.png", "no picture")
    window = visit(door)
    window.tolerated = "Failed to load resource"
    page = window.go()
    fill(page, [bad, good])
    chapters = page.locator(".chapter")
    expect(chapters.locator(".name").first).to_have_text("bad.cbz")
    page.reload()  # so that what is kept is looked at, too
    expect(chapters).to_have_count(2)
    # The good one first.
    page.get_by_label("Take bad.cbz out").click()
    page.locator("#choose-pages").set_input_files([bad])
    page.get_by_role("button", name="Colour 2 chapters").click()
    expect(page.locator(".message")).to_contain_text("1.png")
    expect(chapters).to_have_count(1)
    expect(chapters.locator(".name").first).to_have_text("bad.cbz")
    made = latest_job(door)
    assert made["name"] == "good"
    # Another set of parameters would be another request.
    page.locator("#param-blend").fill("0.5")
    page.reload()
    expect(chapters).to_have_count(1)
    colour_it(page)
    expect(page.locator(".message")).to_contain_text("1.png")
    assert latest_job(door)["id"] == made["id"]


def test_the_list_of_chapters_leaves_the_focus_where_it_is(door: Service, visit: Callable[..., Visit]) -> None:
    send(door, {"pages": PAGES[:1], "references": [REFERENCE]}, name="Followed")  # it waits: the list looks every 3 s
    page = visit(door).go("#/jobs")
    link = page.locator(".job").first
    link.focus()
    for _ in range(2):
        with page.expect_response("**/v1/jobs?**"):
            pass
    expect(link).to_be_focused()


def test_several_archives_are_several_chapters(door: Service, visit: Callable[..., Visit], tmp_path: Path) -> None:
    archives = []
    for name, method in (("one.cbz", zipfile.ZIP_STORED), ("two.zip", zipfile.ZIP_DEFLATED)):
        archives.append(tmp_path / name)
        with zipfile.ZipFile(archives[-1], "w", method) as archive:
            for index, source in enumerate((*PAGES[:1], REFERENCE), 9):
                archive.write(source, f"ch/{index}.png")
            archive.writestr("ComicInfo.xml", "<ComicInfo/>")
    page = visit(door).go()
    fill(page, archives)
    chapters = page.locator(".chapter")
    expect(chapters).to_have_count(2)
    for index in range(2):
        # The archive's own card, and its pages: 9 before 10, the second in colour.
        expect(chapters.nth(index).locator(".name")).to_have_text([archives[index].name, "9.png", "10.png"])
        chapters.nth(index).scroll_into_view_if_needed()
        expect(chapters.nth(index).locator("canvas")).to_have_count(2)
        expect(chapters.nth(index).locator(".badge:visible")).to_have_count(1)
    page.get_by_role("button", name="Colour 2 chapters").click()
    expect(page.locator(".job")).not_to_have_count(0)
    expect(page.locator(".job strong").nth(0)).to_have_text("two")
    expect(page.locator(".job strong").nth(1)).to_have_text("one")


def test_a_folder_is_taken_with_what_lies_in_it(door: Service, visit: Callable[..., Visit], tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "notes.txt"):
        (tmp_path / "ch 3" / "in").mkdir(parents=True, exist_ok=True)
        (tmp_path / "ch 3" / "in" / name).write_bytes(PAGES[0].read_bytes())
    page = visit(door).go()
    page.locator("#choose-folder").set_input_files(tmp_path / "ch 3")
    expect(page.locator(".chapter .name")).to_have_text(["2.png", "10.png"])
    expect(page.locator("#status")).to_contain_text("1 file is no picture and no archive")
    expect(page.get_by_label("Name")).to_have_value("ch 3")


def test_files_are_dropped(door: Service, visit: Callable[..., Visit]) -> None:
    page = visit(door).go()
    expect(page.locator(".zone").first).to_be_visible()
    page.evaluate(
        """async () => {
          const blob = await (await fetch('/web/icon.svg')).blob();
          const transfer = new DataTransfer();
          for (const name of ['b2.png', 'b10.png', 'b1.png']) transfer.items.add(new File([blob], name));
          const zone = document.querySelector('.zone');
          const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
          for (const kind of ['dragover', 'drop']) zone.dispatchEvent(new DragEvent(kind, options));
        }"""
    )
    expect(page.locator(".chapter .name")).to_have_text(["b1.png", "b2.png", "b10.png"])
    expect(page.locator(".chapter .thumb").first).to_have_text("no preview")


@pytest.mark.parametrize(
    ("pages", "references", "words"),
    [
        ([], [], "Drop the grey pages first."),
        (PAGES, [], "the colours come from it"),
        (PAGES, PAGES[:1], "001.png has no colour"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_sent(
    door: Service, visit: Callable[..., Visit], pages: list[Path], references: list[Path], words: str
) -> None:
    page = visit(door).go()
    if pages:
        page.locator("#choose-pages").set_input_files(pages)
    if references:
        page.locator("#choose-references").set_input_files(references)
        expect(page.locator("section.side canvas")).to_have_count(len(references))
    puts = count_puts(page)
    colour_it(page)
    expect(page.locator(".message")).to_contain_text(words)
    assert puts == []


def test_what_the_server_refuses_is_said_with_what_to_do(
    door: Service, visit: Callable[..., Visit], tmp_path: Path
) -> None:
    fake = tmp_path / "page.png"
    fake.write_text("no picture at all")
    window = visit(door)
    window.tolerated = "Failed to load resource"
    page = window.go()
    fill(page, fake)
    colour_it(page)
    expect(page.locator(".message")).to_contain_text("A picture cannot be read. Save it anew as PNG or JPEG")
    expect(page.locator(".message")).to_contain_text("page.png")
    expect(page.get_by_role("button", name="Colour it")).to_be_enabled()


def test_a_key_is_asked_for_and_kept_for_the_tab_alone(locked: Service, visit: Callable[..., Visit]) -> None:
    window = visit(locked)
    window.tolerated = "Failed to load resource"  # 401, as the browser says it
    page = window.go()
    key = page.locator("#key")
    expect(key).to_contain_text("This server wants an API key.")
    page.get_by_label("API key").fill("nurie_0123456789abcdef_wrong")
    page.get_by_role("button", name="Use this key").click()
    page.get_by_role("link", name="Chapters").click()
    expect(key).to_contain_text("does not take this key")
    page.get_by_label("API key").fill(locked.key)
    page.get_by_role("button", name="Use this key").click()
    expect(key).to_be_hidden()
    expect(page.locator(".view")).to_contain_text("Nothing was sent yet.")
    page.get_by_role("link", name="Send", exact=True).click()
    fill(page)
    colour_it(page)
    expect(page.locator(".grid .page")).to_have_count(3)
    expect(page.locator(".frame.source")).to_have_count(3)  # pictures come with the key, too
    page.reload()
    expect(page.locator(".grid .page")).to_have_count(3)
    assert page.evaluate("Object.values(localStorage).join().includes('nurie_')") is False
    other = window.open()
    other.goto(locked.url)
    expect(other.locator("#key")).to_contain_text("This server wants an API key.")


def test_with_a_bucket_files_go_there_and_come_from_there(
    bucketed: tuple[Service, str], visit: Callable[..., Visit]
) -> None:
    service, bucket = bucketed
    window = visit(service)
    window.tolerated = "401"
    window.origins.add(bucket)
    asked: list[Request] = []
    window.context.on("request", lambda request: asked.append(request))  # noqa: PLW0108  Playwright marks it
    page = window.go()
    page.get_by_label("API key").fill(service.key)
    page.get_by_role("button", name="Use this key").click()
    fill(page)
    colour_it(page)
    expect(page.locator(".frame.source")).to_have_count(3)
    at_bucket = [request for request in asked if request.url.startswith(bucket)]
    assert sorted(request.method for request in at_bucket) == ["GET"] * 3 + ["PUT"] * 4
    assert not any(service.key in str(request.all_headers()) for request in at_bucket)


def test_a_job_is_cancelled_and_deleted(door: Service, visit: Callable[..., Visit]) -> None:
    page = visit(door).go()
    fill(page, PAGES[:1])
    colour_it(page)
    expect(page.locator(".state")).to_contain_text("waiting to learn")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="No, go back").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator(".state")).to_contain_text("cancelled")
    job_id = page.url.rsplit("/", 1)[-1]
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("h1")).to_have_text("Chapters")
    assert job_id not in [job["id"] for job in door.ask("GET", "/v1/jobs")["jobs"]]


def test_what_is_not_there_is_said_in_words(door: Service, visit: Callable[..., Visit]) -> None:
    window = visit(door)
    window.tolerated = "Failed to load resource"
    page = window.go(f"#/jobs/{'0' * 32}")
    expect(page.locator(".message:visible")).to_contain_text("It is not there, or not there any more.")
    window.go("#/nowhere")
    expect(page.locator(".message:visible")).to_have_text("There is nothing at this address.")
    page.get_by_role("link", name="All chapters").click()
    expect(page.locator("h1")).to_have_text("Chapters")


def test_the_page_asks_no_more_than_once_a_second_while_it_waits(door: Service, visit: Callable[..., Visit]) -> None:
    page = visit(door).go()
    fill(page, PAGES[:1])
    colour_it(page)
    expect(page.locator(".frame.source")).to_have_count(1)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/" in request.url else None)
    page.wait_for_timeout(6000)  # what is looked for is silence, which nothing announces
    assert len(asked) <= 6, asked


def test_the_page_speaks_three_languages_with_the_same_words(door: Service, visit: Callable[..., Visit]) -> None:
    keys = """async (languages) => {
      const flat = (words, at) => Object.entries(words).flatMap(([key, value]) =>
        typeof value === 'object' ? flat(value, `${at}${key}.`) : [`${at}${key}: ${typeof value}`]);
      const all = await Promise.all(languages.map((code) => import(`/web/words/${code}.js`)));
      return all.map((words) => flat(words.default, '').sort());
    }"""
    page = visit(door).go()
    for code, title in LANGUAGES.items():
        page.locator("#language").select_option(code)
        expect(page.locator("h1")).to_have_text(title)
        assert page.evaluate("document.documentElement.lang") == code
    english, *others = page.evaluate(keys, list(LANGUAGES))
    for other in others:
        assert other == english
    page.reload()
    expect(page.locator("h1")).to_have_text(LANGUAGES["ja"])
    japanese = visit(door, locale="ja-JP").go()
    expect(japanese.locator("h1")).to_have_text(LANGUAGES["ja"])
    taiwanese = visit(door, locale="zh-TW").go()
    expect(taiwanese.locator("h1")).to_have_text(LANGUAGES["zh-Hant"])


def test_the_first_load_is_small(door: Service, visit: Callable[..., Visit]) -> None:
    page = visit(door).go()
    expect(page.locator("h1")).to_be_visible()
    sizes = page.evaluate(
        """() => Object.fromEntries(['navigation', 'resource'].flatMap((kind) =>
          performance.getEntriesByType(kind).map((entry) => [entry.name, entry.transferSize])))"""
    )
    assert {f"{door.url}/", f"{door.url}/web/app.js", f"{door.url}/web/style.css"} <= set(sizes)
    assert min(sizes.values()) > 0
    assert sum(sizes.values()) <= MAX_FIRST_LOAD_BYTES, sizes


def test_the_parameters_are_those_of_the_api(door: Service, visit: Callable[..., Visit]) -> None:
    page = visit(door).go()
    schema = door.ask("GET", "/openapi.json")["components"]["schemas"]["JobParams"]["properties"]
    params = page.evaluate("async () => (await import('/web/params.js')).PARAMS")
    assert {param["name"]: param["value"] for param in params} == {
        name: entry["default"] for name, entry in schema.items()
    }
    for param in params:
        entry = schema[param["name"]]
        if param["kind"] in ("range", "number"):
            assert (param["min"], param["max"]) == (entry["minimum"], entry["maximum"]), param
        elif param["kind"] == "choice" and "enum" in entry:
            assert param["options"] == entry["enum"], param


def test_the_policy_forbids_what_comes_from_elsewhere(door: Service, visit: Callable[..., Visit]) -> None:
    page = visit(door).page
    reply = page.goto(door.url)
    assert reply
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for path in (ROOT / "api" / "web").rglob("*.*"):
        assert "http://" not in path.read_text().replace("http://www.w3.org/2000/svg", ""), path
        assert "https://" not in path.read_text(), path


def test_colour_is_told_as_the_server_tells_it(door: Service, visit: Callable[..., Visit]) -> None:
    page = visit(door).go()
    grey, coloured = sorted((SAMPLE / "manga").glob("*.png")), sorted((SAMPLE / "colour").glob("*.png"))
    page.locator("#choose-pages").set_input_files([*grey, *coloured])
    for index in range(len(grey) + len(coloured)):
        page.locator(".chapter .card").nth(index).scroll_into_view_if_needed()
    expect(page.locator(".chapter canvas")).to_have_count(len(grey) + len(coloured), timeout=LIMIT_MS)
    expect(page.locator(".chapter .badge:visible")).to_have_count(len(coloured))
    assert json.loads(page.evaluate("JSON.stringify(document.title)")) == "Nurie"
