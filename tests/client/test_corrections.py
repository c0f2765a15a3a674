"""Hints, parameters, colours, and what a series remembers of them."""

import json

from tests.client.conftest import Shell
from tests.client.pages import draw_page


def test_the_palette_is_listed_and_several_colours_are_corrected_at_once(shell: Shell, sent):
    assert json.loads(shell.run("palette", "last", "--json").out) == [{"colour": "#b03a2e", "corrected": None}]
    assert "#b03a2e" in shell.run("palette", "last").out
    assert shell.run("recolour", "last", "#b03a2e").code == 2
    corrected = shell.run("recolour", "last", "#b03a2e", "#c82828")
    assert "2 pages run again" in corrected.err, corrected.err
    assert shell.run("wait", "last").code == 0
    assert "no page changes by it" in shell.run("recolour", "last", "#b03a2e", "#c82828").err


def test_hints_that_are_no_object_and_parameters_that_are_no_json_are_refused_in_words(shell: Shell, sent):
    ended = shell.run("hints", "set", "last", "1", "-", stdin="[]")
    assert (ended.code, "Traceback" in ended.err) == (1, False), ended.err
    ended = shell.run("rerun", "last", "1", "--set", "blend=NaN")
    assert (ended.code, "Traceback" in ended.err) == (1, False), ended.err


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
