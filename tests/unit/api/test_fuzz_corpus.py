"""The fixed corpus of `make fuzz`: no hostile archive or picture comes out as another error than ours."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.fuzz.corpus import fixed_corpus
from tests.fuzz.readers import MEMORY_BYTES

ROOT = Path(__file__).resolve().parents[3]


def test_the_corpus_is_read_within_the_memory_that_it_may_need() -> None:
    # In a process of its own, where nothing else takes memory; warnings are errors there too.
    command = [sys.executable, "-W", "error", "-m", "tests.fuzz.corpus"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    count, mebibytes = map(int, re.fullmatch(r"(\d+) inputs, (\d+) MiB\n", done.stdout).groups())
    assert count > 3000
    assert mebibytes < MEMORY_BYTES // 1024**2


def test_the_corpus_is_the_same_on_every_machine() -> None:
    first, second = list(fixed_corpus()), list(fixed_corpus())
    assert first == second
    assert Counter(reader for reader, _ in first).keys() == {"archive", "picture"}
