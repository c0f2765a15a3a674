"""What chapters of a series have in common: references and corrected colours, kept on the server."""

import json

import pytest

from api.context import Context
from common.colours import MAX_COLOURS, merge_colours, read_colours
from common.jobs.ids import sha256_hex
from common.jobs.models import LOCAL_TENANT, Job
from common.jobs.tenants import Limits
from storage import keys
from tests.unit.api.conftest import announce, on_sqlite, picture, submit, upload, used
from tests.unit.api.test_correcting import PAPER, PURPLE, RED, Drafted

PAGE = picture()
FIRST, SECOND = picture(coloured=True, seed=1), picture(coloured=True, seed=2)
DAY_S = 86_400
NAME = "夜のスキャン"


def send(client, *references: bytes, series: str | None = NAME, **more):
    fields = {"pages": [(PAGE, "1.png")], **more}
    if references:
        fields["references"] = [(data, f"r{number}.png") for number, data in enumerate(references, 1)]
    return submit(client, **fields, **({} if series is None else {"series": series}))


def series_of(client, name: str = NAME) -> dict | None:
    found = client.get("/v1/series", query_string={"name": name}).json["series"]
    return found[0] if found else None


def shown(client, link: str) -> bytes:
    with client.get(client.get(link).headers["Location"]) as file:
        return file.data


def references_of(client, job: dict) -> list[bytes]:
    return [shown(client, reference["link"]) for reference in job["references"]]


def stored(context) -> list[str]:
    return list(context.store.list_keys("series/"))


def end(client, job_id: str) -> None:
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 200


def test_the_first_chapter_makes_the_series_and_the_next_one_has_its_references_and_model(client, context):
    first = send(client, FIRST, SECOND)
    assert (first.status_code, first.json["series"]) == (202, NAME)
    series = series_of(client)
    here = f"/v1/series/{series['id']}"
    expected = [
        {"name": f"r{number}.png", "sha256": sha256_hex(data), "size": len(data), "link": f"{here}/references/{number}"}
        for number, data in enumerate((FIRST, SECOND), 1)
    ]
    assert (series["name"], series["references"], series["colours"]) == (NAME, expected, [])
    assert [shown(client, reference["link"]) for reference in series["references"]] == [FIRST, SECOND]
    second = send(client)
    assert (second.status_code, second.json["series"]) == (202, NAME)
    assert [reference["name"] for reference in second.json["references"]] == ["r1.png", "r2.png"]
    assert references_of(client, second.json) == [FIRST, SECOND]
    assert second.json["reference_model"]["key"] == first.json["reference_model"]["key"]


def test_a_chapter_stays_what_it_is_when_its_series_and_the_chapter_before_are_gone(client, context):
    first = send(client, FIRST).json
    second = send(client).json
    end(client, first["id"])
    assert client.delete(f"/v1/jobs/{first['id']}").status_code == 204
    assert references_of(client, send(client).json) == [FIRST]
    here = f"/v1/series/{series_of(client)['id']}"
    etag = client.get(f"/v1/jobs/{second['id']}").headers["ETag"]
    assert client.delete(here).status_code == 204
    assert stored(context) == []
    assert [client.get(here).status_code, client.delete(here).status_code] == [404, 404]
    after = client.get(f"/v1/jobs/{second['id']}", headers={"If-None-Match": etag})
    assert (after.status_code, after.json["series"]) == (200, None)
    assert references_of(client, after.json) == [FIRST]


def test_references_that_are_sent_replace_those_of_the_series_and_leave_its_colours(client, context):
    first = send(client, FIRST).json
    series = series_of(client)
    colours = [{"old": [1, 2, 3], "new": [4, 5, 6]}]
    assert client.patch(f"/v1/series/{series['id']}", json={"colours": colours}).status_code == 200
    kept = stored(context)
    send(client, FIRST, SECOND)
    assert set(kept) < set(stored(context))  # what it has already is not stored once more
    assert len(stored(context)) == 2
    send(client, SECOND)
    after = series_of(client)
    assert (after["id"], after["colours"]) == (series["id"], colours)
    assert [reference["sha256"] for reference in after["references"]] == [sha256_hex(SECOND)]
    assert len(stored(context)) == 1
    assert references_of(client, client.get(f"/v1/jobs/{first['id']}").json) == [FIRST]
    assert references_of(client, send(client).json) == [SECOND]


def test_a_series_that_is_not_there_yet_needs_references(client, context):
    reply = send(client)
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
    assert reply.json["detail"] == f"series {NAME!r} is not there yet: its first chapter needs references"
    assert list(context.store.list_keys("")) == []
    without = send(client, series=None)
    assert "references: send at least one" in without.json["detail"]


