"""Which store a URL opens, and when."""

import subprocess
import sys
from pathlib import Path

import pytest

from storage.connect import StorageUrlError, open_store
from storage.local import LocalStore
from storage.s3 import S3Store
from tests.integration.stores import DATA, PNG, SECRET, broken_s3


def test_urls_open_the_store_that_they_name(tmp_path: Path) -> None:
    local = open_store(f"file://{tmp_path}/with%20space", base_url="http://x", secret=SECRET)
    assert isinstance(local, LocalStore)
    local.put("a", DATA, media_type=PNG)
    assert (tmp_path / "with space/objects/a").read_bytes() == DATA
    s3 = open_store("s3://bucket/some/prefix/", base_url="", secret="", s3_access_key="a", s3_secret_key="b")
    assert isinstance(s3, S3Store)
    assert "/some/prefix/key?" in s3.presign_get("key", expires_s=9, filename=None, media_type=PNG)


@pytest.mark.parametrize(
    "url", ["", "store", "ftp://x/y", "file://store", "file:store", "file:///", "s3://", "s3:///x"]
)
def test_urls_of_no_store_are_refused(url: str) -> None:
    with pytest.raises(StorageUrlError, match="storage URL"):
        open_store(url, base_url="http://x", secret=SECRET)
    assert issubclass(StorageUrlError, ValueError)


def test_a_local_store_does_not_load_boto3(tmp_path: Path) -> None:
    code = (
        "import sys; from storage.connect import open_store;"
        f"open_store('file://{tmp_path}', base_url='http://x', secret='s').ensure();"
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_an_s3_store_connects_to_nothing_until_it_is_used(silent_url: str) -> None:
    store = broken_s3(f"{silent_url}/")
    assert store._made_client is None
    store.presign_get("a", expires_s=9, filename=None, media_type=PNG)
    assert store._made_client is not None
