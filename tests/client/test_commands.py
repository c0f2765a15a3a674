"""The command as a team uses it, against the whole service."""

import json
import os
import pty
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nurie_client.chapters import find_chapters
from nurie_client.errors import OutputError
from nurie_client.outputs import check_free, choose_targets

from tests.client.conftest import LIMIT_S, Shell
from tests.client.pages import draw_page, expect_coloured, is_same_picture
from tests.client.shapes import INFO, simple
from tests.service import Service


@pytest.fixture
def sent(shell: Shell) -> dict[str, str]:
    """A chapter that has been coloured; what `--json` says of it."""
    shape = simple("1.png", "2.png", extras={"ComicInfo.xml": INFO})
    (path,) = shape.make(shell.folder)
    path.rename(shell.folder / f"{shell.folder.name}.cbz")
    ended = shell.run("colorize", f"{shell.folder.name}.cbz", "-r", "cover.png", "--json")
    assert ended.code == 0, ended.err
    return ended.told["chapters"][0]


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


def test_a_chapter_that_was_only_sent_is_taken_home_later(shell: Shell):
    (path,) = simple("1.png", extras={"notes.txt": b"n"}).make(shell.folder)
    detached = shell.run("colorize", path, "-r", "cover.png", "--detach", "--json")
    assert (detached.code, detached.told["chapters"][0]["status"]) == (0, "detached")
    assert not (shell.folder / "ch12-coloured.cbz").exists()
    taken = shell.run("wait", detached.told["chapters"][0]["job"])
    assert taken.code == 0, taken.err
    with zipfile.ZipFile(shell.folder / "ch12-coloured.cbz") as archive:
        assert archive.namelist() == ["1.png", "notes.txt"]


def test_the_servers_own_archive_is_had_on_any_machine(shell: Shell, sent):
    ended = shell.run("download", "last", "-o", "theirs.cbz")
    assert ended.out == "theirs.cbz\n", ended.err
    with zipfile.ZipFile(shell.folder / "theirs.cbz") as archive:
        assert archive.namelist() == ["1.png", "2.png", "ComicInfo.xml", "nurie.json"]
        assert archive.read("ComicInfo.xml") == INFO
    pages = shell.run("download", "last", "--page", "1", "--page", "2", "--artifact", "draft", "-o", "drafts")
    assert pages.out.split() == ["drafts/1-draft.png", "drafts/2-draft.png"]
    assert (shell.folder / "drafts" / "1-draft.png").read_bytes().startswith(b"\x89PNG")
    assert shell.run("download", "last", "--report").out.strip().endswith("-report.html")


def test_a_download_writes_over_nothing_that_nobody_named(shell: Shell, sent):
    name = f"{shell.folder.name}-coloured.cbz"
    before = {path: path.read_bytes() for path in shell.folder.glob("*.cbz")}
    ended = shell.run("download", "last")
    assert (ended.code, f"{name} is there already" in ended.err) == (1, True), ended.err
    assert {path: path.read_bytes() for path in shell.folder.glob("*.cbz")} == before
    (shell.folder / name).unlink()
    assert shell.run("download", "last").out == f"{name}\n"
    nowhere = shell.run("download", "last", "-o", "/proc/nowhere/a.cbz")
    assert (nowhere.code, "Traceback" in nowhere.err) == (1, False)


def test_what_nurie_did_not_write_or_somebody_retouched_is_not_written_over(shell: Shell):
    (path,) = simple("1.png").make(shell.folder)
    (shell.folder / "other.cbz").write_bytes(b"another chapter")
    refused = shell.run("colorize", path, "-r", "cover.png", "-o", "other.cbz")
    assert (refused.code, "other.cbz is there already" in refused.err) == (1, True), refused.err
    assert (shell.folder / "other.cbz").read_bytes() == b"another chapter"
    assert shell.run("colorize", path, "-r", "cover.png", "-o", "done.cbz").code == 0
    assert shell.run("colorize", path, "-r", "cover.png", "-o", "done.cbz").code == 0, "ours is replaced"
    (shell.folder / "done.cbz").write_bytes(b"retouched by hand")
    for command in (("colorize", path, "-r", "cover.png", "-o", "done.cbz"), ("wait", "ch12")):
        assert "done.cbz is there already" in shell.run(*command).err
        assert (shell.folder / "done.cbz").read_bytes() == b"retouched by hand"
    assert shell.run("wait", "ch12", "--force").code == 0
    assert zipfile.is_zipfile(shell.folder / "done.cbz")


