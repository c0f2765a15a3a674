"""From the archive that comes in to the one that goes home: the same names, and what is no page untouched."""

import io
import unicodedata
import zipfile

import pytest

from common.errors import StorageError
from common.jobs.ids import new_id
from common.jobs.models import LOCAL_TENANT, Job, Page
from common.jobs.records import NewJob, NewPage
from common.jobs.states import JobStatus, PageStatus
from common.names import Stage
from common.params import JobParams
from storage import keys
from tests.unit.api.conftest import picture
from tests.unit.api.house import House
from workers.control.packaging import package_jobs
from workers.control.unpacking import unpack_archives
from workers.stage import StageRun, execute_stage

GREY = picture()
REFERENCES = [{"name": "r.png", "key": "r", "sha256": "0" * 64}]


def archived(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in contents.items():
            file.writestr(name, data)
    return buffer.getvalue()


def submit_archive(house: House, data: bytes, *names: str) -> str:
    """A job of an archive with these pages, unpacked."""
    job_id = new_id()
    house.store.put(keys.archive(job_id), data, media_type="application/zip")
    pages = [NewPage(name, None) for name in names]
    house.jobs.create_job(NewJob(job_id, LOCAL_TENANT, JobParams(), pages, REFERENCES, keys.archive(job_id), "c.cbz"))
    house.chapters.train()
    unpack_archives(house.dispatch, house.store, house.settings)
    return job_id


def brought_home(house: House, job_id: str) -> dict[str, bytes]:
    house.run_all()
    with house.archive(job_id) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_is_no_page_comes_home_as_it_was(house):
    extras = {
        "ComicInfo.xml": b"<?xml version='1.0'?><ComicInfo><Series>\xe5\xa1\x97</Series></ComicInfo>\r\n",
        "ch1/credits.txt": b"we\x00did it",
        "ch1/Thumbs.db": bytes(range(256)),
        "__MACOSX/ch1/._1.png": b"\x00\x05\x16\x07",
        "empty.nfo": b"",
    }
    data = archived({"ch1/": b"", "ch1/2.png": GREY, "ch1/10.png": GREY, **extras})
    job_id = submit_archive(house, data, "ch1/2.png", "ch1/10.png")
    kept = house.job(job_id).extras
    assert sorted(one["name"] for one in kept) == sorted(extras)
    home = brought_home(house, job_id)
    assert {name: home[name] for name in extras} == extras
    assert set(home) == {"ch1/2.png", "ch1/10.png", "nurie.json", *extras}
    assert list(home)[:2] == ["ch1/2.png", "ch1/10.png"]


def test_extras_count_among_the_bytes_of_their_job_once_however_often_they_are_unpacked(house):
    job_id = submit_archive(house, archived({"1.png": GREY, "a.txt": b"x" * 1000}), "1.png")
    assert house.job(job_id).stored_bytes == 1000
    with house.resources.work._database.writing() as session:
        session.get(Job, job_id).unpacked = False
    unpack_archives(house.dispatch, house.store, house.settings)
    assert house.job(job_id).stored_bytes == 1000
    assert list(house.store.list_keys(keys.job_prefix(job_id) + "extras/")) == [keys.extra_file(job_id, 1)]


def test_an_extra_that_is_damaged_is_left_out_and_named(house):
    data = archived({"1.png": GREY, "a.txt": b"some text", "b.txt": b"more"}).replace(b"some text", b"same text")
    home = brought_home(house, submit_archive(house, data, "1.png"))
    assert set(home) == {"1.png", "b.txt", "nurie.json"}
    assert b"'a.txt' is damaged" in home["nurie.json"]


def test_a_record_of_the_clients_own_comes_home_beside_ours(house):
    data = archived({"1.png": GREY, "nurie.json": b"theirs"})
    home = brought_home(house, submit_archive(house, data, "1.png"))
    assert home["nurie_2.json"] == b"theirs"
    assert b'"job"' in home["nurie.json"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.jpg", "a.png"),
        ("Ab.png", "aB.png"),
        (unicodedata.normalize("NFC", "がぎ.png"), unicodedata.normalize("NFD", "がぎ.png")),
    ],
)
def test_names_that_some_system_takes_for_the_same_are_told_apart(house, first, second):
    data = archived({first: GREY, second: GREY})
    home = brought_home(house, submit_archive(house, data, first, second))
    folded = {unicodedata.normalize("NFC", name).casefold() for name in home}
    assert len(folded) == len(home) == 3


@pytest.mark.parametrize(
    "name", ["第一話/ソード表紙.png", "ㄅ/頁　１.png", "😀/ü.png", unicodedata.normalize("NFD", "が/é.png")]
)
def test_names_in_any_script_come_home_as_they_were(house, name):
    home = brought_home(house, submit_archive(house, archived({name: GREY}), name))
    assert list(home) == [name, "nurie.json"]


