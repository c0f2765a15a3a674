"""A chapter of 200 pages, clients and API killed, the network cut: nothing is lost, or sent twice."""

import json
import signal
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.client.conftest import Shell
from tests.client.pages import draw_page, expect_coloured, is_same_picture
from tests.client.wire import Wire
from tests.service import Service

PAGES = 200


@pytest.fixture(scope="module")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chapter") / "ch12.cbz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ComicInfo.xml", b"<ComicInfo/>")
        for number in range(1, PAGES + 1):
            archive.writestr(f"{number:03}.png", draw_page(10_000 + number))
    return path


def test_breaks_in_the_middle_cost_no_page_and_nothing_is_sent_twice(
    shell: Shell, wire: Wire, service: Service, chapter: Path, wait_for
):
    before, asked, breaks = len(wire.uploads), len(wire.requests), 0

    def sent() -> int:
        return len(wire.uploads) - before

    command = ("colorize", chapter, "-r", "cover.png", "--json", "-o", "out.cbz")

    first = shell.start(*command)
    wait_for(lambda: sent() >= 40)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    breaks += 1

    second = shell.start(*command)
    wait_for(lambda: sent() >= 80)
    wire.cut()
    breaks += 1
    wire.mend()
    wait_for(lambda: sent() >= 120)
    service.kill("api")
    breaks += 1
    service.start_api()
    wait_for(lambda: sent() >= PAGES + 2)
    wait_for(lambda: "POST /v1/jobs" in wire.requests[asked:])
    service.kill("api")  # while it works on the submission
    service.start_api()
    wait_for(lambda: pages_done(service) >= 10)
    service.kill("api")
    service.start_api()
    wire.cut()
    wire.mend()
    second.send_signal(signal.SIGKILL)
    second.communicate()

    ended = shell.run(*command)
    assert ended.code == 0, ended.err
    (told,) = ended.told["chapters"]
    assert told["pages"] == {"total": PAGES, "succeeded": PAGES}

    again = Counter(wire.uploads[before:]) - Counter(set(wire.uploads[before:]))
    assert sum(again.values()) <= breaks, "sent twice"
    jobs = service.ask("GET", "/v1/jobs")["jobs"]
    assert [job["id"] for job in jobs if job["name"] == "ch12" and job["pages"]["total"] == PAGES] == [told["job"]]
    with zipfile.ZipFile(shell.folder / "out.cbz") as result, zipfile.ZipFile(chapter) as source:
        assert result.namelist() == source.namelist()
        assert result.read("ComicInfo.xml") == b"<ComicInfo/>"
        for number in range(1, PAGES + 1):
            name = f"{number:03}.png"
            assert is_same_picture(result.read(name), expect_coloured(source.read(name))), name

    # The same command once more, undisturbed: the same job, and the very same archive.
    once = (shell.folder / "out.cbz").read_bytes()
    so_far = sent()
    repeated = shell.run(*command)
    assert repeated.told["chapters"][0]["job"] == told["job"]
    assert (shell.folder / "out.cbz").read_bytes() == once
    assert sent() == so_far

    # And on another machine, which remembers nothing, within a day.
    other = Shell(shell.folder, wire.url)
    other.environment["XDG_STATE_HOME"] = str(shell.folder / "elsewhere")
    elsewhere = other.run(*command[:-1], "elsewhere.cbz")
    assert elsewhere.told["chapters"][0]["job"] == told["job"]
    assert (shell.folder / "elsewhere.cbz").read_bytes() == once
    assert sent() == so_far


def pages_done(service: Service) -> int:
    return sum(job["pages"]["succeeded"] for job in service.ask("GET", "/v1/jobs?limit=1")["jobs"])


def test_the_first_interrupt_leaves_the_job_and_wait_takes_it_home(shell: Shell, service: Service, wait_for):
    (shell.folder / "1.png").write_bytes(draw_page(20_001))
    seen = json.dumps(service.ask("GET", "/v1/jobs?limit=1"))
    with Stalled(service):
        process = shell.start("colorize", "1.png", "-r", "cover.png", "-o", "out.png")
        wait_for(lambda: json.dumps(service.ask("GET", "/v1/jobs?limit=1")) != seen)
        job = service.ask("GET", "/v1/jobs?limit=1")["jobs"][0]["id"]
        wait_for((shell.folder / "home" / "state" / "nurie" / "jobs" / f"{job}.json").exists)
        ended = shell.interrupt(process)
        assert ended.code == 130
        assert f"nurie wait {job}" in ended.err
    assert shell.run("wait", job).code == 0
    assert is_same_picture((shell.folder / "out.png").read_bytes(), expect_coloured(draw_page(20_001)))


class Stalled:
    """Nothing is dispatched within."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __enter__(self) -> None:
        self._service.signal("control", signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        self._service.signal("control", signal.SIGCONT)
