"""docker/kubernetes: pods are kept on a short lead, have limits and budgets, and are found by who should find them."""

import re
from pathlib import Path

import pytest

from common.settings import Settings
from tests.unit.api.cluster import (
    DEPLOYMENTS,
    GPU_POOLS,
    KUBERNETES,
    OVERLAYS,
    POOLS,
    SECRET_KEYS,
    amount,
    container_of,
    deployment,
    every_deployment,
    every_overlay,
    of_kind,
    pod_of,
    settings_of,
)
from tests.unit.api.images import ROOT, last_of, read_stages, steps_of
from tests.unit.api.reachability import matches


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
            assert not re.search(r"(gcr|ghcr|quay|docker)\.io|/(home|root|work)/", line), where