@on_sqlite
def test_what_is_refused_makes_no_series_and_leaves_nothing(client, context):
    assert send(client, PAGE).json["code"] == "bad_image"
    assert send(client, FIRST, pages=[(b"no picture", "1.png")]).status_code == 400
    for wrong in ("", "a\nb", "n" * 201):
        assert send(client, FIRST, series=wrong).json["detail"].startswith("series: ")
    reply = submit(client, kind="evaluate", real=[(PAGE, "1.png")], output=[(PAGE, "1.png")], series=NAME)
    assert "unknown field 'series'" in reply.json["detail"]
    assert client.get("/v1/series").json == {"series": [], "next": None}
    assert list(context.store.list_keys("")) == []


def test_a_series_in_json_works_as_in_a_form(client):
    page, reference = upload(client, PAGE, "1.png"), upload(client, FIRST, "r.png")
    first = client.post("/v1/jobs", json={"pages": [page], "references": [reference], "series": NAME})
    assert first.status_code == 202, first.json
    second = client.post("/v1/jobs", json={"pages": [page], "series": NAME})
    assert references_of(client, second.json) == [FIRST]
    assert client.post("/v1/jobs", json={"pages": [page], "series": "x" * 201}).status_code == 400


def test_the_bytes_of_a_series_count_as_long_as_it_has_them(client):
    send(client, FIRST)
    job = len(PAGE) + len(FIRST)
    assert used(client) == job + len(FIRST)
    send(client, SECOND)
    assert used(client) == 2 * len(PAGE) + len(FIRST) + 2 * len(SECOND)
    send(client)
    assert used(client) == 3 * len(PAGE) + len(FIRST) + 3 * len(SECOND)
    client.delete(f"/v1/series/{series_of(client)['id']}")
    assert used(client) == 3 * len(PAGE) + len(FIRST) + 2 * len(SECOND)


@on_sqlite
def test_a_reference_that_is_sent_twice_counts_once_in_its_series_and_twice_in_each_job(client, context):
    send(client, FIRST, FIRST)
    assert (len(stored(context)), used(client)) == (1, len(PAGE) + 2 * len(FIRST) + len(FIRST))
    send(client)
    assert used(client) == 2 * (len(PAGE) + 2 * len(FIRST)) + len(FIRST)


def test_a_series_that_there_is_no_room_for_is_not_made(client, context, monkeypatch):
    need = len(PAGE) + 2 * len(FIRST)
    monkeypatch.setattr(Context, "limits", Limits(stored_bytes=need - 1))
    reply = send(client, FIRST)
    assert (reply.status_code, reply.json["code"]) == (429, "quota_exceeded")
    assert (series_of(client), list(context.store.list_keys(""))) == (None, [])
    monkeypatch.setattr(Context, "limits", Limits(stored_bytes=need))
    assert send(client, FIRST).status_code == 202
    # The second chapter needs its own files, and what the new reference is larger than the old one.
    need += len(PAGE) + len(SECOND) + len(SECOND) - len(FIRST)
    monkeypatch.setattr(Context, "limits", Limits(stored_bytes=need - 1))
    assert send(client, SECOND).status_code == 429
    monkeypatch.setattr(Context, "limits", Limits(stored_bytes=need))
    assert send(client, SECOND).status_code == 202
    assert used(client) == need


def test_a_corrected_palette_holds_for_the_chapters_to_come(client, context, house):
    send(client, FIRST)
    drafted = Drafted(client, context, house, (1, 2), series=NAME)
    drafted.run()
    assert drafted.recolour((RED, PURPLE), (PAPER, RED)).status_code == 202
    house.run_all(drafted.work)
    assert drafted.recolour((PAPER, PAPER)).status_code == 202
    expected = [{"old": list(RED), "new": list(PURPLE)}]
    assert series_of(client)["colours"] == expected
    following = send(client).json["id"]
    assert context.jobs.get_job(LOCAL_TENANT, following).job.colours == expected
    other = send(client, FIRST, series="another").json["id"]
    assert context.jobs.get_job(LOCAL_TENANT, other).job.colours == []


@on_sqlite
def test_a_correction_that_a_series_has_no_room_for_changes_nothing(client, context, house):
    send(client, FIRST)
    drafted = Drafted(client, context, house, (1,), series=NAME)
    drafted.run()
    many = merge_colours([], {(1, 1, blue): RED for blue in range(MAX_COLOURS)}, "it")
    here = f"/v1/series/{series_of(client)['id']}"
    assert client.patch(here, json={"colours": many}).status_code == 200
    reply = drafted.recolour((RED, PURPLE))
    assert reply.status_code == 400
    assert f"series {NAME!r} would have 257 corrected colours, the limit is 256" in reply.json["detail"]
    assert client.get(here).json["colours"] == many
    assert client.get(f"/v1/jobs/{drafted.job_id}").json["status"] == "succeeded"


