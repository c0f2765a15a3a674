"""docker/kubernetes: its objects agree with images, Procfile, settings and each other, and are kept on a short lead."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from api import server
from api.app import create_app
from common.names import STAGES, VERSION
from common.settings import Settings
from storage.configured import open_configured_store
from storage.s3 import S3Store
from tests.unit.api.images import (
    DOCKER,
    ROOT,
    environment_of,
    exec_form,
    last_of,
    procfile_command,
    read_stages,
    steps_of,
)
from tests.unit.api.kustomize import MERGE_KEYS, Document, read_documents, render, used_files
from tests.unit.api.reachability import matches
from workers.celery import HARD_LIMIT_AFTER_S

KUBERNETES = DOCKER / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
POOLS = [stage.value for stage in STAGES]
DEPLOYMENTS = ["api", "control", *POOLS]
GPU_POOLS = ["cgan", "s2p", "inknhue"]
UNITS = {"": 1, "m": 0.001, "Mi": 2**20, "Gi": 2**30}
SECRET_KEYS = {
    "nurie": {"NURIE_DATABASE_URL", "NURIE_BROKER_URL", "NURIE_S3_ACCESS_KEY", "NURIE_S3_SECRET_KEY"},
    "nurie-api": {"NURIE_METRICS_TOKEN"},
}
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
every_deployment = pytest.mark.parametrize("name", DEPLOYMENTS)


@cache
def built(overlay: str) -> list[Document]:
    return render(KUBERNETES / "overlays" / overlay)


def of_kind(overlay: str, kind: str) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in built(overlay) if one["kind"] == kind}


def deployment(overlay: str, name: str) -> Document:
    return of_kind(overlay, "Deployment")[name]


def pod_of(overlay: str, name: str) -> Document:
    return deployment(overlay, name)["spec"]["template"]["spec"]


def container_of(overlay: str, name: str) -> Document:
    (container,) = pod_of(overlay, name)["containers"]
    return container


def amount(text: str | int) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)(\w*)", str(text)).groups()
    return float(number) * UNITS[unit]


def settings_of(overlay: str) -> dict[str, str]:
    return of_kind(overlay, "ConfigMap")["settings"]["data"]


# ---- files


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


# ---- a short lead


@every_overlay
@every_deployment
def test_a_pod_is_kept_on_a_short_lead(overlay, name):
    pod, container = pod_of(overlay, name), container_of(overlay, name)
    (user,) = {last_of(steps_of(read_stages(), stage), "USER") for stage in ("api", *POOLS)}
    context = pod["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert of_kind(overlay, "ServiceAccount")[pod["serviceAccountName"]]["automountServiceAccountToken"] is False
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}


@every_overlay
@every_deployment
def test_a_pod_has_limits_and_writes_to_tmp_alone(overlay, name):
    pod, container = pod_of(overlay, name), container_of(overlay, name)
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    assert {"cpu", "memory"} <= requests.keys() & limits.keys()
    assert all(amount(requests[key]) <= amount(limits[key]) for key in requests)
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    ((_, tmp),) = [(volume["name"], volume["emptyDir"]) for volume in pod["volumes"]]
    if tmp.get("medium") == "Memory":
        assert amount(tmp["sizeLimit"]) <= amount(limits["memory"]) / 4
    else:
        # Uploads of 2 GB, archives of 4: not in memory.
        assert name in ("api", "control")
        largest = Settings.model_fields["max_unpacked_bytes"].default
        assert 2 * largest <= amount(tmp["sizeLimit"]) < amount(limits["ephemeral-storage"])


@every_overlay
@pytest.mark.parametrize("name", POOLS)
def test_an_update_needs_no_spare_gpu_and_leaves_no_pool_of_cpus_empty(overlay, name):
    has_gpu = "nvidia.com/gpu" in container_of(overlay, name)["resources"]["limits"]
    strategy = deployment(overlay, name)["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 0 if has_gpu else 1, "maxUnavailable": 1 if has_gpu else 0}


@every_overlay
def test_pools_have_gpus_where_they_should_and_one_each(overlay):
    for name in DEPLOYMENTS:
        pod, limits = pod_of(overlay, name), container_of(overlay, name)["resources"]["limits"]
        has_gpu = overlay != "small" and name in GPU_POOLS
        assert limits.get("nvidia.com/gpu") == (1 if has_gpu else None)
        assert ("nodeSelector" in pod, "tolerations" in pod) == (has_gpu, has_gpu)


@every_overlay
def test_budgets_and_spreads_select_the_pods_they_are_for(overlay):
    labels = {name: deployment(overlay, name)["spec"]["template"]["metadata"]["labels"] for name in DEPLOYMENTS}
    budgets = of_kind(overlay, "PodDisruptionBudget")
    assert set(budgets) == set(DEPLOYMENTS)
    for name, budget in budgets.items():
        picked = [one for one in DEPLOYMENTS if matches(budget["spec"]["selector"], labels[one])]
        assert picked == [name]
        assert budget["spec"]["maxUnavailable"] == 1
    for name in DEPLOYMENTS:
        assert matches(deployment(overlay, name)["spec"]["selector"], labels[name])
        spreads = pod_of(overlay, name)["topologySpreadConstraints"]
        assert all(matches(one["labelSelector"], labels[name]) for one in spreads)
        assert "kubernetes.io/hostname" in {one["topologyKey"] for one in spreads}


@every_overlay
def test_api_and_control_go_before_pools(overlay):
    classes = of_kind(overlay, "PriorityClass")
    values = {name: classes[pod_of(overlay, name)["priorityClassName"]] for name in DEPLOYMENTS}
    assert min(values[name]["value"] for name in ("api", "control")) > max(values[name]["value"] for name in POOLS)
    assert {values[name].get("preemptionPolicy") for name in POOLS} == {"Never"}


def test_there_are_two_of_what_must_not_be_away_and_one_in_the_small_house():
    replicas = {one: deployment(one, "control")["spec"].get("replicas") for one in OVERLAYS}
    assert replicas == {"small": 1, "gpu": 2, "large": 2}
    assert of_kind("small", "HorizontalPodAutoscaler") == {}
    assert of_kind("gpu", "HorizontalPodAutoscaler")["api"]["spec"]["minReplicas"] >= 2
    # What an autoscaler sets is not set anew with every update.
    assert {
        name for one in OVERLAYS for name in ("api", *POOLS) if "replicas" in deployment(one, name)["spec"]
    } == set()


@every_overlay
def test_the_way_in_leads_to_the_api_and_not_to_its_metrics(overlay):
    (rule,) = of_kind(overlay, "Ingress")["nurie"]["spec"]["rules"]
    backends = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    services = of_kind(overlay, "Service")
    labels = {name: deployment(overlay, name)["spec"]["template"]["metadata"]["labels"] for name in DEPLOYMENTS}
    behind = {
        path: [
            name
            for name in DEPLOYMENTS
            if matches({"matchLabels": services[service]["spec"]["selector"]}, labels[name])
        ]
        for path, service in backends.items()
    }
    assert behind == {"/": ["api"], "/metrics": []}
    assert rule["host"] in settings_of(overlay)["NURIE_PUBLIC_URL"]
    annotations = of_kind(overlay, "Ingress")["nurie"]["metadata"]["annotations"]
    told = {name.rpartition("/")[2]: value for name, value in annotations.items()}
    assert told["proxy-request-buffering"] == told["proxy-buffering"] == "off"
    assert int(told["proxy-read-timeout"]) > 30  # ?wait= at most, schemas.py
    assert (
        int(told["proxy-body-size"].removesuffix("m")) * 1_000_000 == Settings.model_fields["max_request_bytes"].default
    )


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
def test_prometheus_finds_all_processes_by_the_names_that_alerts_use(kind):
    (monitor,) = of_kind("gpu", kind).values()
    found = of_kind("gpu", "Service" if kind == "ServiceMonitor" else "Deployment")
    picked = {
        name
        for name, one in found.items()
        if matches(monitor["spec"]["selector"], one.get("spec", {}).get("template", one)["metadata"].get("labels", {}))
    }
    assert picked == ({"api"} if kind == "ServiceMonitor" else set(DEPLOYMENTS) - {"api"})
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    assert {container_of("gpu", name)["ports"][0]["name"] for name in picked} == {endpoint["port"]}
    (relabel,) = endpoint["relabelings"]
    label = "__meta_kubernetes_pod_label_" + re.sub(r"\W", "_", "app.kubernetes.io/component")
    assert relabel == {"sourceLabels": [label], "targetLabel": "job", "replacement": "nurie-$1"}
    if kind == "ServiceMonitor":
        credentials = endpoint["authorization"]["credentials"]
        assert credentials["key"] in SECRET_KEYS[credentials["name"]]


def test_no_host_of_a_registry_and_no_path_of_a_machine_stands_anywhere():
    for file in (path for path in KUBERNETES.rglob("*") if path.is_file()):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            where = f"{Path(file).relative_to(ROOT)}:{number}"
            assert len(line) <= 160, where
            assert not re.search(r"(gcr|ghcr|quay|docker)\.io|/home/|/root/|/work/", line), where
