"""One contract for both stores: a folder, served by a small HTTP server as the API does it, and a real S3 server."""

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from common.errors import InputError, NotFoundError
from storage.local import LocalStore
from storage.protocol import ObjectStore
from storage.s3 import S3Store
from tests.integration.stores import DATA, PNG

BAD_KEYS = [
    "", "/etc/passwd", "../x", "a/../../x", "a/..", "a//b", "./a", "a/.", "a\\b", "a\0b", "a\nb", "a/", "é" * 126,
    "/".join(["a" * 200] * 6), "\ud800",
]  # fmt: skip


def test_what_is_put_is_got(store: ObjectStore) -> None:
    store.put("a/b.png", DATA, media_type=PNG)
    assert store.get("a/b.png") == DATA
    info = store.stat("a/b.png")
    assert info is not None
    assert info.size == len(DATA)


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("empty", b"", media_type=PNG)
    assert store.get("empty") == b""
    info = store.stat("empty")
    assert info is not None
    assert info.size == 0


def test_a_stream_is_put_from_where_it_stands_and_left_open(store: ObjectStore) -> None:
    stream = io.BytesIO(b"skipped" + DATA)
    stream.seek(7)
    store.put("a", stream, media_type=PNG)
    assert not stream.closed
    assert store.get("a") == DATA


def test_a_stream_that_cannot_seek_is_put(store: ObjectStore) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as writer:
        writer.write(DATA)
    with os.fdopen(read_end, "rb") as pipe:
        store.put("a", pipe, media_type=PNG)
    assert store.get("a") == DATA


def test_20_mebibytes_go_in_several_parts_and_come_back_in_pieces(store: ObjectStore) -> None:
    data = os.urandom(1 << 20) * 20
    store.put("large", io.BytesIO(data), media_type=PNG)
    info = store.stat("large")
    assert info is not None
    assert info.size == len(data)
    with store.open("large") as stream:
        assert stream.read(5) == data[:5]
        pieces = list(iter(lambda: stream.read(3_000_000), b""))
    assert b"".join(pieces) == data[5:]
    store.copy("large", "copy")
    assert store.get("copy") == data


def test_a_put_replaces_what_was_there(store: ObjectStore) -> None:
    store.put("a", b"old and longer", media_type=PNG)
    store.put("a", b"new", media_type=PNG)
    assert store.get("a") == b"new"


def test_a_copy_is_independent_of_its_source(store: ObjectStore) -> None:
    store.put("src", b"one", media_type=PNG)
    store.put("x/dst", b"before", media_type=PNG)
    store.copy("src", "x/dst")
    store.copy("src", "x/dst")
    store.put("src", b"two", media_type=PNG)
    assert store.get("x/dst") == b"one"
    store.delete("src")
    assert store.get("x/dst") == b"one"
    assert list(store.list_keys("")) == ["x/dst"]


def test_a_copy_onto_itself_changes_nothing(store: ObjectStore) -> None:
    store.put("a", DATA, media_type=PNG)
    store.copy("a", "a")
    assert store.get("a") == DATA


def test_missing_objects_are_not_found(store: ObjectStore) -> None:
    assert store.stat("a/none") is None
    for read in (store.get, store.open):
        with pytest.raises(NotFoundError, match="a/none"):
            read("a/none")
    for target in ("b", "a/none"):
        with pytest.raises(NotFoundError, match="a/none"):
            store.copy("a/none", target)
    store.put("a/b", DATA, media_type=PNG)
    with pytest.raises(NotFoundError):
        store.get("a")
    assert store.stat("a") is None


def test_a_deleted_object_is_gone_and_deleting_again_is_fine(store: ObjectStore) -> None:
    store.put("a/b/c", DATA, media_type=PNG)
    store.put("a/d", DATA, media_type=PNG)
    store.delete("a/b/c")
    store.delete("a/b/c")
    store.delete("a/b")
    assert store.stat("a/b/c") is None
    assert list(store.list_keys("")) == ["a/d"]


def test_keys_are_listed_under_a_prefix_in_order(store: ObjectStore) -> None:
    names = ["jobs/1/b", "jobs/1/a/x", "jobs/1/a.x", "jobs/1/a-x", "jobs/10/a", "jobs/2/é", "other"]
    for name in names:
        store.put(name, b"x", media_type=PNG)
    assert list(store.list_keys("jobs/1/")) == ["jobs/1/a-x", "jobs/1/a.x", "jobs/1/a/x", "jobs/1/b"]
    assert list(store.list_keys("")) == sorted(names, key=str.encode)
    assert list(store.list_keys("none/")) == []