def test_a_retouched_page_of_a_folder_is_not_written_over(shell: Shell):
    (shell.folder / "ch").mkdir()
    (shell.folder / "ch" / "1.png").write_bytes(draw_page(1))
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 0
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 0
    (shell.folder / "ch-coloured" / "1.png").write_bytes(b"retouched")
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 1
    assert (shell.folder / "ch-coloured" / "1.png").read_bytes() == b"retouched"


def test_a_break_while_a_folder_is_put_in_place_is_gone_on_from(shell: Shell):
    """Some files are the new ones already, others the old ones: both are ours."""
    (shell.folder / "ch").mkdir()
    for number in (1, 2):
        (shell.folder / "ch" / f"{number}.png").write_bytes(draw_page(80_000 + number))
    assert shell.run("colorize", "ch", "-r", "cover.png").code == 0
    old = (shell.folder / "ch-coloured" / "2.png").read_bytes()
    os.link(shell.folder / "ch-coloured" / "2.png", shell.folder / "old")
    assert shell.run("rerun", "last", "2", "--set", "saturation=1.0").code == 0
    assert shell.run("wait", "ch").code == 0
    (shell.folder / "old").replace(shell.folder / "ch-coloured" / "2.png")
    assert (shell.folder / "ch-coloured" / "2.png").read_bytes() == old
    assert shell.run("wait", "ch").code == 0


def test_one_shelf_for_many_chapters_takes_them_all(shell: Shell):
    (shell.folder / "nurie.toml").write_text('references = ["cover.png"]\nout = "coloured"\n')
    for name, seed in (("ch1", 1), ("ch2", 2)):
        (shell.folder / name).mkdir()
        (shell.folder / name / "001.png").write_bytes(draw_page(seed))
        assert shell.run("colorize", name).code == 0
    for name, seed in (("ch1", 1), ("ch2", 2)):
        page = (shell.folder / "coloured" / name / "001.png").read_bytes()
        assert is_same_picture(page, expect_coloured(draw_page(seed)))
    same_place = shell.run("colorize", "ch2", "-o", "coloured/ch1")
    assert (same_place.code, "is there already" in same_place.err) == (1, True), "another chapter's is not written over"


def test_pages_into_one_folder_one_by_one_stay_ours(shell: Shell):
    for number in (1, 2):
        (shell.folder / f"{number}.png").write_bytes(draw_page(number))
    for number in (1, 2, 1):
        assert shell.run("colorize", f"{number}.png", "-r", "cover.png", "-o", "done").code == 0
    for picture_format in ("webp", "png"):
        assert shell.run("colorize", "1.png", "-r", "cover.png", "-o", "done", "--format", picture_format).code == 0


def test_a_folder_of_one_page_goes_into_a_picture_and_a_page_into_another_format(shell: Shell):
    (shell.folder / "ch").mkdir()
    (shell.folder / "ch" / "1.png").write_bytes(draw_page(1))
    assert shell.run("colorize", "ch", "-r", "cover.png", "-o", "x.png").code == 0
    (shell.folder / "7.jpg").write_bytes(draw_page(7, kind="JPEG"))
    (shell.folder / "7.webp").write_bytes(b"something else")
    assert shell.run("colorize", "7.jpg", "-r", "cover.png", "-o", "7.png").code == 0
    (shell.folder / "c.jpg").write_bytes(kept := draw_page(8, kind="JPEG", colour=True))
    assert shell.run("colorize", "c.jpg", "-r", "cover.png", "-o", "c.png").code == 0
    assert (shell.folder / "c.jpg").read_bytes() == kept


