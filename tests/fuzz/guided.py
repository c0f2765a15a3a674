"""One reader under atheris, which changes inputs so that they reach lines that were not reached before.

`python -m tests.fuzz.guided READER CORPUS… [-libFuzzer options]`; ends with an error at the first input that is read
wrongly, and keeps it.
"""

import sys

import atheris

with atheris.instrument_imports(include=["common", "zipfile", "PIL"]):
    from tests.fuzz.readers import MEMORY_BYTES, READERS


def main() -> None:
    reader = READERS[sys.argv.pop(1)]
    atheris.Setup([*sys.argv, f"-rss_limit_mb={MEMORY_BYTES // 1024**2}", "-timeout=20"], reader)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
