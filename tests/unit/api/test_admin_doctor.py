"""`nurie doctor`: what is broken is found and named with what to do, and looking changes nothing."""

import errno
import io
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from admin import machine, reach
from admin.__main__ import main
from admin.doctor import examine
from admin.findings import Finding, State, show
from admin.installation import ROOT
from admin.models import INCEPTION, INKNHUE, STYLE2PAINTS
from common.names import STAGES, VERSION
from common.settings import Settings

READY = {"database": "ok", "storage": "ok", "broker": "ok"}


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """Nothing of the settings of whoever runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"NURIE_{name.upper()}", raising=False)
    monkeypatch.setenv("NURIE_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("NURIE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NURIE_PORT", str(closed_port()))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """A server that answers everything so; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/readyz" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def make_wal_database(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE jobs (id)")


def find(findings: list[Finding], what: str) -> Finding:
    [found] = [finding for finding in findings if finding.what == what]
    return found


def test_it_looks_at_everything_and_makes_nothing_where_nothing_is(tmp_path, capsys):
    code = main(["doctor", "--json"])
    findings = json.loads(capsys.readouterr().out)
    assert snapshot(tmp_path) == {}
    assert {frozenset(finding) for finding in findings} == {frozenset({"state", "what", "detail", "remedy"})}
    assert {finding["state"] for finding in findings} <= {"ok", "warning", "broken"}
    whats = [finding["what"] for finding in findings]
    environments = [f"environment {name}" for name in (".venv", *(f".venvs/{stage}" for stage in STAGES))]
    sets = [f"models {chosen.name}" for chosen in (STYLE2PAINTS, INKNHUE, INCEPTION)]
    port = [f"port {Settings().port}"]
    services = ["database", "storage", "broker"]
    first = ["Nurie", "Python", *environments, "accelerator", "memory", "disk", *sets, *services]
    assert whats == first + port
    assert code == (1 if "broken" in {finding["state"] for finding in findings} else 0)


def test_it_changes_nothing_of_what_is_there(tmp_path):
    make_wal_database(tmp_path / "var" / "nurie.db")
    (tmp_path / "var" / "storage" / "objects").mkdir(parents=True)
    before = snapshot(tmp_path)
    findings = examine(ROOT)
    assert snapshot(tmp_path) == before
    assert "can be read" in find(findings, "database").detail
    assert "can be written" in find(findings, "storage").detail


def test_the_exit_code_tells_whether_something_is_broken(monkeypatch, capsys):
    findings = [Finding(State.WARNING, "disk", "little", "make room"), Finding(State.OK, "Python", "3.11.7")]
    monkeypatch.setattr("admin.__main__.examine", lambda root: findings)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out == "!   disk    little -> make room\nok  Python  3.11.7\n"
    findings.append(Finding(State.BROKEN, "broker", "away", "bring it back"))
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[2] == {
        "state": "broken",
        "what": "broker",
        "detail": "away",
        "remedy": "bring it back",
    }


def test_a_terminal_gets_a_table_with_brackets_as_they_are():
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    show([Finding(State.BROKEN, "disk", "0 bytes free (/data/[bold]chapter)", "make room")], console)
    heading, row = console.file.getvalue().splitlines()
    assert heading.split() == ["what", "to", "do"]
    assert row.split() == ["x", "disk", "0", "bytes", "free", "(/data/[bold]chapter)", "make", "room"]


def test_relative_paths_are_those_of_the_installation_as_for_its_processes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NURIE_DATA", "var-of-this-test")
    main(["doctor", "--json"])
    details = {finding["what"]: finding["detail"] for finding in json.loads(capsys.readouterr().out)}
    assert details["database"] == f"{ROOT}/var-of-this-test/nurie.db is made by make serve"
    assert Path.cwd() == tmp_path


def test_a_wrong_setting_is_named_without_its_value_and_the_rest_is_looked_at(monkeypatch):
    monkeypatch.setenv("NURIE_PORT", "123456")
    findings = examine(ROOT)
    wrong = find(findings, "settings")
    assert wrong.state is State.BROKEN
    assert wrong.detail == "NURIE_PORT: Input should be less than or equal to 65535"
    assert find(findings, "Python").state is State.OK


def test_a_look_that_trips_is_a_finding_and_the_others_go_on(monkeypatch):
    def trip(_settings):
        raise RuntimeError("no idea")

    monkeypatch.setattr(reach, "look_at_broker", trip)
    findings = examine(ROOT)
    assert find(findings, "broker").detail == "could not be looked at: RuntimeError: no idea"
    assert findings[-1].what.startswith("port")


