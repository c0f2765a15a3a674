"""From `NURIE_STORAGE_URL` to the store that it means. boto3 is loaded only for s3:// URLs."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from common.errors import NurieError
from storage.local import LocalStore
from storage.protocol import ObjectStore


class StorageUrlError(NurieError, ValueError):
    """The setting `NURIE_STORAGE_URL` is not a URL of a store."""


def open_store(
    url: str,
    *,
    base_url: str,
    secret: str,
    s3_endpoint_url: str | None = None,
    s3_region: str = "us-east-1",
    s3_access_key: str | None = None,
    s3_secret_key: str | None = None,
) -> ObjectStore:
    """Make the store; nothing is connected to or written yet.

    Args:
        url: `file:///folder` or `s3://bucket[/prefix]`.
        base_url: the API's own address, for the signed URLs of a local store.
        secret: what a local store signs URLs with.
        s3_endpoint_url: an S3-compatible server; Amazon's when None.
        s3_region: the region that requests are signed for.
        s3_access_key: credentials; where boto3 finds them by itself when None.
        s3_secret_key: goes with `s3_access_key`.

    Raises:
        StorageUrlError: another scheme, or no folder or bucket.
    """
    parts = urlsplit(url)
    if (root := find_folder(url)) is not None:
        return LocalStore(root, base_url, secret)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise StorageUrlError(f"storage URL {url!r}: write s3://bucket or s3://bucket/prefix")
        from storage.s3 import S3Store  # boto3 costs a third of a second and 30 MB that a local store need not pay

        prefix = unquote(parts.path).strip("/")
        return S3Store(
            parts.netloc,
            f"{prefix}/" if prefix else "",
            endpoint_url=s3_endpoint_url,
            region=s3_region,
            access_key=s3_access_key,
            secret_key=s3_secret_key,
        )
    raise StorageUrlError(f"storage URL {url!r}: unknown scheme; write file:///folder or s3://bucket/prefix")


def find_folder(url: str) -> Path | None:
    """The folder of a local store; None for any other. Raises StorageUrlError when the URL names none."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    root = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not root.is_absolute() or root == Path("/"):
        raise StorageUrlError(f"storage URL {url!r}: write file:///absolute/folder")
    return root
