"""The import rules know every pure module: a new file of a room is pure unless it is its tasks."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_file_of_a_room_but_its_tasks_is_held_to_be_pure():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    pure = next(set(contract["source_modules"]) for contract in contracts if contract["name"].startswith("Pure"))
    files = [path for room in ("cgan", "s2p", "inknhue", "metrics") for path in (ROOT / "workers" / room).glob("*.py")]
    names = {f"workers.{path.parent.name}.{path.stem}" for path in files if path.stem not in ("__init__", "tasks")}
    assert names <= pure
