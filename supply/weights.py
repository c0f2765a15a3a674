"""The weights that Nurie brings along, as components of a bill of materials: checksum, licence, model card."""

import hashlib
import re
from pathlib import Path
from typing import Any

from supply.lists import ROOT

CARD_ROW = re.compile(r"^\| (?P<name>[^|]+) \| (?P<value>[^|]+) \|$", re.MULTILINE)


def find_weights(room: str, root: Path = ROOT) -> list[Path]:
    """Find the weights in a room of the workers."""
    return sorted((root / "workers" / room / "weights").glob("*.safetensors"))


def read_bullets(card: str, section: str) -> list[str]:
    """Read the list of a section of a model card, each point in one line."""
    body = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    points = re.findall(r"^- (.*?)(?=^- |^$|\Z)", body[1] if body else "", re.MULTILINE | re.DOTALL)
    return [" ".join(point.split()) for point in points]


def describe_weights(path: Path, version: str, root: Path = ROOT) -> dict[str, Any]:
    """Describe weights as a component of CycloneDX 1.6, from the file and the model card beside it.

    Raises:
        ValueError: there is no card, or it does not say what is needed.
    """
    card_path = path.parent / "README.md"
    card = card_path.read_text(encoding="utf-8") if card_path.exists() else ""
    told = {row["name"].strip(): row["value"].strip() for row in CARD_ROW.finditer(card)}
    data, limits = read_bullets(card, "Data"), read_bullets(card, "Limits")
    licence = told.get("licence of the weights", "").partition(",")[0]
    if not (licence and data and limits and told.get("made for")):
        raise ValueError(f"{card_path.relative_to(root)} does not say purpose, licence, data and limits of {path.name}")
    room = path.parent.parent.name
    return {
        "type": "machine-learning-model",
        "bom-ref": f"weights/{room}/{path.name}",
        "name": f"nurie-{room}-{path.stem}",
        "version": version,
        "description": told["made for"],
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "licenses": [{"license": {"id": licence, "acknowledgement": "declared"}}],
        "modelCard": {
            "modelParameters": {
                "approach": {"type": "supervised"},
                "task": "colourisation of comic pages",
                "datasets": [
                    {"type": "dataset", "name": f"data {number}", "description": text}
                    for number, text in enumerate(data, 1)
                ],
            },
            "considerations": {"technicalLimitations": limits},
        },
        "properties": [
            {"name": "nurie:file", "value": path.relative_to(root).as_posix()},
            {"name": "nurie:model-card", "value": card_path.relative_to(root).as_posix()},
        ],
    }
