"""What tests of docker/kubernetes look at: the objects of its overlays."""

import re
from functools import cache

import pytest

from common.names import STAGES
from tests.unit.api.images import DOCKER
from tests.unit.api.kustomize import Document, render

KUBERNETES = DOCKER / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
POOLS = [stage.value for stage in STAGES]
DEPLOYMENTS = ["api", "control", *POOLS]
GPU_POOLS = ["s2p", "inknhue"]
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
