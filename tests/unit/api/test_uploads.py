"""What was sent once is not sent again: uploads announced by their content, and what becomes of wrong bytes."""

import hashlib

import pytest

from api import incoming
from api.idempotency import HEADER, REPLAYED
from common.errors import DatabaseError
from common.jobs.garbage import GarbageStore
from common.jobs.models import LOCAL_TENANT
from common.jobs.uploads import MAX_TWINS, UploadStore
from storage import keys
from tests.unit.api.conftest import announce, on_sqlite, picture, put, sweep, used

DATA = picture(coloured=True)
SHA256 = hashlib.sha256(DATA).hexdigest()
ANNOUNCED = {"filename": "a.png", "size": len(DATA), "sha256": SHA256}
HOUR_S = 3600


def stored(context, upload_id: str) -> bytes:
    return context.store.get(keys.upload(LOCAL_TENANT, upload_id))


def test_a_file_that_is_announced_again_is_the_same_upload_and_says_whether_it_is_there(client):
    first = announce(client, DATA)
    assert (first.status_code, first.json["received"]) == (201, False)
    again = announce(client, DATA)
    assert (again.status_code, again.json["id"], again.json["received"]) == (200, first.json["id"], False)
    put(client, again.json, DATA)
    there = announce(client, DATA)
    assert (there.status_code, there.json["id"], there.json["received"]) == (200, first.json["id"], True)
    assert used(client) == len(DATA)


def test_names_are_the_same_when_they_are_made_safe_to_the_same(client):
    first = announce(client, DATA, filename="../ch1\\a.png")
    assert announce(client, DATA, filename="ch1/a.png").json["id"] == first.json["id"]


def test_the_same_bytes_under_another_name_are_another_upload_that_is_there_already(client, context):
    first = announce(client, DATA).json
    put(client, first, DATA)
    other = announce(client, DATA, filename="b.png")
    assert (other.status_code, other.json["received"]) == (201, True)
    assert other.json["id"] != first["id"]
    assert stored(context, other.json["id"]) == DATA
    assert client.get(f"/v1/uploads/{other.json['id']}").json["filename"] == "b.png"
    assert used(client) == 2 * len(DATA)


def test_bytes_that_came_under_another_name_since_are_there_for_the_first_name_too(client, context):
    first = announce(client, DATA).json
    put(client, announce(client, DATA, filename="b.png").json, DATA)
    again = announce(client, DATA)
    assert (again.status_code, again.json["id"], again.json["received"]) == (200, first["id"], True)
    assert stored(context, first["id"]) == DATA


@on_sqlite
@pytest.mark.parametrize("other", [{"size": len(DATA) + 1}, {"sha256": "0" * 64}, {"sha256": None}])
def test_other_bytes_are_another_upload(client, other):
    first = announce(client, DATA).json
    put(client, first, DATA)
    new = announce(client, DATA, **other)
    assert (new.status_code, new.json["received"]) == (201, False)
    assert new.json["id"] != first["id"]


