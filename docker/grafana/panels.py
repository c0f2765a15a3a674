"""What the dashboards are said in: panels, rows, and the queries that come again and again.

What the API reads from the truth every API tells alike: the maximum counts. What processes count is added up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

FAILED: Final = 'outcome!~"done|cached|skipped|cancelled|stale"'
OPEN: Final = 'state=~"queued|running|packaging"'
RUN: Final = 'outcome!~"cancelled|stale"'
QUEUES: Final = 'queue=~"$queue"'
STAGES: Final = 'stage=~"$queue"'
WORKERS: Final = 'stage=~"$queue", instance=~"$instance"'
ASKED: Final = 'route!~"/healthz|/readyz|/metrics"'

PER_MINUTE: Final = "cpm"
PER_SECOND: Final = "reqps"
SECONDS: Final = "s"
SHARE: Final = "percentunit"
COUNT: Final = "short"
BYTES: Final = "bytes"


@dataclass(frozen=True)
class Panel:
    """A picture of a dashboard.

    Attributes:
        queries: PromQL, by the legend of its series.
        limits: alerts whose limits are drawn.
        kind: the panel's type, as Grafana calls it.
        states: what values stand for, where they are states and no amounts.
    """

    title: str
    unit: str
    queries: Mapping[str, str]
    about: str = ""
    limits: Sequence[str] = ()
    kind: str = "timeseries"
    width: int = 8
    stacked: bool = False
    states: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


def added(metric: str, by: str, where: str = "", times: int = 1) -> str:
    """How fast a counter of many processes grows, per second, or per `times` seconds."""
    rate = f"sum by ({by}) (rate({metric}{_braced(where)}[$__rate_interval]))"
    return rate if times == 1 else f"{times} * {rate}"


def truth(metric: str, by: str, where: str = "") -> str:
    """What is so, as every API tells it."""
    return f"max by ({by}) ({metric}{_braced(where)})"


def pages(by: str, where: str = "") -> str:
    """Pages that have not ended, as every API tells it."""
    return f"sum by ({by}) ({truth('nurie_pages', 'queue, class, state', where)})"


def share(metric: str, by: str, part: str, whole: str) -> str:
    """Which share of what a counter counted has the labels of `part`, of what has those of `whole`."""
    return f"{added(metric, by, part)} / {added(metric, by, whole)}"


def quantiles(metric: str, by: str, where: str = "") -> dict[str, str]:
    """The median and the 95th percentile of a histogram."""
    rate = f"sum by (le, {by}) (rate({metric}_bucket{_braced(where)}[$__rate_interval]))"
    name = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return {f"{name} p{q * 100:g}": f"histogram_quantile({q}, {rate})" for q in (0.5, 0.95)}


def stat(title: str, unit: str, query: str, limits: Sequence[str] = ()) -> Panel:
    """One large number."""
    return Panel(title, unit, {title: query}, limits=limits, kind="stat", width=4)


def _braced(where: str) -> str:
    return f"{{{where}}}" if where else ""