def test_a_damaged_archive_among_others_ends_nothing_else(shell: Shell):
    (path,) = simple("1.png").make(shell.folder)
    (shell.folder / "broken.cbz").write_bytes(b"junk")
    ended = shell.run("colorize", "broken.cbz", path, "-r", "cover.png", "-o", "done", "--json")
    told = {one["chapter"]: (one["status"], bool(one["error"])) for one in ended.told["chapters"]}
    assert (ended.code, told) == (3, {"ch12": ("succeeded", False), "broken": ("error", True)})


def test_the_server_may_be_named_behind_a_command(shell: Shell):
    server = shell.environment.pop("NURIE_SERVER")
    for command in (("jobs",), ("series", "list"), ("doctor",)):
        assert shell.run(*command, "--server", server).code == 0
        assert shell.run("--server", server, *command).code == 0


def test_a_server_that_is_not_there_is_said_before_long(shell: Shell):
    began = time.monotonic()
    ended = shell.run("jobs", "--server", "http://127.0.0.1:9")
    assert (ended.code, "127.0.0.1:9 cannot be reached" in ended.err) == (1, True), ended.err
    assert time.monotonic() - began < 60


def test_the_palette_is_listed_and_several_colours_are_corrected_at_once(shell: Shell, sent):
    assert json.loads(shell.run("palette", "last", "--json").out) == [{"colour": "#b03a2e", "corrected": None}]
    assert "#b03a2e" in shell.run("palette", "last").out
    assert shell.run("recolour", "last", "#b03a2e").code == 2
    corrected = shell.run("recolour", "last", "#b03a2e", "#c82828")
    assert "2 pages run again" in corrected.err, corrected.err
    assert shell.run("wait", "last").code == 0
    assert "no page changes by it" in shell.run("recolour", "last", "#b03a2e", "#c82828").err


def test_a_job_is_found_by_the_beginning_of_its_id(shell: Shell, sent):
    assert json.loads(shell.run("status", sent["job"][:30], "--json").out)["id"] == sent["job"]
    several = shell.run("status", sent["job"][:8])
    assert several.code in (0, 1)
    if several.code:
        assert "write more of it" in several.err
    shell.environment["COLUMNS"] = "60"
    assert sent["job"] in shell.run("jobs").out


def test_a_server_that_asks_for_no_key_has_none_kept(shell: Shell):
    ended = shell.run("login", stdin="nurie_anything\n")
    assert (ended.code, "asks for no key" in ended.err) == (0, True), ended.err
    assert not (shell.folder / "home" / "config" / "nurie" / "keys.json").exists()


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


def test_a_place_that_may_not_be_written_to_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    simple("1.png").make(tmp_path)
    (chapter,) = find_chapters([tmp_path / "ch12.cbz"])
    (target,) = choose_targets([chapter], tmp_path / "out.cbz")
    check_free(chapter, target, lambda *_: False)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="may not be written to"):
        check_free(chapter, target, lambda *_: False)


def test_several_jobs_are_taken_home_side_by_side(shell: Shell):
    jobs = []
    for name, seed in (("a", 1), ("b", 2)):
        (shell.folder / name).mkdir()
        (shell.folder / name / "001.png").write_bytes(draw_page(seed))
        jobs.append(shell.run("colorize", name, "-r", "cover.png", "--detach", "--json").told["chapters"][0]["job"])
    assert shell.run("wait", *jobs, "-o", "done").code == 0
    for name, seed in (("a", 1), ("b", 2)):
        assert is_same_picture(
            (shell.folder / "done" / name / "001.png").read_bytes(), expect_coloured(draw_page(seed))
        )


def test_a_chapter_that_is_another_one_by_now_is_not_written(shell: Shell):
    (path,) = simple("1.png", "2.png").make(shell.folder)
    job = shell.run("colorize", path, "-r", "cover.png", "--detach", "--json").told["chapters"][0]["job"]
    simple("new.png", "other.png").make(shell.folder)
    ended = shell.run("wait", job)
    assert (ended.code, "has changed" in ended.err, "nurie download" in ended.err) == (1, True, True), ended.err
    assert not (shell.folder / "ch12-coloured.cbz").exists()


