"""Tenants, their API keys, and what they may use: the truth about who may do how much."""

import time
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from common.api_keys import Scope, digest, granted, is_key_of, is_tenant_id, key_id, make_key
from common.errors import ConflictError, InputError, NotFoundError, QuotaError
from common.jobs.database import Database
from common.jobs.models import WHOLE_SET, ApiKey, Job, Page, Series, Tenant, Upload
from common.jobs.states import PAGE_ENDED
from common.settings import Settings
from common.webhooks import make_secret


@dataclass(frozen=True)
class Limits:
    """What a tenant may use; None: as much as there is."""

    queued_pages: int | None = None
    stored_bytes: int | None = None
    requests_per_minute: int | None = None


UNLIMITED = Limits()


def default_limits(settings: Settings) -> Limits:
    return Limits(settings.tenant_queued_pages, settings.tenant_stored_bytes, settings.tenant_requests_per_minute)


@dataclass(frozen=True)
class Usage:
    """What a tenant uses at this moment: pages that have not ended, and bytes of what it sent and got."""

    queued_pages: int
    stored_bytes: int


@dataclass(frozen=True)
class Principal:
    """Who a key stands for, and what it allows."""

    tenant_id: str
    key_id: str | None
    scopes: frozenset[Scope]
    limits: Limits


class TenantStore:
    def __init__(self, database: Database, defaults: Limits) -> None:
        """`defaults` hold for tenants that have no limit of their own."""
        self._database = database
        self._defaults = defaults

    def create_tenant(self, tenant_id: str, limits: Limits) -> None:
        """Raises InputError for a name that is none, ConflictError where it is taken."""
        if not is_tenant_id(tenant_id):
            raise InputError(f"tenant {tenant_id!r}: use 1 to 63 lower-case letters, digits and hyphens")
        tenant = Tenant(
            id=tenant_id,
            created_at=time.time(),
            max_queued_pages=limits.queued_pages,
            max_stored_bytes=limits.stored_bytes,
            requests_per_minute=limits.requests_per_minute,
        )
        try:
            with self._database.writing() as session:
                session.add(tenant)
        except IntegrityError:
            raise ConflictError(f"tenant {tenant_id} is there already") from None

    def set_limits(self, tenant_id: str, limits: Limits) -> None:
        """Give a tenant other limits; None: as the settings say. Takes effect within seconds. Raises NotFoundError."""
        with self._database.writing() as session:
            tenant = _tenant(session, tenant_id)
            tenant.max_queued_pages = limits.queued_pages
            tenant.max_stored_bytes = limits.stored_bytes
            tenant.requests_per_minute = limits.requests_per_minute

    def list_tenants(self) -> list[Tenant]:
        with self._database.reading() as session:
            return list(session.scalars(select(Tenant).order_by(Tenant.id)))

    def limits_of(self, tenant: Tenant) -> Limits:
        own = (tenant.max_queued_pages, tenant.max_stored_bytes, tenant.requests_per_minute)
        shared = (self._defaults.queued_pages, self._defaults.stored_bytes, self._defaults.requests_per_minute)
        return Limits(*(limit if limit is not None else default for limit, default in zip(own, shared, strict=True)))

    def revoke_tenant(self, tenant_id: str) -> None:
        """None of its keys lets anybody in any more; what it sent runs to its end and is kept as long as ever."""
        with self._database.writing() as session:
            tenant = _tenant(session, tenant_id)
            tenant.revoked_at = tenant.revoked_at or time.time()

    def create_key(self, tenant_id: str, scopes: list[Scope], label: str) -> str:
        """The new key, which is shown now or never. Raises NotFoundError, ConflictError for a revoked tenant."""
        key, new_id = make_key()
        with self._database.writing() as session:
            if _tenant(session, tenant_id).revoked_at is not None:
                raise ConflictError(f"tenant {tenant_id} is revoked")
            session.add(
                ApiKey(
                    id=new_id,
                    tenant_id=tenant_id,
                    label=label,
                    scopes=[scope.value for scope in scopes],
                    sha256=digest(key),
                    created_at=time.time(),
                )
            )
        return key

    def list_keys(self, tenant_id: str | None = None) -> list[ApiKey]:
        """All keys, or those of one tenant, oldest first. Raises NotFoundError."""
        query = select(ApiKey).order_by(ApiKey.tenant_id, ApiKey.created_at)
        with self._database.reading() as session:
            if tenant_id is not None:
                _tenant(session, tenant_id)
                query = query.where(ApiKey.tenant_id == tenant_id)
            return list(session.scalars(query))

    def revoke_key(self, revoked_id: str) -> None:
        """Raises NotFoundError."""
        with self._database.writing() as session:
            key = session.get(ApiKey, revoked_id, with_for_update=True)
            if key is None:
                raise NotFoundError(f"no key {revoked_id}")
            key.revoked_at = key.revoked_at or time.time()

    def find_principal(self, key: str) -> Principal | None:
        """Whom a key stands for; None when it is none, or was revoked."""
        with self._database.reading() as session:
            found = session.get(ApiKey, key_id(key) or "")
            if found is None or not is_key_of(key, found.sha256) or found.revoked_at is not None:
                return None
            tenant = session.get_one(Tenant, found.tenant_id)
        if tenant.revoked_at is not None:
            return None
        return Principal(tenant.id, found.id, granted(found.scopes), self.limits_of(tenant))

    def webhook_secret(self, tenant_id: str) -> str:
        """What the tenant's deliveries are signed with; made where there is none yet. Raises NotFoundError."""
        with self._database.writing() as session:
            _tenant(session, tenant_id)
            return ensure_webhook_secret(session, tenant_id)

    def replace_webhook_secret(self, tenant_id: str) -> str:
        """Sign with another secret from now on. Raises NotFoundError."""
        with self._database.writing() as session:
            _tenant(session, tenant_id).webhook_secret = secret = make_secret()
        return secret

    def usage(self, tenant_id: str) -> Usage:
        with self._database.reading() as session:
            return _usage(session, tenant_id)


