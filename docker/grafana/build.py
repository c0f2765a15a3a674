"""Write Grafana's dashboards: `python -m docker.grafana.build`, from the root of the repository.

dashboards/*.json is what Grafana is given; a test holds it equal to this. Limits that are drawn are the alerts' own.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

from docker.grafana.house import HOUSE
from docker.grafana.panels import Panel, Row
from docker.grafana.pools import POOLS

FOLDER: Final = Path(__file__).parent / "dashboards"
ALERTS: Final = Path(__file__).parents[1] / "prometheus" / "alerts.yaml"
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION: Final = 39
"""Of Grafana 11; newer ones read it, too."""
COLUMNS: Final = 24
HEIGHTS: Final = {"stat": 4, "timeseries": 8, "state-timeline": 8}
REDUCED: Final = {"values": False, "calcs": ["lastNotNull"], "fields": ""}
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "stat": {"graphMode": "area", "colorMode": "value", "textMode": "value", "reduceOptions": REDUCED},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "state-timeline": {
        "showValue": "never",
        "rowHeight": 0.9,
        "mergeValues": True,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    },
}


def build_dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards, by the names of their files."""
    queue = _query_variable("queue", "Queue", "label_values(nurie_slots, queue)")
    instance = _query_variable("instance", "Worker", 'label_values(nurie_attempts_total{stage=~"$queue"}, instance)')
    return {
        "house.json": _dashboard("nurie-house", "Nurie: the house", HOUSE, [queue], "pools"),
        "pools.json": _dashboard("nurie-pools", "Nurie: pools", POOLS, [queue, instance], "the house"),
    }


def render(dashboard: dict[str, Any]) -> str:
    """As it is written to a file."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


def read_limit(alert: str) -> tuple[str, float]:
    """The comparison, < or >, and the number at the end of an alert's expression."""
    rule = ALERTS.read_text().split(f"- alert: {alert}\n")[1]
    expression = rule.split("for:")[0].rstrip()
    found = re.search(r"([<>]) ([\d.]+)$", expression)
    if found is None:
        raise ValueError(f"the expression of {alert} does not end with a limit such as > 0.1")
    return found[1], float(found[2])


def _dashboard(
    uid: str, title: str, rows: Sequence[Row], variables: list[dict[str, Any]], other: str
) -> dict[str, Any]:
    datasource = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    link = {"type": "dashboards", "tags": ["nurie"], "asDropdown": False, "keepTime": True, "includeVars": True}
    return {
        "uid": uid,
        "title": title,
        "description": f"See also Nurie: {other}. docs/observability.md says what is measured.",
        "tags": ["nurie"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "links": [{**link, "title": "", "icon": "dashboard", "tooltip": "", "url": "", "targetBlank": False}],
        "templating": {"list": [datasource, *variables]},
        "annotations": {"list": [_alerts_as_annotations()]},
        "panels": _lay_out(rows),
    }


def _query_variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # with the time range: workers come and go
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }


def _alerts_as_annotations() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertname=~"Nurie.+", alertstate="firing"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{queue}} {{stage}} {{job}} {{instance}}",
        "step": "30s",
    }


def _lay_out(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Panels from left to right under their row's heading."""
    laid: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        laid.append(_row(row.title, y))
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + HEIGHTS[row.panels[0].kind]
            laid.append(_panel(panel, {"x": x, "y": y, "w": panel.width, "h": HEIGHTS[panel.kind]}))
            x += panel.width
        y += HEIGHTS[row.panels[-1].kind]
    for number, panel_json in enumerate(laid, 1):
        panel_json["id"] = number
    return laid


def _row(title: str, y: int) -> dict[str, Any]:
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _place(0, y, COLUMNS, 1)}


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    made = {
        "type": panel.kind,
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": place,
        "options": OPTIONS[panel.kind],
        "fieldConfig": {"defaults": _field_defaults(panel), "overrides": []},
        "targets": [
            {"refId": letter, "expr": query, "legendFormat": legend, "range": True, "datasource": DATASOURCE}
            for letter, (legend, query) in zip(ascii_uppercase, panel.queries.items(), strict=False)
        ],
    }
    return made | ({"description": panel.about} if panel.about else {})


def _field_defaults(panel: Panel) -> dict[str, Any]:
    limits = sorted((read_limit(alert) for alert in panel.limits), key=lambda limit: limit[1])
    made: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": _steps(limits)}}
    if panel.kind == "timeseries":
        made["min"] = 0
        made["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if limits else "off"},
        }
    if panel.states:
        states = enumerate(panel.states)
        options = {str(value): {"text": text, "color": color, "index": value} for value, (text, color) in states}
        made["mappings"] = [{"type": "value", "options": options}]
    return made


def _steps(limits: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Colours from a value upwards: green where no alert fires."""
    if not limits:
        return [{"color": "green", "value": None}]
    if limits[0][0] == ">":
        colours = ["green", "orange", "red"] if len(limits) > 1 else ["green", "red"]
    else:
        colours = ["red", "orange", "green"] if len(limits) > 1 else ["red", "green"]
    values = [None, *(value for _, value in limits)]
    return [{"color": colour, "value": value} for colour, value in zip(colours, values, strict=True)]


if __name__ == "__main__":
    for name, dashboard in build_dashboards().items():
        (FOLDER / name).write_text(render(dashboard))
