"""The database away, locked or at odds with itself is an outage, which is waited out; afterwards all goes on."""

import socket
import threading
import time

import pytest
from sqlalchemy import bindparam, func, select, text

from common.errors import DatabaseError
from common.jobs import database as database_module
from common.jobs.database import Database
from common.jobs.models import LOCAL_TENANT, Tenant
from common.jobs.store import JobStore
from tests.unit.api.conftest import Postgres, on_postgresql, on_sqlite

LIMIT_S = 30


def tenant(session) -> Tenant:
    return session.get_one(Tenant, LOCAL_TENANT)


@on_postgresql
def test_a_stopped_server_is_an_outage_and_the_same_database_works_when_it_is_back(database, postgres: Postgres):
    jobs = JobStore(database)
    database.check()  # a connection is there, and about to be cut
    postgres.server.stop()
    try:
        for _ in range(2):
            with pytest.raises(DatabaseError):
                jobs.list_jobs(LOCAL_TENANT, 9, None, None)
            with pytest.raises(DatabaseError):
                jobs.ensure_tenant("another")
            with pytest.raises(DatabaseError):
                database.ask(select(Tenant.id))
    finally:
        postgres.server.start()
    jobs.ensure_tenant("another")
    assert sorted(database.ask(select(Tenant.id))) == [("another",), (LOCAL_TENANT,)]
    assert jobs.list_jobs(LOCAL_TENANT, 9, None, None) == []


@on_postgresql
def test_a_migration_while_the_server_is_away_says_so(database, postgres: Postgres):
    postgres.server.stop()
    try:
        with pytest.raises(DatabaseError):
            Database(database.url).migrate()
    finally:
        postgres.server.start()


def test_a_server_that_takes_connections_but_never_answers_is_an_outage(monkeypatch):
    monkeypatch.setattr(database_module, "CONNECT_TIMEOUT_S", 2)  # libpq knows no shorter one
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
        with pytest.raises(DatabaseError, match="timeout"):
            Database(url).check()


@on_postgresql
def test_a_server_that_was_restarted_meanwhile_is_no_outage(database, postgres: Postgres):
    database.check()
    postgres.server.stop()
    postgres.server.start()
    database.check()


@on_postgresql
def test_a_server_that_stops_within_a_transaction_is_an_outage_and_nothing_of_it_is_kept(database, postgres: Postgres):
    postgres.server  # noqa: B018  skips where it is not ours
    try:
        with pytest.raises(DatabaseError), database.writing() as session:
            tenant(session).turn_at = 7.0
            session.flush()
            postgres.server.stop()
        with pytest.raises(DatabaseError), database.reading() as session:
            tenant(session)
    finally:
        postgres.server.start()
    with database.reading() as session:
        assert tenant(session).turn_at == 0.0


@on_postgresql
def test_readiness_names_a_database_that_is_away_until_it_is_back(client, postgres: Postgres):
    postgres.server.stop()
    try:
        assert client.get("/readyz").json["database"] == "does not answer"
        reply = client.get("/v1/jobs")
        assert (reply.status_code, reply.json["code"]) == (503, "database_unavailable")
        assert "Retry-After" in reply.headers
    finally:
        postgres.server.start()
    assert client.get("/readyz").json["database"] == "ok"
    assert client.get("/v1/jobs").status_code == 200


@on_postgresql
@pytest.mark.parametrize("opened", ["reading", "writing"])
def test_a_session_that_an_administrator_ends_is_an_outage(database, database_url, opened):
    other = Database(database_url)
    with pytest.raises(DatabaseError), getattr(database, opened)() as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with other.reading() as administrator:
            assert administrator.scalar(text("SELECT pg_terminate_backend(:pid, 30000)"), {"pid": pid})
        tenant(session)
    other.close()
    database.check()


@on_postgresql
def test_a_query_that_an_administrator_ends_is_an_outage(database, database_url):
    other, refused = Database(database_url), []

    def ask() -> None:
        try:
            database.ask(select(func.pg_sleep(60)))
        except DatabaseError as error:
            refused.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    deadline = time.monotonic() + LIMIT_S
    while thread.is_alive():
        assert time.monotonic() < deadline
        with other.reading() as administrator:
            administrator.execute(text(end))
        thread.join(0.01)
    other.close()
    assert len(refused) == 1
    assert database.ask(select(Tenant.id)) == [(LOCAL_TENANT,)]


