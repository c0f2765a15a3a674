"""Correcting a colour of the palette on all pages: what changes, what runs again, what is refused."""

import json

import pytest

from api.context import Context
from common.colours import merge_colours, read_colours
from common.errors import InputError
from common.hints import Hint, Hints, Rgb, parse_hints
from common.jobs.models import LOCAL_TENANT, Job
from common.jobs.tenants import Limits
from common.names import Artifact, Stage
from storage import keys
from tests.unit.api.conftest import on_sqlite, picture, submit
from tests.unit.api.house import House

PALETTE = ((250, 250, 250), (200, 40, 40), (10, 20, 90))
PAPER, RED, _ = PALETTE
PURPLE = (120, 30, 140)
STRANGE = (1, 2, 3)


def hints_with(*entries: int | None) -> Hints:
    hints = (Hint(x=0.5, y=0.5, rgb=(9, 9, 9), source="cgan", confidence=0.5, entry=entry) for entry in entries)
    return Hints(size=(40, 30), hints=tuple(hints), palette=PALETTE)


def test_recolouring_changes_the_automatic_dots_of_an_entry_and_no_others():
    before = hints_with(1, 2, None)
    mine = before.hints[0].model_copy(update={"source": "user"})
    before = before.model_copy(update={"hints": (*before.hints, mine)})
    after = before.recolour({RED: PURPLE})
    assert [hint.rgb for hint in after.hints] == [PURPLE, (9, 9, 9), (9, 9, 9), (9, 9, 9)]
    assert (after.hints[0].source, after.hints[0].confidence, after.hints[0].entry) == ("cgan", None, 1)
    assert after.hints[1:] == before.hints[1:]
    assert after.recolour({RED: PURPLE}) == after
    assert after.recolour({RED: (9, 9, 9)}).hints[0].rgb == (9, 9, 9)  # once more, and as often as one likes


def test_an_entry_must_be_in_the_palette():
    raw = json.loads(hints_with(2).to_json())
    assert parse_hints(raw, "hints").hints[0].entry == 2
    with pytest.raises(InputError, match=r"hints\.0\.entry: 3 is not among the palette's 3"):
        parse_hints(raw | {"hints": [raw["hints"][0] | {"entry": 3}]}, "hints")


class Drafted:
    """A house of the API's own store, whose pages' hints go with these entries."""

    def __init__(
        self, client, context, house: House, *entries: tuple[int | None, ...], params: str = "{}", **fields: object
    ) -> None:
        self.client, self.house, self.entries = client, house, entries
        house.store = context.store
        house.resources = house.resources.__class__(
            house.settings, house.resources.work, context.store, house.resources.broker
        )
        pages = [(picture(seed=number), f"{number}.png") for number in range(len(entries))]
        reply = submit(client, pages=pages, references=[(picture(coloured=True), "r.png")], params=params, **fields)
        self.job_id = reply.json["id"]
        house.chapters.train()

    def work(self, run) -> None:
        self.house.work(run)
        if run.stage is Stage.CGAN:
            run.write(Artifact.HINTS, hints_with(*self.entries[run.claim.ref.number - 1]).to_json())

    def run(self) -> None:
        self.house.run_all(self.work)
        self.house.worked.clear()

    def recolour(self, *colours: tuple[Rgb, Rgb]):
        body = {"colours": [{"old": old, "new": new} for old, new in colours]}
        return self.client.patch(f"/v1/jobs/{self.job_id}/palette", json=body)

    def colours(self, number: int) -> list[tuple[int, int, int]]:
        key = self.house.page(self.job_id, number).artifacts[Artifact.HINTS]["key"]
        return [hint.rgb for hint in parse_hints(self.house.store.get(key), "hints").hints]


def user_hints(drafted: Drafted) -> list[str]:
    return [key for key in drafted.house.store.list_keys(keys.job_prefix(drafted.job_id)) if "/user/" in key]


def test_only_the_pages_that_have_the_colour_run_again_from_s2p(client, context, house):
    drafted = Drafted(client, context, house, (1, 2), (2,), (0, 1))
    drafted.run()
    reply = drafted.recolour((RED, PURPLE))
    assert (reply.status_code, reply.json) == (202, {"pages": [1, 3]})
    waiting = {number: house.page(drafted.job_id, number).stage for number in (1, 2, 3)}
    assert waiting == {1: Stage.S2P, 2: None, 3: Stage.S2P}
    house.run_all(drafted.work)
    assert Stage.CGAN not in [stage for _, stage in house.worked]
    assert drafted.colours(1) == [PURPLE, (9, 9, 9)]
    assert drafted.colours(2) == [(9, 9, 9)]
    assert drafted.recolour((RED, PURPLE)).json == {"pages": []}
    assert len(user_hints(drafted)) == 2


