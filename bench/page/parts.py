"""First load, λ slider and grid, each beside its bar."""

from functools import partial

from playwright.sync_api import expect

from bench.figures import Figure
from bench.page.house import SAMPLE, VIEWPORT, open_house, resized, submit

LARGE = (1030, 1460)
"""A page of 1.5 megapixels."""
SMALL = (500, 710)
GRID_PAGES = 200
LIMIT_MS = 600_000
SLIDE_FRAMES = 240

TRANSFERRED = """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .reduce((sum, entry) => sum + entry.transferSize, 0)"""
# As a hand does it: the slider is somewhere else at each frame. Callbacks come no faster than pictures are shown.
SLIDE = """(frames) => new Promise((resolve) => {
  const slider = document.querySelector('#blend');
  const gaps = [];
  let last = performance.now();
  const step = () => {
    const now = performance.now();
    gaps.push(now - last);
    last = now;
    if (gaps.length > frames) return resolve(gaps.slice(1));
    slider.value = String(0.5 + 0.5 * Math.sin(gaps.length / 20));
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
# Frames longer than 50 ms, from the first task that belongs to them until they are drawn, and what ran in them.
WATCH = """
window.longFrames = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { startTime, duration, renderStart, styleAndLayoutStart, scripts } = entry;
    const script = scripts.reduce((sum, one) => sum + one.duration, 0);
    const layout = styleAndLayoutStart ? startTime + duration - styleAndLayoutStart : 0;
    const render = renderStart ? startTime + duration - renderStart : 0;
    longFrames.push([duration, script, render, layout].map(Math.round));
  }
}).observe({ type: 'long-animation-frame', buffered: true });
"""


def measure_load() -> list[Figure]:
    with open_house("load", 0) as (service, browser):
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(service.url)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_load_state("networkidle")
        return [Figure("page: first load over the wire", page.evaluate(TRANSFERRED) / 1000, "KB", 150)]


def measure_blend() -> list[Figure]:
    with open_house("blend", 0) as (service, browser):
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(service.url)
        job_id = submit(service, [resized(page, SAMPLE / "manga" / "002.png", *LARGE)])
        page.goto(f"{service.url}/#/jobs/{job_id}/pages/1")
        expect(page.locator(".versus")).to_contain_text("Final", timeout=LIMIT_MS)
        expect(page.locator("#blend")).to_be_enabled(timeout=LIMIT_MS)
        before = page.evaluate("() => performance.now()")
        page.locator("#blend").hover()
        expect(page.locator("section[aria-labelledby=blend-label] [role=status]")).not_to_contain_text(
            "Getting", timeout=LIMIT_MS
        )
        ready_s = (page.evaluate("() => performance.now()") - before) / 1000
        gaps = sorted(page.evaluate(SLIDE, SLIDE_FRAMES))
    return [
        Figure("λ slider, 1.5 MP: frames per second", 1000 * len(gaps) / sum(gaps), "1/s", 30, at_least=True),
        Figure("λ slider, 1.5 MP: 95th percentile between two frames", gaps[int(0.95 * len(gaps))], "ms"),
        Figure("λ slider, 1.5 MP: from the first touch until it is live", ready_s, "s"),
    ]


def measure_grid(count: int = GRID_PAGES) -> list[Figure]:
    with open_house("grid", 0.25) as (service, browser):
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(service.url)
        pages = [resized(page, SAMPLE / "manga" / f"00{1 + number % 6}.png", *SMALL) for number in range(count)]
        job_id = submit(service, pages)
        page.close()
        page = browser.new_page(viewport=VIEWPORT)
        page.add_init_script(WATCH)
        page.goto(f"{service.url}/#/jobs/{job_id}")
        expect(page.locator(".grid .page")).to_have_count(count)
        page.mouse.move(600, 600)
        direction = 1
        while not page.title().startswith("done"):
            page.mouse.wheel(0, 500 * direction)
            page.wait_for_timeout(500)
            where = page.evaluate("() => scrollY / (document.documentElement.scrollHeight - innerHeight)")
            direction = -1 if where > 0.97 else 1 if where < 0.03 else direction
        frames = page.evaluate("() => window.longFrames")
        finals = page.locator(".frame.final").count()
    print(f"{finals} of {count} pages were looked at")
    print("long frames in ms, of that scripts, rendering, layout and drawing:", *sorted(frames)[-10:])
    return [
        Figure(f"grid of {count} pages: the longest frame", max((frame[0] for frame in frames), default=0), "ms", 100),
        Figure(f"grid of {count} pages: frames over 50 ms", len(frames), ""),
    ]


PARTS = {"load": measure_load, "blend": measure_blend, "grid": measure_grid}
SHORT = PARTS | {"grid": partial(measure_grid, count=60)}
