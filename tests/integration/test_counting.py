"""What `bench.counting` counts is what an S3 server is asked for."""

from collections import Counter
from io import BytesIO
from typing import Any

from bench.counting import PART_BYTES, CountingStore
from storage.s3 import MULTIPART_BYTES, S3Store

KINDS = {
    "GetObject": "GET",
    "HeadObject": "HEAD",
    "PutObject": "PUT",
    "CreateMultipartUpload": "PUT",
    "UploadPart": "PUT",
    "CompleteMultipartUpload": "PUT",
    "CopyObject": "COPY",
    "DeleteObject": "DELETE",
    "DeleteObjects": "DELETE",
    "ListObjectsV2": "LIST",
}


def test_requests_are_those_that_the_server_is_sent(s3_base: S3Store):
    sent: Counter[str] = Counter()

    def note(model: Any, **_: object) -> None:
        sent[KINDS[model.name]] += 1

    events = s3_base._client.meta.events
    events.register("before-call.s3", note)
    try:
        store = CountingStore(s3_base)
        store.put("counted/small", b"12345", media_type="text/plain")
        store.put("counted/large", BytesIO(bytes(2 * PART_BYTES + 1)), media_type="text/plain")
        assert store.get("counted/small") == b"12345"
        with store.open("counted/small") as stream:
            stream.read()
        sent["HEAD"] -= 1  # the counting store's own look at the size
        store.copy("counted/small", "counted/copy")
        assert store.stat("counted/copy") is not None
        assert store.stat("counted/none") is None
        assert len(list(store.list_keys("counted/"))) == 3
        assert list(store.list_keys("counted/none/")) == []
        store.delete("counted/copy")
        before, listed = Counter(sent), Counter(store.requests)
        store.delete_prefix("counted/")
        # It lists once more than it tells, to know how much there is.
        assert sent - before - Counter({"LIST": 1}) == store.requests - listed
        assert before == listed
    finally:
        events.unregister("before-call.s3", note)
    assert PART_BYTES == MULTIPART_BYTES
