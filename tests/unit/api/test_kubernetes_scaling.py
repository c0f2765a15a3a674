"""KEDA's ScaledObjects read what the API tells, name what is there, and come to the workers that the docs work out."""

import math
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from api.app import create_app, prepare
from api.context import EXTENSION
from common.jobs.overview import FRESH_S
from common.names import STAGES
from tests.unit.api.cluster import GPU_POOLS, POOLS, SECRET_KEYS, of_kind
from tests.unit.api.conftest import on_sqlite, picture, submit
from tests.unit.api.images import ROOT

TOKEN = "let-keda-in"
SELECTOR = re.compile(r'(?P<metric>\w+)\{(?P<labels>(?:\w+="[^"]*",?)+)\}')
every_pool = pytest.mark.parametrize("pool", POOLS)
with_keda = pytest.mark.parametrize("overlay", ["gpu", "large"])


def scaled(overlay: str, pool: str) -> dict[str, Any]:
    return of_kind(overlay, "ScaledObject")[pool]["spec"]


def read_value(text: str, location: str) -> float:
    """What KEDA's metrics-api scaler reads (format prometheus): the first sample that has all the labels."""
    selector = SELECTOR.fullmatch(location)
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', selector["labels"]))
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        if family.name == selector["metric"]
        for sample in family.samples
        if wanted.items() <= sample.labels.items()
    ]
    assert len(samples) == 1, f"{location} means {len(samples)} samples: KEDA takes the first, whichever it is"
    return samples[0].value


def work_out(formula: str, values: dict[str, float]) -> float:
    """The part of KEDA's language (github.com/expr-lang/expr) that our formulas use: ?: || > + / and brackets."""
    return float(eval(_to_python(formula), {"__builtins__": {}}, values))


def _to_python(text: str) -> str:
    depth, marks = 0, {}
    for index, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0 and char in "?:":
            marks.setdefault(char, index)
    if marks:
        condition, one, other = (
            _to_python(part) for part in (text[: marks["?"]], text[marks["?"] + 1 : marks[":"]], text[marks[":"] + 1 :])
        )
        return f"(({one}) if ({condition}) else ({other}))"
    if text.strip().startswith("(") and _closes(text.strip()) == len(text.strip()) - 1:
        return f"({_to_python(text.strip()[1:-1])})"
    assert re.fullmatch(r"[\w\s>|+/().]*", text), f"{text!r} is more than is known here"
    return text.strip().replace("||", " or ")


def _closes(text: str) -> int:
    depth = 0
    for index, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0:
            return index
    return -1


def workers(spec: dict[str, Any], **values: float) -> int:
    """How many workers KEDA and the autoscaler it makes come to in the end."""
    modifiers = spec["advanced"]["scalingModifiers"]
    asked = work_out(modifiers["formula"], {one["name"]: 0.0 for one in spec["triggers"]} | values)
    if not asked > float(modifiers["activationTarget"]):
        return spec["minReplicaCount"]
    return min(spec["maxReplicaCount"], max(1, spec["minReplicaCount"], math.ceil(asked / float(modifiers["target"]))))


@with_keda
def test_every_pool_is_scaled_and_nothing_else(overlay):
    targets = {name: one["spec"]["scaleTargetRef"]["name"] for name, one in of_kind(overlay, "ScaledObject").items()}
    assert targets == {pool: pool for pool in POOLS}
    assert targets.keys() <= of_kind(overlay, "Deployment").keys()
    assert of_kind(overlay, "HorizontalPodAutoscaler").keys() == {"api"}  # KEDA makes the others


@pytest.fixture
def metrics(settings, broker_there):
    """Asks the real API's /metrics as KEDA does: no Accept header, the token as Bearer."""
    prepare(settings)
    app = create_app(settings.model_copy(update={"auth": "keys", "metrics_token": SecretStr(TOKEN)}))

    def ask(path: str) -> str:
        reply = app.test_client().get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert reply.status_code == 200
        text = reply.get_data(as_text=True)
        assert text.endswith("\n")  # KEDA 2.16 cannot read it without
        return text

    yield ask
    app.extensions[EXTENSION].database.close()


@on_sqlite
@every_pool
def test_every_trigger_finds_its_one_number_in_what_the_api_tells(metrics, pool):
    names = set()
    for trigger in scaled("gpu", pool)["triggers"]:
        names.add(trigger["name"])
        metadata = trigger["metadata"]
        assert trigger["type"] == "metrics-api"
        assert {key: metadata[key] for key in ("format", "authMode")} == {"format": "prometheus", "authMode": "bearer"}
        assert read_value(metrics(urlsplit(metadata["url"]).path), metadata["valueLocation"]) == 0
        queue = re.search(r'queue="(\w+)"', metadata["valueLocation"])[1]
        is_before = POOLS.index(queue) < POOLS.index(pool)
        assert trigger["name"] == f"before_{queue}" if is_before else queue == pool
    assert names == set(re.findall(r"[a-z]\w+", scaled("gpu", pool)["advanced"]["scalingModifiers"]["formula"]))


