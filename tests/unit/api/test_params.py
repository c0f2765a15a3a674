"""Parameters of a job: the original's defaults, the limits, and which stage a change runs again from."""

from typing import Any

import pytest

from common.errors import BadParamsError
from common.names import STAGES, Stage
from common.params import STAGE_PARAMS, TRAINING_PARAMS, JobParams, first_changed_stage, parse_params

CHANGED: dict[str, Any] = {
    "epochs": 5,
    "trapped_ball_radii": (3, 2),
    "saturation": 1.0,
    "palette_size": 8,
    "min_region_px": 50,
    "blend": 0.5,
    "keep_lightness": False,
    "skip_coloured": False,
    "seed": 1,
    "format": "webp",
    "archive": "zip",
    "stop_after": "s2p",
}
"""Another value for every parameter that has one."""


def test_the_defaults_are_the_originals() -> None:
    params = parse_params({})
    assert params == JobParams()
    assert params.epochs == 100
    assert params.trapped_ball_radii == (15, 10, 9, 8, 7, 6, 5, 4)
    assert (params.saturation, params.palette_size, params.min_region_px, params.blend) == (1.2, 12, 200, 0.8)
    assert params.keep_lightness
    assert params.skip_coloured
    assert (params.format, params.archive, params.stop_after) == ("png", "cbz", None)


def test_every_parameter_can_be_chosen_and_read_back() -> None:
    params = parse_params(CHANGED)
    for name, value in CHANGED.items():
        assert getattr(params, name) == value != getattr(JobParams(), name)
    assert parse_params(params.model_dump(mode="json")) == params
    assert set(CHANGED) | {"preset"} == set(JobParams.model_fields)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 1001},
        {"epochs": 1.5},
        {"epochs": "many"},
        {"epochs": "5"},
        {"seed": False},
        {"keep_lightness": 1},
        {"trapped_ball_radii": []},
        {"trapped_ball_radii": [1] * 21},
        {"trapped_ball_radii": [0]},
        {"trapped_ball_radii": [101]},
        {"saturation": -0.1},
        {"saturation": 4.1},
        {"saturation": float("nan")},
        {"palette_size": 0},
        {"palette_size": 257},
        {"min_region_px": 0},
        {"blend": 1.01},
        {"blend": float("nan")},
        {"blend": float("inf")},
        {"keep_lightness": "maybe"},
        {"preset": "fast"},
        {"preset": "original", "epochs": 301},
        {"seed": -1},
        {"seed": 2**32},
        {"format": "bmp"},
        {"archive": "rar"},
        {"stop_after": "metrics"},
        {"unknown": 1},
        {"EPOCHS": 1},
    ],
)
def test_wrong_parameters_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadParamsError, match=f"params.{next(iter(wrong))}"):
        parse_params(wrong)


def test_every_fault_is_named() -> None:
    with pytest.raises(BadParamsError, match=r"params\.epochs: .*1000; params\.blend: .*"):
        parse_params({"epochs": 5000, "blend": 7})


@pytest.mark.parametrize("raw", [None, [], "epochs", 7])
def test_what_is_no_object_is_refused(raw: object) -> None:
    with pytest.raises(BadParamsError):
        parse_params(raw)


def test_parameters_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        JobParams().epochs = 5  # type: ignore[misc]


def test_each_stage_has_its_parameters_and_they_exist() -> None:
    assert tuple(STAGE_PARAMS) == STAGES
    assert {name for names in STAGE_PARAMS.values() for name in names} <= set(JobParams.model_fields)
    assert set(TRAINING_PARAMS) <= set(STAGE_PARAMS[Stage.CGAN])


@pytest.mark.parametrize(("name", "value"), CHANGED.items())
def test_a_change_runs_again_from_the_first_stage_that_it_touches(name: str, value: Any) -> None:
    expected = {"blend": Stage.INKNHUE, "keep_lightness": Stage.INKNHUE, "format": Stage.INKNHUE}
    untouched = {"archive", "stop_after"}
    stage = first_changed_stage(JobParams(), parse_params({name: value}))
    assert stage == (None if name in untouched else expected.get(name, Stage.CGAN))


def test_no_change_runs_nothing_again_and_of_two_the_earlier_counts() -> None:
    assert first_changed_stage(JobParams(), JobParams()) is None
    both = parse_params({"blend": 0.1, "saturation": 2})
    assert first_changed_stage(JobParams(), both) is Stage.CGAN
    assert first_changed_stage(both, JobParams()) is Stage.CGAN


def test_a_stored_job_beyond_a_later_limit_can_still_be_read():
    assert JobParams.model_validate({"preset": "original", "epochs": 1000}).epochs == 1000


def test_the_shell_has_numbers_as_text():
    given = {"epochs": "5", "saturation": "1.5", "trapped_ball_radii": ["6", "4"]}
    assert parse_params(given, from_shell=True) == JobParams(epochs=5, saturation=1.5, trapped_ball_radii=(6, 4))
    with pytest.raises(BadParamsError):
        parse_params({"epochs": "many"}, from_shell=True)
