"""Many files, several at a time."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, TypeVar

from nurie_client.sources import Source

AT_ONCE: Final = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


class Progress(Protocol):
    """Is told how far reading and sending are; from several threads."""

    def read(self, source: Source) -> None:
        """A file's SHA-256 is known."""

    def sent(self, source: Source, total: int) -> None:
        """So many bytes of a file are at the server."""


class Uploader(Protocol):
    def upload(
        self, source: Source, *, sha256: str | None = None, sent: Callable[[int], None] | None = None
    ) -> str: ...


def digest_all(sources: Sequence[Source], progress: Progress | None = None) -> list[str]:
    """The SHA-256 of each file, in hexadecimal. Raises InputError."""

    def digest(source: Source) -> str:
        found = source.sha256()
        if progress:
            progress.read(source)
        return found

    return run_all(digest, sources)


def upload_all(
    client: Uploader, sources: Sequence[Source], digests: Sequence[str], progress: Progress | None = None
) -> list[str]:
    """Send files; returns the ids of their uploads, in the same order. Raises NurieError."""

    def upload(pair: tuple[Source, str]) -> str:
        source, digest = pair

        def sent(total: int) -> None:
            if progress:
                progress.sent(source, total)

        return client.upload(source, sha256=digest, sent=sent)

    return run_all(upload, list(zip(sources, digests, strict=True)))


def run_all(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do this with each, a few at a time; the first error ends it, and nothing more is begun."""
    pool = ThreadPoolExecutor(AT_ONCE, "nurie")
    try:
        return list(pool.map(work, items))
    finally:
        # Not waited for: after an error or Ctrl-C, what is under way ends when the client is closed.
        pool.shutdown(wait=False, cancel_futures=True)
