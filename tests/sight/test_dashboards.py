"""The dashboards as Grafana gets them: what build.py says, in Grafana's own words, and all on the page once."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from docker.grafana.build import build_dashboards, read_limit, render
from tests.sight.queries import DASHBOARDS, read_dashboards, read_queries
from tests.sight.server import ROOT

COLUMNS = 24
OF_THE_PLUGIN = {"titleFormat", "textFormat", "step"}
"""What Prometheus' plugin adds to an annotation: the model of Grafana itself does not know it."""


def test_the_files_are_what_the_source_says() -> None:
    written = {path.name: path.read_text() for path in DASHBOARDS}
    assert written == {name: render(one) for name, one in build_dashboards().items()}, "python -m docker.grafana.build"


@pytest.mark.parametrize("name", [path.name for path in DASHBOARDS])
def test_grafana_knows_every_word(name: str) -> None:
    register_default_plugins()
    given = read_dashboards()[name]
    understood = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    assert set(_lost(given, understood, "")) == {f".annotations.list[0].{key}" for key in OF_THE_PLUGIN}


@pytest.mark.parametrize("name", [path.name for path in DASHBOARDS])
def test_panels_lie_beside_each_other(name: str) -> None:
    panels = read_dashboards()[name]["panels"]
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) is panel["title"], f"{panel['title']} at {x}, {y}"
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_dashboards_have_addresses_of_their_own() -> None:
    uids = [one["uid"] for one in read_dashboards().values()]
    assert len(set(uids)) == len(uids)


def test_every_series_has_a_name() -> None:
    for query in read_queries():
        assert query.legend, str(query)


def test_a_limit_is_the_alerts_own() -> None:
    assert read_limit("NurieDiskLow") == ("<", 0.1)
    (oldest,) = [panel for panel in read_dashboards()["house.json"]["panels"] if panel["title"] == "Oldest page"]
    drawn = [step["value"] for step in oldest["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    waits = [read_limit(alert)[1] for alert in ("NurieInteractivePagesWait", "NurieBulkPagesWait")]
    assert drawn == [None, *waits]


def test_rates_are_taken_over_the_scrapes_that_prometheus_does() -> None:
    source = (ROOT / "docker/grafana/provisioning/datasources/prometheus.yaml").read_text()
    scraped = (ROOT / "docker/prometheus/prometheus.yaml").read_text()
    (told,) = re.findall(r"timeInterval: (\w+)", source)
    assert re.findall(r"scrape_interval: (\w+)", scraped) == [told]


def _lost(given: Any, understood: Any, at: str) -> Iterator[str]:
    """Paths of what was given and is not there any more."""
    if isinstance(given, dict):
        for key, value in given.items():
            if value is not None and key not in understood:
                yield f"{at}.{key}"
            elif value is not None:
                yield from _lost(value, understood[key], f"{at}.{key}")
    elif isinstance(given, list):
        for number, (one, other) in enumerate(zip(given, understood, strict=True)):
            yield from _lost(one, other, f"{at}[{number}]")
    elif given != understood:
        yield f"{at}: {given!r} became {understood!r}"
