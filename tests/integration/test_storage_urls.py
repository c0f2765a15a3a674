"""Signed URLs of both stores, over real HTTP."""

import time
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx
import pytest

from common.jobs.ids import sha256_hex
from storage import signing
from storage.local import LocalStore
from storage.protocol import ObjectStore
from tests.integration.stores import DATA, PNG


def tampered(url: str, **changes: str | None) -> str:
    """The URL with parameters changed, added, or (None) left out."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    query = {name: value for name, value in {**query, **changes}.items() if value is not None}
    return parts._replace(query=urlencode(query)).geturl()


def test_a_presigned_upload_is_stored(store: ObjectStore) -> None:
    upload = store.presign_put("up/ü.png", size=len(DATA), media_type=PNG, expires_s=60)
    assert 50 < upload.expires_at.timestamp() - time.time() < 61
    assert httpx.put(upload.url, content=DATA, headers=upload.headers).status_code == 200
    assert store.get("up/ü.png") == DATA


@pytest.mark.parametrize("sha256", [None, sha256_hex(b"")])
def test_a_presigned_upload_may_have_no_bytes_at_all(store: ObjectStore, sha256: str | None) -> None:
    upload = store.presign_put("up", size=0, media_type=PNG, expires_s=60, sha256=sha256)
    assert httpx.put(upload.url, content=DATA, headers=upload.headers).status_code in (400, 403)
    assert list(store.list_keys("")) == []
    assert httpx.put(upload.url, content=b"", headers=upload.headers).status_code == 200
    assert store.get("up") == b""


@pytest.mark.parametrize("body", [DATA[:-1], DATA + b"x", b""])
def test_a_presigned_upload_of_another_size_is_refused(store: ObjectStore, body: bytes) -> None:
    upload = store.presign_put("up", size=len(DATA), media_type=PNG, expires_s=60)
    assert httpx.put(upload.url, content=body, headers=upload.headers).status_code in (400, 403)
    assert list(store.list_keys("")) == []


def test_a_presigned_upload_may_be_bound_to_its_checksum(store: ObjectStore) -> None:
    upload = store.presign_put("up", size=len(DATA), media_type=PNG, expires_s=60, sha256=sha256_hex(DATA))
    assert httpx.put(upload.url, content=DATA, headers=upload.headers).status_code == 200
    assert store.get("up") == DATA
    store.delete("up")
    if isinstance(store, LocalStore):
        other = httpx.put(upload.url, content=DATA[::-1], headers=upload.headers)
    else:
        # The test server knows no such checksums; but nobody can send another one than was announced.
        name = "x-amz-checksum-sha256"
        assert name in unquote(upload.url)
        other = httpx.put(upload.url, content=DATA, headers=upload.headers | {name: "A" * 43 + "="})
    assert other.status_code in (400, 403)
    assert list(store.list_keys("")) == []


def test_a_presigned_download_has_its_type_and_its_name_in_any_script(store: ObjectStore) -> None:
    store.put("final", DATA, media_type=PNG)
    name = '第一話 "塗り絵" 50%.png'
    url = store.presign_get("final", expires_s=60, filename=name, media_type="image/webp")
    answer = httpx.get(url)
    assert answer.content == DATA
    assert answer.headers["content-type"] == "image/webp"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="___ _')
    assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name
    plain = httpx.get(store.presign_get("final", expires_s=60, filename=None, media_type=PNG))
    assert plain.content == DATA
    assert "content-disposition" not in plain.headers


def test_a_name_cannot_break_out_of_its_header() -> None:
    header = signing.content_disposition('a"\r\nSet-Cookie: x\\')
    assert header.startswith('attachment; filename="a___Set-Cookie: x_"; ')
    assert "\r" not in header
    assert "\n" not in header


def test_a_presigned_url_of_nothing_is_404(store: ObjectStore) -> None:
    url = store.presign_get("none", expires_s=60, filename=None, media_type=PNG)
    assert httpx.get(url).status_code == 404


def test_expired_urls_are_refused(store: ObjectStore) -> None:
    store.put("a", DATA, media_type=PNG)
    for expires_s, accepted in ((60, True), (1, False)):
        get = store.presign_get("a", expires_s=expires_s, filename=None, media_type=PNG)
        put = store.presign_put("up", size=1, media_type=PNG, expires_s=expires_s)
        deadline = time.monotonic() + 10
        while not accepted and httpx.get(get).status_code != 403:
            assert time.monotonic() < deadline, "the URL never expires"
            time.sleep(0.1)
        assert (httpx.get(get).status_code == 200) is accepted
        assert (httpx.put(put.url, content=b"x", headers=put.headers).status_code == 200) is accepted


def test_changed_urls_are_refused(store: ObjectStore) -> None:
    store.put("a", DATA, media_type=PNG)
    store.put("b", DATA, media_type=PNG)
    get = store.presign_get("a", expires_s=60, filename="a.png", media_type=PNG)
    put = store.presign_put("a", size=1, media_type=PNG, expires_s=60)
    signature = "signature" if isinstance(store, LocalStore) else "X-Amz-Signature"
    expires = {"expires": "9999999999"} if isinstance(store, LocalStore) else {"X-Amz-Expires": "9999"}
    for url in (
        get.replace("/a?", "/b?"),
        tampered(get, **expires),
        tampered(get, **{signature: "0" * 64}),
        tampered(get, **{signature: "é"}),
        tampered(get, **{signature: None}),
        tampered(get, **{"type": "text/html", "response-content-type": "text/html"}),
        tampered(get, more="x"),
        put.url,
    ):
        assert httpx.get(url).status_code in (400, 403), url
    for url in (get, tampered(put.url, **expires), put.url.replace("/a?", "/b?")):
        assert httpx.put(url, content=b"x", headers=put.headers).status_code in (400, 403), url
    assert store.get("a") == store.get("b") == DATA