def test_a_job_that_is_taken_up_again_goes_where_it_was_told_last(shell: Shell):
    (path,) = simple("1.png").make(shell.folder)
    first = shell.run("colorize", path, "-r", "cover.png", "-o", "first.cbz", "--json").told["chapters"][0]["job"]
    assert shell.run("colorize", path, "-r", "cover.png", "-o", "second.cbz", "--detach").code == 0
    assert shell.run("wait", first).out.strip().endswith("second.cbz")


def test_hints_that_are_no_object_and_parameters_that_are_no_json_are_refused_in_words(shell: Shell, sent):
    ended = shell.run("hints", "set", "last", "1", "-", stdin="[]")
    assert (ended.code, "Traceback" in ended.err) == (1, False), ended.err
    ended = shell.run("rerun", "last", "1", "--set", "blend=NaN")
    assert (ended.code, "Traceback" in ended.err) == (1, False), ended.err


def test_the_doctor_finds_settings_of_the_network_that_are_wrong(shell: Shell):
    shell.environment["SSL_CERT_FILE"] = "/nowhere.pem"
    told = shell.run("doctor", "--json").told
    assert "network" in [one["what"] for one in told if one["state"] == "broken"]
    ended = shell.run("jobs")
    assert (ended.code, "SSL_CERT_FILE" in ended.err) == (1, True), ended.err


def test_a_key_that_is_none_is_not_shown(shell: Shell):
    shell.environment["NURIE_KEY"] = "nurie_SECRET\x01x"
    ended = shell.run("jobs")
    assert (ended.code, "SECRET" in ended.err, "API key" in ended.err) == (1, False, True), ended.err
    shell.environment["NURIE_KEY"] = "nurie_x\r"  # of a file with Windows line ends
    assert shell.run("jobs").code == 0


def test_hints_are_fetched_and_others_are_put(shell: Shell, sent):
    hints = json.loads(shell.run("hints", "get", "last", "1").out)
    hints["hints"] = [{"x": 0.5, "y": 0.5, "rgb": [200, 40, 40], "source": "user"}]
    put = shell.run("hints", "set", "last", "1", "-", stdin=json.dumps(hints))
    assert (put.code, "runs again from s2p" in put.err) == (0, True), put.err
    assert shell.run("wait", "last").code == 0
    assert json.loads(shell.run("hints", "get", "last", "1").out)["hints"][0]["rgb"] == [200, 40, 40]
    refused = shell.run("hints", "set", "last", "1", "-", stdin='{"hints": []}')
    assert (refused.code, "size" in refused.err) == (1, True), refused.err


def test_a_page_runs_again_with_other_parameters(shell: Shell, sent):
    ended = shell.run("rerun", "last", "2", "--blend", "0.6")
    assert (ended.code, "page 2 runs again from inknhue" in ended.err) == (0, True), ended.err
    assert shell.run("wait", "last").code == 0
    refused = shell.run("rerun", "last", "2", "--set", "blend=7")
    assert (refused.code, "blend" in refused.err) == (1, True)
    assert shell.run("rerun", "last", "2").code == 2


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


