"""Kustomizations as `kubectl kustomize` builds them: what docker/kubernetes uses of them, and an error for the rest.

So that tests need no kubectl; where there is one, a test holds this against it. What a generator puts behind a name,
the checksum of its contents, is left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

KINDS = {"Kustomization": "kustomize.config.k8s.io/v1beta1", "Component": "kustomize.config.k8s.io/v1alpha1"}
WITHOUT_NAMESPACE = {"Namespace", "PriorityClass"}
MERGE_KEYS = {
    "containers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
}
"""Lists that a patch merges, by what tells their items apart; it replaces all others, and all of foreign kinds."""
IS_FOREIGN = re.compile(r"keda\.sh/|monitoring\.coreos\.com/")


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"{sorted(twice)} twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def read_documents(path: Path) -> list[Document]:
    with path.open(encoding="utf-8") as file:
        return [document for document in yaml.load_all(file, _StrictLoader) if document is not None]


def render(folder: Path) -> list[Document]:
    """All objects of a Kustomization."""
    return _build(folder, [])


def used_files(folder: Path) -> Iterator[Path]:
    """The files that a Kustomization is made of, its own included."""
    yield folder / "kustomization.yaml"
    plan = _read_plan(folder)
    paths = [*plan.get("resources", []), *plan.get("components", []), *(one["path"] for one in plan.get("patches", []))]
    paths += [file for one in _generators(plan) for file in one.get("envs", [])]
    for path in paths:
        target = (folder / path).resolve()
        if target.is_dir():
            yield from used_files(target)
        else:
            yield target


def _build(folder: Path, objects: list[Document]) -> list[Document]:
    """Build a folder onto what a component is given; nothing, for a Kustomization."""
    plan = _read_plan(folder)
    for path in plan.pop("resources", []):
        target = folder / path
        objects = objects + (render(target) if target.is_dir() else read_documents(target))
    for path in plan.pop("components", []):
        objects = _build(folder / path, objects)
    for one in plan.pop("configMapGenerator", []):
        objects = _generate("ConfigMap", "data", one, folder, objects)
    for one in plan.pop("secretGenerator", []):
        objects = _generate("Secret", "stringData", one, folder, objects)
    for patch in plan.pop("patches", []):
        for one in read_documents(folder / patch["path"]):
            objects = _patch(objects, one, patch.get("target") or _named(one, objects))
    for image in plan.pop("images", []):
        _tag(objects, image["name"], image["newTag"])
    if namespace := plan.pop("namespace", None):
        for one in objects:
            if one["kind"] not in WITHOUT_NAMESPACE:
                one["metadata"]["namespace"] = namespace
    plan.pop("generatorOptions", None)
    assert not plan, f"{folder}: {sorted(plan)} is not known here"
    return objects


def _read_plan(folder: Path) -> Document:
    (plan,) = read_documents(folder / "kustomization.yaml")
    assert KINDS[plan.pop("kind")] == plan.pop("apiVersion")
    return plan


def _generators(plan: Document) -> list[Document]:
    return [*plan.get("configMapGenerator", []), *plan.get("secretGenerator", [])]


def _generate(kind: str, field: str, plan: Document, folder: Path, objects: list[Document]) -> list[Document]:
    lines = [line for file in plan.get("envs", []) for line in (folder / file).read_text().splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")] + plan.get("literals", [])
    data = dict(line.split("=", 1) for line in lines)
    if plan.get("behavior") == "merge":
        (given,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, plan["name"]))
        given[field] |= data
        return objects
    return [*objects, {"apiVersion": "v1", "kind": kind, "metadata": {"name": plan["name"]}, field: data}]


def _named(patch: Document, objects: list[Document]) -> Document:
    """The target of a patch that names the one object it changes."""
    kind, name = patch["kind"], patch["metadata"]["name"]
    assert any(_is(one, kind, name) for one in objects), f"there is no {kind} {name} to patch"
    return {"kind": kind, "name": name}


def _patch(objects: list[Document], patch: Document, target: Document) -> list[Document]:
    assert target.keys() <= {"kind", "name", "labelSelector"}
    change = {key: value for key, value in patch.items() if key not in ("metadata", "kind", "apiVersion")}
    changed = []
    for one in objects:
        if not (_is(one, target["kind"], target.get("name", ".*")) and _has_label(one, target.get("labelSelector"))):
            changed.append(one)
        elif change.get("$patch") != "delete":
            changed.append(_merge(one, change, one["apiVersion"]))
    return changed


def _is(one: Document, kind: str, name: str) -> bool:
    return one["kind"] == kind and bool(re.fullmatch(name, one["metadata"]["name"]))


def _has_label(one: Document, selector: str | None) -> bool:
    return selector is None or selector in [
        f"{key}={value}" for key, value in one["metadata"].get("labels", {}).items()
    ]


def _merge(given: Any, change: Any, api: str, key: str | None = None) -> Any:
    if isinstance(given, dict) and isinstance(change, dict):
        merged = {name: _merge(given.get(name), value, api, name) for name, value in change.items()}
        return {name: value for name, value in (given | merged).items() if value is not None}
    by = None if IS_FOREIGN.match(api) or key is None else MERGE_KEYS.get(key)
    if by is None or not isinstance(given, list) or not isinstance(change, list):
        return change
    found = {one[by]: one for one in given}
    for one in change:
        found[one[by]] = _merge(found.get(one[by], {}), one, api)
    return list(found.values())


def _tag(objects: list[Document], name: str, tag: str) -> None:
    for one in objects:
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            if container["image"].partition(":")[0] == name:
                container["image"] = f"{name}:{tag}"
