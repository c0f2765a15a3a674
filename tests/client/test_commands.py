"""The command as a team uses it, against the whole service."""

import json
import signal
import zipfile

import pytest

from tests.client.conftest import Shell
from tests.client.pages import draw_page, expect_coloured, is_same_picture
from tests.client.shapes import simple
from tests.service import Service


def test_progress_is_said_line_by_line_and_results_alone_go_to_standard_output(shell: Shell):
    (shell.folder / "1.png").write_bytes(draw_page(1))
    ended = shell.run("colorize", "1.png", "-r", "cover.png", "-o", "out.png")
    assert ended.out == "out.png\n"
    assert "1: job" in ended.err and "page 1 1.png: inknhue" in ended.err
    assert "succeeded 1: 1 page coloured" in ended.err
    quiet = shell.run("colorize", "1.png", "-r", "cover.png", "-o", "out.png", "-q", "--again")
    assert quiet.err == "succeeded 1: 1 page coloured\n"


def test_jobs_are_listed_and_found_by_id_by_name_or_as_the_last(shell: Shell, sent):
    listed = json.loads(shell.run("jobs", "--json", "-n", "1").out)
    assert [(job["id"], job["status"]) for job in listed] == [(sent["job"], "succeeded")]
    assert shell.folder.name in shell.run("jobs").out
    for text in (sent["job"], shell.folder.name, "last"):
        told = json.loads(shell.run("status", text, "--json").out)
        assert (told["id"], [page["name"] for page in told["page_list"]]) == (sent["job"], ["1.png", "2.png"])
    assert "2.png" in shell.run("status", "last").out
    missing = shell.run("status", "no such chapter")
    assert (missing.code, "nurie jobs" in missing.err) == (1, True)


def test_a_damaged_archive_among_others_ends_nothing_else(shell: Shell):
    (path,) = simple("1.png").make(shell.folder)
    (shell.folder / "broken.cbz").write_bytes(b"junk")
    ended = shell.run("colorize", "broken.cbz", path, "-r", "cover.png", "-o", "done", "--json")
    told = {one["chapter"]: (one["status"], bool(one["error"])) for one in ended.told["chapters"]}
    assert (ended.code, told) == (3, {"ch12": ("succeeded", False), "broken": ("error", True)})


def test_a_job_is_found_by_the_beginning_of_its_id(shell: Shell, sent):
    assert json.loads(shell.run("status", sent["job"][:30], "--json").out)["id"] == sent["job"]
    several = shell.run("status", sent["job"][:8])
    assert several.code in (0, 1)
    if several.code:
        assert "write more of it" in several.err
    shell.environment["COLUMNS"] = "60"
    assert sent["job"] in shell.run("jobs").out


def test_a_chapter_of_the_same_name_that_somebody_else_sent_since_is_not_taken_for_ours(shell: Shell, sent):
    colleague = Shell(shell.folder, shell.environment["NURIE_SERVER"])
    colleague.environment["XDG_STATE_HOME"] = str(shell.folder / "elsewhere")
    (shell.folder / "theirs").mkdir()
    (shell.folder / "theirs" / "1.png").write_bytes(draw_page(90_001))
    named = ("--name", shell.folder.name)
    theirs = colleague.run("colorize", "theirs", "-r", "cover.png", "--json", *named).told["chapters"][0]["job"]
    for text in ("last", shell.folder.name):
        assert json.loads(shell.run("status", text, "--json").out)["id"] == sent["job"]
        assert json.loads(colleague.run("status", text, "--json").out)["id"] == theirs


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("download", "last", "--artifact", "draft"), "--page"),
        (("download", "last", "--page", "1", "--page", "2", "-o", "x.png"), "folder"),
        (("colorize", "1.png", "2.png", "ch12.cbz", "-r", "cover.png", "--name", "x"), "--name"),
    ],
)
def test_options_that_do_not_go_together_are_refused(shell: Shell, arguments: tuple[str, ...], said: str):
    simple("1.png").make(shell.folder)
    for number in (1, 2):
        (shell.folder / f"{number}.png").write_bytes(draw_page(number))
    ended = shell.run(*arguments)
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_a_job_is_deleted_and_the_same_command_makes_a_new_one(shell: Shell, sent):
    assert shell.run("delete", "last", "-y").code == 0
    assert shell.run("status", sent["job"]).code == 1
    again = shell.run("colorize", f"{shell.folder.name}.cbz", "-r", "cover.png", "--json")
    assert again.told["chapters"][0]["job"] != sent["job"]
    assert again.code == 0