def test_a_series_remembers_references_and_colours(shell: Shell):
    name = f"Series of {shell.folder.name}"
    (shell.folder / "1.png").write_bytes(draw_page(1))
    (shell.folder / "2.png").write_bytes(draw_page(2))
    unknown = shell.run("colorize", "1.png", "--series", name)
    assert (unknown.code, name in unknown.err) == (1, True)
    assert shell.run("colorize", "1.png", "-r", "cover.png", "--series", name).code == 0
    assert name in shell.run("recolour", "last", "#b03a2e", "200,40,40").err
    shown = json.loads(shell.run("series", "show", name, "--json").out)
    assert [reference["name"] for reference in shown["references"]] == ["cover.png"]
    assert shown["colours"] == [{"old": [176, 58, 46], "new": [200, 40, 40]}]
    later = shell.run("colorize", "2.png", "--series", name, "--json")
    assert later.code == 0, later.err
    again = shell.run("colorize", "2.png", "--series", name, "--json")
    assert again.told["chapters"][0]["job"] == later.told["chapters"][0]["job"]
    (shell.folder / "other.png").write_bytes(draw_page(5001, colour=True))
    assert shell.run("colorize", "1.png", "-r", "other.png", "--series", name).code == 0
    with_other = shell.run("colorize", "2.png", "--series", name, "--json")
    assert with_other.told["chapters"][0]["job"] != later.told["chapters"][0]["job"]
    assert f"{name}  references: 1, corrected colours: 1" in shell.run("series", "list").out
    assert "left: 0" in shell.run("series", "undo", name, "#b03a2e").err
    assert shell.run("series", "forget", name, "-y").code == 0
    assert shell.run("series", "show", name).code == 1


def test_a_project_file_says_what_a_series_has_in_common(shell: Shell, sent):
    project = shell.folder / "kuro"
    (project / "ch").mkdir(parents=True)
    (project / "cover.png").write_bytes((shell.folder / "cover.png").read_bytes())
    (project / "nurie.toml").write_text(
        f'server = "{shell.environment.pop("NURIE_SERVER")}"\nseries = "Kuro {shell.folder.name}"\n'
        'references = ["cover.png"]\nout = "done"\n[params]\nformat = "webp"\nblend = 0.5\n'
    )
    (project / "ch" / "1.png").write_bytes(draw_page(1))
    shell.folder = project / "ch"
    ended = shell.run("colorize", "1.png", "--blend", "0.7", "--json")
    assert ended.code == 0, ended.err
    assert (project / "done" / "1.webp").exists()
    told = json.loads(shell.run("status", "last", "--json").out)
    assert (told["params"]["blend"], told["series"]) == (0.7, f"Kuro {project.parent.name}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serv = 1", "unknown setting 'serv'"),
        ("server = 1", "right kind"),
        ("references = [1]", "file names"),
        ("=", "nurie.toml"),
        ("keep_days = true", "right kind"),
    ],
)
def test_a_project_file_that_is_wrong_is_refused(shell: Shell, text: str, said: str):
    (shell.folder / "nurie.toml").write_text(text)
    ended = shell.run("jobs")
    assert (ended.code, said in ended.err) == (1, True), ended.err


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


def test_the_doctor_says_what_works_in_one_screen(shell: Shell, service: Service):
    ended = shell.run("doctor")
    assert ended.code == 0, ended.out
    assert len(ended.out.splitlines()) < 24
    assert "this server asks for none" in ended.out
    shell.environment["NURIE_SERVER"] = "http://127.0.0.1:9"
    broken = shell.run("doctor", "--json")
    assert broken.code == 1
    assert [(one["what"], one["state"]) for one in broken.told if one["state"] != "ok"] == [("server", "broken")]


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_shells_learn_to_complete(shell: Shell, shell_name: str):
    ended = shell.run("completion", shell_name)
    assert (ended.code, "_NURIE_COMPLETE" in ended.out) == (0, True)
    typed = {"COMP_WORDS": "nurie col", "COMP_CWORD": "col" if shell_name == "fish" else "1"}
    shell.environment |= {"_NURIE_COMPLETE": f"{shell_name}_complete", **typed}
    assert "colorize" in shell.run().out


@pytest.mark.parametrize("command", ["models", "admin"])
def test_what_operators_do_is_said_to_be_elsewhere(shell: Shell, command: str):
    ended = shell.run(command, "list")
    assert (ended.code, "./nurie" in ended.err) == (1, True)


def test_every_command_has_help(shell: Shell):
    listed = shell.run("--help").out
    assert "Examples:" in listed
    for command in ("colorize", "wait", "watch", "jobs", "download", "rerun", "recolour", "evaluate", "doctor"):
        ended = shell.run(command, "--help")
        assert ended.code == 0 and "Usage: nurie" in ended.out


