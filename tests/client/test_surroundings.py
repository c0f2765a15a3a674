"""Project files, keys, servers, shells: what the command finds around it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.conftest import Shell
from tests.client.pages import draw_page
from tests.service import Service


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


def test_a_server_that_asks_for_no_key_has_none_kept(shell: Shell):
    ended = shell.run("login", stdin="nurie_anything\n")
    assert (ended.code, "asks for no key" in ended.err) == (0, True), ended.err
    assert not (shell.folder / "home" / "config" / "nurie" / "keys.json").exists()


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