@on_sqlite
def test_what_was_submitted_is_what_keda_sees(client, metrics):
    submit(client, pages=[(picture(), "1.png")], references=[(picture(coloured=True), "r.png")])
    seen = {
        pool: workers(
            scaled("gpu", pool),
            **{
                one["name"]: read_value(metrics("/metrics"), one["metadata"]["valueLocation"])
                for one in scaled("gpu", pool)["triggers"]
            },
        )
        for pool in POOLS
    }
    # A training is wanted: cgan starts, and what comes after it warms up meanwhile.
    assert seen == {"cgan": 1, "s2p": 1, "inknhue": 1, "metrics": 1}


@with_keda
def test_a_selector_that_leaves_a_label_out_would_be_noticed(overlay):
    text = '# TYPE nurie_x gauge\nnurie_x{queue="s2p",class="bulk"} 1\nnurie_x{queue="s2p",class="interactive"} 2\n'
    assert read_value(text, 'nurie_x{class="bulk",queue="s2p"}') == 1
    with pytest.raises(AssertionError, match="means 2 samples"):
        read_value(text, 'nurie_x{queue="s2p"}')


@with_keda
@every_pool
def test_keda_finds_the_api_and_its_token(overlay, pool):
    (service,) = [one for name, one in of_kind(overlay, "Service").items() if name == "api"]
    credentials = of_kind(overlay, "TriggerAuthentication")
    for trigger in scaled(overlay, pool)["triggers"]:
        url = urlsplit(trigger["metadata"]["url"])
        # KEDA asks from its own namespace.
        assert url.hostname == f"api.{service['metadata']['namespace']}.svc"
        assert url.port == service["spec"]["ports"][0]["port"]
        (one,) = credentials[trigger["authenticationRef"]["name"]]["spec"]["secretTargetRef"]
        assert one["parameter"] == "token"
        assert one["key"] == "NURIE_METRICS_TOKEN" and one["key"] in SECRET_KEYS[one["name"]]


@with_keda
@every_pool
def test_gpus_are_let_go_and_cpus_stay(overlay, pool):
    spec = scaled(overlay, pool)
    assert spec["minReplicaCount"] == (0 if pool in GPU_POOLS else 1)
    assert workers(spec) == spec["minReplicaCount"]
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    # Nine minutes to come back with a node of its own: as the comments work out.
    assert down["stabilizationWindowSeconds"] >= 540
    assert pool not in GPU_POOLS or spec["cooldownPeriod"] >= 540
    assert spec["pollingInterval"] >= 2 * FRESH_S


@with_keda
@every_pool
def test_keda_falls_back_when_the_api_does_not_answer(overlay, pool):
    spec = scaled(overlay, pool)
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert 1 <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    # Both as KEDA's HasValidFallback and isFallbackEnabled want them: a whole number, and the type written out.
    modifiers = spec["advanced"]["scalingModifiers"]
    assert int(modifiers["target"]) > 0
    assert modifiers["metricType"] == "AverageValue"


@every_pool
def test_workers_grow_with_demand_and_never_beyond_it(pool):
    spec = scaled("large", pool)
    counts = [workers(spec, demand=demand) for demand in (1, 16, 32, 64, 640, 10_000)]
    assert counts == sorted(counts)
    assert counts[0] == 1 and counts[-1] == spec["maxReplicaCount"]
    for demand in (1, 3, 20):
        late = workers(spec, demand=demand, oldest_interactive=301)
        assert late == workers(spec, demand=demand, oldest_bulk=1801) == demand
        assert workers(spec, demand=demand, oldest_interactive=300, oldest_bulk=1800) <= late
    # What waits for its training, or hangs, is no reason for a worker that would have nothing to do.
    assert workers(spec, oldest_interactive=9999, oldest_bulk=9999) == spec["minReplicaCount"]


@pytest.mark.parametrize("pool", ["s2p", "inknhue"])
def test_a_pool_warms_up_while_there_is_still_only_work_before_it(pool):
    spec = scaled("gpu", pool)
    for stage in STAGES[: POOLS.index(pool)]:
        assert workers(spec, **{f"before_{stage}": 50}) == 1


def examples() -> list[list[str]]:
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    rows = re.findall(r"^\| (cgan|s2p|inknhue|metrics) \|((?: [\d,]+ \|){4} \d+ )\|$", text, flags=re.MULTILINE)
    return [[pool, *(cell.strip().replace(",", "") for cell in rest.split("|"))] for pool, rest in rows]


def test_the_docs_work_it_out_for_every_pool():
    assert {row[0] for row in examples()} == set(POOLS)


@pytest.mark.parametrize("row", examples(), ids="-".join)
def test_the_docs_come_to_the_right_number_of_workers(row):
    pool, before, demand, interactive, bulk, expected = row
    spec = scaled("gpu", pool)
    ages = {"oldest_interactive": float(interactive), "oldest_bulk": float(bulk)}
    earlier = {one["name"]: float(before) for one in spec["triggers"] if one["name"] == "before_cgan"}
    assert workers(spec, demand=float(demand), **ages, **earlier) == int(expected)