def test_another_python_is_broken():
    assert machine.judge_python((3, 11, 9)).state is State.OK
    assert machine.judge_python((3, 12, 1)).state is State.BROKEN


def test_a_missing_environment_is_broken_where_all_runs_here_else_a_warning(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    for stage, mark in (("cgan", "cpu"), ("s2p", "cu")):
        (tmp_path / ".venvs" / stage).mkdir(parents=True)
        (tmp_path / ".venvs" / stage / f".ready-{mark}").touch()
    found = machine.find_environments(tmp_path)
    assert list(found.values()) == ["", "cpu", "cu", None, None]
    missing = find(machine.judge_environments(found, is_alone=True), "environment .venvs/inknhue")
    assert (missing.state, missing.detail, missing.remedy) == (State.BROKEN, "missing", "make setup")
    elsewhere = machine.judge_environments(found | {".venv": None}, is_alone=False)
    assert find(elsewhere, "environment .venvs/inknhue").state is State.WARNING
    assert find(elsewhere, "environment .venv").state is State.BROKEN


@pytest.mark.parametrize(
    ("made_for", "has_gpu", "state"),
    [
        (["cpu", "cpu", None], False, State.OK),
        (["cpu", "cpu"], True, State.WARNING),
        (["cu", "cu"], True, State.OK),
        (["cu", "cu"], False, State.WARNING),
        (["cpu", "cu"], True, State.WARNING),
        ([None, None], False, State.WARNING),
    ],
)
def test_the_accelerator_is_held_against_the_machine(made_for, has_gpu, state):
    found = machine.judge_accelerator(made_for, has_gpu=has_gpu)
    assert found.state is state
    assert (found.remedy is None) == (state is State.OK)


def test_a_gpu_is_known_by_its_device(tmp_path):
    (tmp_path / "nvidiactl").touch()
    assert not machine.has_gpu(tmp_path)
    (tmp_path / "nvidia3").touch()
    assert machine.has_gpu(tmp_path)


@pytest.mark.parametrize(
    ("free_bytes", "state"), [(100_000_000, State.BROKEN), (2_000_000_000, State.WARNING), (20_000_000_000, State.OK)]
)
def test_a_full_disk_is_broken_and_a_small_one_a_warning(tmp_path, free_bytes, state):
    assert machine.judge_disk("data", tmp_path, free_bytes).state is state


def test_disks_are_told_once_each_also_of_folders_that_are_not_there(tmp_path):
    [found] = machine.look_at_disks({"data": tmp_path / "a" / "b", "models": tmp_path})
    assert f"free for data, models ({tmp_path}/a/b)" in found.detail


def test_memory_is_what_programs_can_have_now(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:  9000000 kB\nMemFree: 1 kB\nMemAvailable:    5000000 kB\n")
    assert machine.read_available_memory(tmp_path / "meminfo") == 5_120_000_000
    assert machine.read_available_memory(tmp_path / "none") is None
    assert machine.judge_memory(5_120_000_000, 2).detail == "5.1 GB free; 2 cores"
    assert machine.judge_memory(1_000_000_000, 1).state is State.WARNING
    assert machine.judge_memory(None, 1).state is State.OK


@pytest.mark.parametrize(
    ("chosen", "there", "state", "said"),
    [
        (STYLE2PAINTS, (), State.OK, "not installed; used instead: the embedded weights"),
        (STYLE2PAINTS, STYLE2PAINTS.files, State.OK, "here ("),
        (STYLE2PAINTS, STYLE2PAINTS.files[:3], State.BROKEN, "partly here, without neck.net"),
        (INKNHUE, INKNHUE.files[:1], State.BROKEN, "partly here"),
        (INKNHUE, INKNHUE.files[:2], State.WARNING, "partly here, without pretrained_nets/shader.ckpt"),
        (INKNHUE, INKNHUE.files[2:], State.WARNING, "partly here"),
        (INCEPTION, (), State.OK, "FID and KID are left out"),
    ],
)
def test_sets_on_which_a_stage_fails_are_broken(tmp_path, chosen, there, state, said):
    for file in there:
        (tmp_path / chosen.name / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / chosen.name / file).touch()
    found = machine.judge_models(chosen, tmp_path)
    assert found.state is state
    assert said in found.detail
    assert (found.remedy is None) == (state is State.OK)


def test_the_version_is_told_with_the_commit_where_there_is_one(tmp_path):
    assert machine.look_at_version(tmp_path).detail == f"{VERSION}, not a git checkout ({tmp_path})"
    (tmp_path / ".git").mkdir()  # none that git knows
    assert "commit unknown: git does not say" in machine.look_at_version(tmp_path).detail


def test_a_damaged_database_is_broken(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "nurie.db").write_text("no database at all, " * 100)
    found = reach.look_at_database(Settings())
    assert found.state is State.BROKEN
    assert "file is not a database" in found.detail


def test_a_database_that_does_not_answer_is_broken_and_its_password_is_not_shown(monkeypatch):
    port = closed_port()
    monkeypatch.setenv("NURIE_DATABASE_URL", f"postgresql+psycopg://nurie:hush@127.0.0.1:{port}/nurie")
    found = reach.look_at_database(Settings())
    assert found.state is State.BROKEN
    assert f"nurie:***@127.0.0.1:{port}/nurie: the database does not answer" in found.detail
    monkeypatch.setenv("NURIE_DATABASE_URL", "hush@somewhere")
    found = reach.look_at_database(Settings())
    assert found.state is State.BROKEN
    assert "hush" not in found.detail


def test_a_file_where_a_folder_belongs_is_broken(tmp_path):
    (tmp_path / "var").write_text("")
    for found in (reach.look_at_database(Settings()), reach.look_at_storage(Settings())):
        assert found.state is State.BROKEN
        assert found.detail == f"{tmp_path}/var is no folder"


def test_a_folder_that_cannot_be_written_is_broken(tmp_path, monkeypatch):
    make_wal_database(tmp_path / "var" / "nurie.db")
    # Root, who may run this, may write everywhere.
    monkeypatch.setattr(reach.os, "access", lambda path, mode: path != tmp_path / "var")
    for found in (reach.look_at_database(Settings()), reach.look_at_storage(Settings())):
        assert found.state is State.BROKEN
        assert "cannot be written" in found.detail


def test_a_store_that_is_none_or_does_not_answer_is_broken(monkeypatch):
    monkeypatch.setenv("NURIE_STORAGE_URL", "ftp://here")
    assert "unknown scheme" in reach.look_at_storage(Settings()).detail
    monkeypatch.setenv("NURIE_STORAGE_URL", "s3://bucket")
    monkeypatch.setenv("NURIE_S3_ENDPOINT_URL", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NURIE_S3_ACCESS_KEY", "key")
    monkeypatch.setenv("NURIE_S3_SECRET_KEY", "hush")
    found = reach.look_at_storage(Settings())
    assert found.state is State.BROKEN
    assert found.detail.startswith("s3://bucket at http://127.0.0.1:")
    assert "hush" not in found.detail


def test_only_a_broker_that_somebody_names_must_run(monkeypatch):
    assert reach.look_at_broker(Settings()) == Finding(State.OK, "broker", "embedded: started by make serve")
    monkeypatch.setenv("NURIE_BROKER_URL", f"redis://:hush@127.0.0.1:{closed_port()}/0")
    found = reach.look_at_broker(Settings())
    assert found.state is State.BROKEN
    assert "the broker does not answer" in found.detail
    assert "hush" not in found.detail


def test_a_free_port_is_good():
    assert reach.look_at_port(Settings()).detail == "free on 127.0.0.1"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_a_port_that_cannot_be_reached_is_not_called_free(monkeypatch, error, said):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(socket, "create_connection", refuse)
    found = reach.look_at_port(Settings())
    assert found.state is State.BROKEN
    assert found.detail.startswith("127.0.0.1 cannot be reached: ")
    assert said in found.detail


@pytest.mark.parametrize(
    ("status", "body", "state", "said"),
    [
        (200, json.dumps(READY).encode(), State.OK, "a Nurie runs here, and is ready"),
        (
            503,
            json.dumps(READY | {"broker": "does not answer"}).encode(),
            State.BROKEN,
            "a Nurie runs here, and is not ready: broker: does not answer",
        ),
        (200, b"<html>", State.BROKEN, "taken by something that is no Nurie"),
        (200, b"[1]", State.BROKEN, "taken by something that is no Nurie"),
    ],
)
def test_who_answers_on_the_port_is_told(monkeypatch, status, body, state, said):
    with answering(status, body) as port:
        monkeypatch.setenv("NURIE_PORT", str(port))
        found = reach.look_at_port(Settings())
    assert (found.state, found.detail) == (state, said)


def test_the_port_is_asked_past_any_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with answering(200, json.dumps(READY).encode()) as port:
        monkeypatch.setenv("NURIE_PORT", str(port))
        assert "is ready" in reach.look_at_port(Settings()).detail


def test_a_port_on_which_nobody_speaks_http_is_taken(monkeypatch):
    monkeypatch.setattr(reach, "ANSWER_LIMIT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("NURIE_PORT", str(silent.getsockname()[1]))
        found = reach.look_at_port(Settings())
    assert found.state is State.BROKEN
    assert "taken by something that is no Nurie (ReadTimeout)" in found.detail
