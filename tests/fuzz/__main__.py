"""`make fuzz`: hostile archives and pictures for 15 minutes; what is read wrongly is kept in out/fuzz.

A third of the time each: archives and pictures under atheris, both at once, and archives as hypothesis builds them.
Put what it finds into `tests/fuzz/corpus.py`, which `make test` reads.
"""

import argparse
import hashlib
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.corpus import fixed_corpus
from tests.fuzz.readers import READERS

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "fuzz"
ROUND_S = 60
"""atheris keeps some memory for every input that it has traced: it begins anew after so long, in seconds."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    seconds = int(parser.parse_args().minutes * 60)
    for reader, data in fixed_corpus():
        file = OUT / reader / hashlib.sha256(data).hexdigest()[:16]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    failed, until = [], time.monotonic() + seconds * 2 / 3
    while not failed and time.monotonic() < until:
        guided = [
            _start(
                *("guided", reader, str(OUT / reader)),
                *(f"-max_total_time={min(ROUND_S, seconds)}", f"-artifact_prefix={OUT}/{reader}-"),
            )
            for reader in READERS
        ]
        failed = [process.args for process in guided if process.wait() != 0]
    structured = _start("structured", str(seconds // 3), str(OUT / "hypothesis"))
    if structured.wait() != 0:
        failed.append(structured.args)
    for arguments in failed:
        print(f"found something: {arguments}", file=sys.stderr)
    print(f"what was found, and the corpus that it grew from, lies in {OUT.relative_to(ROOT)}")
    return 1 if failed else 0


def _start(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-W", "ignore", "-m", f"tests.fuzz.{module}", *arguments], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
