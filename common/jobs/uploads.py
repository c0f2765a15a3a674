"""What the API does to the truth of uploads: announce files, and find those that were announced before."""

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from common.errors import NotFoundError
from common.jobs.database import Database
from common.jobs.ids import is_id
from common.jobs.models import Upload
from common.jobs.tenants import UNLIMITED, Limits, lock_tenant, require_room

MAX_TWINS: Final = 8
"""As many uploads of the same bytes under other names are named: each costs a look into storage."""


@dataclass(frozen=True)
class Announced:
    """The upload that stands for a file that was announced.

    Attributes:
        upload: where its bytes lie, or will lie.
        is_new: false where it had been announced before, so that its bytes may be there.
        twins: other uploads of the tenant that have the same bytes by what was announced, the latest first.
    """

    upload: Upload
    is_new: bool
    twins: list[Upload]


class UploadStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, new: Upload, limits: Limits = UNLIMITED, *, keep_s: float = 0.0) -> Announced:
        """Enter an upload, unless the tenant has it, or one of the same bytes and name: then that one is kept anew.

        Args:
            new: the upload as it will be where there is none; one of the same id was made by the same request.
            limits: what the tenant may have; an upload that is there is not counted again.
            keep_s: how long uploads are kept, in seconds: what is older may be swept away at any moment.

        Raises:
            QuotaError: there is no room for another one.
        """
        with self._database.writing() as session:
            same = _same_bytes(session, new, keep_s) if new.sha256 else []
            upload = session.get(Upload, new.id, with_for_update=True)
            upload = upload or next((one for one in same if one.filename == new.filename), None)
            if upload is not None:
                upload.created_at = new.created_at
            else:
                require_room(session, new.tenant_id, limits, new_bytes=new.size)
                session.add(new)
            kept = upload or new
            return Announced(kept, upload is None, [one for one in same if one is not kept][:MAX_TWINS])

    def get(self, tenant_id: str, upload_id: str) -> Upload:
        """Raises NotFoundError: no such upload of this tenant."""
        with self._database.reading() as session:
            upload = session.get(Upload, upload_id) if is_id(upload_id) else None
        if upload is None or upload.tenant_id != tenant_id:
            raise NotFoundError(f"no upload {upload_id}")
        return upload


def _same_bytes(session: Session, new: Upload, keep_s: float) -> list[Upload]:
    """Kept uploads of the tenant that were announced with the same digest and size, locked."""
    # Of two that announce the same file at once the second one must find the first one's row.
    lock_tenant(session, new.tenant_id)
    # A sweep that holds one of the rows is waited for: what it deleted is not among them any more.
    query = (
        select(Upload)
        .where(
            Upload.tenant_id == new.tenant_id,
            Upload.sha256 == new.sha256,
            Upload.size == new.size,
            Upload.created_at >= time.time() - keep_s,
        )
        .order_by(Upload.created_at.desc())
        .with_for_update()
    )
    return list(session.scalars(query))