def test_a_query_takes_parameters_by_name(database):
    query = select(Tenant.id).where(Tenant.turn_at <= bindparam("late"), Tenant.id == bindparam("id"))
    assert [tuple(row) for row in database.ask(query, id=LOCAL_TENANT, late=1)] == [(LOCAL_TENANT,)]
    assert not database.ask(query, id=LOCAL_TENANT, late=-1)


@on_postgresql
def test_a_server_that_only_reads_is_an_outage(database):
    """As the standby is, from a switch until it has taken over."""
    with pytest.raises(DatabaseError), database.writing() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        tenant(session).turn_at = 7.0


@on_postgresql
def test_a_transaction_that_another_one_overtook_is_tried_again_later(database):
    with pytest.raises(DatabaseError, match="concurrent update"), database.writing() as session:
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        session.scalar(text("SELECT 1 FROM tenants"))
        with database.writing() as faster:
            tenant(faster).turn_at = 8.0
        tenant(session).turn_at = 7.0
    with database.writing() as session:
        assert tenant(session).turn_at == 8.0


@on_postgresql
def test_who_waits_in_a_circle_is_tried_again_later(database):
    JobStore(database).ensure_tenant("b")
    both_hold_one = threading.Barrier(2)
    ended: list[DatabaseError | None] = []

    def lock(*tenant_ids: str) -> None:
        try:
            with database.writing() as session:
                session.get_one(Tenant, tenant_ids[0], with_for_update=True)
                both_hold_one.wait(LIMIT_S)
                session.get_one(Tenant, tenant_ids[1], with_for_update=True)
        except DatabaseError as error:
            ended.append(error)
        else:
            ended.append(None)

    threads = [
        threading.Thread(target=lock, args=ids, daemon=True) for ids in ((LOCAL_TENANT, "b"), ("b", LOCAL_TENANT))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(error is None for error in ended) == [False, True]
    assert "deadlock" in str(next(error for error in ended if error))


@on_postgresql
@pytest.mark.parametrize(("asked", "is_prepared"), [("", True), ("&prepare_threshold=none", False)])
def test_a_url_says_whether_the_server_may_prepare_statements(database_url, asked, is_prepared):
    database = Database(database_url + asked)
    for _ in range(10):
        with database.writing() as session:  # what a reader had prepared goes with its rollback
            session.scalar(select(Tenant.id))
    with database.writing() as session:
        assert bool(session.scalar(text("SELECT count(*) FROM pg_prepared_statements"))) == is_prepared
    database.close()


@on_postgresql
def test_a_url_says_how_often_a_statement_comes_before_it_is_prepared(database_url):
    database = Database(database_url + "&prepare_threshold=0")
    with database.writing() as session:
        session.scalar(select(Tenant.id))
        assert session.scalar(text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%tenants%'"))
    database.close()


def test_a_url_that_says_it_wrongly_is_refused_before_anything_connects():
    with pytest.raises(ValueError, match="a number or none, not 'never'"):
        Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing?prepare_threshold=never")


@on_sqlite
def test_a_locked_file_is_an_outage_for_writers_until_the_lock_is_gone(database_url, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 10)
    holder, database = Database(database_url), Database(database_url)
    with holder.writing() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseError, match="locked"):
            JobStore(database).ensure_tenant(LOCAL_TENANT)
        database.check()  # readers need not wait
    JobStore(database).ensure_tenant(LOCAL_TENANT)
    holder.close()
    database.close()


def test_connections_that_are_all_in_use_are_an_outage(database, monkeypatch):
    pool = database._engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.01)
    monkeypatch.setattr(pool, "_max_overflow", 0)
    held = [database._engine.connect() for _ in range(pool.size())]
    try:
        with pytest.raises(DatabaseError):
            database.check()
    finally:
        for connection in held:
            connection.close()
    database.check()
