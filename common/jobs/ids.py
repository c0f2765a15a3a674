"""Ids that sort by time of creation, and content keys. Pure."""

import hashlib
import json
import re
import secrets
import time
from typing import Final

_ID: Final = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """32 hex digits: 12 of milliseconds since 1970, 20 random; ids made later sort later."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def is_id(text: str) -> bool:
    """Whether it could be an id of ours; what is none need not be looked up."""
    return _ID.fullmatch(text) is not None


def content_key(**parts: object) -> str:
    """SHA-256 (hex) of named parts, the same for the same parts in any order of naming."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
