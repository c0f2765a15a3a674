"""docker/kubernetes: its processes run and are told what images, Procfile and settings say; no file is left over."""

import re
import shutil
import subprocess

import pytest
import yaml

from api import server
from api.app import create_app
from common.names import VERSION
from common.settings import Settings
from storage.configured import open_configured_store
from storage.s3 import S3Store
from tests.unit.api.cluster import (
    DEPLOYMENTS,
    GPU_POOLS,
    KUBERNETES,
    OVERLAYS,
    POOLS,
    SECRET_KEYS,
    built,
    container_of,
    deployment,
    every_deployment,
    every_overlay,
    of_kind,
    pod_of,
    settings_of,
)
from tests.unit.api.images import (
    ROOT,
    environment_of,
    exec_form,
    last_of,
    procfile_command,
    read_stages,
    steps_of,
)
from tests.unit.api.kustomize import MERGE_KEYS, read_documents, render, used_files
from workers.celery import HARD_LIMIT_AFTER_S


def plain(value: object) -> object:
    """Without what does not count: checksums behind names, and the order of lists whose items have names."""
    if isinstance(value, dict):
        return {
            key: sorted((plain(item) for item in one), key=str)
            if key in MERGE_KEYS and isinstance(one, list)
            else plain(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [plain(one) for one in value]
    return re.sub(r"^settings-[a-z0-9]{10}$", "settings", value) if isinstance(value, str) else value


@every_overlay
def test_kubectl_builds_what_these_tests_look_at(overlay):
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl here: what it builds was not looked at, only what these tests build")
    command = ["kubectl", "kustomize", KUBERNETES / "overlays" / overlay]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    theirs = {(one["kind"], plain(one["metadata"]["name"])): plain(one) for one in yaml.safe_load_all(done.stdout)}
    ours = {(one["kind"], one["metadata"]["name"]): plain(one) for one in built(overlay)}
    assert theirs.keys() == ours.keys()
    for key, one in theirs.items():
        assert ours[key] == one, key
    assert done.stderr == ""


def test_every_file_is_used_by_an_overlay_and_every_named_one_is_there():
    used = {file for overlay in OVERLAYS for file in used_files(KUBERNETES / "overlays" / overlay)}
    used |= set(used_files(KUBERNETES / "components" / "models"))  # for whoever has a volume of weights
    used |= {KUBERNETES / "secret" / "kustomization.yaml"}
    assert {file for file in used if not file.is_file()} == set()
    files = {file for file in KUBERNETES.rglob("*") if file.is_file()}
    assert {file for file in files - used if file.parent != KUBERNETES / "secret"} == set()


def test_components_are_complete_with_the_optional_one(tmp_path):
    shutil.copytree(KUBERNETES, tmp_path, dirs_exist_ok=True)
    plan = tmp_path / "overlays" / "gpu" / "kustomization.yaml"
    plan.write_text(plan.read_text().replace("# - ../../components/models", "- ../../components/models"))
    objects = {(one["kind"], one["metadata"]["name"]): one for one in render(plan.parent)}
    assert objects["PersistentVolumeClaim", "models"]["spec"]["accessModes"] == ["ReadOnlyMany"]
    images = environment_of(steps_of(read_stages(), "api"))
    for name in DEPLOYMENTS:
        pod = objects["Deployment", name]["spec"]["template"]["spec"]
        mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts["models"] == {"name": "models", "mountPath": images["NURIE_MODELS"], "readOnly": True}
        assert {volume["name"] for volume in pod["volumes"]} == mounts.keys() == {"tmp", "models"}


# ---- processes


@every_overlay
def test_there_is_a_deployment_for_each_process_and_no_other(overlay):
    processes = {line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()} - {"redis"}
    assert set(of_kind(overlay, "Deployment")) == processes == set(DEPLOYMENTS)


@every_overlay
@every_deployment
def test_a_pod_runs_its_image_as_the_procfile_does(overlay, name):
    container = container_of(overlay, name)
    assert container["command"] == procfile_command(name)
    image, tag = container["image"].split(":")
    stage = {"control": "api"}.get(name, name)
    assert image == f"nurie/{stage}"
    assert tag == VERSION + ("-cu" if overlay != "small" and name in GPU_POOLS else "")
    steps = steps_of(read_stages(), stage)
    assert name == "control" or container["command"] == exec_form(last_of(steps, "CMD"))
    environment = environment_of(steps)
    (port,) = container["ports"]
    expected = 8000 if name == "api" else int(environment["NURIE_METRICS_PORT"])
    assert port == {"name": "http" if name == "api" else "side", "containerPort": expected}
    assert name != "api" or Settings.model_fields["port"].default == expected
    assert environment["NURIE_METRICS_HOST"] == "0.0.0.0"


@every_overlay
@every_deployment
def test_probes_ask_what_is_there(overlay, name):
    container = container_of(overlay, name)
    (port,) = container["ports"]
    probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
    paths = {kind: probe["httpGet"]["path"] for kind, probe in probes.items()}
    # A worker that is refused, drains or warms up lives: only the first two may start it anew.
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {port["name"]}
    startup = probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"]
    assert startup > 180  # Celery's worker_proc_alive_timeout: networks, and the golden page
    assert probes["liveness"]["periodSeconds"] * probes["liveness"]["failureThreshold"] >= 60


@every_overlay
@pytest.mark.parametrize("name", POOLS)
def test_a_drained_worker_has_time_to_end_what_it_is_at(overlay, name):
    given = settings_of(overlay)
    limits = {"stage": given["NURIE_STAGE_LIMIT_S"]}
    limits |= {
        "cgan": {"training": given["NURIE_TRAINING_LIMIT_S"]},
        "metrics": {"set": given["NURIE_SET_LIMIT_S"]},
    }.get(name, {})
    longest = max(int(limit) for limit in limits.values()) + HARD_LIMIT_AFTER_S
    grace = pod_of(overlay, name)["terminationGracePeriodSeconds"]
    assert longest < grace <= longest + 60
    assert deployment(overlay, name)["spec"]["progressDeadlineSeconds"] > grace + 180
    # None of ours is process 1, which would not hear SIGTERM before it has a handler.
    assert pod_of(overlay, name)["shareProcessNamespace"] is True


@every_overlay
def test_limits_are_the_ones_that_code_has_by_itself(overlay):
    for name in ("stage_limit_s", "training_limit_s", "set_limit_s"):
        assert settings_of(overlay)[f"NURIE_{name.upper()}"] == str(Settings.model_fields[name].default)


def test_the_api_is_left_before_it_stops():
    pod, container = pod_of("gpu", "api"), container_of("gpu", "api")
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause >= 5
    assert pod["terminationGracePeriodSeconds"] >= pause + server.graceful_timeout + 10


# ---- settings and secrets


@every_overlay
def test_every_setting_is_one_and_secrets_are_no_settings(overlay):
    fields = {f"NURIE_{name.upper()}": field for name, field in Settings.model_fields.items()}
    told = {one["name"] for name in DEPLOYMENTS for one in container_of(overlay, name).get("env", [])}
    told = {name for name in told if name not in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    kept = {key for keys in SECRET_KEYS.values() for key in keys}
    assert told | kept | set(settings_of(overlay)) <= fields.keys()
    assert kept & set(settings_of(overlay)) == set()
    assert not [name for name in settings_of(overlay) if "SecretStr" in str(fields[name].annotation)]


@every_overlay
@every_deployment
def test_a_process_is_told_what_is_its_own_and_no_more(overlay, name):
    container = container_of(overlay, name)
    assert container["envFrom"] == [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "nurie"}}]
    secret = {
        one["valueFrom"]["secretKeyRef"]["name"]: 1
        for one in container.get("env", [])
        if "secretKeyRef" in one.get("valueFrom", {})
    }
    assert secret.keys() == ({"nurie-api"} if name == "api" else set())
    values = {one["name"]: one.get("value") for one in container.get("env", [])}
    assert values.get("NURIE_DEVICE") == ("cuda" if overlay != "small" and name in GPU_POOLS else None)
    # A Service `nurie` would give it a NURIE_PORT such as tcp://10.0.0.1:80.
    assert pod_of(overlay, name)["enableServiceLinks"] is False


@every_overlay
@every_deployment
def test_a_process_opens_the_bucket_and_writes_nothing_for_it(overlay, name, monkeypatch, tmp_path):
    data = tmp_path / "data"
    given = environment_of(steps_of(read_stages(), {"control": "api"}.get(name, name)))
    given |= settings_of(overlay) | {"NURIE_DATA": str(data), "NURIE_BROKER_URL": "redis://:x@redis/0"}
    given |= {"NURIE_DATABASE_URL": "postgresql+psycopg://nurie:x@database/nurie"}
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    settings = Settings()
    assert isinstance(open_configured_store(settings), S3Store)
    assert not data.exists()  # a pod's root is read-only
    if name == "api":
        assert (settings.host, settings.auth, settings.port) == ("0.0.0.0", "keys", 8000)
        assert create_app(settings).test_client().get("/v1/jobs").status_code == 401
        assert not data.exists()


def test_secrets_are_examples_without_values_and_git_takes_no_filled_one():
    folder = KUBERNETES / "secret"
    (plan,) = read_documents(folder / "kustomization.yaml")
    assert plan["generatorOptions"] == {"disableNameSuffixHash": True}
    found = {}
    for one in plan["secretGenerator"]:
        (file,) = one["envs"]
        lines = [line for line in (folder / f"{file}.example").read_text().splitlines() if not line.startswith("#")]
        assert all(line.endswith("=") for line in lines), "an example with a value"
        found[one["name"]] = {line.removesuffix("=") for line in lines}
    assert found == SECRET_KEYS
    tracked = subprocess.run(
        ["git", "check-ignore", *(folder / f"{name}.env" for name in ("connections", "api"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(tracked.stdout.splitlines()) == 2
    assert not [one for overlay in OVERLAYS for one in built(overlay) if one["kind"] == "Secret"]
    text = "\n".join(file.read_text() for file in KUBERNETES.rglob("*") if file.is_file() and file.suffix != ".example")
    assert not re.search(r"://[^/\s@]*:[^/\s@]+@|(PASSWORD|SECRET_KEY|TOKEN)=\S", text)
