"""Who may do what: API keys, scopes, tenants apart from each other, quotas, and requests per minute."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from rich.console import Console

from admin.__main__ import main as admin
from api.app import create_app, prepare
from api.auth import CACHE_S, Door, required_scope
from api.context import EXTENSION, Context
from common.api_keys import Scope, digest, is_key_of, key_id, make_key
from common.errors import AuthError, InputError
from common.jobs.models import ApiKey
from common.jobs.tenants import UNLIMITED, Limits, TenantStore
from common.settings import Settings
from tests.unit.api.conftest import on_sqlite, picture, submit

GREY, COLOURED = picture(), picture(coloured=True)
FILES = {"pages": [(GREY, "1.png")], "references": [(COLOURED, "ref.png")]}
ALL = [Scope.READ, Scope.SUBMIT, Scope.ADMIN]


@pytest.fixture
def tenants(database) -> TenantStore:
    store = TenantStore(database, UNLIMITED)
    for tenant in ("ours", "theirs"):
        store.create_tenant(tenant, UNLIMITED)
    return store


@pytest.fixture
def app(settings: Settings, tenants: TenantStore, broker_there: None):
    prepare(settings)
    # Not on loopback: with keys that is allowed.
    app = create_app(settings.model_copy(update={"auth": "keys", "host": "0.0.0.0"}))
    yield app
    app.extensions[EXTENSION].database.close()


class Keyed:
    """A client that shows a key."""

    def __init__(self, app, key: str | None) -> None:
        self.http: FlaskClient = app.test_client()
        if key is not None:
            self.http.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"


@pytest.fixture
def ours(app, tenants) -> FlaskClient:
    return Keyed(app, tenants.create_key("ours", ALL, "")).http


@pytest.fixture
def theirs(app, tenants) -> FlaskClient:
    return Keyed(app, tenants.create_key("theirs", ALL, "")).http


def rules(app) -> Iterator[tuple[str, str]]:
    """Every route with every method of it."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, rule.rule


def path_of(rule: str, job_id: str) -> str:
    values = {"job_id": job_id, "number": "1", "artifact": "source", "index": "1", "upload_id": "0" * 32}
    values["series_id"] = job_id
    return re.sub(r"<(?:[a-z]+:)?(\w+)>", lambda match: values[match[1]], rule)


def bodies(method: str) -> dict[str, object]:
    return {"json": {"version": 1, "size": [4, 4], "hints": []}} if method in ("PUT", "PATCH", "POST") else {}


def test_what_is_not_under_v1_is_public_on_purpose(app):
    outside = {rule for _, rule in rules(app) if not rule.startswith("/v1/")}
    assert outside == {
        *("/", "/docs", "/docs/<name>", "/healthz", "/metrics", "/openapi.json", "/readyz", "/storage/<path:key>"),
        "/web/<path:name>",
    }


def test_every_route_under_v1_refuses_who_has_no_key(app):
    asked = [(method, path_of(rule, "0" * 32)) for method, rule in rules(app) if rule.startswith("/v1/")]
    assert len(asked) > 15
    for method, path in asked:
        reply = Keyed(app, None).http.open(path, method=method, **bodies(method))
        assert (reply.status_code, reply.json["code"]) == (401, "unauthorized"), (method, path)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_route_with_an_id_answers_404_to_another_tenant_and_changes_nothing(app, ours, theirs):
    job = submit(ours, **FILES).json
    before = ours.get(f"/v1/jobs/{job['id']}").json
    asked = [(method, path_of(rule, job["id"])) for method, rule in rules(app) if "job_id" in rule]
    assert len(asked) > 10
    for method, path in asked:
        reply = theirs.open(path, method=method, **bodies(method))
        assert (reply.status_code, reply.json["code"]) == (404, "not_found"), (method, path)
    assert ours.get(f"/v1/jobs/{job['id']}").json == before


def test_every_route_with_a_series_answers_404_to_another_tenant_and_changes_nothing(app, ours, theirs):
    submit(ours, **FILES, series="ours")
    (before,) = ours.get("/v1/series").json["series"]
    asked = [(method, path_of(rule, before["id"])) for method, rule in rules(app) if "series_id" in rule]
    assert len(asked) == 4
    for method, path in asked:
        reply = theirs.open(path, method=method, **bodies(method))
        assert (reply.status_code, reply.json["code"]) == (404, "not_found"), (method, path)
    assert ours.get("/v1/series").json["series"] == [before]
    assert theirs.get("/v1/series").json["series"] == []
    assert submit(theirs, pages=FILES["pages"], series="ours").status_code == 400


def test_every_route_under_v1_refuses_a_key_without_the_scope(app, tenants, ours):
    job = submit(ours, **FILES).json
    for method, rule in rules(app):
        if not rule.startswith("/v1/"):
            continue
        endpoint = next(r.endpoint for r in app.url_map.iter_rules() if r.rule == rule and method in r.methods)
        needed = required_scope(endpoint, method)
        others = [scope for scope in (Scope.READ, Scope.SUBMIT) if scope is not needed]
        key = tenants.create_key("ours", others, "")
        reply = Keyed(app, key).http.open(path_of(rule, job["id"]), method=method, **bodies(method))
        assert (reply.status_code, reply.json["code"]) == (403, "forbidden"), (method, rule)
        assert needed in reply.json["detail"]


