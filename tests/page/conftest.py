"""Chromium against the whole service, as a person uses the page; whatever it does, it stays at its origin.

In an environment of its own. Where there is no Chromium, every test here is skipped and says so.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.integration import s3server
from tests.service import ROOT, Service

SAMPLE = ROOT / "samples" / "chapter"
REFERENCE = SAMPLE / "reference.png"
PAGES = [SAMPLE / "manga" / f"00{number}.png" for number in (1, 2, 3)]
PARAMS = {"epochs": 2}
"""Colours are of no matter here, and a training takes its time."""
JOB_LIMIT_S = 600
LIMIT_MS = 20_000
WORKERS = ("control", "cgan", "s2p", "inknhue", "metrics")
ENDED = ("succeeded", "partial", "failed", "cancelled")

expect.set_options(timeout=LIMIT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = os.environ.get("NURIE_TEST_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium, or set NURIE_TEST_CHROMIUM to a browser's path")
    with sync_playwright() as playwright:
        # Containers have no user namespaces that its sandbox could be made of; it sees our own pages only.
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Service]:
    """The whole of it. After the browser, so that nothing is started where there is none."""
    with Service(tmp_path_factory.mktemp("house"), "off", WORKERS) as service:
        yield service


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Service]:
    """API and Redis alone: what is sent stays queued."""
    with Service(tmp_path_factory.mktemp("door"), "off") as service:
        yield service


@pytest.fixture
def new_door(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Service]:
    """The same for one test alone: what others have sent need not be sent again."""
    with Service(tmp_path_factory.mktemp("new-door"), "off") as service:
        yield service


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Service]:
    """The same with API keys."""
    with Service(tmp_path_factory.mktemp("locked"), "keys") as service:
        yield service


@pytest.fixture(scope="session")
def chapter(house: Service) -> str:
    """A job that has ended well: three pages of the sample, with their truths."""
    truths = [SAMPLE / "colour" / page.name for page in PAGES]
    return finished(house, send(house, {"pages": PAGES, "references": [REFERENCE], "truths": truths}))


@pytest.fixture(scope="session")
def bucketed(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[tuple[Service, str]]:
    """With keys and a bucket: what is sent stays queued. And the bucket's origin."""
    folder = tmp_path_factory.mktemp("s3server")
    if reason := s3server.why_unavailable(folder):
        pytest.skip(reason)
    with s3server.running(folder) as bucket:
        settings = {
            "NURIE_STORAGE_URL": "s3://nurie",
            "NURIE_S3_ENDPOINT_URL": bucket.url,
            "NURIE_S3_ACCESS_KEY": bucket.access_key,
            "NURIE_S3_SECRET_KEY": bucket.secret_key,
        }
        with Service(tmp_path_factory.mktemp("bucketed"), "keys", environment=settings) as service:
            yield service, bucket.url


class Visit:
    """A browser's window on one service; remembers what a page must not do."""

    def __init__(self, context: BrowserContext, service: Service) -> None:
        self.context, self.service = context, service
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.origins = {service.url}
        self.tolerated = "nothing"  # part of the console errors that a test asks for
        context.on("request", self._on_request)
        self.page = self.open()

    def open(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def go(self, fragment: str = "") -> Page:
        self.page.goto(f"{self.service.url}/{fragment}")
        return self.page

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("blob", "data") and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self.foreign.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and self.tolerated not in message.text:
            self.errors.append(f"{message.type}: {message.text}")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens windows; at the end none may have logged an error, or asked anybody else for anything."""
    visits: list[Visit] = []

    def open_window(service: Service, **options: Any) -> Visit:
        settings = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "accept_downloads": True} | options
        visits.append(Visit(browser.new_context(**settings), service))
        return visits[-1]

    yield open_window
    errors = [error for one in visits for error in one.errors]
    foreign = [url for one in visits for url in one.foreign]
    for one in visits:
        one.context.close()
    assert errors == []
    assert foreign == []


def send(service: Service, files: dict[str, list[Path]], params: dict[str, Any] | None = None, **fields: str) -> str:
    """Submit a job over REST; its id."""
    parts = [(name, path.name, path.read_bytes()) for name, paths in files.items() for path in paths]
    return service.submit(parts, params=json.dumps(PARAMS | (params or {})), **fields)


def finished(service: Service, job_id: str) -> str:
    deadline = time.monotonic() + JOB_LIMIT_S
    while (job := service.ask("GET", f"/v1/jobs/{job_id}?wait=5"))["status"] not in ENDED:
        assert time.monotonic() < deadline, job
    return job_id
