"""What `make bench` tells of a run: every figure as a ratio, missed bars and failures first."""

import io
import json
from pathlib import Path

import pytest

from bench.calibration import Calibration
from bench.counting import PART_BYTES, CountingStore
from bench.figures import Figure, figures_file, report
from bench.parts import run_parts
from bench.rooms import ROOMS, ROOT, RoomResult, read_figures
from bench.summary import is_noisy, summarise, to_bar, to_calibration
from storage.local import LocalStore

SLOW = Calibration(matmul_s=0.2, png_s=0.2, conv_s=0.1, peak_gib=0.5)


def result(**more: object) -> RoomResult:
    return RoomResult("cgan", SLOW, SLOW, 12.0, **more)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(1.0, "s", 2.0), (250.0, "ms", 0.5), (8.0, "1/s", 4.0), (8.0, "/s", 4.0), (1.0, "GiB", 2.0), (0.9, "×", None)],
)
def test_times_rates_and_memory_are_told_in_calibrations_and_ratios_are_not(value, unit, expected):
    assert to_calibration(Figure("x", value, unit), SLOW) == expected


def test_a_machine_of_half_the_speed_tells_the_same():
    slower = Calibration(0.4, 0.4, 0.2, 0.5)
    for quick, slow in (
        (Figure("x", 3, "s"), Figure("x", 6, "s")),
        (Figure("x", 6, "1/s"), Figure("x", 3, "1/s")),
    ):
        assert to_calibration(quick, SLOW) == pytest.approx(to_calibration(slow, slower))


def test_a_bar_of_nothing_has_no_ratio():
    assert to_bar(Figure("failed", 3, "", 0)) is None
    assert to_bar(Figure("x", 3, "s", 2)) == 1.5


def test_missed_bars_and_failures_come_before_everything_else():
    figures = [Figure("quick", 1, "s", 2), Figure("slow", 3, "s", 2), Figure("rare", 1, "1/s", 2, at_least=True)]
    text = summarise([result(figures=figures, failures={"memory": "no disk"})], {"processor": "one"})
    first = text[text.index("## Bars") : text.index("## Calibration")]
    assert "**failed** cgan, memory: no disk" in first
    assert "**missed** cgan: slow: 3 s, bar ≤ 2, 1.5 of it" in first
    assert "**missed** cgan: rare: 1 1/s, bar ≥ 2, 0.5 of it" in first
    assert "quick" not in first
    assert "| quick | 1 | s | ≤ 2 | 0.5 | 2 | yes |" in text
    assert "| slow | 3 | s | ≤ 2 | 1.5 | 6 | **no** |" in text


def test_a_bar_that_was_missed_while_others_were_at_work_is_marked():
    noisy = RoomResult("cgan", SLOW, Calibration(0.8, 0.2, 0.1, 0.5), 12.0, [Figure("slow", 3, "s", 2)])
    assert "1.5 of it, in a noisy moment" in summarise([noisy], {})


def test_a_run_without_complaints_says_so():
    assert "## Bars that were missed, and what could not be measured\n\nNone." in summarise([result()], {})


def test_others_work_on_the_machine_is_noticed():
    assert not is_noisy(SLOW, SLOW)
    assert is_noisy(SLOW, Calibration(0.4, 0.2, 0.1, 0.5))
    assert is_noisy(Calibration(0.4, 0.2, 0.1, 0.5), SLOW)


def test_figures_and_failures_are_read_as_they_were_written(tmp_path, capsys):
    figures = [Figure("a", 1.5, "s", 2.0), Figure("b", 1.0, "1/s", 2.0, at_least=True)]
    assert report(figures, tmp_path / "x.json", {"c": "away"}) == 1
    assert read_figures(tmp_path / "x.json") == (figures, {"c": "away"})
    assert "c FAILED: away" in capsys.readouterr().out
    assert read_figures(tmp_path / "none.json") == ([], {})


def test_a_part_that_fails_is_told_and_keeps_no_other_from_being_measured(tmp_path, monkeypatch, capsys):
    def fail() -> list[Figure]:
        raise RuntimeError("no disk")

    def never() -> list[Figure]:
        raise AssertionError("the long form was asked")

    monkeypatch.setattr("sys.argv", ["bench", "--short"])
    parts = {"first": fail, "second": lambda: [Figure("a", 1, "s")]}
    assert run_parts("x", None, dict.fromkeys(parts, never), parts, tmp_path) == 1
    entries = json.loads((tmp_path / "bench-x-short.json").read_text())
    assert {"what": "first", "failure": "RuntimeError: no disk"} in entries
    assert [entry["value"] for entry in entries if entry["what"] == "a"] == [1]


def test_short_figures_never_lie_over_long_ones():
    assert figures_file(Path(), "api", is_short=True) != figures_file(Path(), "api")


def test_every_bench_is_a_room_of_the_whole_run_or_has_no_bars():
    benches = {path.parent.name for path in (ROOT / "bench").glob("*/__main__.py")}
    assert benches - {"capacity", "scaling"} == set(ROOMS)


def test_requests_are_counted_as_s3_would_see_them(tmp_path):
    store = CountingStore(LocalStore(tmp_path, "http://127.0.0.1", "secret"))
    store.put("a/1", b"12345", media_type="text/plain")
    store.put("a/2", io.BytesIO(bytes(2 * PART_BYTES)), media_type="text/plain")
    assert store.requests == {"PUT": 1 + 4}  # begin, two parts, end
    assert store.bytes_written == 5 + 2 * PART_BYTES
    assert store.get("a/1") == b"12345"
    store.copy("a/1", "b/1")
    assert store.stat("b/1").size == 5
    assert list(store.list_keys("a/")) == ["a/1", "a/2"]
    store.delete_prefix("a/")
    store.delete("b/1")
    assert store.requests == {"PUT": 5, "GET": 1, "COPY": 1, "HEAD": 1, "LIST": 2, "DELETE": 2}
    assert store.bytes_read == 5
    assert list(store.list_keys("")) == []