def remembered(context, drafted: Drafted) -> dict[Rgb, Rgb]:
    return read_colours(context.jobs.get_job(LOCAL_TENANT, drafted.job_id).job.colours)


def test_a_job_remembers_its_corrections_for_pages_that_are_drafted_again(client, context, house):
    drafted = Drafted(client, context, house, (1, 2), (0,))
    drafted.run()
    assert remembered(context, drafted) == {}
    assert drafted.recolour((RED, PURPLE), (PAPER, STRANGE)).status_code == 202
    assert remembered(context, drafted) == {RED: PURPLE, PAPER: STRANGE}
    house.run_all(drafted.work)
    drafted.recolour((PAPER, PAPER))
    assert remembered(context, drafted) == {RED: PURPLE}
    house.run_all(drafted.work)
    params = {"saturation": 1.5}
    assert client.patch(f"/v1/jobs/{drafted.job_id}/pages/1/params", json=params).json == {"stage": "cgan"}
    claims = []
    house.run_all(lambda run: (claims.append(run.claim.colours), drafted.work(run)))
    assert claims[0] == [{"old": list(RED), "new": list(PURPLE)}]


def test_a_correction_that_changes_no_page_is_remembered_too_as_one_that_is_sent_again(client, context, house):
    drafted = Drafted(client, context, house, (1,))
    drafted.run()
    assert drafted.recolour((PAPER, STRANGE)).json == {"pages": []}
    assert remembered(context, drafted) == {PAPER: STRANGE}
    assert client.get(f"/v1/jobs/{drafted.job_id}").json["status"] == "succeeded"


@on_sqlite
def test_what_is_refused_is_not_remembered(client, context, house, monkeypatch):
    drafted = Drafted(client, context, house, (1,), (1,))
    drafted.run()
    assert drafted.recolour((STRANGE, PURPLE)).status_code == 400
    with monkeypatch.context() as patch:
        patch.setattr(Context, "limits", Limits(queued_pages=1))
        assert drafted.recolour((RED, PURPLE)).status_code == 429
    with context.database.writing() as session:
        many = merge_colours([], {(1, 1, blue): RED for blue in range(256)}, "it")
        session.get_one(Job, drafted.job_id).colours = many
    reply = drafted.recolour((RED, PURPLE))
    assert (reply.status_code, "the limit is 256" in reply.json["detail"]) == (400, True)
    assert user_hints(drafted) == []
    assert context.jobs.get_job(LOCAL_TENANT, drafted.job_id).job.colours == many


@on_sqlite
@pytest.mark.parametrize(
    ("colours", "status", "words"),
    [
        ([(STRANGE, PURPLE)], 400, "colours: [1, 2, 3] is in no page's palette"),
        ([(PAPER, PURPLE), (STRANGE, PURPLE)], 400, "colours: [1, 2, 3] is in no page's palette"),
        ([((0, 0, 256), PURPLE)], 400, "old"),
        ([(PAPER, (0, 0, 256))], 400, "new"),
        ([], 400, "colours"),
    ],
)
def test_a_colour_that_is_none_is_refused_and_changes_nothing(client, context, house, colours, status, words):
    drafted = Drafted(client, context, house, (0,), (0,))
    drafted.run()
    reply = drafted.recolour(*colours)
    assert reply.status_code == status
    assert words in reply.json["detail"]
    assert user_hints(drafted) == []


@on_sqlite
def test_a_palette_is_corrected_once_the_job_has_ended(client, context, house):
    drafted = Drafted(client, context, house, (0,))
    reply = drafted.recolour((PAPER, PURPLE))
    assert (reply.status_code, reply.json["code"]) == (409, "conflict")
    assert "once it has ended" in reply.json["detail"]


@on_sqlite
def test_hints_without_a_palette_are_corrected_page_by_page(client, context, house):
    drafted = Drafted(client, context, house, ())
    house.run_all()
    reply = drafted.recolour((PAPER, PURPLE))
    assert reply.status_code == 409
    assert "one by one" in reply.json["detail"]


