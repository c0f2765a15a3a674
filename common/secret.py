"""The key that signed URLs are signed with: from the settings, or made once and kept in the data folder."""

import os
import secrets
import time
from pathlib import Path

from common.errors import NurieError
from common.settings import Settings

FILENAME = "secret"
WRITTEN_WITHIN_S = 5


def load_secret(settings: Settings) -> str:
    """The same key in every process of an installation.

    Raises:
        NurieError: the key's file is there, but empty.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    path = settings.data / FILENAME
    settings.data.mkdir(parents=True, exist_ok=True)
    try:
        # Whoever creates the file decides; 0600, since whoever reads it can sign URLs.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret := secrets.token_hex(32))
    return secret


def _read_secret(path: Path) -> str:
    deadline = time.monotonic() + WRITTEN_WITHIN_S
    while time.monotonic() < deadline:
        if len(secret := path.read_text()) == 64:
            return secret
        time.sleep(0.01)  # another process has just created it and is about to write
    raise NurieError(f"{path} holds no key: delete it, and a new one is made")
