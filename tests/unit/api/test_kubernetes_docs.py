"""What docs/kubernetes.md tells people to write and to type: it names what is there, and builds."""

import re
import shutil
import subprocess
from textwrap import dedent

import pytest
import yaml

from common.names import VERSION
from tests.unit.api.cluster import DEPLOYMENTS, KUBERNETES, SECRET_KEYS, of_kind
from tests.unit.api.images import ROOT
from tests.unit.api.kustomize import read_documents

TEXT = (ROOT / "docs" / "kubernetes.md").read_text()


def test_files_that_are_named_are_there():
    named = set(re.findall(r"`((?:base|components|overlays|secret)/[\w./*-]*)`", TEXT))
    assert len(named) > 12
    assert {path for path in named if not list(KUBERNETES.glob(path.rstrip("/")))} == set()
    rows = re.findall(r"^\| `([\w/]+?)/?` \|", TEXT, flags=re.MULTILINE)
    folders = {str(file.parent.relative_to(KUBERNETES)) for file in KUBERNETES.rglob("kustomization.yaml")}
    assert set(rows) == folders - {"base/network"}


def test_tags_are_those_of_this_version():
    assert set(re.findall(r"\d+\.\d+\.\d+(?=\b)", " ".join(re.findall(r"\$image:(\S+)", TEXT)))) == {VERSION}


def test_graces_are_the_ones_that_pods_have():
    told = dict(re.findall(r"^\| ([\w, ]+) \| ([\d,]+) s \|", TEXT, flags=re.MULTILINE))
    told = {name.lower(): int(text.replace(",", "")) for names, text in told.items() for name in names.split(", ")}
    deployments = of_kind("gpu", "Deployment")
    assert told == {
        name: deployments[name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] for name in DEPLOYMENTS
    }


def test_your_overlay_builds_as_it_stands(tmp_path):
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl here: the overlay of the docs was not built")
    shutil.copytree(KUBERNETES, tmp_path, dirs_exist_ok=True)
    (block,) = re.findall(r"```yaml\n +# docker/kubernetes/overlays/mine/kustomization.yaml\n(.*?)```", TEXT, re.DOTALL)
    plan = dedent(block)
    mine = tmp_path / "overlays" / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(plan)
    done = subprocess.run(["kubectl", "kustomize", mine], capture_output=True, text=True, check=True, timeout=60)
    objects = list(yaml.safe_load_all(done.stdout))
    (settings,) = [one for one in objects if one["kind"] == "ConfigMap"]
    assert settings["data"]["NURIE_PUBLIC_URL"] == "https://colour.example.org"
    assert settings["data"].keys() >= of_kind("gpu", "ConfigMap")["settings"]["data"].keys()
    images = {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in objects
        if one["kind"] == "Deployment"
    }
    assert images["api"] == f"REGISTRY/nurie/api:{VERSION}"
    (ingress,) = [one for one in objects if one["kind"] == "Ingress"]
    assert ingress["spec"]["rules"][0]["host"] == ingress["spec"]["tls"][0]["hosts"][0] == "colour.example.org"


def test_rules_for_the_operator_are_made_of_the_rules_there_are():
    (command,) = re.findall(r"^    (\{ printf 'apiVersion.*?) \| kubectl apply", TEXT, re.DOTALL | re.MULTILINE)
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    rule = yaml.safe_load(done.stdout)
    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    (alerts,) = read_documents(ROOT / "docker" / "prometheus" / "alerts.yaml")
    assert rule["spec"] == alerts


def test_the_claim_and_the_volume_of_weights_find_each_other():
    (block,) = re.findall(r"```yaml\napiVersion: v1\nkind: PersistentVolume\n(.*?)```", TEXT, re.DOTALL)
    volume = yaml.safe_load(block)
    (claim,) = read_documents(KUBERNETES / "components" / "models" / "claim.yaml")
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"]
    assert claim["spec"]["storageClassName"] == volume["spec"]["storageClassName"] == ""
    assert claim["spec"]["resources"]["requests"] == volume["spec"]["capacity"]


def test_secrets_are_called_as_they_are():
    for name in SECRET_KEYS:
        assert f"`{name}`" in TEXT