@pytest.mark.parametrize(("answer", "cancels"), [("y\n", True), ("n\n", False)])
def test_an_interrupt_asks_whether_the_server_shall_stop_too(
    shell: Shell, service: Service, wait_for: Callable[..., None], answer: str, cancels: bool
):
    (shell.folder / "1.png").write_bytes(draw_page(60_000 + cancels))
    service.signal("control", signal.SIGSTOP)
    terminal, theirs = pty.openpty()
    try:
        shell.environment["TERM"] = "xterm"
        process = shell.start("colorize", "1.png", "-r", "cover.png", stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        notes = shell.folder / "home" / "state" / "nurie" / "jobs"
        wait_for(lambda: list(notes.glob("*.json")))
        (job,) = (path.stem for path in notes.glob("*.json"))
        wait_for(lambda: "queued" in read_screen(terminal))
        process.send_signal(signal.SIGINT)
        wait_for(lambda: "on the server, too?" in read_screen(terminal))
        os.write(terminal, answer.encode())
        wait_for(lambda: ((cancels and "is cancelled") or "goes on at the server") in read_screen(terminal))
        assert process.wait(LIMIT_S) == 130
    finally:
        os.close(terminal)
        service.signal("control", signal.SIGCONT)
    assert (service.ask("GET", f"/v1/jobs/{job}")["status"] == "cancelled") == cancels
    assert shell.run("cancel", job).code == 0


_screens: dict[int, str] = {}


def read_screen(terminal: int) -> str:
    """Everything that was written to a terminal so far."""
    os.set_blocking(terminal, False)
    try:
        while data := os.read(terminal, 1 << 16):
            _screens[terminal] = _screens.get(terminal, "") + data.decode(errors="replace")
    except (BlockingIOError, OSError):
        pass
    return " ".join(_screens.get(terminal, "").split())


def test_a_live_picture_shows_chapters_and_pages(shell: Shell, wait_for: Callable[..., None]):
    shape = simple(*(f"{number}.png" for number in range(1, 9)))
    (path,) = shape.make(shell.folder)
    terminal, theirs = pty.openpty()
    try:
        shell.environment |= {"TERM": "xterm", "COLUMNS": "100"}
        process = shell.start("colorize", path, "-r", "cover.png", stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        deadline = time.monotonic() + LIMIT_S
        while process.poll() is None and time.monotonic() < deadline:
            read_screen(terminal)
            time.sleep(0.05)
        assert process.returncode == 0
        shown = read_screen(terminal)
    finally:
        process.kill()
        os.close(terminal)
    assert "of 8 pages" in shown
    assert "8 pages coloured" in shown


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that asks for keys; nobody works there."""
    with Service(tmp_path_factory.mktemp("locked"), "keys") as service:
        yield service


def test_without_a_key_it_says_how_to_give_one(tmp_path: Path, locked: Service):
    shell = Shell(tmp_path, locked.url)
    ended = shell.run("jobs")
    assert (ended.code, "NURIE_KEY" in ended.err, "nurie login" in ended.err) == (1, True, True), ended.err
    shell.environment["NURIE_KEY"] = "nurie_wrong"
    assert "does not take this key" in shell.run("jobs").err
    assert [one["what"] for one in shell.run("doctor", "--json").told if one["state"] == "broken"] == ["key"]


def test_a_key_is_kept_for_its_owner_alone_and_forgotten(tmp_path: Path, locked: Service):
    shell = Shell(tmp_path, locked.url)
    assert shell.run("login", "--key", "nurie_wrong").code == 1
    ended = shell.run("login", stdin=f"{locked.key}\n")
    assert (ended.code, locked.key in ended.err + ended.out) == (0, False), ended.err
    kept = tmp_path / "home" / "config" / "nurie" / "keys.json"
    assert kept.stat().st_mode & 0o077 == 0
    assert shell.run("jobs").code == 0
    assert shell.run("doctor").code == 0
    assert shell.run("logout").code == 0
    assert shell.run("jobs").code == 1


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
