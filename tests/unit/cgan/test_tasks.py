"""Training as the queue does it: with a lease, a store and the truth, but without a broker."""

import json
from pathlib import Path

import pytest

from common.broker import Broker
from common.colours import merge_colours
from common.hints import parse_hints
from common.imaging import encode_image
from common.jobs.database import Database
from common.jobs.dispatch import DispatchStore
from common.jobs.ids import new_id, sha256_hex
from common.jobs.models import LOCAL_TENANT, Job, Page, ReferenceModel
from common.jobs.records import NewJob, NewPage
from common.jobs.states import ModelStatus, PageStatus
from common.jobs.store import JobStore
from common.jobs.work import WorkStore
from common.names import Artifact, Stage
from common.params import JobParams
from common.settings import Settings
from storage import keys
from storage.local import LocalStore
from workers.cgan.original import network as original_network
from workers.cgan.original.network import Generator, OriginalConfig
from workers.cgan.tasks import draft_page, train_model
from workers.cgan.weights import load_model
from workers.stage import Resources, execute_stage


class Room:
    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'nurie.db'}")
        self.database.migrate()
        self.jobs = JobStore(self.database)
        self.jobs.ensure_tenant(LOCAL_TENANT)
        self.store = LocalStore(folder / "objects", "http://127.0.0.1", "secret")
        self.store.ensure()
        self.dispatch = DispatchStore(self.database, queue_lease_s=30, max_failures=3)
        work = WorkStore(self.database, 60, "worker-1")
        self.resources = Resources(Settings(data=folder), work, self.store, Broker("redis://127.0.0.1:1/0"))

    def submit(self, reference: bytes | None, params: JobParams = JobParams(epochs=1)) -> str:  # noqa: B008
        """A job with one page and one reference, whose object is missing when it is None."""
        job_id = new_id()
        key = keys.reference(job_id, 1)
        if reference is not None:
            self.store.put(key, reference, media_type="image/png")
        page = NewPage("1.png", {"key": "k", "sha256": "1" * 64, "size": 1, "filename": "1.png"})
        reference_entry = {"name": "r.png", "key": key, "sha256": sha256_hex(reference or b"")}
        self.jobs.create_job(NewJob(job_id, LOCAL_TENANT, params, [page], [reference_entry]))
        return job_id

    def train(self) -> ReferenceModel:
        (message,) = self.dispatch.start_trainings()
        train_model(self.resources, message.key, message.job_id, message.attempt)
        with self.database.reading() as session:
            return session.get_one(ReferenceModel, message.key)

    def draft(self) -> Page:
        """Draft the page that is due, and return what became of it."""
        self.resources.work.sign_in(Stage.CGAN, 1)
        (message,) = self.dispatch.start_pages(4)
        ref = message.ref
        execute_stage(self.resources, Stage.CGAN, ref, draft_page)
        with self.database.reading() as session:
            return session.get_one(Page, (ref.job_id, ref.number))


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.database.close()


def test_a_training_ends_in_a_model_that_can_be_loaded(room, two_tone_page):
    room.submit(encode_image(two_tone_page))
    model = room.train()
    assert (model.status, model.progress) == (ModelStatus.READY, 1.0)
    assert model.losses["chroma"] > 0
    load_model(room.store.get(keys.model(model.key)))


def test_a_card_lies_beside_the_model(room, two_tone_page):
    room.submit(encode_image(two_tone_page))
    model = room.train()
    card = json.loads(room.store.get(keys.model_card(model.key)))
    assert (card["preset"], card["epochs"], card["references"]) == (
        "default",
        1,
        [sha256_hex(encode_image(two_tone_page))],
    )
    assert card["losses"]["chroma"] > 0
    assert 1 <= len(card["palette_lab"]) <= 12


