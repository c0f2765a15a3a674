"""A real S3 server for tests: OpenStack Swift with its s3api, whole, in one process on 127.0.0.1.

Imported by conftest.py it only starts and stops that process. Run by the python of `.venvs/s3test`, as

    .venvs/s3test/bin/python tests/integration/s3server.py FOLDER

it is the server: it prints its port, serves until it is killed, and dies with the process that started it. Objects lie
under FOLDER, on a file system with extended attributes.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PYTHON = Path(__file__).parents[2] / ".venvs/s3test/bin/python"
ACCESS_KEY, SECRET_KEY = "test:tester", "testing"
START_LIMIT_S = 60
PR_SET_PDEATHSIG = 1

FILTERS = "catch_errors gatekeeper healthcheck listing_formats s3api tempauth copy bulk slo symlink"
OPTIONS = {
    # tempauth takes account:user as the access key; memcached would serve only Swift's own tokens.
    "tempauth": f"user_{ACCESS_KEY.replace(':', '_')} = {SECRET_KEY} .admin",
    # As a bucket has to be for the page: any origin may read and write with a signed URL.
    "s3api": "location = us-east-1\ncors_preflight_allow_origin = *",
}
PROXY_CONF = f"""
[DEFAULT]
swift_dir = {{folder}}
cors_allow_origin = *
strict_cors_mode = false
[pipeline:main]
pipeline = {FILTERS} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_interval = 0
""" + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{OPTIONS.get(name, '')}\n" for name in FILTERS.split())
SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = nurie
swift_hash_path_suffix = nurie
"""


@dataclass(frozen=True)
class S3Server:
    """Where a started server is, and with what to log in."""

    url: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY


def why_unavailable(folder: Path) -> str | None:
    """What this machine lacks to run the server, or None."""
    if not PYTHON.exists():
        return "no .venvs/s3test: run make setup"
    try:
        os.setxattr(folder, "user.nurie", b"1")
    except OSError:
        return f"the file system of {folder} has no extended attributes, which Swift needs"
    return None


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """Start the server, wait until it listens, stop it at the end."""
    log = folder / "server.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [PYTHON, "-W", "ignore", __file__, folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout
    try:
        select.select([process.stdout], [], [], START_LIMIT_S)
        os.set_blocking(process.stdout.fileno(), False)
        port = process.stdout.readline()
        assert port, f"the S3 server did not start in {START_LIMIT_S} s: {log.read_text()[-2000:]}"
        yield S3Server(f"http://127.0.0.1:{int(port)}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def serve(folder: Path) -> None:
    """Be the server; needs the packages of requirements/s3test.txt."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        sys.exit(1)

    import eventlet

    eventlet.monkey_patch(all=False, socket=True, select=True, thread=True)
    (folder / "swift.conf").write_text(SWIFT_CONF)
    (folder / "proxy.conf").write_text(PROXY_CONF.format(folder=folder))
    from swift.common import utils

    # Swift reads its limits and its hash salt from here when its other modules are imported.
    utils.set_swift_dir(str(folder))
    import eventlet.wsgi
    from swift.account import server as account
    from swift.common.ring import RingBuilder
    from swift.common.wsgi import SwiftHttpProtocol, loadapp
    from swift.container import server as container
    from swift.obj import server as obj

    (folder / "devices/d1").mkdir(parents=True)
    # The ports are taken before anything is told of them, so nobody can take them from us.
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in ("account", "container", "object", "proxy")}
    for name in ("account", "container", "object"):
        ring = RingBuilder(4, 1, 0)
        place = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": sockets[name].getsockname()[1]}
        ring.add_dev({**place, "device": "d1", "weight": 1.0})
        ring.rebalance()
        ring.get_ring().save(str(folder / f"{name}.ring.gz"))

    conf = {"devices": str(folder / "devices"), "mount_check": "false", "swift_dir": str(folder)}
    apps = {name: module.app_factory({}, **conf) for name, module in (("account", account), ("container", container))}
    apps["object"] = obj.app_factory({}, **conf)
    apps["proxy"] = loadapp(str(folder / "proxy.conf"))
    quiet = utils.get_logger({"log_address": "/dev/null"}, name="wsgi")
    threads = [
        eventlet.spawn(eventlet.wsgi.server, sockets[name], app, quiet, protocol=SwiftHttpProtocol, log_output=False)
        for name, app in apps.items()
    ]
    print(sockets["proxy"].getsockname()[1], flush=True)
    for thread in threads:
        thread.wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]).resolve())
