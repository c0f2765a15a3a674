"""Whether the service that knows vulnerabilities (OSV) can be asked: `make lint` audits where it can, or says why not.

Being reached is not enough: a proxy or a mirror may answer everything with nothing, which would read as no
vulnerabilities at all. So it is asked for a version that has had known ones for years.
"""

import argparse
import json
import queue
import sys
import threading
import urllib.error
import urllib.request

OSV_URL = "https://api.osv.dev/v1/query"

# The example of OSV's own documentation.
KNOWN_BAD = {"package": {"name": "jinja2", "ecosystem": "PyPI"}, "version": "2.4.1"}

TIMEOUT_S = 6.0
CANNOT_BE_ASKED = 3
LARGEST_ANSWER_BYTES = 8_000_000


def ask_once(url: str, timeout_s: float) -> str | None:
    """Ask for the version that is known to be bad; say what is wrong with the answer."""
    request = urllib.request.Request(url, json.dumps(KNOWN_BAD).encode(), {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            told = json.loads(answer.read(LARGEST_ANSWER_BYTES))
    except urllib.error.HTTPError as problem:
        return f"it answers {problem.code}"
    except urllib.error.URLError as problem:
        return f"it cannot be reached ({problem.reason})"
    except OSError as problem:
        return f"it cannot be reached ({problem})"
    except ValueError:
        return "its answer is no JSON"
    if not isinstance(told, dict) or not told.get("vulns"):
        return "it answers, but knows nothing of a version that is known to be bad"
    return None


def find_obstacle(url: str = OSV_URL, timeout_s: float = TIMEOUT_S) -> str | None:
    """Say why the service cannot be asked, or nothing where it can.

    Looking a name up, and an answer byte by byte, know no timeout of a socket: `timeout_s` is for all of it.
    """
    if not url.startswith(("https://", "http://")):
        return f"{url} is no http address"
    said: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=lambda: said.put(ask_once(url, timeout_s)), daemon=True).start()
    try:
        return said.get(timeout=timeout_s)
    except queue.Empty:
        return f"it has not answered within {timeout_s:g} s"


def main() -> int:
    parser = argparse.ArgumentParser(prog="supply.service", description=__doc__.splitlines()[0])
    parser.add_argument("--osv-url", default=OSV_URL)
    url = parser.parse_args().osv_url
    if obstacle := find_obstacle(url):
        print(f"pip-audit was skipped: {url}: {obstacle}")
        return CANNOT_BE_ASKED
    return 0


if __name__ == "__main__":
    sys.exit(main())
