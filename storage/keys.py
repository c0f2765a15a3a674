"""The one place that spells object keys. Pure."""

import re
from typing import Final

from common.errors import InputError
from common.names import Stage

MAX_KEY_BYTES: Final = 1000
"""S3 allows 1024 bytes, the bucket's own prefix included."""
MAX_PART_BYTES: Final = 250
"""File systems allow 255 bytes a name."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_FILENAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}(\.[A-Za-z0-9]{1,12})+")
_EXTENSION: Final = re.compile(r"[a-z0-9]{1,12}")


def upload(tenant_id: str, upload_id: str) -> str:
    return f"uploads/{_id(tenant_id)}/{_id(upload_id)}"


def job_prefix(job_id: str) -> str:
    """Everything of one job lies under this."""
    return f"jobs/{_id(job_id)}/"


def reference(job_id: str, index: int) -> str:
    return f"{job_prefix(job_id)}references/{_number(index)}"


def series_prefix(series_id: str) -> str:
    """Everything of one series lies under this."""
    return f"series/{_id(series_id)}/"


def series_reference(series_id: str, token: str) -> str:
    """A reference that a series' chapters share; `token` tells those apart that were given to it at different times.

    Were it the digest, who replaces a reference could delete what another submission is about to refer to again.
    """
    return f"{series_prefix(series_id)}{_id(token)}"


def page_prefix(job_id: str, number: int) -> str:
    """Everything of one page, or of the whole set, lies under this."""
    return f"{job_prefix(job_id)}pages/{_number(number)}/"


def source(job_id: str, number: int) -> str:
    return f"{page_prefix(job_id, number)}source"


def truth(job_id: str, number: int) -> str:
    return f"{page_prefix(job_id, number)}truth"


def evaluated(job_id: str, side: str, index: int) -> str:
    """A picture that is scored; `side` is the set that it belongs to, such as `real` or `output`."""
    return f"{job_prefix(job_id)}sets/{_id(side)}/{_number(index)}"


def archive(job_id: str) -> str:
    """The archive that a client sent."""
    return f"{job_prefix(job_id)}archive"


def extra_file(job_id: str, index: int) -> str:
    """A file that came with the pages and is none."""
    return f"{job_prefix(job_id)}extras/{_number(index)}"


def user_hints(job_id: str, number: int, token: str) -> str:
    """Hints that somebody corrected; `token` tells corrections apart."""
    return f"{page_prefix(job_id, number)}user/{_id(token)}.json"


def attempt_artifact(job_id: str, number: int, attempt: int, filename: str) -> str:
    if attempt < 0:
        raise InputError(f"attempt {attempt} is below 0")
    return f"{page_prefix(job_id, number)}a{attempt}/{_matching(_FILENAME, filename, 'file name')}"


STAGE_MANIFEST: Final = "manifest.json"
"""Beside a stage's kept results: written last, it makes them count; its time is when they were last used."""


def stage_artifact(stage: Stage, stage_key: str, filename: str) -> str:
    return f"stages/{Stage(stage)}/{_id(stage_key)}/{_matching(_FILENAME, filename, 'file name')}"


def model(model_key: str) -> str:
    return f"models/cgan/{_id(model_key)}.safetensors"


def model_card(model_key: str) -> str:
    """What a reference model was learned from and how, as JSON."""
    return f"models/cgan/{_id(model_key)}.json"


def result_archive(job_id: str, token: str, extension: str) -> str:
    """The finished archive; `token` tells the tries at packaging apart, so that a late one overwrites nothing."""
    return f"{job_prefix(job_id)}result/{_id(token)}.{_matching(_EXTENSION, extension, 'extension')}"


def check_key(key: str) -> str:
    """Refuse a key that could leave its store or that some store cannot hold.

    Raises:
        InputError: empty, too long, absolute, with '..', '.', empty parts, backslashes or control characters.
    """
    try:
        parts = [part.encode() for part in key.split("/")]
    except UnicodeEncodeError:
        raise InputError(f"object key {key!r} is not valid Unicode") from None
    if any(part in (b"", b".", b"..") for part in parts):
        raise InputError(f"object key {key!r} has an empty, '.' or '..' part")
    if "\\" in key or any(ord(char) < 0x20 or ord(char) == 0x7F for char in key):
        raise InputError(f"object key {key!r} has a backslash or a control character")
    if max(map(len, parts)) > MAX_PART_BYTES or len(key.encode()) > MAX_KEY_BYTES:
        raise InputError(f"an object key is over the limit of {MAX_PART_BYTES} bytes a part, {MAX_KEY_BYTES} in all")
    return key


def check_prefix(prefix: str) -> str:
    """Refuse a prefix that is not '' or a safe key followed by '/'. Raises InputError."""
    if prefix:
        if not prefix.endswith("/"):
            raise InputError(f"object prefix {prefix!r} does not end in '/'")
        check_key(prefix[:-1])
    return prefix


def _number(number: int) -> str:
    if number < 0:
        raise InputError(f"number {number} is below 0")
    return f"{number:04d}"


def _id(value: str) -> str:
    return _matching(_ID, value, "id")


def _matching(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise InputError(f"{what} {value!r} does not match {pattern.pattern}")
    return value