def test_what_was_cancelled_is_sent_anew(shell: Shell, service: Service):
    (shell.folder / "1.png").write_bytes(draw_page(40_001))
    service.signal("control", signal.SIGSTOP)
    try:
        first = shell.run("colorize", "1.png", "-r", "cover.png", "--detach", "--json").told["chapters"][0]["job"]
        cancelled = shell.run("cancel", first)
        assert f"job {first} is cancelled" in cancelled.err
    finally:
        service.signal("control", signal.SIGCONT)
    again = shell.run("colorize", "1.png", "-r", "cover.png", "--json")
    assert (again.code, again.told["chapters"][0]["job"] == first) == (0, False)
    assert shell.run("wait", first).code == 1


def test_results_are_scored_against_true_pictures(shell: Shell):
    for folder in ("true", "mine"):
        (shell.folder / folder).mkdir()
        (shell.folder / folder / "1.png").write_bytes(draw_page(1, colour=True))
    ended = shell.run("evaluate", "true", "mine", "--report", "report.html", "--csv", "table.csv")
    assert ended.code == 0, ended.err
    # What the test stages say of every chapter.
    assert [line.split() for line in ended.out.splitlines()] == [
        ["psnr_db", "30.500", "(left", "grey:", "20.250)"],
        ["output_only", "2"],
        ["not", "scored", "3:", "no", "picture"],
    ]
    assert (shell.folder / "report.html").read_bytes() == b"the report"
    assert (shell.folder / "table.csv").read_bytes() == b"the table"
    assert shell.run("evaluate", "true", "mine", "--json").told["mean"]["final"] == {"psnr_db": 30.5}
    refused = shell.run("evaluate", "true", "nothing")
    assert refused.code == 2


def test_every_command_has_help(shell: Shell):
    listed = shell.run("--help").out
    assert "Examples:" in listed
    for command in ("colorize", "wait", "watch", "jobs", "download", "rerun", "recolour", "evaluate", "doctor"):
        ended = shell.run(command, "--help")
        assert ended.code == 0 and "Usage: nurie" in ended.out


def test_pages_are_painted_one_by_one_by_the_python_api(shell: Shell, service: Service, wire):
    from nurie_client import Client

    (shell.folder / "1.png").write_bytes(draw_page(1))
    (shell.folder / "2.png").write_bytes(draw_page(2))
    with Client(wire.url) as nurie:
        job = nurie.submit(
            [shell.folder / "1.png", str(shell.folder / "2.png")], [shell.folder / "cover.png"],
            params={"blend": 0.5}, name="by hand",
        )  # fmt: skip
        states = [job.status for job, _ in nurie.follow(job.id)]
        assert states[-1] == "succeeded"
        pages = list(nurie.pages(job.id))
        assert [page.name for page in pages] == ["1.png", "2.png"]
        for page, seed in zip(pages, (1, 2), strict=True):
            assert is_same_picture(nurie.read(page.artifacts["final"]), expect_coloured(draw_page(seed)))
        nurie.save_result(job.id, shell.folder / "result.cbz")
        assert nurie.job(job.id).params["blend"] == 0.5
        assert job.id in [one.id for one in nurie.jobs("succeeded")]
        assert nurie.outlook(job.id).pages_left == 0
        nurie.delete(job.id)
    with zipfile.ZipFile(shell.folder / "result.cbz") as archive:
        assert archive.testzip() is None
