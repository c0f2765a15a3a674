"""All objects of docker/kubernetes are valid, by Kubernetes' schemas and by strict ones of KEDA's and Prometheus'.

Schemas know nothing of a cluster: whether an image, a class of storage or a label of a node is there, they cannot say.
"""

import copy
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.unit.api.kustomize import IS_FOREIGN, render

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "docker" / "kubernetes"
FOREIGN = yaml.safe_load((Path(__file__).parent / "foreign.yaml").read_text())
OLDEST, NEWEST = "1.30", "1.37"
"""What docs/kubernetes.md asks for, and the newest that there are schemas of."""


def check(one: dict[str, Any], version: str) -> None:
    """Raises jsonschema.ValidationError, also for a field that there is not."""
    kind = f"{one['apiVersion']}/{one['kind']}"
    if IS_FOREIGN.match(one["apiVersion"]):
        schema = {"definitions": FOREIGN["definitions"], **FOREIGN["kinds"][kind]}
        jsonschema.Draft202012Validator(schema).validate(one)
    else:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> list[dict[str, Any]]:
    """The objects of all overlays, with weights on a volume, and the Secrets."""
    folder = tmp_path_factory.mktemp("kubernetes")
    shutil.copytree(KUBERNETES, folder, dirs_exist_ok=True)
    plan = folder / "overlays" / "gpu" / "kustomization.yaml"
    plan.write_text(plan.read_text().replace("# - ../../components/models", "- ../../components/models"))
    for example in (folder / "secret").glob("*.example"):
        example.rename(example.with_suffix(""))
    overlays = list((folder / "overlays").iterdir())
    return [one for path in [*overlays, folder / "secret"] for one in render(path)]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_is_valid(everything, version):
    kinds = {one["kind"] for one in everything}
    assert kinds >= {"Deployment", "NetworkPolicy", "ScaledObject", "PodMonitor", "PersistentVolumeClaim", "Secret"}
    for one in everything:
        try:
            check(one, version)
        except jsonschema.ValidationError as error:
            path = ".".join(str(part) for part in error.absolute_path)
            pytest.fail(f"{one['kind']} {one['metadata']['name']}: {path}: {error.message}")


def test_the_docs_name_the_versions_that_are_tried():
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    assert f"Kubernetes {OLDEST} or later" in text
    assert f"schemas of Kubernetes {OLDEST} and {NEWEST}" in text
    assert kubernetes_validate.latest_version().rpartition(".")[0] == NEWEST


def set_at(one: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(one)
    *parents, last = [int(part) if part.isdecimal() else part for part in path.split("/")]
    place: Any = changed
    for part in parents:
        place = place[part]
    place[last] = value
    return changed


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec/template/spec/terminationGracePeriod", 60),
        ("Deployment", "spec/template/spec/containers/0/ports/0/containerPort", "9100"),
        ("NetworkPolicy", "spec/policyType", ["Egress"]),
        ("PodDisruptionBudget", "spec/selector/matchLabel", {}),
        ("ScaledObject", "spec/cooldownPeriod", "900"),
        ("ScaledObject", "spec/advanced/scalingModifiers/metricsType", "AverageValue"),
        ("ScaledObject", "spec/triggers/0/metadata/targetValue", 1),
        ("ScaledObject", "spec/triggers/0/metadata/metricName", "demand"),
        ("TriggerAuthentication", "spec/secretTargetRef/0/parameter", "bearerToken"),
        ("PodMonitor", "spec/endpoints", []),
        ("ServiceMonitor", "spec/endpoints/0/interval", "15"),
    ],
)
def test_what_is_spelled_wrongly_is_refused(everything, kind, path, value):
    one = next(one for one in everything if one["kind"] == kind)
    check(one, NEWEST)
    with pytest.raises(jsonschema.ValidationError):
        check(set_at(one, path, value), NEWEST)