@on_sqlite
def test_without_a_digest_every_announcement_is_an_upload_of_its_own(client):
    first, again = (announce(client, DATA, sha256=None) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json["id"] != again.json["id"]


def test_uploads_of_another_tenant_are_not_found(client, context):
    put(client, announce(client, DATA).json, DATA)
    context.jobs.ensure_tenant("another")
    mine = context.uploads.get(LOCAL_TENANT, announce(client, DATA).json["id"])
    theirs = type(mine)(
        id="f" * 32,
        tenant_id="another",
        filename=mine.filename,
        size=mine.size,
        sha256=mine.sha256,
        storage_key=keys.upload("another", "f" * 32),
        created_at=mine.created_at,
    )
    announced = context.uploads.announce(theirs, keep_s=HOUR_S)
    assert (announced.is_new, announced.twins) == (True, [])


@on_sqlite
def test_no_more_than_a_few_uploads_of_the_same_bytes_are_looked_at(client, context, monkeypatch):
    for number in range(MAX_TWINS + 3):
        announce(client, DATA, filename=f"{number}.png")
    looks = []
    stat = context.store.stat
    monkeypatch.setattr(context.store, "stat", lambda key: looks.append(key) or stat(key))
    new = announce(client, DATA, filename="last.png").json
    assert new["received"] is False
    assert len(looks) == MAX_TWINS
    assert keys.upload(LOCAL_TENANT, new["id"]) not in looks  # it was made just now
    announce(client, DATA, filename="last.png")
    assert len(looks) == 2 * MAX_TWINS + 1


@on_sqlite
def test_uploads_of_the_same_bytes_are_found_without_a_look_at_all_others(context):
    query = "SELECT id FROM uploads WHERE tenant_id = 'a' AND sha256 = 'b' AND size = 1 AND created_at >= 0"
    with context.database.reading() as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
    assert "ix_uploads_tenant_id_sha256" in str(plan)


@on_sqlite
def test_bytes_that_are_copied_are_not_written_anywhere_to_be_looked_at(client, monkeypatch):
    put(client, announce(client, DATA).json, DATA)

    def refuse(**_):
        raise AssertionError("spooled")

    monkeypatch.setattr(incoming.tempfile, "SpooledTemporaryFile", refuse)
    assert announce(client, DATA, filename="b.png").json["received"] is True


def test_an_announcement_keeps_the_upload_for_a_full_period_more(client, context, clock):
    first = announce(client, DATA).json
    put(client, first, DATA)
    clock.advance(23 * HOUR_S)
    announce(client, DATA)
    clock.advance(23 * HOUR_S)
    sweep(context)
    assert announce(client, DATA).json["received"] is True
    clock.advance(25 * HOUR_S)
    sweep(context)
    assert list(context.store.list_keys("uploads/")) == []


def test_what_the_sweep_may_take_at_any_moment_is_not_given_out_again(client, clock):
    first = announce(client, DATA).json
    put(client, first, DATA)
    clock.advance(25 * HOUR_S)
    late = announce(client, DATA)
    assert (late.status_code, late.json["received"]) == (201, False)
    assert late.json["id"] != first["id"]


def test_an_upload_that_is_announced_between_being_found_old_and_deleted_stays(client, context, clock, monkeypatch):
    # Uploads are kept longer by who announces than by who sweeps: as when the setting was just changed.
    first = announce(client, DATA).json
    put(client, first, DATA)
    clock.advance(23.5 * HOUR_S)
    remove = GarbageStore.remove_upload

    def announced_first(garbage: GarbageStore, upload_id: str, before: float):
        assert announce(client, DATA).json["id"] == first["id"]
        return remove(garbage, upload_id, before)

    monkeypatch.setattr(GarbageStore, "remove_upload", announced_first)
    shorter = context.settings.model_copy(update={"upload_keep_hours": 23})
    sweep(context, shorter)
    assert stored(context, first["id"]) == DATA
    assert client.get(f"/v1/uploads/{first['id']}").json["received"] is True


def wrong(client, context, data: bytes, **other) -> str:
    """An upload whose store took other bytes than were announced."""
    upload_id = announce(client, DATA, **other).json["id"]
    context.store.put(keys.upload(LOCAL_TENANT, upload_id), data, media_type="x/y")
    return upload_id


@pytest.mark.parametrize("data", [DATA[:-1] + b"?", DATA + b"?"], ids=["bytes", "length"])
def test_wrong_bytes_that_a_job_finds_are_deleted_and_can_be_sent_again(client, context, data):
    upload_id = wrong(client, context, data)
    body = {"pages": [upload_id], "references": [upload_id]}
    refused = client.post("/v1/jobs", json=body)
    assert refused.status_code == 400
    again = announce(client, DATA).json
    assert (again["id"], again["received"]) == (upload_id, False)
    put(client, again, DATA)
    assert client.post("/v1/jobs", json=body).status_code == 202


@on_sqlite
def test_wrong_bytes_do_not_go_from_one_upload_to_the_next(client, context):
    bad = wrong(client, context, DATA[:-1] + b"?")
    assert announce(client, DATA, filename="b.png").json["received"] is False
    assert client.get(f"/v1/uploads/{bad}").json["received"] is False
    good = announce(client, DATA, filename="c.png").json
    put(client, good, DATA)
    assert announce(client, DATA).json["received"] is True
    assert stored(context, bad) == DATA


@on_sqlite
def test_a_copy_whose_source_is_swept_away_meanwhile_is_to_be_sent(client, context, monkeypatch):
    first = announce(client, DATA).json
    put(client, first, DATA)
    stat, store = context.store.stat, context.store

    def stat_and_lose(key: str):
        info = stat(key)
        store.delete(key)
        return info

    monkeypatch.setattr(store, "stat", stat_and_lose)
    other = announce(client, DATA, filename="b.png")
    assert (other.status_code, other.json["received"]) == (201, False)


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_an_announcement_that_is_sent_again_under_its_key_is_answered_by_what_is_there_now(client, clock, sha256):
    def repeat():
        return client.post("/v1/uploads", json=ANNOUNCED | {"sha256": sha256}, headers={HEADER: "k"})

    first = repeat()
    clock.advance(20 * HOUR_S)
    again = repeat()
    assert (again.status_code, again.json["id"], again.json["received"]) == (201, first.json["id"], False)
    assert again.json["expires_at"] > first.json["expires_at"]
    assert REPLAYED not in again.headers
    put(client, again.json, DATA)
    assert repeat().json["received"] is True
    assert used(client) == len(DATA)


def test_an_announcement_under_a_key_finds_bytes_that_came_under_another_name_since(client):
    first = client.post("/v1/uploads", json=ANNOUNCED, headers={HEADER: "k"}).json
    put(client, announce(client, DATA, filename="b.png").json, DATA)
    again = client.post("/v1/uploads", json=ANNOUNCED, headers={HEADER: "k"}).json
    assert (again["id"], again["received"]) == (first["id"], True)


def test_an_announcement_whose_answer_was_lost_is_answered_as_the_first_time(client, monkeypatch):
    real = UploadStore.announce

    def announce_and_lose(*given, **more):
        real(*given, **more)
        raise DatabaseError("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(UploadStore, "announce", announce_and_lose)
        assert client.post("/v1/uploads", json=ANNOUNCED, headers={HEADER: "k"}).status_code == 503
    again = client.post("/v1/uploads", json=ANNOUNCED, headers={HEADER: "k"})
    assert again.status_code == 201
    assert announce(client, DATA).json["id"] == again.json["id"]
    assert used(client) == len(DATA)
