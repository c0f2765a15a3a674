"""All settings of Nurie: environment variables with the prefix `NURIE_`, read by this one class."""

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from common.archives import ArchiveLimits
from common.imaging import ImageLimits


def _default_database(given: dict[str, Any]) -> str:
    return f"sqlite:///{(given['data'] / 'nurie.db').absolute()}"


def _default_storage(given: dict[str, Any]) -> str:
    return f"file://{(given['data'] / 'storage').absolute()}"


class Settings(BaseSettings):
    """Defaults work on a laptop, from the root of the repository."""

    model_config = SettingsConfigDict(env_prefix="NURIE_", extra="ignore", frozen=True)

    # Where things lie
    data: Path = Field(Path("var"), description="Folder for what this machine keeps: database, storage, secret.")
    models: Path = Field(Path("models"), description="Folder of weights that people install.")
    database_url: str = Field(default_factory=_default_database, description="SQLAlchemy URL: sqlite or postgresql.")
    broker_url: str = Field("redis://127.0.0.1:6390/0", description="Redis, for messages with ids only.")
    storage_url: str = Field(default_factory=_default_storage, description="file:///folder or s3://bucket/prefix.")

    # Object store
    s3_endpoint_url: str | None = Field(None, description="URL of an S3-compatible server; None for AWS.")
    s3_region: str = Field("us-east-1", description="Region that requests are signed for.")
    s3_access_key: str | None = Field(None, description="Access key; None takes boto3's own chain.")
    s3_secret_key: SecretStr | None = Field(None, description="Secret of the access key.")

    # API
    auth: Literal["off", "keys"] = Field(
        "off", description="keys: clients need an API key (docs/security.md). off: one tenant, on loopback only."
    )
    host: str = Field("127.0.0.1", description="Address that the API listens on. Loopback only, without auth.")
    port: int = Field(8000, ge=1, le=65535, description="TCP port of the API.")
    public_url: str | None = Field(None, description="URL that clients reach the API under; None: http://host:port.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may use the API with a key: https://a.example,https://b.example."
    )
    secret: SecretStr | None = Field(None, description="Key of signed URLs; None: made once in the data folder.")
    url_lifetime_s: int = Field(3600, ge=10, description="How long a signed URL is good, in seconds.")
    max_request_bytes: int = Field(2_000_000_000, description="Largest request body, in bytes.")
    max_pages: int = Field(10_000, ge=1, description="Largest number of pages in a job.")
    max_references: int = Field(20, ge=1, description="Largest number of references in a job.")

    # Limits of a tenant that has none of its own; with keys only
    tenant_queued_pages: int = Field(20_000, ge=1, description="Pages of a tenant that have not ended, at most.")
    tenant_stored_bytes: int = Field(
        200_000_000_000, ge=1, description="Bytes of a tenant's uploads, pages and results, at most."
    )
    tenant_requests_per_minute: int = Field(1_200, ge=1, description="Requests of a tenant per minute, at most.")

    # Limits of pictures
    max_pixels: int = Field(100_000_000, ge=1, description="Largest picture, in pixels.")
    max_image_bytes: int = Field(200_000_000, ge=1, description="Largest picture file, in bytes.")

    # Limits of archives
    max_archive_entries: int = Field(10_000, ge=1, description="Largest number of entries in an archive.")
    max_archive_ratio: int = Field(200, ge=1, description="Most bytes that one packed byte may become.")
    max_unpacked_bytes: int = Field(4_000_000_000, ge=1, description="Largest archive, unpacked, in bytes.")

    # Engine
    lease_s: float = Field(60, gt=0, description="A stage that is silent for so many seconds has lost its page.")
    heartbeat_s: float = Field(10, gt=0, description="How often a running stage renews its lease, in seconds.")
    queue_lease_s: float = Field(
        30, gt=0, description="A page that waits longer, in an empty queue, is sent again (s)."
    )
    max_failures: int = Field(3, ge=1, description="A page fails after so many attempts that failed.")
    retry_backoff_s: float = Field(2, ge=0, description="Pause before a retry, doubled with each, in seconds.")
    outage_limit_s: float = Field(
        300, ge=0, description="How long a stage waits for storage or the database before it gives its page back (s)."
    )
    poll_s: float = Field(1, gt=0, description="How often control looks without being woken, in seconds.")
    stage_limit_s: int = Field(
        600, ge=1, description="Time limit of a stage on one page, in seconds; 30 s later its process is killed."
    )
    training_limit_s: int = Field(
        7200, ge=1, description="Time limit of a training, in seconds; 30 s later its process is killed."
    )
    set_limit_s: int = Field(
        7200, ge=1, description="Time limit of scoring a whole set, in seconds; 30 s later its process is killed."
    )
    interactive_pages: int = Field(4, ge=1, description="Jobs of at most so many pages go before larger ones.")

    # Retention: docs/retention.md says what is deleted when
    keep_days: float = Field(
        7, gt=0, le=365, description="Days that a job is kept after its end, unless it names its own."
    )
    upload_keep_hours: float = Field(24, gt=0, description="Hours that an upload is kept.")
    model_keep_days: float = Field(
        30, gt=0, description="Days that a reference model is kept which no job refers to, after its last use."
    )
    stage_keep_days: float = Field(
        30, ge=2, description="Days that a stage's kept results are kept after their last use."
    )
    sweep_s: float = Field(3600, gt=0, description="How often control deletes what is kept no longer, in seconds.")

    # Webhooks
    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (),
        description="Networks that callbacks may go to beside the Internet, such as 10.1.0.0/16 (docs/webhooks.md).",
    )

    # Workers
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Where networks run: auto takes a GPU where there is one; cpu; cuda or cuda:1 insist on one.",
    )

    # Sight: docs/operations.md says what is measured
    metrics_host: str = Field("127.0.0.1", description="Address of the side port of workers and control.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="TCP port where a worker or control answers /metrics, /healthz and /readyz."
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token that the API's /metrics asks for; with NURIE_AUTH=keys there is none without."
    )
    otlp_endpoint: str | None = Field(
        None, description="URL of an OpenTelemetry collector, OTLP over HTTP: http://host:4318. None: no traces."
    )
    trace_ratio: float = Field(1.0, ge=0, le=1, description="Share of the jobs that are traced.")

    # Logs
    log_format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal.")
    log_level: str = Field("INFO", description="Lowest level that is logged.")

    @field_validator("metrics_token", "secret", "s3_secret_key", mode="before")
    @classmethod
    def _read_secret(cls, given: object) -> object:
        # A line that was not filled in is no secret that everybody knows.
        return None if given == "" else given

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _read_origins(cls, given: object) -> object:
        origins = tuple(one.strip() for one in given.split(",") if one.strip()) if isinstance(given, str) else given
        for origin in origins if isinstance(origins, tuple) else ():
            if not re.fullmatch(r"https?://[^/?#@\s*]+", origin):
                raise ValueError(f"{origin!r} is no origin such as https://example.org")
        return origins

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _read_networks(cls, given: object) -> object:
        return [ip_network(one.strip()) for one in given.split(",") if one.strip()] if isinstance(given, str) else given

    @property
    def image_limits(self) -> ImageLimits:
        return ImageLimits(max_pixels=self.max_pixels, max_bytes=self.max_image_bytes)

    @property
    def archive_limits(self) -> ArchiveLimits:
        return ArchiveLimits(
            max_entries=self.max_archive_entries,
            max_ratio=self.max_archive_ratio,
            max_total_bytes=self.max_unpacked_bytes,
            max_entry_bytes=self.max_image_bytes,
        )

    @property
    def base_url(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()


def describe_settings() -> str:
    """All settings as a Markdown table: what docs/settings.md holds."""
    rows = ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = (
            "in the data folder"
            if field.default_factory
            else "–"
            if field.default in (None, ())
            else f"`{field.default}`"
        )
        rows.append(f"| `NURIE_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"
