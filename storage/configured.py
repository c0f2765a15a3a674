"""The store that the settings name."""

from common.secret import load_secret
from common.settings import Settings
from storage.connect import find_folder, open_store
from storage.protocol import ObjectStore


def open_configured_store(settings: Settings) -> ObjectStore:
    """Make the store; nothing is connected to yet. Raises StorageUrlError when the URL is none of a store."""
    return open_store(
        settings.storage_url,
        base_url=settings.base_url,
        # Only we sign URLs of a folder; who works with a bucket needs no key of ours, and no folder to keep one in.
        secret=load_secret(settings) if find_folder(settings.storage_url) else "",
        s3_endpoint_url=settings.s3_endpoint_url,
        s3_region=settings.s3_region,
        s3_access_key=settings.s3_access_key,
        s3_secret_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
    )