def test_an_object_says_when_it_was_written(store: ObjectStore) -> None:
    before = time.time()
    store.put("jobs/1/a", DATA, media_type=PNG)
    ((key, listed),) = store.list_objects("jobs/")
    assert (key, listed.size) == ("jobs/1/a", len(DATA))
    # To the second: S3 knows no more.
    assert before - 2 < listed.modified_at < time.time() + 2
    found = store.stat("jobs/1/a")
    assert found is not None
    assert abs(found.modified_at - listed.modified_at) < 2
    assert list(store.list_objects("none/")) == []


def test_folders_are_listed_once_each_in_order(store: ObjectStore) -> None:
    for name in ("jobs/2/é", "jobs/10/a", "jobs/1/pages/1/a", "jobs/1/pages/2/a", "jobs/file", "other/1/a"):
        store.put(name, b"x", media_type=PNG)
    assert list(store.list_folders("jobs/")) == ["1", "10", "2"]
    assert list(store.list_folders("jobs/1/")) == ["pages"]
    assert list(store.list_folders("")) == ["jobs", "other"]
    assert list(store.list_folders("none/")) == []
    assert list(store.list_folders("jobs/2/")) == []


def test_discarding_what_was_never_finished_takes_no_object(store: ObjectStore) -> None:
    store.put("a/b", DATA, media_type=PNG)
    for before in (time.time() - 60, time.time() + 60):
        store.discard_unfinished(before)
        assert store.get("a/b") == DATA


def test_parts_of_a_write_that_never_ended_are_discarded_once_they_are_old(s3_store: S3Store) -> None:
    client = s3_store._client
    begun = client.create_multipart_upload(Bucket="nurie", Key=f"{s3_store._prefix}large")
    where = {"Bucket": "nurie", "Key": begun["Key"], "UploadId": begun["UploadId"]}
    client.upload_part(**where, PartNumber=1, Body=DATA)
    s3_store.discard_unfinished(time.time() - 60)
    assert len(client.list_parts(**where)["Parts"]) == 1
    s3_store.discard_unfinished(time.time() + 60)
    with pytest.raises(ClientError, match="NoSuchUpload"):
        client.list_parts(**where)


def test_delete_prefix_takes_all_under_it_and_nothing_else(store: ObjectStore) -> None:
    for name in ("jobs/1/a", "jobs/1/b/c", "jobs/10/a", "jobs/1x"):
        store.put(name, b"x", media_type=PNG)
    store.delete_prefix("jobs/1/")
    store.delete_prefix("jobs/1/")
    assert list(store.list_keys("")) == ["jobs/10/a", "jobs/1x"]
    store.delete_prefix("")
    assert list(store.list_keys("")) == []
    store.put("again", b"x", media_type=PNG)
    assert list(store.list_keys("")) == ["again"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_unsafe_keys_are_refused(local_store: LocalStore, key: str) -> None:
    s3 = S3Store("nurie", endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b")
    for store in (local_store, s3):
        for call in (
            lambda store=store: store.put(key, b"x", media_type=PNG),
            lambda store=store: store.get(key),
            lambda store=store: store.open(key),
            lambda store=store: store.stat(key),
            lambda store=store: store.copy(key, "a"),
            lambda store=store: store.copy("a", key),
            lambda store=store: store.delete(key),
            lambda store=store: store.presign_get(key, expires_s=9, filename=None, media_type=PNG),
            lambda store=store: store.presign_put(key, size=1, media_type=PNG, expires_s=9),
        ):
            with pytest.raises(InputError):
                call()


@pytest.mark.parametrize("prefix", ["jobs", "../", "/", "a//", "a/../"])
def test_unsafe_prefixes_are_refused(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(InputError):
        store.delete_prefix(prefix)
    with pytest.raises(InputError):
        list(store.list_keys(prefix))
    with pytest.raises(InputError):
        list(store.list_objects(prefix))
    with pytest.raises(InputError):
        list(store.list_folders(prefix))


def test_ensure_and_check_pass_again_and_again(store: ObjectStore) -> None:
    for _ in range(2):
        store.ensure()
        store.check()


def test_many_threads_write_and_delete_side_by_side(store: ObjectStore) -> None:
    def work(number: int) -> bytes:
        key = f"threads/{number % 2}/{number}"
        store.put(key, str(number).encode() * 1000, media_type=PNG)
        data = store.get(key)
        store.delete(key)
        return data

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(20))) == [str(number).encode() * 1000 for number in range(20)]
    assert list(store.list_keys("")) == []