def test_colours_of_a_series_can_be_replaced_and_forgotten(client):
    send(client, FIRST)
    here = f"/v1/series/{series_of(client)['id']}"
    colours = [{"old": [1, 2, 3], "new": [4, 5, 6]}, {"old": [200, 7, 7], "new": [200, 7, 7]}]
    changed = client.patch(here, json={"colours": colours})
    assert (changed.status_code, changed.json["colours"]) == (200, colours[:1])
    assert changed.json["updated_at"] >= changed.json["created_at"]
    assert client.get(here).json == changed.json
    assert client.patch(here, json={"colours": []}).json["colours"] == []


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"colours": None},
        {"colours": [{"old": [1, 2, 3]}]},
        {"colours": [{"old": [1, 2, "3"], "new": [1, 2, 3]}]},
        {"colours": [{"old": [1, 2, 256], "new": [1, 2, 3]}]},
        {"colours": [{"old": [0, 0, 0], "new": [1, 2, 3]}] * (MAX_COLOURS + 1)},
        {"colours": [], "name": "other"},
    ],
)
def test_colours_that_are_none_are_refused(client, body):
    send(client, FIRST)
    here = f"/v1/series/{series_of(client)['id']}"
    assert client.patch(here, json=body).status_code == 400
    assert client.patch(f"/v1/series/{'0' * 32}", json=body).status_code == 404


@on_sqlite
def test_series_are_listed_newest_first_a_page_at_a_time_and_found_by_name(client):
    for name in ("a", "b", "A"):
        send(client, FIRST, series=name)
    page = client.get("/v1/series?limit=2").json
    assert [one["name"] for one in page["series"]] == ["A", "b"]
    rest = client.get(f"/v1/series?limit=2&cursor={page['next']}").json
    assert ([one["name"] for one in rest["series"]], rest["next"]) == (["a"], None)
    assert [one["name"] for one in client.get("/v1/series?name=a").json["series"]] == ["a"]
    assert client.get("/v1/series?name=c").json == {"series": [], "next": None}
    here = f"/v1/series/{page['series'][0]['id']}"
    assert client.get(here).json == page["series"][0]
    missing = client.get(f"{here}/references/2")
    assert (missing.status_code, "has references 1 to 1, no 2" in missing.json["detail"]) == (404, True)


def test_series_of_tenants_do_not_meet(client, context, monkeypatch):
    send(client, FIRST)
    mine = series_of(client)["id"]
    context.jobs.ensure_tenant("another")
    monkeypatch.setattr(Context, "tenant_id", "another")
    assert client.get("/v1/series").json["series"] == []
    assert send(client).status_code == 400
    assert client.get(f"/v1/series/{mine}/references/1").status_code == 404
    assert send(client, SECOND).status_code == 202
    monkeypatch.undo()
    assert [reference["sha256"] for reference in series_of(client)["references"]] == [sha256_hex(FIRST)]


def test_references_of_a_series_need_not_be_sent_again_however_old_they_are(client, context, monkeypatch):
    send(client, FIRST)

    announced = announce(client, FIRST).json
    assert announced["received"]
    assert context.store.get(keys.upload(LOCAL_TENANT, announced["id"])) == FIRST
    assert not announce(client, SECOND).json["received"]
    assert not announce(client, FIRST, size=len(FIRST) + 1).json["received"]
    context.jobs.ensure_tenant("another")
    monkeypatch.setattr(Context, "tenant_id", "another")
    assert not announce(client, FIRST).json["received"]


def test_a_reference_that_is_replaced_while_it_is_copied_is_to_be_sent(client, context, monkeypatch):
    send(client, FIRST)
    monkeypatch.setattr(type(context.series), "find_reference", lambda *_: "series/0/gone")
    assert not announce(client, FIRST).json["received"]


def test_a_job_of_a_deleted_series_remembers_its_own_colours_still(client, context, house):
    send(client, FIRST)
    drafted = Drafted(client, context, house, (1,), series=NAME)
    drafted.run()
    client.delete(f"/v1/series/{series_of(client)['id']}")
    assert drafted.recolour((RED, PURPLE)).status_code == 202
    with context.database.reading() as session:
        assert read_colours(session.get_one(Job, drafted.job_id).colours) == {RED: PURPLE}


@on_sqlite
def test_a_series_is_told_of_in_events_and_lists(client):
    job = send(client, FIRST).json
    assert client.get("/v1/jobs").json["jobs"][0]["series"] == NAME
    end(client, job["id"])
    with client.get(f"/v1/jobs/{job['id']}/events") as events:
        told = [json.loads(line.removeprefix("data: ")) for line in events.text.splitlines() if line.startswith("data")]
    assert {one["series"] for one in told if one.get("id") == job["id"]} == {NAME}
