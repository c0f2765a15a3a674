"""Files that go with a chapter's pages and are none: they come home as they were."""

import json
from dataclasses import replace

import pytest

from api.context import EXTENSION
from common.jobs.models import LOCAL_TENANT
from storage import keys
from tests.unit.api.conftest import on_sqlite, picture, submit, upload
from tests.unit.api.test_correcting import Drafted
from tests.unit.api.test_packaging import archived

PAGE, COLOURED = picture(), picture(coloured=True)
REFERENCES = [(COLOURED, "r.png")]
INFO = b"<?xml version='1.0'?><ComicInfo><Series>\xe5\xa1\x97</Series></ComicInfo>\r\n"
EXTRAS = [(INFO, "ComicInfo.xml"), (b"", "empty.nfo"), (bytes(range(256)), "ch1/notes.bin")]


def send(client, extras, **more):
    fields = {"pages": [(PAGE, "1.png")], "references": REFERENCES, "extras": extras}
    return submit(client, **fields | more)


def test_extras_come_home_as_they_were_and_count_among_the_bytes(client, context, house):
    job_id = Drafted(client, context, house, (0,), extras=EXTRAS).job_id
    job = house.job(job_id)
    assert [extra["name"] for extra in job.extras] == [name for _, name in EXTRAS]
    assert job.stored_bytes == len(COLOURED) + sum(len(data) for data, _ in EXTRAS)
    house.run_all()
    with house.archive(job_id) as archive:
        assert archive.namelist() == ["0.png", *(name for _, name in EXTRAS), "nurie.json"]
        assert [archive.read(name) for _, name in EXTRAS] == [data for data, _ in EXTRAS]
        told = json.loads(archive.read("nurie.json"))["extras"]
    assert told == [{"source": name, "file": name} for _, name in EXTRAS]


@on_sqlite
def test_extras_by_upload_ids_are_the_same(client, context):
    page, reference, extra = (
        upload(client, *one) for one in ((PAGE, "1.png"), (COLOURED, "r.png"), (INFO, "ComicInfo.xml"))
    )
    empty = upload(client, b"", "empty.nfo")
    body = {"pages": [page], "references": [reference], "extras": [extra, empty]}
    job_id = client.post("/v1/jobs", json=body).json["id"]
    kept, kept_empty = context.jobs.get_job(LOCAL_TENANT, job_id).job.extras
    assert (kept["name"], kept["key"]) == ("ComicInfo.xml", keys.extra_file(job_id, 1))
    assert context.store.get(kept["key"]) == INFO
    assert (kept_empty["name"], kept_empty["size"], context.store.get(kept_empty["key"])) == ("empty.nfo", 0, b"")


ARCHIVE = archived({"1.png": PAGE})
REFUSED = {
    "beside an archive": ([(INFO, "a.xml")], {"pages": [], "archive": [(ARCHIVE, "c.cbz")]}, "extras: go with pages"),
    "without pages": ([(INFO, "a.xml")], {"pages": []}, "pages: send at least one"),
    "an archive by its name": ([(b"x", "more.CBZ")], {}, "extra 1 (more.CBZ) is an archive"),
    "an archive by its bytes": ([(INFO, "a.xml"), (ARCHIVE, "b.bin")], {}, "extra 2 (b.bin) is an archive"),
    "a name twice": ([(INFO, "a.xml"), (b"x", "a.xml")], {}, "extra 2 (a.xml): another extra has this name"),
}


@on_sqlite
@pytest.mark.parametrize(("extras", "more", "words"), REFUSED.values(), ids=REFUSED)
def test_extras_that_an_archive_could_not_have_are_refused(client, context, extras, more, words):
    reply = send(client, extras, **more)
    assert reply.status_code == 400, reply.json
    assert words in reply.json["detail"]
    assert list(context.store.list_keys("")) == []


@on_sqlite
@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_archive_entries": 2}, "3 files with the pages, over the limit of 2"),
        ({"max_unpacked_bytes": len(PAGE) + 10}, "over the limit of"),
        ({"max_image_bytes": 4000}, "b.bin: over the limit of 4000 bytes"),
    ],
)
def test_extras_over_the_limits_of_archives_are_refused(client, context, monkeypatch, limits, words):
    smaller = replace(context, settings=context.settings.model_copy(update=limits))
    assert len(PAGE) < 4000
    monkeypatch.setitem(client.application.extensions, EXTENSION, smaller)
    small = picture(8, 8, coloured=True)
    reply = send(client, [(INFO[:10], "a.xml"), (b"x" * 4001, "b.bin")], references=[(small, "r.png")])
    assert (reply.status_code, reply.json["code"]) == (413, "too_large")
    assert words in reply.json["detail"]


@on_sqlite
@pytest.mark.parametrize("limits", [{"max_archive_entries": 1}, {"max_unpacked_bytes": len(PAGE)}])
def test_pages_without_extras_are_not_held_to_the_limits_of_archives(client, context, monkeypatch, limits):
    smaller = replace(context, settings=context.settings.model_copy(update=limits))
    monkeypatch.setitem(client.application.extensions, EXTENSION, smaller)
    assert send(client, [], pages=[(PAGE, "1.png"), (PAGE, "2.png")]).status_code == 202


@on_sqlite
def test_an_extra_that_was_uploaded_is_read_once_and_copied(client, context, monkeypatch):
    page, reference, extra = (
        upload(client, *one) for one in ((PAGE, "1.png"), (COLOURED, "r.png"), (INFO, "ComicInfo.xml"))
    )
    opened, open_object = [], type(context.store).open
    monkeypatch.setattr(type(context.store), "open", lambda store, key: opened.append(key) or open_object(store, key))
    assert (
        client.post("/v1/jobs", json={"pages": [page], "references": [reference], "extras": [extra]}).status_code == 202
    )
    assert opened.count(keys.upload(LOCAL_TENANT, extra)) == 1


@on_sqlite
def test_an_evaluation_has_no_extras(client):
    fields = {"real": [(PAGE, "1.png")], "output": [(PAGE, "1.png")], "extras": [(INFO, "a.xml")]}
    assert "unknown field 'extras'" in submit(client, kind="evaluate", **fields).json["detail"]