def test_listings_show_ones_own_only_and_an_upload_of_another_tenant_cannot_be_used(ours, theirs):
    job = submit(ours, **FILES).json
    assert [found["id"] for found in ours.get("/v1/jobs").json["jobs"]] == [job["id"]]
    assert theirs.get("/v1/jobs").json["jobs"] == []
    upload = ours.post("/v1/uploads", json={"filename": "a.png", "size": 10}).json
    body = {"pages": [upload["id"]], "references": [upload["id"]]}
    assert theirs.post("/v1/jobs", json=body).json["detail"] == f"no upload {upload['id']}"
    assert theirs.get(f"/v1/uploads/{upload['id']}").json["detail"] == f"no upload {upload['id']}"
    assert "never sent" in ours.post("/v1/jobs", json=body).json["detail"]


def test_an_admin_key_may_do_all(ours, tenants, app):
    admin_only = Keyed(app, tenants.create_key("ours", [Scope.ADMIN], "")).http
    assert submit(admin_only, **FILES).status_code == 202
    assert admin_only.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic bnVyaWU6eA==", "Bearer nurie_" + "0" * 16 + "_short"]
)
@on_sqlite
def test_what_is_no_key_is_refused_without_a_look_at_the_truth(app, header, monkeypatch):
    monkeypatch.setattr(TenantStore, "find_principal", lambda *_: pytest.fail("the truth was asked"))
    reply = app.test_client().get("/v1/jobs", headers={"Authorization": header})
    assert (reply.status_code, reply.json["code"]) == (401, "unauthorized")


def test_a_key_with_a_right_id_and_a_wrong_secret_is_refused(tenants):
    key = tenants.create_key("ours", ALL, "")
    assert tenants.find_principal(key).tenant_id == "ours"
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert key_id(wrong) == key_id(key)
    assert tenants.find_principal(wrong) is None


def test_of_a_key_only_its_digest_is_kept(tenants, database):
    key = tenants.create_key("ours", ALL, "for the bot")
    with database.reading() as session:
        kept = session.get_one(ApiKey, key_id(key))
    assert key not in str(vars(kept))
    assert key.split("_", 2)[2] not in str(vars(kept))
    assert kept.sha256 == digest(key)
    assert is_key_of(key, kept.sha256)


def test_keys_are_long_and_never_the_same():
    made = {make_key()[0] for _ in range(100)}
    assert len(made) == 100
    assert all(len(key) == len("nurie_") + 16 + 1 + 43 for key in made)


def test_a_revoked_key_and_a_key_of_a_revoked_tenant_let_nobody_in(tenants, monkeypatch):
    now = 100.0
    monkeypatch.setattr("api.auth.time.monotonic", lambda: now)
    door = Door(tenants)
    first, second = (f"Bearer {tenants.create_key(tenant, ALL, '')}" for tenant in ("ours", "theirs"))
    assert door.let_in(first).tenant_id == "ours"
    assert door.let_in(second).tenant_id == "theirs"
    tenants.revoke_key(key_id(first.removeprefix("Bearer ")))
    tenants.revoke_tenant("theirs")
    now += CACHE_S + 0.1
    for header in (first, second):
        with pytest.raises(AuthError):
            door.let_in(header)


def test_a_good_key_is_remembered_for_a_moment(tenants, monkeypatch):
    door = Door(tenants)
    header = f"Bearer {tenants.create_key('ours', ALL, '')}"
    door.let_in(header)
    monkeypatch.setattr(TenantStore, "find_principal", lambda *_: pytest.fail("the truth was asked"))
    assert door.let_in(header).tenant_id == "ours"


def limited(app, tenants, limits: Limits) -> FlaskClient:
    tenants.create_tenant("small", limits)
    return Keyed(app, tenants.create_key("small", ALL, "")).http


def test_pages_under_way_are_limited(app, tenants):
    client = limited(app, tenants, Limits(queued_pages=3))
    two = FILES | {"pages": [(GREY, "1.png"), (GREY, "2.png")]}
    first = submit(client, **two)
    assert first.status_code == 202
    refused = submit(client, **two)
    assert (refused.status_code, refused.json["code"]) == (429, "quota_exceeded")
    assert "limit of 3" in refused.json["detail"]
    assert refused.headers["RateLimit"].startswith('"pages";r=1;t=')
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get("/v1/tenant").json["queued_pages"] == {"used": 2, "limit": 3}
    client.post(f"/v1/jobs/{first.json['id']}/cancel")
    assert submit(client, **two).status_code == 202