def test_an_archive_is_unpacked_and_its_damaged_page_fails_alone(house):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("1.png", GREY)
        file.writestr("2.png", GREY[:-1] + b"!")
    data = buffer.getvalue().replace(GREY[:-1] + b"!", GREY[:-1] + b"?")  # now its checksum is wrong
    job_id = new_id()
    house.store.put(keys.archive(job_id), data, media_type="application/zip")
    references = [{"name": "r.png", "key": "r", "sha256": "0" * 64}]
    pages = [NewPage("1.png", None), NewPage("2.png", None)]
    house.jobs.create_job(NewJob(job_id, LOCAL_TENANT, JobParams(), pages, references, keys.archive(job_id), "c.cbz"))
    house.chapters.train()
    assert house.send() == []
    unpack_archives(house.dispatch, house.store, house.settings)
    house.run_all()
    assert house.page(job_id, 1).status == PageStatus.SUCCEEDED
    assert (house.page(job_id, 2).status, house.page(job_id, 2).error_code) == (PageStatus.FAILED, "bad_archive")
    assert house.job(job_id).status == JobStatus.PARTIAL
    assert house.sets_scored == 1


def test_pages_whose_results_would_share_a_name_both_come_home(house):
    job_id = house.submit(pages=2)
    with house.resources.work._database.writing() as session:
        session.get(Page, (job_id, 1)).name = "a.jpg"
        session.get(Page, (job_id, 2)).name = "a.png"
    house.run_all()
    names = house.archive(job_id).namelist()
    assert names == ["a.png", "a_2.png", "nurie.json"]
    assert names == sorted(names)  # readers that go by plain byte order show the pages as they were sent


def test_a_job_that_cannot_be_packaged_ends_and_holds_nobody_up(house, monkeypatch):
    bad, good = house.submit(), house.submit()

    def write(_store, job, _pages):
        if job.id == bad:
            raise ZeroDivisionError
        return "result", 1

    monkeypatch.setattr("workers.control.packaging._write_result", write)
    house.run_all()
    assert (house.job(bad).status, house.job(good).status) == (JobStatus.FAILED, JobStatus.SUCCEEDED)


def test_packaging_waits_for_storage_and_then_goes_on(house, monkeypatch):
    job_id = house.submit()

    def away(*_):
        raise StorageError("away")

    with monkeypatch.context() as patch:
        patch.setattr("workers.control.packaging._write_result", away)
        house.run_all()
        assert house.job(job_id).status == JobStatus.PACKAGING
    house.run_all()
    assert house.job(job_id).status == JobStatus.SUCCEEDED


def test_an_archive_that_is_gone_fails_its_job_and_holds_nobody_up(house):
    references = [{"name": "r.png", "key": "r", "sha256": "0" * 64}]
    gone, good = new_id(), new_id()
    for job_id in (gone, good):
        new = NewJob(
            job_id, LOCAL_TENANT, JobParams(), [NewPage("1.png", None)], references, keys.archive(job_id), "c.cbz"
        )
        house.jobs.create_job(new)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("1.png", GREY)
    house.store.put(keys.archive(good), buffer.getvalue(), media_type="application/zip")
    house.chapters.train()
    unpack_archives(house.dispatch, house.store, house.settings)
    house.run_all()
    assert (house.job(gone).status, house.job(good).status) == (JobStatus.FAILED, JobStatus.SUCCEEDED)
    assert house.page(gone).error_code == "not_found"


def test_a_full_disk_while_unpacking_is_tried_again_and_a_bug_ends_the_job(house, monkeypatch):
    references = [{"name": "r.png", "key": "r", "sha256": "0" * 64}]
    full, broken = new_id(), new_id()
    for job_id in (full, broken):
        new = NewJob(
            job_id, LOCAL_TENANT, JobParams(), [NewPage("1.png", None)], references, keys.archive(job_id), "c.cbz"
        )
        house.jobs.create_job(new)
    errors = {full: OSError("no space left"), broken: ZeroDivisionError("a bug in /some/path")}

    def unpack(_dispatch, _store, _settings, job):
        raise errors[job.id]

    monkeypatch.setattr("workers.control.unpacking._unpack_job", unpack)
    unpack_archives(house.dispatch, house.store, house.settings)
    package_jobs(house.dispatch, house.store)
    assert (house.job(full).status, house.job(broken).status) == (JobStatus.QUEUED, JobStatus.FAILED)
    assert (house.page(broken).error_code, "/some/path" in house.page(broken).error_detail) == ("internal", False)


def test_a_page_that_is_called_like_the_record_of_the_archive_comes_home(house):
    source = picture(coloured=True)
    job_id = house.submit(source=source)
    with house.resources.work._database.writing() as session:
        session.get(Page, (job_id, 1)).name = "nurie.json"
    (message,) = house.send()
    execute_stage(house.resources, Stage.CGAN, message.ref, StageRun.skip)
    package_jobs(house.dispatch, house.store)
    assert house.archive(job_id).namelist() == ["nurie_2.json", "nurie.json"]
