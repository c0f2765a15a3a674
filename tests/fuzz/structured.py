"""Archives as hypothesis builds them: well-formed in some parts and absurd in others, as changes of bytes seldom are.

`python -m tests.fuzz.structured SECONDS FOLDER`
"""

import io
import sys
import time
import warnings
import zipfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.fuzz.readers import fuzz_archive, fuzz_picture

ROUND = 2000

NAMES = st.one_of(
    st.text(max_size=30),
    st.builds("/".join, st.lists(st.sampled_from(("..", ".", "", "a", "1", "第一話", "__MACOSX", ".x")), max_size=5)),
    st.sampled_from(("ComicInfo.xml", "Thumbs.db", "inner.zip", "x.rar", "C:\\x.png", "nurie.json")),
)
SUFFIXES = st.sampled_from(("", ".png", ".jpg", ".webp", ".PNG", "/", ".cbz"))
DATA = st.one_of(st.binary(max_size=300), st.builds(bytes, st.integers(0, 300_000)))
FILES = st.lists(
    st.tuples(
        st.builds(str.__add__, NAMES, SUFFIXES),
        DATA,
        st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
        st.sampled_from((0, 0, 0o100644 << 16, 0o120777 << 16, 0o40755 << 16, 0o20666 << 16)),
        st.binary(max_size=40),
    ),
    max_size=12,
)
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=4)
AROUND = st.binary(max_size=60)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that come twice are meant
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data, method, attributes, extra in draw(FILES):
                info = zipfile.ZipInfo("x")
                # What zipfile would not write: the rest of the name is its own affair.
                info.filename = name.encode("utf-8", "replace").decode()[:60_000] or "x"
                info.compress_type, info.external_attr = method, attributes
                # A field of another kind than ZIP64, whose length is right.
                info.extra = b"\x75\x70" + len(extra).to_bytes(2, "little") + extra if extra else b""
                archive.writestr(info, data)
            archive.comment = draw(AROUND)
    changed = bytearray(draw(AROUND) + buffer.getvalue())
    for where, piece in draw(CHANGES):
        at = int(where * len(changed))
        changed[at : at + len(piece)] = piece
    return bytes(changed)


HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
PICTURES = st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=400))


def main() -> None:
    until, folder = time.monotonic() + float(sys.argv[1]), Path(sys.argv[2])
    check = settings(
        max_examples=ROUND,
        deadline=20_000,
        database=DirectoryBasedExampleDatabase(folder),
        suppress_health_check=list(HealthCheck),
    )
    rounds = 0
    while time.monotonic() < until:
        check(given(archives())(fuzz_archive))()
        check(given(PICTURES)(fuzz_picture))()
        rounds += 1
    print(f"structured: {2 * rounds * ROUND} inputs")


if __name__ == "__main__":
    main()
