"""Names have one home: the Procfile, the routes and the registered tasks agree with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from common.names import (
    CODE_VERSIONS,
    CONTROL_QUEUE,
    PAGE_TASKS,
    QUEUES,
    SET_ARTIFACTS,
    SET_TASK,
    STAGE_ARTIFACTS,
    STAGES,
    TRAIN_TASK,
    Artifact,
)

ROOT = Path(__file__).resolve().parents[3]
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def test_every_queue_is_served_by_a_process_of_its_own_environment():
    served = {}
    for name, command in PROCFILE.items():
        if match := re.search(r"-Q (\S+)", command):
            served[match[1]] = command
            assert f".venvs/{match[1]}/bin/celery -A workers.{match[1]}.tasks" in command, name
    assert set(served) | {CONTROL_QUEUE} == set(QUEUES)
    assert "-m workers.control" in PROCFILE["control"]


def test_every_stage_has_a_task_a_version_and_artifacts():
    assert set(PAGE_TASKS) == set(CODE_VERSIONS) == set(STAGE_ARTIFACTS) == set(STAGES)
    made = [artifact for artifacts in STAGE_ARTIFACTS.values() for artifact in artifacts]
    assert {*made, *SET_ARTIFACTS, Artifact.SOURCE} == set(Artifact)
    assert len(made) == len(set(made))


@pytest.mark.parametrize("stage", STAGES)
def test_the_rooms_register_exactly_the_tasks_that_are_named(stage):
    python = ROOT / ".venvs" / stage / "bin" / "python"
    script = f"import workers.{stage}.tasks as t; print(*sorted(n for n in t.app.tasks if not n.startswith('celery.')))"
    done = subprocess.run([python, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    expected = {PAGE_TASKS[stage]} | {"cgan": {TRAIN_TASK}, "metrics": {SET_TASK}}.get(stage, set())
    assert set(done.stdout.split()) == expected


def test_workers_tell_each_other_nothing(tmp_path):
    """Of a thousand that did, each would hear of all the others every two seconds."""
    script = (
        "from workers.celery import app; w = app.Worker(pool='solo', queues=['cgan'], quiet=True); "
        "print(*(s.alias for s in w.consumer.blueprint.order if s.enabled))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        env=os.environ | {"NURIE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    steps = set(done.stdout.split())
    assert "Tasks" in steps
    assert not steps & {"Gossip", "Mingle", "Heart", "Events"}


def test_every_task_is_routed_to_the_queue_of_its_stage():
    from workers.celery import app

    routes = {name: route["queue"] for name, route in app.conf.task_routes.items()}
    expected = {name: stage.value for stage, name in PAGE_TASKS.items()} | {TRAIN_TASK: "cgan", SET_TASK: "metrics"}
    assert routes == expected


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("api.app", "torch tensorflow cv2 celery workers boto3"),
        ("workers.control.loop", "torch tensorflow cv2 flask boto3"),
        ("storage.configured", "boto3"),
        ("nurie_client", "flask sqlalchemy celery common numpy"),
    ],
)
def test_importing_a_module_loads_nothing_heavy_and_starts_nothing(module, heavy, tmp_path):
    script = (
        f"import sys, threading, {module}\n"
        f"loaded = [name for name in {heavy.split()} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"NURIE_DATA": str(tmp_path / "var")},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("stage", STAGES)
def test_importing_a_worker_loads_no_network_library_of_another_room(stage):
    forbidden = {"cgan": "tensorflow", "s2p": "torch", "inknhue": "tensorflow", "metrics": "tensorflow"}[stage]
    script = (
        f"import sys, workers.{stage}.tasks; assert {forbidden!r} not in sys.modules and 'flask' not in sys.modules"
    )
    python = ROOT / ".venvs" / stage / "bin" / "python"
    done = subprocess.run([python, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