@pytest.mark.parametrize("preset", ["default", "original"])
def test_a_page_is_drafted_by_the_model_of_its_job(room, two_tone_page, to_grey, preset, monkeypatch):
    tiny = (2, 2, 2, 2, 2)
    monkeypatch.setattr(original_network, "OriginalConfig", lambda widths=tiny: OriginalConfig(widths))
    room.store.put("k", encode_image(to_grey(two_tone_page)), media_type="image/png")
    room.submit(encode_image(two_tone_page), JobParams(epochs=1, preset=preset))
    key = room.train().key
    page = room.draft()
    assert (page.stage, page.error_code) == (Stage.S2P, None)
    assert {Artifact.DRAFT, Artifact.REGIONS, Artifact.HINTS} <= page.artifacts.keys()
    generator = load_model(room.store.get(keys.model(key)))
    assert isinstance(generator, Generator) == (preset == "original")


def test_fresh_hints_have_the_corrected_colours_of_the_job(room, two_tone_page, to_grey):
    room.store.put("k", encode_image(to_grey(two_tone_page)), media_type="image/png")
    first = room.submit(encode_image(two_tone_page))
    room.train()
    plain = parse_hints(room.store.get(room.draft().artifacts[Artifact.HINTS]["key"]), "hints")
    old = plain.palette[plain.hints[0].entry]
    nearly = tuple(channel + (1 if channel < 128 else -1) for channel in old)
    room.jobs.cancel_job(LOCAL_TENANT, first)
    again = room.submit(encode_image(two_tone_page))
    with room.database.writing() as session:
        session.get_one(Job, again).colours = merge_colours([], {nearly: (1, 2, 3)}, "the job")
    page = room.draft()
    assert (page.job_id, page.timings[Stage.CGAN]["cached"]) == (again, False)
    corrected = parse_hints(room.store.get(page.artifacts[Artifact.HINTS]["key"]), "hints")
    assert corrected == plain.recolour({old: (1, 2, 3)})
    assert corrected.hints[0].rgb == (1, 2, 3)
    assert corrected.palette == plain.palette


@pytest.mark.parametrize("lost", ["damaged", "gone"])
def test_a_model_that_is_lost_is_trained_again_while_its_page_waits(room, two_tone_page, to_grey, lost):
    room.store.put("k", encode_image(to_grey(two_tone_page)), media_type="image/png")
    room.submit(encode_image(two_tone_page))
    key = room.train().key
    whole = room.store.get(keys.model(key))
    if lost == "gone":
        room.store.delete(keys.model(key))
    else:
        room.store.put(keys.model(key), whole[:-1], media_type="application/octet-stream")
    page = room.draft()
    assert (page.status, page.stage, page.error_code) == (PageStatus.QUEUED, Stage.CGAN, "model_missing")
    assert room.train().status == ModelStatus.READY
    assert room.store.get(keys.model(key)) == whole
    with room.database.writing() as session:
        session.get_one(Page, (page.job_id, page.number)).not_before = 0.0
    assert room.draft().stage == Stage.S2P


def test_a_worker_that_saw_an_older_model_does_not_discard_a_newer_one(room, two_tone_page):
    room.submit(encode_image(two_tone_page))
    old = room.train()
    assert room.resources.work.discard_model(old.key, old.attempt)
    assert not room.resources.work.discard_model(old.key, old.attempt)
    new = room.train()
    assert not room.resources.work.discard_model(old.key, old.attempt)
    assert (new.status, new.attempt) == (ModelStatus.READY, old.attempt + 1)


def test_a_reference_that_is_gone_fails_the_training_for_good(room):
    room.submit(None)
    model = room.train()
    assert (model.status, model.error_code) == (ModelStatus.FAILED, "not_found")
    assert room.dispatch.start_trainings() == []


def test_a_training_that_nobody_waits_for_is_given_up_and_may_start_again(room, two_tone_page):
    job_id = room.submit(encode_image(two_tone_page))
    (message,) = room.dispatch.start_trainings()
    room.jobs.cancel_job(LOCAL_TENANT, job_id)
    train_model(room.resources, message.key, message.job_id, message.attempt)
    with room.database.reading() as session:
        assert session.get_one(ReferenceModel, message.key).status == ModelStatus.MISSING
    room.submit(encode_image(two_tone_page))
    assert room.train().status == ModelStatus.READY