def test_bytes_are_limited_and_nothing_of_what_was_refused_is_left(app, tenants):
    client = limited(app, tenants, Limits(stored_bytes=len(GREY) + len(COLOURED) + 10))
    context: Context = app.extensions[EXTENSION]
    assert submit(client, **FILES).status_code == 202
    used = client.get("/v1/tenant").json["stored_bytes"]["used"]
    assert used == len(GREY) + len(COLOURED)
    before = list(context.store.list_keys(""))
    refused = [submit(client, **FILES), client.post("/v1/uploads", json={"filename": "a.cbz", "size": 11})]
    assert [(reply.status_code, reply.json["code"]) for reply in refused] == [(429, "quota_exceeded")] * 2
    assert refused[0].headers["RateLimit"].startswith('"bytes";r=10;t=')
    assert list(context.store.list_keys("")) == before
    assert client.post("/v1/uploads", json={"filename": "a.cbz", "size": 10}).status_code == 201
    assert client.get("/v1/tenant").json["stored_bytes"]["used"] == used + 10


def test_a_deleted_job_gives_its_bytes_back(app, tenants):
    client = limited(app, tenants, Limits(stored_bytes=10**6))
    job = submit(client, **FILES).json
    client.post(f"/v1/jobs/{job['id']}/cancel")
    client.delete(f"/v1/jobs/{job['id']}")
    assert client.get("/v1/tenant").json["stored_bytes"]["used"] == 0


@on_sqlite
def test_requests_per_minute_are_limited_by_tenant_also_without_redis(app, tenants, theirs):
    # Nobody listens where the broker should be: each process counts for itself then.
    client = limited(app, tenants, Limits(requests_per_minute=5))
    replies = [client.get("/v1/jobs") for _ in range(6)]
    assert [reply.status_code for reply in replies] == [200] * 5 + [429]
    assert replies[0].headers["RateLimit-Policy"] == '"requests";q=5;w=60'
    assert re.fullmatch(r'"requests";r=4;t=\d+', replies[0].headers["RateLimit"])
    assert replies[5].json["code"] == "rate_limited"
    assert 0 < int(replies[5].headers["Retry-After"]) <= 61
    assert theirs.get("/v1/jobs").status_code == 200
    assert client.get("/healthz").status_code == 200


def test_embedded_there_is_one_tenant_without_limits(client):
    assert client.get("/v1/tenant").json == {
        "id": "local",
        "key": None,
        "scopes": ["admin", "read", "submit"],
        "queued_pages": {"used": 0, "limit": None},
        "stored_bytes": {"used": 0, "limit": None},
        "requests_per_minute": None,
    }


@pytest.mark.parametrize("name", ["", "Ours", "a/b", "a_b", "-a", "a" * 64, "ä"])
def test_a_tenants_name_stands_in_object_keys(tenants, name):
    with pytest.raises(InputError):
        tenants.create_tenant(name, UNLIMITED)


def run_admin(capsys, *arguments: str) -> tuple[int, str, str]:
    code = admin(["admin", *arguments])
    said = capsys.readouterr()
    return code, said.out.strip(), said.err.strip()


def test_operators_make_list_and_revoke_tenants_and_keys(database_url, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NURIE_DATABASE_URL", database_url)
    monkeypatch.setenv("NURIE_DATA", str(tmp_path))
    monkeypatch.setattr("admin.__main__.Console", lambda: Console(width=200))
    assert run_admin(capsys, "tenant", "create", "night-scans", "--queued-pages", "7")[0] == 0
    code, _, error = run_admin(capsys, "tenant", "create", "night-scans")
    assert (code, error) == (2, "nurie: tenant night-scans is there already")
    code, key, _ = run_admin(capsys, "key", "create", "night-scans", "--scope", "read", "--label", "bot [1]")
    assert code == 0
    assert key_id(key)
    listed = run_admin(capsys, "key", "list", "night-scans")[1]
    assert key_id(key) in listed
    assert key not in listed
    assert "0 of 7" in run_admin(capsys, "tenant", "list")[1]
    assert run_admin(capsys, "tenant", "limit", "night-scans", "--queued-pages", "9")[0] == 0
    assert "0 of 9" in run_admin(capsys, "tenant", "list")[1]
    assert run_admin(capsys, "tenant", "limit", "nobody")[2] == "nurie: no tenant nobody"
    secret = run_admin(capsys, "tenant", "webhook-secret", "night-scans")[1]
    assert secret.startswith("whsec_")
    assert run_admin(capsys, "tenant", "webhook-secret", "night-scans")[1] == secret
    assert run_admin(capsys, "tenant", "webhook-secret", "night-scans", "--replace")[1] != secret
    assert run_admin(capsys, "key", "revoke", key_id(key))[0] == 0
    assert run_admin(capsys, "key", "revoke", "0" * 16)[2] == f"nurie: no key {'0' * 16}"
    assert run_admin(capsys, "tenant", "revoke", "night-scans")[0] == 0
    assert run_admin(capsys, "key", "create", "night-scans")[2] == "nurie: tenant night-scans is revoked"
    assert run_admin(capsys, "key", "create", "nobody")[2] == "nurie: no tenant nobody"


def test_with_keys_it_may_listen_anywhere(app):
    assert app.extensions[EXTENSION].settings.host == "0.0.0.0"
