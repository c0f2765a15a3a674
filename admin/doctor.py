"""`python -m admin doctor`: is this installation fit to run, and what is to be done where it is not?

It only looks: nothing is made, changed or started. Everything is seen as Nurie's processes see it, which run in the
installation's own folder: that is what relative paths in settings start from.
"""

import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from admin import machine, reach
from admin.findings import Finding, State
from admin.models import MODEL_SETS
from common.jobs.database import find_file
from common.settings import Settings
from storage.connect import find_folder

Look = Callable[[], Finding | Iterable[Finding]]


def examine(root: Path) -> list[Finding]:
    """All findings, the installation first, then the machine, then what Nurie talks to.

    Args:
        root: of the installation; the current folder should be the same, as it is for Nurie's processes.
    """
    settings, faults = _read_settings()
    looks = _list_looks(root, is_alone=settings is None or reach.is_broker_embedded(settings))
    if settings is not None:
        looks += _list_settings_looks(settings)
    return [finding for look in looks for finding in _look(*look)] + faults


def _read_settings() -> tuple[Settings | None, list[Finding]]:
    try:
        return Settings(), []
    except ValidationError as error:
        # Without what was given: it may be a secret.
        said = [f"NURIE_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()]
    return None, [Finding(State.BROKEN, "settings", fault, "set it right (docs/settings.md)") for fault in said]


def _list_looks(root: Path, *, is_alone: bool) -> list[tuple[str, Look]]:
    """What needs no settings."""
    found = machine.find_environments(root)
    made_for = [kind for name, kind in found.items() if name != ".venv"]
    cores = len(os.sched_getaffinity(0))
    return [
        ("Nurie", partial(machine.look_at_version, root)),
        ("Python", partial(machine.judge_python, sys.version_info[:3])),
        ("environments", partial(machine.judge_environments, found, is_alone=is_alone)),
        ("accelerator", lambda: machine.judge_accelerator(made_for, has_gpu=machine.has_gpu())),
        ("memory", lambda: machine.judge_memory(machine.read_available_memory(), cores)),
    ]


def _list_settings_looks(settings: Settings) -> list[tuple[str, Look]]:
    return [
        ("disk", lambda: machine.look_at_disks(_list_places(settings))),
        *((f"models {its.name}", partial(machine.judge_models, its, settings.models)) for its in MODEL_SETS.values()),
        ("database", partial(reach.look_at_database, settings)),
        ("storage", partial(reach.look_at_storage, settings)),
        ("broker", partial(reach.look_at_broker, settings)),
        (f"port {settings.port}", partial(reach.look_at_port, settings)),
    ]


def _list_places(settings: Settings) -> dict[str, Path]:
    """Folders that grow on this machine. A URL that is none is named by the look at what it is of."""
    places: dict[str, Path | None] = {"data": settings.data}
    for name, find, url in (
        ("database", find_file, settings.database_url),
        ("storage", find_folder, settings.storage_url),
    ):
        try:
            places[name] = find(url)
        except ValueError:
            continue
    return {name: path for name, path in (places | {"models": settings.models}).items() if path is not None}


def _look(what: str, look: Look) -> list[Finding]:
    """One look; the others are of use even where this one trips."""
    try:
        found = look()
    except Exception as error:  # noqa: BLE001  whatever it is, it is what was found
        detail = f"could not be looked at: {type(error).__name__}: {error}"
        return [Finding(State.BROKEN, what, detail, "see what the message names")]
    return [found] if isinstance(found, Finding) else list(found)
