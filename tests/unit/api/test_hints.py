"""Hints from outside: what is taken, what is refused, and that errors name the entry."""

import json
from typing import Any

import pytest

from common.errors import InputError
from common.hints import MAX_HINTS, Hint, Hints, parse_hints

NAME = "hints.json"
HINT = {"x": 0.25, "y": 1, "rgb": [255, 0, 16]}


def raw(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "size": [1200, 1700], "hints": [HINT], **changes}


def raw_hint(**changes: Any) -> dict[str, Any]:
    return raw(hints=[HINT, {**HINT, **changes}])


def both_ways(value: dict[str, Any]) -> list[bytes | dict[str, Any]]:
    return [value, json.dumps(value).encode()]


@pytest.mark.parametrize("value", both_ways(raw()))
def test_hints_are_read_from_json_and_from_what_was_parsed_of_it(value: bytes | dict[str, Any]) -> None:
    hints = parse_hints(value, NAME)
    assert hints.size == (1200, 1700)
    assert hints.hints == (Hint(x=0.25, y=1.0, rgb=(255, 0, 16), region=None, source="user"),)


def test_hints_that_are_written_are_read_back() -> None:
    hints = Hints(
        size=(1, 2),
        hints=(Hint(x=0, y=1, rgb=(0, 1, 2), region=7, source="cgan", confidence=0.5), Hint(x=1, y=0, rgb=(3, 4, 5))),
    )
    assert parse_hints(hints.to_json(), NAME) == hints
    assert json.loads(hints.to_json())["hints"][0] == {
        "x": 0.0,
        "y": 1.0,
        "rgb": [0, 1, 2],
        "region": 7,
        "source": "cgan",
        "confidence": 0.5,
        "entry": None,
    }


def test_a_page_may_have_no_hints_and_as_many_as_the_limit() -> None:
    assert parse_hints(raw(hints=[]), NAME).hints == ()
    assert len(parse_hints(raw(hints=[HINT] * MAX_HINTS), NAME).hints) == MAX_HINTS


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (raw(version=2), "version"),
        (raw(size=[0, 10]), "size.0"),
        (raw(size=[10]), "size"),
        (raw(more=1), "more"),
        (raw_hint(x="0.5"), "hints.1.x"),
        (raw_hint(x=True), "hints.1.x"),
        (raw_hint(rgb=["12", 0, 0]), "hints.1.rgb.0"),
        (raw(hints=[HINT] * (MAX_HINTS + 1)), str(MAX_HINTS)),
        (raw(hints=None), "hints"),
        ({"version": 1, "hints": []}, "size"),
        (raw_hint(x=-0.01), "hints.1.x"),
        (raw_hint(y=1.01), "hints.1.y"),
        (raw_hint(y="left"), "hints.1.y"),
        (raw_hint(rgb=[0, 0, 256]), "hints.1.rgb.2"),
        (raw_hint(rgb=[-1, 0, 0]), "hints.1.rgb.0"),
        (raw_hint(rgb=[0.5, 0, 0]), "hints.1.rgb.0"),
        (raw_hint(rgb=[0, 0]), "hints.1.rgb"),
        (raw_hint(rgb="#ff0000"), "hints.1.rgb"),
        (raw_hint(region=-1), "hints.1.region"),
        (raw_hint(source="s2p"), "hints.1.source"),
        (raw_hint(colour="red"), "hints.1.colour"),
    ],
)
def test_wrong_hints_are_refused_and_the_error_names_the_entry(value: dict[str, Any], place: str) -> None:
    for form in both_ways(value):
        with pytest.raises(InputError) as caught:
            parse_hints(form, NAME)
        assert type(caught.value) is InputError
        assert str(caught.value).startswith(f"{NAME}: ")
        assert place in str(caught.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    text = json.dumps(raw()).replace("0.25", number)
    with pytest.raises(InputError):
        parse_hints(text.encode(), NAME)
    with pytest.raises(InputError, match=r"hints\.1\.x"):
        parse_hints(raw_hint(x=float(number)), NAME)


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"[" * 100_000, [], None, "text"])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=NAME):
        parse_hints(value, NAME)


def test_many_faults_make_a_short_error() -> None:
    with pytest.raises(InputError) as caught:
        parse_hints(raw(hints=[{}] * 1000), NAME)
    assert len(str(caught.value)) < 500
