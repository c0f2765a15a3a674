"""`health.py PORT`: exit code 0 when /healthz answers 200 on that port of this container.

Is it alive, not: is it ready. A worker that warms up, drains or is refused by its golden page must not be restarted for
it, and the API has nothing to gain from a restart while its database is away.
"""

import http.client
import sys

TIMEOUT_S = 4


def main() -> None:
    # Not urllib: a proxy in the environment would be asked for what is here.
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"port {sys.argv[1]} does not answer: {error}")
    if status != 200:
        sys.exit(f"/healthz on port {sys.argv[1]} answers {status}")


if __name__ == "__main__":
    main()
