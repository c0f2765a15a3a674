"""`make serve`: run everything on this machine until Ctrl-C."""

import os
import signal
import socket
import sys
import time

from embedded.services import Services, StartError, free_port, stop_on_signals

DEFAULT_PORT = 8000

WELCOME = """
  Nurie runs on {url}

  A browser:  {url}/
  A terminal: ./nurie colorize ch12.cbz -r coloured.png --server {url}
  OpenAPI:    {url}/openapi.json
  curl:       curl -F pages=@page.png -F references=@coloured.png {url}/v1/jobs
              curl {url}/v1/jobs/JOB

  Ctrl-C stops everything.
"""


def main() -> int:
    stop_on_signals()
    port = int(os.environ.get("NURIE_PORT", DEFAULT_PORT))
    if not _is_free(port):
        print(f"port {port} is taken: choose another with NURIE_PORT=…", file=sys.stderr)
        return 1
    # Whoever names a broker runs it: then none of ours is started.
    own_broker = "NURIE_BROKER_URL" not in os.environ
    environment = {"NURIE_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"} if own_broker else {}
    try:
        with Services(environment, port, formation="" if own_broker else "all=1,redis=0") as services:
            services.wait_until_ready()
            print(WELCOME.format(url=services.base_url), flush=True)
            while services.running:
                time.sleep(0.5)
            print("a process ended, so all were stopped", file=sys.stderr)
            return 1
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
        return 128 + signal.SIGINT


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
