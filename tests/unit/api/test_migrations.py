"""Bringing the schema up to date, with what is in it."""

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, delete, select
from sqlalchemy.exc import IntegrityError

from common.jobs.database import MIGRATIONS, Database
from common.jobs.models import LOCAL_TENANT, Tenant
from common.jobs.states import JobStatus
from common.jobs.store import JobStore
from common.jobs.work import PageRef, WorkStore
from common.names import Stage
from tests.unit.api.engine import run_all_stages, status_of


def test_migrating_twice_changes_nothing_and_the_schema_is_the_models(database: Database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from common.jobs.models import Base

    database.migrate()
    with database.reading() as session:
        assert compare_metadata(MigrationContext.configure(session.connection()), Base.metadata) == []


def migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.writing() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, revision)


JOB = "1" * 32
OLD_ROWS: dict[str, dict[str, object]] = {
    "tenants": {"id": LOCAL_TENANT, "created_at": 1.0},
    "reference_models": {
        "key": "m",
        "status": "ready",
        "attempt": 1,
        "failures": 0,
        "not_before": 0.0,
        "progress": 1.0,
        "losses": {},
        "created_at": 1.0,
        "used_at": 1.0,
    },
    "jobs": {
        "id": JOB,
        "tenant_id": LOCAL_TENANT,
        "kind": "colorize",
        "status": "running",
        "params": {},
        "pages_total": 1,
        "references_": [],
        "model_key": "m",
        "unpacked": True,
        "revision": 0,
        "created_at": 1.0,
        "updated_at": 1.0,
    },
    "pages": {
        "job_id": JOB,
        "number": 1,
        "name": "1.png",
        "status": "queued",
        "stage": "metrics",
        "attempt": 1,
        "failures": 0,
        "not_before": 0.0,
        "artifacts": {},
        "timings": {},
        "weights": {},
        "updated_at": 1.0,
    },
    "attempts": {"job_id": JOB, "number": 1, "attempt": 1, "stage": "cgan", "worker": "w", "started_at": 1.0},
}


"""What the first tables may hold of a job that is under way."""


def test_series_can_be_taken_out_again_and_jobs_stay(empty_database: Database):
    migrate_to(empty_database, "0005")
    with empty_database.writing() as session:
        tables = MetaData()
        tables.reflect(session.connection())
        for name, row in OLD_ROWS.items():
            session.execute(tables.tables[name].insert().values(**row))
    empty_database.migrate()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with empty_database.writing() as session:
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "0005")
    with empty_database.reading() as session:
        tables = MetaData()
        tables.reflect(session.connection())
        assert "series" not in tables.tables
        assert {"series_id", "colours"}.isdisjoint(tables.tables["jobs"].columns.keys())
        assert session.scalar(select(tables.tables["jobs"].c.id)) == JOB


def test_a_job_of_before_evaluations_keeps_all_that_it_had(empty_database: Database):
    migrate_to(empty_database, "0001")
    with empty_database.writing() as session:
        tables = MetaData()
        tables.reflect(session.connection())
        for name, row in OLD_ROWS.items():
            session.execute(tables.tables[name].insert().values(**row))
    empty_database.migrate()
    with empty_database.reading() as session:
        for name, row in OLD_ROWS.items():
            (kept,) = session.execute(select(tables.tables[name])).mappings()
            assert {column: kept[column] for column in row} == row
    job = JobStore(empty_database).get_job(LOCAL_TENANT, JOB)
    assert (job.series, job.job.series_id, job.job.colours) == (None, None, [])
    work = WorkStore(empty_database, 60, "worker-1")
    run_all_stages(work, PageRef(JOB, 1, 1), (Stage.METRICS,))
    assert status_of(JobStore(empty_database), JOB) == JobStatus.PACKAGING
    with pytest.raises(IntegrityError), empty_database.writing() as session:  # foreign keys hold as before
        session.execute(delete(Tenant))