def test_hints_that_changed_meanwhile_are_not_lost(client, context, house, monkeypatch):
    drafted = Drafted(client, context, house, (1,), (1,))
    drafted.run()
    set_hints = context.jobs.set_hints

    def after_another_correction(tenant_id, job_id, *given):
        monkeypatch.setattr(context.jobs, "set_hints", set_hints)
        theirs = hints_with(None).to_json()
        assert client.put(f"/v1/jobs/{job_id}/pages/2/hints", json=json.loads(theirs)).status_code == 202
        house.run_all(drafted.work)
        return set_hints(tenant_id, job_id, *given)

    monkeypatch.setattr(context.jobs, "set_hints", after_another_correction)
    reply = drafted.recolour((RED, PURPLE))
    assert reply.status_code == 409
    assert "page 2 has got other hints meanwhile" in reply.json["detail"]
    assert drafted.colours(1) == [(9, 9, 9)]
    assert len(user_hints(drafted)) == 1  # theirs
    assert context.jobs.get_job(LOCAL_TENANT, drafted.job_id).job.status == "succeeded"


@on_sqlite
def test_a_page_with_a_palette_of_its_own_keeps_its_colours(client, context, house):
    drafted = Drafted(client, context, house, (1,), (1,))
    drafted.run()
    raw = json.loads(hints_with(1).to_json()) | {"palette": [[250, 250, 250], [40, 200, 40]]}
    assert client.put(f"/v1/jobs/{drafted.job_id}/pages/2/hints", json=raw).status_code == 202
    house.run_all(drafted.work)
    assert drafted.recolour((RED, PURPLE)).json == {"pages": [1]}
    assert drafted.colours(2) == [(9, 9, 9)]


@on_sqlite
def test_what_was_kept_is_deleted_when_a_page_cannot_be_read(client, context, house):
    drafted = Drafted(client, context, house, (1,), (1,))
    drafted.run()
    broken = house.page(drafted.job_id, 2).artifacts[Artifact.HINTS]["key"]
    context.store.put(broken, b"no hints", media_type="application/json")
    assert drafted.recolour((RED, PURPLE)).status_code == 400
    assert user_hints(drafted) == []
    assert drafted.colours(1) == [(9, 9, 9)]


def test_no_more_pages_run_again_than_may_be_under_way(client, context, house, monkeypatch):
    drafted = Drafted(client, context, house, (1,), (1,), (1,))
    drafted.run()
    monkeypatch.setattr(Context, "limits", Limits(queued_pages=2))
    reply = drafted.recolour((RED, PURPLE))
    assert (reply.status_code, reply.json["code"]) == (429, "quota_exceeded")
    assert user_hints(drafted) == []
    assert client.get(f"/v1/jobs/{drafted.job_id}").json["status"] == "succeeded"


@on_sqlite
def test_regions_and_references_can_be_looked_at(client, context, house):
    drafted = Drafted(client, context, house, (0,))
    drafted.run()
    where = f"/v1/jobs/{drafted.job_id}"
    (reference,) = client.get(where).json["references"]
    assert reference == {"name": "r.png", "link": f"{where}/references/1"}
    for link, media_type in ((reference["link"], "image/png"), (f"{where}/pages/1/regions", "image/png")):
        location = client.get(link).headers["Location"]
        with client.get(location) as shown:
            assert (shown.status_code, shown.content_type) == (200, media_type)
    reply = client.get(f"{where}/references/2")
    assert (reply.status_code, reply.json["detail"]) == (404, f"job {drafted.job_id} has references 1 to 1, no 2")


@on_sqlite
def test_a_result_is_named_like_its_job(client, context, house):
    fields = {"pages": [(picture(), "1.png")], "references": [(picture(coloured=True), "r.png")]}
    reply = submit(client, **fields, name="第3話")
    assert reply.json["name"] == "第3話"
    for wrong in ("", "a\nb", "n" * 201):
        refused = submit(client, **fields, name=wrong)
        assert refused.status_code == 400
        assert refused.json["detail"].startswith("name: ")


@on_sqlite
def test_an_upload_says_whether_it_has_arrived(client):
    announced = client.post("/v1/uploads", json={"filename": "a.png", "size": 4}).json
    where = f"/v1/uploads/{announced['id']}"
    assert client.get(where).json["received"] is False
    assert client.put(announced["url"], data=b"1234", headers=announced["headers"]).status_code == 200
    expected = {"id": announced["id"], "filename": "a.png", "size": 4, "sha256": None, "received": True}
    assert client.get(where).json == expected
    for none in ("0" * 32, "a%00", "x"):
        assert client.get(f"/v1/uploads/{none}").status_code == 404
