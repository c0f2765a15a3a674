"""What the dashboards ask, and what is in a query. Taken from the files that operators are given."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.sight.server import ROOT

DASHBOARDS = sorted((ROOT / "docker" / "grafana" / "dashboards").glob("*.json"))
VARIABLES = {"$queue": ".+", "$instance": ".+", "$__rate_interval": "8s"}
"""What Grafana would put in their place: everything, and four scrapes or more."""


@dataclass(frozen=True)
class Query:
    dashboard: str
    panel: str
    text: str
    legend: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.text}"


def read_dashboards() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in DASHBOARDS}


def read_queries() -> Iterator[Query]:
    """Every query of every panel, as Prometheus gets it."""
    for name, dashboard in read_dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                yield Query(name, panel["title"], fill_in(target["expr"]), target["legendFormat"])


def fill_in(text: str) -> str:
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    assert "$" not in text, f"a variable that is not filled in: {text}"
    return text


def find_selectors(query: str) -> set[str]:
    """nurie_… with its matchers, each of which must choose something."""
    return set(re.findall(r"\bnurie_\w+(?:\{[^}]*\})?", query))


def find_metrics(query: str) -> set[str]:
    return {name_metric(name) for name in re.findall(r"\bnurie_\w+", query)}


def name_metric(series: str) -> str:
    """The metric that a series belongs to: a histogram has three kinds of them."""
    return re.sub(r"(_seconds)_(bucket|sum|count)$", r"\1", series)


def find_grouping(query: str) -> set[str]:
    """The labels that a query groups by, but le, which is a histogram's own."""
    groups = re.findall(r"\b(?:by|on) \(([^)]*)\)", query)
    return {label.strip() for group in groups for label in group.split(",")} - {"le"}