def ensure_webhook_secret(session: Session, tenant_id: str) -> str:
    """A tenant's signing secret, inside the caller's transaction; made where there is none yet."""
    tenant = session.get_one(Tenant, tenant_id)
    if tenant.webhook_secret is None:
        # Somebody may make one at the same moment: who holds the row decides.
        tenant = session.get_one(Tenant, tenant_id, with_for_update={"key_share": True}, populate_existing=True)
        tenant.webhook_secret = tenant.webhook_secret or make_secret()
    return tenant.webhook_secret


def lock_tenant(session: Session, tenant_id: str) -> None:
    """Have whoever else adds something of this tenant wait until the caller's transaction has ended."""
    # Not the key: see feeding's own lock.
    session.get_one(Tenant, tenant_id, with_for_update={"key_share": True}, populate_existing=True)


def require_room(session: Session, tenant_id: str, limits: Limits, *, pages: int = 0, new_bytes: int = 0) -> None:
    """Refuse what would be over a tenant's limits, inside the transaction that adds it.

    Raises:
        QuotaError: which limit, how much of it is used, and how much was asked for.
    """
    if limits.queued_pages is None and limits.stored_bytes is None:
        return
    lock_tenant(session, tenant_id)  # two submissions at once must not both find the same room
    used = _usage(session, tenant_id)
    asked = (
        ("pages", used.queued_pages, pages, limits.queued_pages, "pages are under way"),
        ("bytes", used.stored_bytes, new_bytes, limits.stored_bytes, "bytes are stored"),
    )
    for name, has, more, limit, what in asked:
        if limit is not None and more and has + more > limit:
            raise QuotaError(
                f"{name}: {has} {what}, {more} more are over this tenant's limit of {limit}", name, limit, limit - has
            )


def _usage(session: Session, tenant_id: str) -> Usage:
    of_tenant = select(func.count(), func.coalesce(func.sum(Page.stored_bytes), 0))
    of_tenant = of_tenant.join(Job, Job.id == Page.job_id).where(Job.tenant_id == tenant_id)
    _, page_bytes = session.execute(of_tenant).one()
    queued = session.scalar(
        select(func.count())
        .select_from(Page)
        .join(Job, Job.id == Page.job_id)
        .where(Job.tenant_id == tenant_id, Page.number > WHOLE_SET, Page.status.not_in(PAGE_ENDED))
    )
    job_bytes = session.scalar(select(func.coalesce(func.sum(Job.stored_bytes), 0)).where(Job.tenant_id == tenant_id))
    upload_bytes = session.scalar(select(func.coalesce(func.sum(Upload.size), 0)).where(Upload.tenant_id == tenant_id))
    of_series = select(func.coalesce(func.sum(Series.stored_bytes), 0)).where(Series.tenant_id == tenant_id)
    series_bytes = session.scalar(of_series)
    return Usage(queued or 0, sum(int(some or 0) for some in (page_bytes, job_bytes, upload_bytes, series_bytes)))


def _tenant(session: Session, tenant_id: str) -> Tenant:
    tenant = session.get(Tenant, tenant_id)
    if tenant is None:
        raise NotFoundError(f"no tenant {tenant_id}")
    return tenant
