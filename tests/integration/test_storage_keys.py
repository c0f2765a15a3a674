"""How keys are spelled."""

import pytest

from common.errors import InputError
from common.names import Stage
from storage import keys


def test_keys_are_spelled_in_one_way() -> None:
    assert keys.upload("t1", "u-1") == "uploads/t1/u-1"
    assert keys.reference("j", 0) == "jobs/j/references/0000"
    assert keys.source("j", 12) == "jobs/j/pages/0012/source"
    assert keys.evaluated("j", "real", 12) == "jobs/j/sets/real/0012"
    assert keys.truth("j", 12) == "jobs/j/pages/0012/truth"
    assert keys.extra_file("j", 2) == "jobs/j/extras/0002"
    assert keys.series_reference("s", "t") == "series/s/t"
    assert keys.series_reference("s", "t").startswith(keys.series_prefix("s"))
    assert keys.attempt_artifact("j", 3, 2, "final.png") == "jobs/j/pages/0003/a2/final.png"
    assert keys.stage_artifact(Stage.CGAN, "ab12", "hints.json") == "stages/cgan/ab12/hints.json"
    assert keys.model("ab12") == "models/cgan/ab12.safetensors"
    assert keys.result_archive("j", "t", "cbz") == "jobs/j/result/t.cbz"
    assert keys.result_archive("j", "t", "cbz").startswith(keys.job_prefix("j"))


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a.b", "a\n", "é", "a b", "x" * 129])
def test_ids_that_are_not_safe_make_no_keys(bad: str) -> None:
    for spell in (
        keys.job_prefix,
        keys.series_prefix,
        keys.model,
        lambda bad: keys.upload("t", bad),
        lambda bad: keys.upload(bad, "u"),
    ):
        with pytest.raises(InputError):
            spell(bad)


@pytest.mark.parametrize("bad", ["", "..", "a", "../a.png", "a/b.png", ".png", "a.png\n", "a..png"])
def test_file_names_that_are_not_safe_make_no_keys(bad: str) -> None:
    with pytest.raises(InputError):
        keys.attempt_artifact("j", 1, 1, bad)
    with pytest.raises(InputError):
        keys.stage_artifact(Stage.S2P, "k", bad)


def test_numbers_below_zero_and_odd_extensions_make_no_keys() -> None:
    for spell in (lambda: keys.source("j", -1), lambda: keys.attempt_artifact("j", 1, -1, "a.png")):
        with pytest.raises(InputError):
            spell()
    with pytest.raises(InputError):
        keys.result_archive("j", "t", "../x")
