"""`nurie.toml`: what is the same for all chapters of a series, in its folder; and the keys, which are not in it."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from platformdirs import user_config_path

from nurie_client.chapters import PROJECT_FILE
from nurie_client.client import DEFAULT_SERVER
from nurie_client.errors import InputError
from nurie_client.notes import write_atomically

SERVER_VARIABLE: Final = "NURIE_SERVER"
KEY_VARIABLE: Final = "NURIE_KEY"
KINDS: Final = {"server": str, "series": str, "references": list, "out": str, "keep_days": (int, float), "params": dict}


@dataclass(frozen=True)
class Project:
    """The settings of a series; paths are taken from the folder of the file.

    Attributes:
        file: where they stand; None where there is no such file.
    """

    file: Path | None = None
    server: str | None = None
    series: str | None = None
    references: tuple[Path, ...] = ()
    out: Path | None = None
    keep_days: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def find_project(start: Path) -> Project:
    """The `nurie.toml` of this folder or of the nearest above it. Raises InputError: it says something wrong."""
    for folder in (start.absolute(), *start.absolute().parents):
        if (file := folder / PROJECT_FILE).is_file():
            return read_project(file)
    return Project()


def read_project(file: Path) -> Project:
    """Raises InputError: no TOML, an unknown setting, or one of the wrong kind."""
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f'{file}: {error}. Texts need quotes: series = "Kuro"') from None
    for name, value in told.items():
        if name not in KINDS:
            raise InputError(f"{file}: unknown setting {name!r}; there are {', '.join(KINDS)}")
        if isinstance(value, bool) or not isinstance(value, KINDS[name]):  # type: ignore[arg-type]
            raise InputError(f"{file}: {name} = {value!r} is not of the right kind")
    references = told.get("references", [])
    if not all(isinstance(reference, str) for reference in references):
        raise InputError(f"{file}: references: a list of file names")
    folder = file.parent
    return Project(
        file,
        told.get("server"),
        told.get("series"),
        tuple(folder / Path(reference).expanduser() for reference in references),
        folder / Path(told["out"]).expanduser() if "out" in told else None,
        told.get("keep_days"),
        told.get("params", {}),
    )


def choose_server(asked: str | None, project: Project) -> str:
    """The command line's, the environment's (NURIE_SERVER), the project's, or this machine."""
    return (asked or os.environ.get(SERVER_VARIABLE) or project.server or DEFAULT_SERVER).rstrip("/")


def find_key(server: str) -> str | None:
    """The environment's (NURIE_KEY), or what `nurie login` kept for this server."""
    return os.environ.get(KEY_VARIABLE) or _kept_keys().get(_origin(server))


def keep_key(server: str, key: str) -> Path:
    """Keep a key for a server in a file that nobody else may read; returns which. Raises InputError."""
    keys = _kept_keys() | {_origin(server): key}
    return _write_keys(keys)


def forget_key(server: str) -> bool:
    """Whether there was one."""
    keys = _kept_keys()
    if keys.pop(_origin(server), None) is None:
        return False
    _write_keys(keys)
    return True


def _write_keys(keys: Mapping[str, str]) -> Path:
    file = _keys_file()
    try:
        write_atomically(file, json.dumps(dict(keys), indent=1), private=True)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None
    return file


def _kept_keys() -> dict[str, str]:
    try:
        told = json.loads(_keys_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{_keys_file()} cannot be read: {error}") from None
    return {str(origin): str(key) for origin, key in told.items()} if isinstance(told, dict) else {}


def _keys_file() -> Path:
    return user_config_path("nurie") / "keys.json"


def _origin(server: str) -> str:
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc}".lower()
