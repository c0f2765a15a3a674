"""Every query that operators are given, put to a real Prometheus that watched a real run of the house."""

import re
from typing import Any

import pytest

from tests.sight.life import Life
from tests.sight.queries import (
    Query,
    find_grouping,
    find_metrics,
    find_selectors,
    name_metric,
    read_dashboards,
    read_queries,
)
from tests.sight.server import ROOT

NO_GPU = "no GPU here, or nothing that asks it"
NOT_SHORT = "the stages of this run only tint: memory is never short"
ABSENT = {
    "nurie_gpu_memory_used_bytes": NO_GPU,
    "nurie_gpu_memory_total_bytes": NO_GPU,
    "nurie_gpu_utilisation_ratio": NO_GPU,
    "nurie_oom_steps_total": NOT_SHORT,
}
"""What may be missing in this run, and why."""
NOTHING_CHOSEN = {
    'nurie_http_requests_total{route!~"/healthz|/readyz|/metrics",status=~"5.."}': "the API did not fail",
}
"""What may choose nothing in this run, of metrics that are there; as Prometheus writes it."""


@pytest.mark.parametrize("query", list(read_queries()), ids=str)
def test_a_panel_has_something_to_show(life: Life, query: Query) -> None:
    found = life.prometheus.since_start(query.text)
    if not found and find_metrics(query.text) & set(ABSENT):
        return
    assert any(values for _, values in found), "no data"
    for label in re.findall(r"{{(\w+)}}", query.legend):
        assert any(label in labels for labels, _ in found), f"no series has the label {label}: {found[0][0]}"


def test_the_variables_of_dashboards_have_values(life: Life) -> None:
    asked = [
        variable["query"]["query"]
        for dashboard in read_dashboards().values()
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]
    assert asked
    for query in asked:
        series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()  # type: ignore[union-attr]
        match = series.replace("$queue", ".+")
        assert life.prometheus.ask(f"label/{label}/values", **{"match[]": match}), query


def test_alerts_are_evaluated_without_an_error(life: Life) -> None:
    rules = _rules(life)
    assert len(rules) == (ROOT / "docker/prometheus/alerts.yaml").read_text().count("- alert: ")
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


def test_what_alerts_look_at_is_there(life: Life) -> None:
    """An alert that looks at what nobody exposes, or groups by a label that is not there, would be silent for ever."""
    for rule in _rules(life):
        for selector in find_selectors(rule["query"]):
            found = life.prometheus.since_start(selector)
            if not found and (find_metrics(selector) & set(ABSENT) or selector in NOTHING_CHOSEN):
                continue
            assert found, f"{rule['name']}: {selector} has no data"
            missing = find_grouping(rule["query"]) - set(found[0][0])
            assert not missing, f"{rule['name']} groups by {missing}, {selector} has {found[0][0]}"


def test_all_that_is_asked_is_exposed(life: Life) -> None:
    asked = {name for query in read_queries() for name in find_metrics(query.text)}
    asked |= {name for rule in _rules(life) for name in find_metrics(rule["query"])}
    assert asked - _exposed(life) - set(ABSENT) == set()


def test_all_that_is_exposed_is_documented(life: Life) -> None:
    documented = set(re.findall(r"^\| `(nurie_\w+)", (ROOT / "docs/observability.md").read_text(), re.MULTILINE))
    assert _exposed(life) - documented == set()
    assert documented - _exposed(life) - set(ABSENT) == set()


def test_every_process_was_scraped(life: Life) -> None:
    jobs = {labels["job"]: values for labels, values in life.prometheus.since_start("up")}
    assert set(jobs) == {"nurie-api", "nurie-control", "nurie-cgan", "nurie-s2p", "nurie-inknhue", "nurie-metrics"}
    assert all(1 in values for values in jobs.values())
    assert 0 in jobs["nurie-s2p"], "the worker that was killed was not missed"


FIGURES = {
    'max(nurie_jobs{state="succeeded"})': 3,
    'max(nurie_jobs{state="partial"})': 1,
    'max(nurie_jobs{state="cancelled"})': 1,
    'sum(nurie_jobs_ended_total{state="succeeded"})': 3,
    'sum(nurie_jobs_ended_total{state="partial"})': 1,
    # Of the chapter's nine all but two, then one, and twice the two that were there before.
    'sum(nurie_pages_ended_total{state="succeeded"})': 7 + 1 + 2 * 2,
    'sum(nurie_pages_ended_total{state="failed"})': 2,
    'sum(nurie_attempts_total{outcome="bad_image"})': 1,
    'sum(nurie_attempts_total{stage="inknhue", outcome="cached"})': 2 * 2,
    'sum(nurie_deliveries_total{outcome="delivered"})': 1,
    "max(nurie_deliveries_pending)": 1,
    # The worker of s2p that was killed counts for 45 seconds more, beside the new one.
    'sum(nurie_slots{queue!="s2p"})': 3,
    'sum(nurie_workers{queue!="s2p"})': 3,
}
"""What came of the life that these tests look at: tests/sight/life.py."""


@pytest.mark.parametrize("query", FIGURES)
def test_figures_are_those_of_the_run(life: Life, query: str) -> None:
    """What is counted twice, or not at all, would show here."""
    assert [values for _, values in life.prometheus.now(query)] == [[FIGURES[query]]]


@pytest.mark.parametrize(
    "query", ['nurie_reaped_total{what="page"}', 'sum(nurie_attempts_total{outcome="worker_lost"})']
)
def test_lost_work_was_found(life: Life, query: str) -> None:
    """By control, or by the parent of the process that died: who comes first is chance."""
    ((_, (count,)),) = life.prometheus.now(query)
    assert count >= 1


def _rules(life: Life) -> list[dict[str, Any]]:
    return [rule for group in life.prometheus.ask("rules")["groups"] for rule in group["rules"]]


def _exposed(life: Life) -> set[str]:
    names = life.prometheus.ask("label/__name__/values")
    return {name_metric(name) for name in names if name.startswith("nurie_")}
