"""Bills of materials against the schema of CycloneDX 1.6, with cyclonedx-py as it is."""

import json
from pathlib import Path

import pytest

from supply import sbom
from supply.lists import ROOT, normalise, read_pins
from supply.sbom import complete_bom, read_environment, tell_licences, validate
from supply.weights import describe_weights, find_weights


def test_a_bill_with_weights_keeps_to_the_schema_and_is_the_same_twice() -> None:
    texts = []
    for _ in range(2):
        bom = read_environment(ROOT / ".venvs/supply/bin/python", ROOT / "pyproject.toml")
        weights = [describe_weights(path, "1") for path in find_weights("s2p")]
        told = tell_licences(ROOT / ".venvs/supply")
        texts.append(json.dumps(complete_bom(bom, told, {"pip-audit"}, {"pytest"}, weights)))
    assert texts[0] == texts[1]
    assert validate(texts[0]) is None
    bom = json.loads(texts[0])
    assert bom["specVersion"] == "1.6"
    assert bom["metadata"]["component"]["name"] == "nurie"
    assert bom["metadata"]["component"]["licenses"][0]["license"]["id"] == "Apache-2.0"
    found = {normalise(component["name"]): component for component in bom["components"]}
    assert found["pip-audit"]["version"] == dict(read_pins("supply"))["pip-audit"]
    assert found["nurie-s2p-embedded"]["type"] == "machine-learning-model"


def test_a_bill_that_does_not_keep_to_the_schema_is_not_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sbom, "OUT", tmp_path)
    monkeypatch.setattr(sbom, "complete_bom", lambda bom, *others: {**bom, "surprise": True})
    monkeypatch.setattr(sbom, "drop_local_files", lambda component: None)
    with pytest.raises(ValueError, match=r"does not keep to CycloneDX 1\.6"):
        sbom.write_bom("supply")
    assert list(tmp_path.iterdir()) == []
