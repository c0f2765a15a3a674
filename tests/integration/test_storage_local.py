"""What the local store alone promises."""

import errno
import io
import os
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from common.errors import InputError, NurieError, StorageError, TooLargeError
from storage import signing
from storage.local import LocalStore
from tests.integration.stores import DATA, PNG, SECRET, every_call


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EROFS])
def test_disk_faults_are_storage_errors_and_leave_nothing(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code), "/secret/path")

    local_store.put("a", b"old", media_type=PNG)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match=os.strerror(code)) as caught:
            local_store.put("a", DATA, media_type=PNG)
    assert "/secret" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert local_store.get("a") == b"old"
    assert list((tmp_path / "store/incoming").iterdir()) == []


def test_a_root_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = LocalStore(tmp_path / "file/store", "http://x", SECRET)
    for call in ("put", "check", "ensure"):
        with pytest.raises(StorageError):
            every_call(store)[call]()  # type: ignore[operator]


def test_half_written_files_are_never_seen(local_store: LocalStore, tmp_path: Path) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert list(local_store.list_keys("")) == ["a"]
            assert local_store.get("a") == b"old"
            if self.tell():
                raise ConnectionResetError
            return super().read(10)

    local_store.put("a", b"old", media_type=PNG)
    with pytest.raises(StorageError):
        local_store.put("a", Breaking(DATA), media_type=PNG)
    (tmp_path / "store/incoming/left-by-a-crash").write_bytes(b"x")
    assert list(local_store.list_keys("")) == ["a"]
    assert local_store.get("a") == b"old"


def test_a_copy_is_a_hard_link_and_where_links_are_refused_a_copy(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    local_store.put("a", DATA, media_type=PNG)
    local_store.copy("a", "b")
    objects = tmp_path / "store/objects"
    assert (objects / "a").samefile(objects / "b")

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    local_store.copy("a", "c")
    assert local_store.get("c") == DATA
    assert not (objects / "a").samefile(objects / "c")


def test_a_symbolic_link_does_not_lead_out_of_the_store(local_store: LocalStore, tmp_path: Path) -> None:
    local_store.ensure()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (tmp_path / "store/objects/link").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError):
        local_store.get("link/secret")
    with pytest.raises(InputError):
        local_store.put("link/new", DATA, media_type=PNG)


def test_a_key_cannot_be_the_folder_of_another(local_store: LocalStore) -> None:
    local_store.put("a/b", DATA, media_type=PNG)
    for key in ("a", "a/b/c"):
        with pytest.raises(InputError, match="folder"):
            local_store.put(key, DATA, media_type=PNG)


def test_deleting_leaves_no_empty_folders(local_store: LocalStore, tmp_path: Path) -> None:
    for key in ("x/y/a", "x/z/b"):
        local_store.put(key, DATA, media_type=PNG)
    local_store.delete("x/y/a")
    local_store.delete_prefix("x/z/")
    assert list((tmp_path / "store/objects").iterdir()) == []
    assert list((tmp_path / "store/incoming").iterdir()) == []


def test_receive_keeps_only_the_exact_size(local_store: LocalStore, tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            self.taken += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(TooLargeError, match="3000000"):
        local_store.receive("a", endless, 3_000_000)  # type: ignore[arg-type]
    assert endless.taken == 3_000_001
    with pytest.raises(InputError, match="after 10240 bytes; 10241"):
        local_store.receive("a", io.BytesIO(DATA), len(DATA) + 1)
    assert list((tmp_path / "store/incoming").iterdir()) == []
    assert list(local_store.list_keys("")) == []
    local_store.receive("a", io.BytesIO(DATA), len(DATA))
    assert local_store.get("a") == DATA


def test_verify_tells_what_was_signed(local_store: LocalStore) -> None:
    put = local_store.presign_put("a/ü b", size=7, media_type=PNG, expires_s=60)
    params = dict(parse_qsl(urlsplit(put.url).query))
    assert local_store.verify("PUT", "a/ü b", params) == signing.SignedRequest(7, PNG, None)
    get = local_store.presign_get("a", expires_s=60, filename="ü&size=9.png", media_type=PNG)
    params = dict(parse_qsl(urlsplit(get).query))
    assert local_store.verify("HEAD", "a", params) == signing.SignedRequest(None, PNG, "ü&size=9.png")
    with pytest.raises(signing.SignatureError):
        LocalStore(Path("/x"), "http://x", "another secret").verify("GET", "a", params)
    with pytest.raises(signing.SignatureError):
        local_store.verify("GET", "a", {})


def test_a_local_store_needs_a_secret() -> None:
    with pytest.raises(NurieError, match="secret"):
        LocalStore(Path("/x"), "http://x", "")


def test_what_killed_writers_left_is_discarded_once_it_is_old(local_store: LocalStore, tmp_path: Path) -> None:
    local_store.put("a", DATA, media_type=PNG)
    incoming = tmp_path / "store/incoming"
    (incoming / "file").write_bytes(DATA)
    os.utime(incoming / "file", (0, 0))  # a link has the time of the bytes that it shares
    (incoming / "folder/under").mkdir(parents=True)
    local_store.discard_unfinished(time.time() - 60)
    assert len(list(incoming.iterdir())) == 2
    local_store.discard_unfinished(time.time() + 60)
    assert list(incoming.iterdir()) == []
    assert local_store.get("a") == DATA
