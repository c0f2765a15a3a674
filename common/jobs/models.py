"""The SQL model: the truth of Nurie. Times are seconds since 1970 (UTC), as floats."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

LOCAL_TENANT = "local"
"""The tenant of the embedded mode, which has no auth."""
WHOLE_SET = 0
"""The number of the row that stands beside a job's pages for all of them together. It is no page: only METRICS is due
on it, once every page has ended, and clients see it as the job's report and error."""


WAITING = text("status = 'queued' AND lease_until IS NULL")
"""Pages that have not been sent."""
UNDER_WAY = text("lease_until IS NOT NULL")
"""Pages that were sent, or are at a stage."""


class Base(DeclarativeBase):
    # Names of constraints must not depend on the database, so that migrations can address them.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Tenant(Base):
    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[float] = mapped_column(Float)
    # Deficit round-robin: what is left of this tenant's turn, in stages, and when it last had one.
    deficit: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    turn_at: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    # Limits; None: as the settings say
    max_queued_pages: Mapped[int | None] = mapped_column(Integer)
    max_stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    webhook_secret: Mapped[str | None] = mapped_column(String(64))  # whsec_…: deliveries are signed with it
    revoked_at: Mapped[float | None] = mapped_column(Float)


class ApiKey(Base):
    """What a client shows to be let in; the key itself is kept nowhere."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)  # the key's own beginning, to find and name it by
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    label: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    sha256: Mapped[str] = mapped_column(String(64))  # of the whole key
    created_at: Mapped[float] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)


class IdempotencyKey(Base):
    """A POST that its client may repeat, and what was answered."""

    __tablename__ = "idempotency_keys"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    resource_id: Mapped[str] = mapped_column(String(32))  # the id of what the request makes, chosen before it is made
    created_at: Mapped[float] = mapped_column(Float)
    locked_until: Mapped[float | None] = mapped_column(Float)  # the request is being answered
    status: Mapped[int | None] = mapped_column(Integer)  # None until it was answered
    headers: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    body: Mapped[str | None] = mapped_column(Text)


class Upload(Base):
    """A file that a client announced; the bytes lie in storage once it was sent."""

    __tablename__ = "uploads"
    __table_args__ = (Index(None, "tenant_id", "sha256"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    filename: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(Integer)  # bytes
    sha256: Mapped[str | None] = mapped_column(String(64))
    storage_key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)


class ReferenceModel(Base):
    """cGAN weights, trained once per (reference bytes, settings, code version); the key is the SHA-256 of these."""

    __tablename__ = "reference_models"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(Integer, default=0)  # raised by each dispatch: the fencing token
    failures: Mapped[int] = mapped_column(Integer, default=0)
    worker: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[float | None] = mapped_column(Float)
    not_before: Mapped[float] = mapped_column(Float, default=0.0)
    progress: Mapped[float] = mapped_column(Float, default=0.0)  # 0..1
    losses: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)
    seconds: Mapped[float | None] = mapped_column(Float)
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_detail: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)
    used_at: Mapped[float] = mapped_column(Float)


class Series(Base):
    """What the chapters of one work have in common."""

    __tablename__ = "series"
    __table_args__ = (Index(None, "tenant_id", "name", unique=True), Index(None, "tenant_id", "id"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # sorts by time of creation
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(Text)
    references: Mapped[list[dict[str, Any]]] = mapped_column("references_", JSON)  # [{name, key, sha256, size}]
    colours: Mapped[list[dict[str, list[int]]]] = mapped_column(JSON)  # corrected ones: [{old, new}], RGB
    stored_bytes: Mapped[int] = mapped_column(BigInteger)  # of its references
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Job(Base):
    __tablename__ = "jobs"
    __table_args__ = (Index(None, "tenant_id", "id"), Index(None, "status"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # sorts by time of creation
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str | None] = mapped_column(Text)  # what its owner calls it
    status: Mapped[str] = mapped_column(String(16))
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    pages_total: Mapped[int] = mapped_column(Integer)
    references: Mapped[list[dict[str, Any]]] = mapped_column("references_", JSON)  # [{name, key, sha256}]
    # {real: [{name, key, sha256}], output: […]} of an evaluation
    sets: Mapped[dict[str, list[dict[str, Any]]] | None] = mapped_column(JSON(none_as_null=True))
    series_id: Mapped[str | None] = mapped_column(ForeignKey("series.id", ondelete="SET NULL"), index=True)
    # Corrected ones, which fresh hints get: the series' when the job was made, and its own since
    colours: Mapped[list[dict[str, list[int]]]] = mapped_column(JSON, default=list, server_default="[]")
    # None in an evaluation, which trains nothing
    model_key: Mapped[str | None] = mapped_column(ForeignKey("reference_models.key"), index=True)
    archive_key: Mapped[str | None] = mapped_column(Text)  # what was sent, until control has unpacked it
    archive_name: Mapped[str | None] = mapped_column(Text)
    unpacked: Mapped[bool] = mapped_column(Boolean)
    result_key: Mapped[str | None] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer, default=0)  # counts packagings: names the result's object
    keep_days: Mapped[float | None] = mapped_column(Float)  # after its end; None: as the settings say
    callback_url: Mapped[str | None] = mapped_column(Text)  # told when the job ends
    # Files beside the pages, given back as they were: [{name, key, sha256, size}], or {name, error}
    extras: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # what is not a page's
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float | None] = mapped_column(Float)
    finished_at: Mapped[float | None] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Page(Base):
    __tablename__ = "pages"
    # The second answers, without a look at the rows: has anything of the job changed, and how much does it hold?
    # The last two hold what control looks at in every round, however many pages there are.
    __table_args__ = (
        Index(None, "status", "stage"),
        Index(None, "job_id", "updated_at", "stored_bytes"),
        Index("ix_pages_waiting", "stage", "job_id", "number", postgresql_where=WAITING, sqlite_where=WAITING),
        Index("ix_pages_under_way", "stage", postgresql_where=UNDER_WAY, sqlite_where=UNDER_WAY),
    )

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)  # 1 is the first page; 0 is WHOLE_SET
    name: Mapped[str] = mapped_column(Text)  # as the client named it, with folders
    status: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str | None] = mapped_column(String(16))  # due or under way; None when the page has ended
    attempt: Mapped[int] = mapped_column(Integer, default=0)  # raised by each dispatch: the fencing token
    failures: Mapped[int] = mapped_column(Integer, default=0)
    worker: Mapped[str | None] = mapped_column(Text)  # who holds it; None while it waits
    lease_until: Mapped[float | None] = mapped_column(Float)
    not_before: Mapped[float] = mapped_column(Float, default=0.0)
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_detail: Mapped[str | None] = mapped_column(Text)
    artifacts: Mapped[dict[str, Any]] = mapped_column(JSON)  # {artifact: {key, sha256, size, filename}}
    truth_key: Mapped[str | None] = mapped_column(Text)
    truth_sha256: Mapped[str | None] = mapped_column(String(64))
    timings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # {stage: {seconds, cached, warning?}}
    weights: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)  # {stage: what made the result}
    metrics: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    params: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # where the page has its own
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # of its artifacts
    updated_at: Mapped[float] = mapped_column(Float)

    @validates("artifacts")
    def _weigh(self, _name: str, artifacts: dict[str, Any]) -> dict[str, Any]:
        self.stored_bytes = sum(entry.get("size", 0) for entry in artifacts.values())
        return artifacts


class Delivery(Base):
    """News of a job for its callback URL: sent until it is taken, or given up."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "status", "next_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # the webhook-id: the same at every try
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(32))
    url: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))  # pending, delivered, failed
    tries: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # [{at, seconds, status?, error?}]
    next_at: Mapped[float] = mapped_column(Float)
    lease_until: Mapped[float | None] = mapped_column(Float)  # somebody sends it at this moment
    created_at: Mapped[float] = mapped_column(Float)
    ended_at: Mapped[float | None] = mapped_column(Float)


class Attempt(Base):
    """One run of a stage on a page: who, when, and how it ended. A record; nothing is decided by it."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "stage", "ended_at"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True)
    stage: Mapped[str] = mapped_column(String(16), primary_key=True)
    worker: Mapped[str] = mapped_column(Text)
    started_at: Mapped[float] = mapped_column(Float)
    ended_at: Mapped[float | None] = mapped_column(Float)
    outcome: Mapped[str | None] = mapped_column(String(32))  # done, cached, skipped, cancelled, or an error code


class Worker(Base):
    """A worker process that is alive: what control sizes its feeding by."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    queue: Mapped[str] = mapped_column(String(16))
    slots: Mapped[int] = mapped_column(Integer)
    seen_at: Mapped[float] = mapped_column(Float)
