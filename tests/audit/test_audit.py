"""The audit, with pip-audit as it is: what fails it, what is accepted, and when it is skipped rather than believed."""

import socket
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from supply import audit as auditing
from supply import service
from supply.accepted import read_accepted
from supply.audit import PROGRAM, ServiceError, audit, gather_pins
from supply.lists import REQUIREMENTS
from supply.service import CANNOT_BE_ASKED, find_obstacle

from .conftest import Osv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "api.txt").write_text("-e ./client\nFlask==3.1.3\ncertifi==2026.10.18\n", encoding="utf-8")
    (tmp_path / "cgan.txt").write_text("certifi==2026.10.18\ntorch==2.13.0\n", encoding="utf-8")
    (tmp_path / "overrides.txt").write_text('tensorflow ; sys_platform == "never"\n', encoding="utf-8")
    accept(tmp_path, "")
    return tmp_path


def accept(folder: Path, text: str) -> None:
    (folder / "accepted.toml").write_text(text, encoding="utf-8")


def entry(until: date, number: str = "CVE-2026-1", package: str = "certifi") -> str:
    return f'[[accepted]]\nid = "{number}"\npackage = "{package}"\nreason = "not used so"\nuntil = {until}\n'


def unused_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_pins_without_known_vulnerabilities_pass_and_each_was_asked_for_once(
    osv: Osv, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(osv.url, folder=folder) == 0
    assert capsys.readouterr().out == "pip-audit: 3 pins, 0 known vulnerabilities\n"
    assert sorted(osv.asked) == [
        ("certifi", "2026.10.18"),
        ("flask", "3.1.3"),
        ("jinja2", "2.4.1"),  # whether the service knows anything at all
        ("torch", "2.13.0"),
    ]


def test_a_known_vulnerability_fails_with_name_version_advisory_and_fixed_version(
    osv: Osv, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    osv.learn("certifi", "2026.10.18", "GHSA-aaaa", fixed="2026.10.19", alias="CVE-2026-1")
    osv.learn("torch", "2.13.0", "PYSEC-2026-7")
    assert audit(osv.url, folder=folder) == 1
    assert capsys.readouterr().out.splitlines() == [
        "certifi 2026.10.18: CVE-2026-1 (GHSA-aaaa): certifi gives everything away; fixed in 2026.10.19"
        " [requirements/{api,cgan}.txt]",
        "torch 2.13.0: PYSEC-2026-7: torch gives everything away; no fixed version yet [requirements/cgan.txt]",
        "pip-audit: 3 pins, 2 known vulnerabilities",
    ]


def test_an_accepted_one_passes_until_its_day_is_over(
    osv: Osv, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    osv.learn("certifi", "2026.10.18", "GHSA-aaaa", alias="CVE-2026-1")
    today = datetime.now(UTC).date()
    accept(folder, entry(today + timedelta(days=1)))
    assert audit(osv.url, folder=folder) == 0
    assert capsys.readouterr().out == "pip-audit: 3 pins, 0 known vulnerabilities, and 1 accepted\n"
    accept(folder, entry(today - timedelta(days=1)))
    assert audit(osv.url, folder=folder) == 1
    assert f"was accepted until {today - timedelta(days=1)}" in capsys.readouterr().out


def test_what_is_accepted_for_one_package_is_not_for_another(osv: Osv, folder: Path) -> None:
    osv.learn("torch", "2.13.0", "GHSA-aaaa", alias="CVE-2026-1")
    accept(folder, entry(date(9999, 1, 1)))
    assert audit(osv.url, folder=folder) == 1


def test_an_entry_that_nothing_is_found_for_is_named(
    osv: Osv, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accept(folder, entry(date(9999, 1, 1)))
    assert audit(osv.url, folder=folder) == 0
    assert "CVE-2026-1 of certifi is found no longer: remove it" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        entry(date(2027, 1, 1)).replace('reason = "not used so"\n', ""),
        entry(date(2027, 1, 1)).replace("not used so", " "),
        entry(date(2027, 1, 1)).replace("2027-01-01", '"soon"'),
    ],
)
def test_nothing_is_accepted_without_a_reason_and_a_last_day(folder: Path, text: str) -> None:
    accept(folder, text)
    with pytest.raises(ValueError, match=r"accepted\.toml"):
        read_accepted(folder / "accepted.toml")


def test_a_service_that_knows_nothing_is_not_believed(osv: Osv, folder: Path) -> None:
    osv.known.clear()
    with pytest.raises(ServiceError, match="knows nothing"):
        audit(osv.url, folder=folder)
    assert osv.asked == [("jinja2", "2.4.1")]


@pytest.mark.parametrize(
    ("status", "raw", "reason"),
    [
        (503, b"{}", "it answers 503"),
        (404, b"not here", "it answers 404"),
        (200, b"<html>Log in to the network</html>", "no JSON"),
        (200, b"\xff\xfe", "no JSON"),
        (200, b"[]", "knows nothing"),
    ],
)
def test_a_broken_service_is_told_by_its_answer(osv: Osv, status: int, raw: bytes, reason: str) -> None:
    osv.status, osv.raw = status, raw
    assert reason in str(find_obstacle(osv.url))


def test_a_service_that_is_not_there_is_told_at_once() -> None:
    assert "cannot be reached" in str(find_obstacle(f"http://127.0.0.1:{unused_port()}/v1/query"))


def test_a_service_that_never_answers_is_given_up(osv: Osv) -> None:
    osv.silent = True
    began = time.monotonic()
    assert find_obstacle(osv.url, timeout_s=0.3) is not None
    assert time.monotonic() - began < 3


def test_a_service_that_breaks_down_on_the_way_is_no_verdict(osv: Osv, folder: Path) -> None:
    osv.breaks_after = 2
    with pytest.raises(ServiceError, match="pip-audit broke off"):
        audit(osv.url, folder=folder)


def test_an_audit_that_does_not_end_is_ended(osv: Osv, folder: Path, tmp_path: Path) -> None:
    endless = (sys.executable, "-c", "import signal; signal.pause()")
    with pytest.raises(ServiceError, match=r"has not ended within 0\.3 s"):
        audit(osv.url, endless, folder, limit_s=0.3)


def test_a_report_that_leaves_pins_out_is_no_verdict(osv: Osv, folder: Path) -> None:
    program = "import sys; open(sys.argv[sys.argv.index('-o') + 1], 'w').write('{\"dependencies\": []}')"
    with pytest.raises(ServiceError, match="did not look at certifi, flask, torch"):
        audit(osv.url, (sys.executable, "-c", program), folder)


def test_lint_says_in_one_line_that_it_skipped_and_why(
    osv: Osv, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    osv.status = 503
    monkeypatch.setattr(sys, "argv", ["supply.service", "--osv-url", osv.url])
    assert service.main() == CANNOT_BE_ASKED
    assert capsys.readouterr().out == f"pip-audit was skipped: {osv.url}: it answers 503\n"
    monkeypatch.setattr(sys, "argv", ["make audit", "--forgiving", "--osv-url", osv.url])
    assert auditing.main() == 0
    assert capsys.readouterr().out == f"pip-audit was skipped: {osv.url}: it answers 503\n"


def test_an_audit_that_was_asked_for_by_name_fails_where_it_cannot_look(
    osv: Osv, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    osv.status = 503
    monkeypatch.setattr(sys, "argv", ["make audit", "--osv-url", osv.url])
    assert auditing.main() == CANNOT_BE_ASKED
    assert "could not look" in capsys.readouterr().err


def test_all_that_is_pinned_here_can_be_asked_for(osv: Osv, capsys: pytest.CaptureFixture[str]) -> None:
    pins = gather_pins()
    assert len(pins) > 150
    packages = [pin.name for pin in pins]
    assert sorted(packages) == sorted(set(packages)), "pip-audit takes one version of a package"
    assert audit(osv.url, PROGRAM, REQUIREMENTS) == 0
    assert set(pins) <= set(osv.asked)
    assert f"pip-audit: {len(pins)} pins, 0 known" in capsys.readouterr().out
