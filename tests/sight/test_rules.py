"""Prometheus' own tool on what operators are given: settings, alerts, and when each alert fires."""

import re
import subprocess
from pathlib import Path

from tests.sight.server import ROOT

PROMETHEUS = ROOT / "docker" / "prometheus"
ALERTS = PROMETHEUS / "alerts.yaml"
CASES = Path(__file__).with_name("alerts_test.yaml")
RUNBOOKS = ROOT / "docs" / "runbooks.md"


def test_prometheus_takes_the_settings(promtool: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch()
    given = (PROMETHEUS / "prometheus.yaml").read_text()
    (secret,) = re.findall(r"credentials_file: (\S+)", given)
    (tmp_path / "prometheus.yaml").write_text(given.replace(secret, str(token)))
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    _run(promtool, "check", "config", str(tmp_path / "prometheus.yaml"))


def test_the_rules_are_well_formed(promtool: Path) -> None:
    _run(promtool, "check", "rules", "--lint-fatal", str(ALERTS))


def test_alerts_fire_when_they_should_and_are_silent_when_they_should_not(promtool: Path) -> None:
    _run(promtool, "test", "rules", str(CASES))


def test_every_alert_is_seen_to_fire_and_to_be_silent() -> None:
    fires, silent = set(), set()
    for name, expected in re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:(.*)\n", CASES.read_text()):
        (silent if expected.strip() == "[]" else fires).add(name)
    assert fires == set(_alerts())
    # These have series beside the one that fires which must not: promtool wants exactly those that are named.
    beside = {"NurieAttemptsFail", "NurieWorkIsLost", "NurieStorageSlow", "NurieDatabaseErrors", "NurieDatabaseSlow"}
    assert silent | beside == set(_alerts())


def test_every_alert_says_what_to_do() -> None:
    rules = ALERTS.read_text()
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert headings == _alerts()
    for name in _alerts():
        assert f"/runbooks.md#{name.lower()}'" in rules, name
    assert rules.count("severity: ") == len(_alerts())


def _alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", ALERTS.read_text())


def _run(program: Path, *arguments: str) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
