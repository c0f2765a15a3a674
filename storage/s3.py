"""The object store in an S3 bucket, of Amazon or any compatible server. The one file that imports boto3.

Asked of the server is only what all of them have: no conditional writes, no POST forms, no newer checksums. A client's
upload carries one in a signed header, which servers that know no such checksums leave alone.
"""

import base64
import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import boto3.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import RetriesExceededError, TransferNotDoneError
from urllib3.exceptions import HTTPError

from common.errors import NotFoundError, StorageError
from storage.keys import check_key, check_prefix
from storage.measuring import measured
from storage.protocol import ObjectInfo, PresignedUpload
from storage.signing import content_disposition

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client

MULTIPART_BYTES: Final = 16 << 20
READ_BYTES: Final = 1 << 20
DELETE_BATCH: Final = 1000
"""The most keys that S3 takes in one request."""
CHECKSUM_HEADER: Final = "x-amz-checksum-sha256"
MISSING_OBJECT_CODES: Final = ("NoSuchKey", "NotFound", "404")


@measured
class S3Store:
    """An ObjectStore in a bucket, under a prefix; see `storage.protocol` for the contract. Safe between threads."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: str | None = None,
        connect_timeout_s: float = 5,
        read_timeout_s: float = 30,
        max_attempts: int = 4,
    ) -> None:
        """Connects to nothing yet.

        Args:
            bucket: its name.
            prefix: what stands before every key, '' or ending in '/'.
            endpoint_url: the server; Amazon's when None.
            region: the one that requests are signed for.
            access_key: credentials; where boto3 finds them by itself when None.
            secret_key: goes with `access_key`.
            connect_timeout_s: longest wait for a connection.
            read_timeout_s: longest silence of the server.
            max_attempts: tries per request, the first included, with growing waits between.
        """
        self._bucket = bucket
        self._prefix = check_prefix(prefix)
        self._endpoint_url = endpoint_url
        self._region = region
        self._access_key = access_key
        self._secret_key = secret_key
        self._config = Config(
            signature_version="s3v4",
            connect_timeout=connect_timeout_s,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": max_attempts},
            # Names of buckets as host names need DNS that servers of one's own seldom have.
            s3={"addressing_style": "path" if endpoint_url else "auto"},
            # boto3's newer default checksums are refused or misread by many S3-compatible servers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._lock = threading.Lock()
        self._made_client: S3Client | None = None

    def put(self, key: str, data: bytes | BinaryIO, *, media_type: str) -> None:
        stream = io.BytesIO(data) if isinstance(data, bytes) else cast("BinaryIO", _KeptOpen(data))
        with self._mapped(key):
            self._client.upload_fileobj(
                stream,
                self._bucket,
                self._full(key),
                ExtraArgs={"ContentType": media_type},
                Config=TransferConfig(multipart_threshold=MULTIPART_BYTES, multipart_chunksize=MULTIPART_BYTES),
            )

    def get(self, key: str) -> bytes:
        with self._mapped(key):
            return self._client.get_object(Bucket=self._bucket, Key=self._full(key))["Body"].read()

    def open(self, key: str) -> BinaryIO:
        with self._mapped(key):
            body = self._client.get_object(Bucket=self._bucket, Key=self._full(key))["Body"]
        return io.BufferedReader(_Body(body, lambda: self._mapped(key)), READ_BYTES)

    def stat(self, key: str) -> ObjectInfo | None:
        try:
            with self._mapped(key):
                head = self._client.head_object(Bucket=self._bucket, Key=self._full(key))
        except NotFoundError:
            return None
        return ObjectInfo(head["ContentLength"], head["LastModified"].timestamp())

    def copy(self, src: str, dst: str) -> None:
        if check_key(src) == check_key(dst):  # S3 refuses to copy an object onto itself
            if self.stat(src) is None:
                raise NotFoundError(f"there is no object {src!r}")
            return
        with self._mapped(src):
            self._client.copy_object(
                Bucket=self._bucket,
                Key=self._full(dst),
                CopySource={"Bucket": self._bucket, "Key": self._full(src)},
            )

    def delete(self, key: str) -> None:
        with self._mapped(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._full(key))

    def delete_prefix(self, prefix: str) -> None:
        keys = list(self.list_keys(prefix))
        for start in range(0, len(keys), DELETE_BATCH):
            batch = keys[start : start + DELETE_BATCH]
            with self._mapped(prefix):
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": self._full(key)} for key in batch], "Quiet": True},
                )
            for fault in answer.get("Errors", []):
                raise StorageError(f"the object store did not delete under {prefix!r}: {fault.get('Code')}")

    def list_keys(self, prefix: str) -> Iterator[str]:
        return (key for key, _ in self.list_objects(prefix))

    def list_objects(self, prefix: str) -> Iterator[tuple[str, ObjectInfo]]:
        check_prefix(prefix)
        with self._mapped(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    info = ObjectInfo(entry["Size"], entry["LastModified"].timestamp())
                    yield entry["Key"].removeprefix(self._prefix), info

    def list_folders(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        start = self._prefix + prefix
        with self._mapped(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=start, Delimiter="/"
            )
            for page in pages:
                for entry in page.get("CommonPrefixes", []):
                    yield entry["Prefix"].removeprefix(start).removesuffix("/")

    def discard_unfinished(self, before: float) -> None:
        with self._mapped("unfinished uploads"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for upload in page.get("Uploads", []):
                    if upload["Initiated"].timestamp() < before:
                        self._abort(upload["Key"], upload["UploadId"])

    def presign_get(self, key: str, *, expires_s: int, filename: str | None, media_type: str) -> str:
        params = {"Bucket": self._bucket, "Key": self._full(key), "ResponseContentType": media_type}
        if filename is not None:
            params["ResponseContentDisposition"] = content_disposition(filename)
        with self._mapped(key):
            return self._client.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s)

    def presign_put(
        self, key: str, *, size: int, media_type: str, expires_s: int, sha256: str | None = None
    ) -> PresignedUpload:
        params = {"Bucket": self._bucket, "Key": self._full(key), "ContentLength": size, "ContentType": media_type}
        headers = {"Content-Type": media_type}
        if sha256 is not None:
            params["ChecksumSHA256"] = headers[CHECKSUM_HEADER] = base64.b64encode(bytes.fromhex(sha256)).decode()
        expires_at = datetime.now(UTC) + timedelta(seconds=expires_s)
        with self._mapped(key):
            url = self._client.generate_presigned_url("put_object", Params=params, ExpiresIn=expires_s)
        return PresignedUpload(url, headers, expires_at)

    def ensure(self) -> None:
        with self._mapped("the bucket"):
            try:
                self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] not in (*MISSING_OBJECT_CODES, "NoSuchBucket"):
                    raise
                self._create_bucket()

    def check(self) -> None:
        try:
            with self._mapped("the bucket"):
                self._client.head_bucket(Bucket=self._bucket)
        except NotFoundError:
            raise StorageError(f"there is no bucket {self._bucket!r}") from None

    @property
    def _client(self) -> "S3Client":
        with self._lock:  # a client is safe between threads, making one is not
            if self._made_client is None:
                client = boto3.session.Session().client(
                    "s3",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    aws_access_key_id=self._access_key,
                    aws_secret_access_key=self._secret_key,
                    config=self._config,
                )
                client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)
                self._made_client = client
            return self._made_client

    def _full(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _abort(self, full_key: str, upload_id: str) -> None:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=full_key, UploadId=upload_id)
        except ClientError as error:
            if error.response["Error"]["Code"] not in (*MISSING_OBJECT_CODES, "NoSuchUpload"):
                raise

    def _create_bucket(self) -> None:
        try:
            if self._region == "us-east-1":  # the one region that must not be named
                self._client.create_bucket(Bucket=self._bucket)
            else:
                self._client.create_bucket(
                    Bucket=self._bucket,
                    CreateBucketConfiguration={"LocationConstraint": self._region},  # type: ignore[typeddict-item]
                )
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":  # another process was first
                raise

    @contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        """Turn boto3's errors, and those of what lies below it, into ours."""
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in MISSING_OBJECT_CODES:
                raise NotFoundError(f"there is no object {what!r}") from None
            raise StorageError(f"the object store failed at {what!r}: {code}") from error
        except (
            BotoCoreError,
            Boto3Error,
            RetriesExceededError,
            TransferNotDoneError,
            HTTPError,
            OSError,
            ValueError,  # what botocore raises for an endpoint that is no URL
        ) as error:
            raise StorageError(f"the object store failed at {what!r}: {type(error).__name__}") from error


def _add_md5(params: dict[str, Any], **_: object) -> None:
    """Sign deletions as before boto3 1.36: servers that do not know its newer checksum ask for this one."""
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()


class _KeptOpen(io.RawIOBase):
    """A caller's stream as boto3 may have it: to read and wind, not to close."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


class _Body(io.RawIOBase):
    """A response's body as a file; errors on the way are ours."""

    def __init__(self, body: "StreamingBody", mapped: Callable[[], AbstractContextManager[None]]) -> None:
        self._body = body
        self._mapped = mapped

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        with self._mapped():
            chunk = self._body.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._body.close()
        super().close()
