"""Bills of materials: what is added to what cyclonedx-py reads, and Nurie's own weights."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from supply.lists import REQUIREMENTS, ROOT, name_deployed
from supply.sbom import complete_bom, name_direct
from supply.weights import describe_weights, find_weights

CARD = """# Model card

| | |
|---|---|
| made for | tests |
| licence of the weights | Apache-2.0, like Nurie; see *Data* |

## Data

- Pages that are
  ours.
- Others.

## Limits

- Small.
"""


def make_bom() -> dict[str, Any]:
    return {
        "metadata": {"component": {"bom-ref": "root", "name": "nurie", "type": "application"}},
        "components": [
            {"bom-ref": "Flask==3", "name": "Flask", "licenses": [{"license": {"name": "some text"}}]},
            {
                "bom-ref": "nurie-client==1",
                "name": "nurie-client",
                "externalReferences": [{"type": "distribution", "url": "file:///home/somebody/nurie/client"}],
            },
            {"bom-ref": "jinja2==3", "name": "jinja2", "externalReferences": [{"type": "vcs", "url": "https://x"}]},
            {"bom-ref": "ruff==1", "name": "ruff"},
        ],
        "dependencies": [{"ref": "root"}, {"ref": "Flask==3", "dependsOn": ["jinja2==3"]}],
    }


def test_nurie_depends_on_what_it_asks_for_and_on_its_weights() -> None:
    weights = {"bom-ref": "weights/s2p", "name": "nurie-s2p-embedded"}
    bom = complete_bom(make_bom(), {}, {"flask", "nurie-client"}, set(), [weights])
    graph = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    assert graph == {
        "root": ["Flask==3", "nurie-client==1", "weights/s2p"],
        "Flask==3": ["jinja2==3"],
        "weights/s2p": [],
    }
    assert bom["components"][-1] is weights


def test_a_bill_names_no_folder_of_the_machine() -> None:
    bom = complete_bom(make_bom(), {}, set(), set(), [])
    assert "somebody" not in json.dumps(bom)
    assert bom["components"][2]["externalReferences"] == [{"type": "vcs", "url": "https://x"}]


def test_licences_that_somebody_read_are_told_as_such() -> None:
    licences = {"flask": ("BSD-3-Clause", "declared"), "jinja2": ("MIT AND Apache-2.0", "concluded")}
    flask, _, jinja2, ruff = complete_bom(make_bom(), licences, set(), set(), [])["components"]
    assert flask["licenses"] == [{"license": {"id": "BSD-3-Clause", "acknowledgement": "declared"}}]
    assert jinja2["licenses"] == [{"expression": "MIT AND Apache-2.0", "acknowledgement": "concluded"}]
    assert "licenses" not in ruff


def test_what_is_installed_beside_a_list_is_no_part_of_what_is_deployed() -> None:
    components = complete_bom(make_bom(), {}, set(), {"ruff"}, [])["components"]
    assert [component["name"] for component in components if component.get("scope") == "excluded"] == ["ruff"]


def test_direct_dependencies_are_those_of_the_source_and_of_what_it_includes() -> None:
    names = name_direct(REQUIREMENTS / "api.in")
    assert {"nurie-client", "flask", "celery", "sqlalchemy"} <= names
    assert "jinja2" not in names


def test_every_embedded_weight_has_a_card_that_says_all() -> None:
    weights = [path for name in name_deployed() for path in find_weights(name)]
    assert weights == sorted(ROOT.glob("workers/*/weights/*.safetensors"), key=weights.index)
    assert len(weights) >= 2
    for path in weights:
        component = describe_weights(path, "1")
        assert component["hashes"][0]["content"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert component["licenses"][0]["license"]["id"] == "Apache-2.0"
        assert "Pepper&Carrot" in json.dumps(component["modelCard"]["modelParameters"]["datasets"])


def lay_out(folder: Path, card: str) -> Path:
    path = folder / "workers" / "s2p" / "weights" / "embedded.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    (path.parent / "README.md").write_text(card, encoding="utf-8")
    return path


def test_a_model_card_is_read_point_by_point(tmp_path: Path) -> None:
    component = describe_weights(lay_out(tmp_path, CARD), "1.2.3", tmp_path)
    assert (component["name"], component["version"], component["description"]) == (
        "nurie-s2p-embedded",
        "1.2.3",
        "tests",
    )
    card = component["modelCard"]
    assert [data["description"] for data in card["modelParameters"]["datasets"]] == ["Pages that are ours.", "Others."]
    assert card["considerations"]["technicalLimitations"] == ["Small."]
    assert component["properties"][0]["value"] == "workers/s2p/weights/embedded.safetensors"


@pytest.mark.parametrize("missing", ["| made for | tests |\n", "- Pages that are\n  ours.\n- Others.\n", "- Small.\n"])
def test_a_model_card_that_says_too_little_stops_the_bill(tmp_path: Path, missing: str) -> None:
    path = lay_out(tmp_path, CARD.replace(missing, ""))
    with pytest.raises(ValueError, match=r"workers/s2p/weights/README\.md does not say"):
        describe_weights(path, "1", tmp_path)
