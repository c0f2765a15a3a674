"""Tenants and their API keys, from the operator's shell, straight on the truth."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from common.api_keys import Scope
from common.jobs.database import Database
from common.jobs.tenants import Limits, TenantStore, default_limits
from common.settings import Settings

DEFAULT_SCOPES = (Scope.SUBMIT, Scope.READ)


def add_parsers(subjects: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`tenant create|limit|list|revoke|webhook-secret` and `key create|list|revoke`."""
    tenant = subjects.add_parser("tenant", help="who may send jobs, and how much (database: NURIE_DATABASE_URL)")
    actions = tenant.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="add a tenant; a limit left out is as the settings say")
    create.add_argument("tenant", help="1 to 63 lower-case letters, digits and hyphens")
    change = actions.add_parser("limit", help="give a tenant other limits; one left out is as the settings say")
    change.add_argument("tenant")
    for parser in (create, change):
        parser.add_argument("--queued-pages", type=_positive, metavar="N", help="pages that have not ended, at most")
        parser.add_argument("--stored-bytes", type=_positive, metavar="N", help="bytes of all that is kept, at most")
        parser.add_argument("--requests-per-minute", type=_positive, metavar="N")
    actions.add_parser("list", help="all tenants, with their limits and what they use")
    revoke = actions.add_parser("revoke", help="let none of its keys in any more; its jobs run to their end")
    revoke.add_argument("tenant")

    secret = actions.add_parser("webhook-secret", help="what its deliveries are signed with, on stdout")
    secret.add_argument("tenant")
    secret.add_argument("--replace", action="store_true", help="make another one, which holds from now on")

    key = subjects.add_parser("key", help="API keys of tenants")
    actions = key.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make a key; it is shown once, now, on stdout")
    create.add_argument("tenant")
    create.add_argument(
        "--scope", action="append", choices=tuple(Scope), help="read, submit or admin; again for more (submit and read)"
    )
    create.add_argument("--label", default="", help="a note for whom it is")
    actions.add_parser("list", help="all keys, by their ids").add_argument("tenant", nargs="?")
    actions.add_parser("revoke", help="take a key back; takes effect within seconds").add_argument(
        "key", help="its id, as `key list` shows it"
    )


def run(options: argparse.Namespace, settings: Settings, console: Console) -> None:
    """Raises NurieError."""
    with _open_tenants(settings) as tenants:
        _ACTIONS[options.subject, options.action](tenants, options, console)


@contextmanager
def _open_tenants(settings: Settings) -> Iterator[TenantStore]:
    database = Database(settings.database_url)
    try:
        database.migrate()  # tenants come before the first start of the service
        yield TenantStore(database, default_limits(settings))
    finally:
        database.close()


def _create_tenant(tenants: TenantStore, options: argparse.Namespace, console: Console) -> None:
    limits = Limits(options.queued_pages, options.stored_bytes, options.requests_per_minute)
    tenants.create_tenant(options.tenant, limits)
    console.print(f"tenant {options.tenant} created; a key for it: nurie admin key create {options.tenant}")


def _limit_tenant(tenants: TenantStore, options: argparse.Namespace, console: Console) -> None:
    tenants.set_limits(options.tenant, Limits(options.queued_pages, options.stored_bytes, options.requests_per_minute))
    console.print(f"tenant {options.tenant} has these limits from now on")


def _list_tenants(tenants: TenantStore, _options: argparse.Namespace, console: Console) -> None:
    table = Table("tenant", "created", "queued pages", "stored bytes", "requests/min", "revoked", box=None)
    for tenant in tenants.list_tenants():
        limits, usage = tenants.limits_of(tenant), tenants.usage(tenant.id)
        pages = f"{usage.queued_pages} of {limits.queued_pages}"
        stored = f"{usage.stored_bytes} of {limits.stored_bytes}"
        per_minute = str(limits.requests_per_minute)
        table.add_row(tenant.id, _day(tenant.created_at), pages, stored, per_minute, _day(tenant.revoked_at))
    console.print(table)


def _revoke_tenant(tenants: TenantStore, options: argparse.Namespace, console: Console) -> None:
    tenants.revoke_tenant(options.tenant)
    console.print(f"tenant {options.tenant} revoked; its keys let nobody in any more")


def _show_webhook_secret(tenants: TenantStore, options: argparse.Namespace, console: Console) -> None:
    find = tenants.replace_webhook_secret if options.replace else tenants.webhook_secret
    console.print(find(options.tenant), soft_wrap=True, markup=False, highlight=False)


def _create_key(tenants: TenantStore, options: argparse.Namespace, console: Console) -> None:
    scopes = [Scope(scope) for scope in options.scope or DEFAULT_SCOPES]
    key = tenants.create_key(options.tenant, sorted(set(scopes)), options.label)
    console.print(key, soft_wrap=True, markup=False, highlight=False)  # alone, as it is: a script may take it


def _list_keys(tenants: TenantStore, options: argparse.Namespace, console: Console) -> None:
    table = Table("key", "tenant", "scopes", "label", "created", "revoked", box=None)
    for key in tenants.list_keys(options.tenant):
        scopes = ", ".join(key.scopes)
        table.add_row(key.id, key.tenant_id, scopes, key.label, _day(key.created_at), _day(key.revoked_at))
    console.print(table)


def _revoke_key(tenants: TenantStore, options: argparse.Namespace, console: Console) -> None:
    tenants.revoke_key(options.key)
    console.print(f"key {options.key} revoked")


_ACTIONS = {
    ("tenant", "create"): _create_tenant,
    ("tenant", "limit"): _limit_tenant,
    ("tenant", "list"): _list_tenants,
    ("tenant", "revoke"): _revoke_tenant,
    ("tenant", "webhook-secret"): _show_webhook_secret,
    ("key", "create"): _create_key,
    ("key", "list"): _list_keys,
    ("key", "revoke"): _revoke_key,
}


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _day(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
