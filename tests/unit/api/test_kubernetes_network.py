"""NetworkPolicies: who reaches whom in docker/kubernetes, worked out as Kubernetes does it."""

from ipaddress import ip_address, ip_network
from itertools import product

import pytest

from common.errors import InputError
from common.webhooks import check_address
from tests.unit.api.cluster import DEPLOYMENTS, POOLS, built, container_of, deployment, every_overlay, of_kind
from tests.unit.api.reachability import End, Pod, may_connect

SERVICES = {"nurie/services": "yes"}
INGRESS = Pod("ingress", {"app.kubernetes.io/name": "traefik"})
PROMETHEUS = Pod("monitoring", {"app.kubernetes.io/name": "prometheus"})
GRAFANA = Pod("monitoring", {"app.kubernetes.io/name": "grafana"})
KEDA = Pod("keda", {"app": "keda-operator"})
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
STRANGER = Pod("default", {"app.kubernetes.io/name": "nurie", "app.kubernetes.io/component": "api"})
LODGER = Pod("nurie", {"app": "something-else"}, SERVICES)
STORES = {
    6379: Pod("databases", {"nurie/service": "redis"}, SERVICES),
    5432: Pod("nurie", {"nurie/service": "database"}, SERVICES),
    7070: Pod("databases", {"nurie/service": "storage"}, SERVICES),
}
INTERNET = ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111"]
INSIDE = [
    "10.0.0.1",
    "10.96.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "fd00::1",
    "fe80::1",
    "::1",
    "fd00:ec2::254",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "224.0.0.1",
    "255.255.255.255",
]


def ours(overlay: str, name: str) -> Pod:
    return Pod("nurie", deployment(overlay, name)["spec"]["template"]["metadata"]["labels"], SERVICES)


def is_public(text: str) -> bool:
    """Whether control itself would send a callback there."""
    try:
        check_address(ip_address(text), ())
    except InputError:
        return False
    return True


def reaches(overlay: str, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    return may_connect(list(of_kind(overlay, "NetworkPolicy").values()), source, target, port, protocol)


@every_overlay
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_process_reaches_names_and_what_it_works_with(overlay, name):
    pod = ours(overlay, name)
    assert all(reaches(overlay, pod, DNS, 53, protocol) for protocol in ("UDP", "TCP"))
    if overlay != "large":
        assert all(reaches(overlay, pod, store, port) for port, store in STORES.items())
    else:
        addresses = {6379: "10.20.0.10", 6432: "10.20.0.21", 443: "10.20.1.7"}
        assert all(reaches(overlay, pod, address, port) for port, address in addresses.items())
        assert not any(reaches(overlay, pod, store, port) for port, store in STORES.items())


@every_overlay
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_store_is_reached_at_its_own_port_alone(overlay, name):
    pod = ours(overlay, name)
    for (port, store), other in product(STORES.items(), (22, 80, 443, 5432, 6379, 7070)):
        assert reaches(overlay, pod, store, other) == (other == port and overlay != "large")
    elsewhere = Pod("default", {"nurie/service": "database"})
    assert not reaches(overlay, pod, elsewhere, 5432)
    # control speaks UDP to nobody but DNS either.
    assert not reaches(overlay, pod, "8.8.8.8", 53, "UDP")


@every_overlay
@pytest.mark.parametrize("name", [*POOLS, "api"])
def test_who_opens_what_strangers_send_has_no_way_out(overlay, name):
    for address, port in product(INTERNET + INSIDE, (80, 443, 8000, 9100, 22)):
        assert not reaches(overlay, ours(overlay, name), address, port), address
    for other in (GRAFANA, PROMETHEUS, KEDA, STRANGER, LODGER, Pod("kube-system", {"k8s-app": "other"})):
        assert not any(reaches(overlay, ours(overlay, name), other, port) for port in (53, 80, 443, 8000, 9090, 10250))


@every_overlay
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_bucket_is_reached_under_the_name_that_clients_have_too(overlay, name):
    pod, storage = ours(overlay, name), Pod("nurie", {"nurie/service": "storage"}, SERVICES)
    ways = [reaches(overlay, pod, INGRESS, port) for port in (443, 8443)]
    assert all(ways) if overlay != "large" else not any(ways)
    assert not any(reaches(overlay, pod, INGRESS, port) for port in (53, 80, 8000, 9090, 10250))
    assert reaches(overlay, INGRESS, storage, 7070)
    assert not any(reaches(overlay, INGRESS, storage, port) for port in (22, 443, 5432, 6379))
    assert not reaches(overlay, INGRESS, Pod("nurie", {"nurie/service": "database"}, SERVICES), 7070)


@every_overlay
def test_control_reaches_the_internet_and_nothing_inside(overlay):
    control = ours(overlay, "control")
    for address, port in product(INTERNET, (80, 443, 8443)):
        assert reaches(overlay, control, address, port)
    for address, port in product(INSIDE, (80, 443, 8443, 6443)):
        assert not reaches(overlay, control, address, port), address


def test_the_blocks_hold_no_address_that_control_itself_would_refuse():
    (rule,) = of_kind("gpu", "NetworkPolicy")["callbacks"]["spec"]["egress"]
    blocks = [peer["ipBlock"] for peer in rule["to"]]
    for text in (one for block in blocks for one in block["except"]):
        assert not is_public(str(ip_network(text)[1])), f"{text} is left out, though it is of the Internet"
    for address in INTERNET:
        assert is_public(address)
    for address in INSIDE:
        assert not is_public(address)


@every_overlay
def test_nobody_reaches_a_side_port_but_prometheus(overlay):
    everybody = [INGRESS, GRAFANA, KEDA, DNS, STRANGER, LODGER, *STORES.values(), *INTERNET, "10.0.0.1"]
    everybody += [ours(overlay, name) for name in DEPLOYMENTS]
    for name in (*POOLS, "control"):
        (port,) = [one["containerPort"] for one in container_of(overlay, name)["ports"]]
        assert reaches(overlay, PROMETHEUS, ours(overlay, name), port)
        assert not any(reaches(overlay, PROMETHEUS, ours(overlay, name), other) for other in (22, 80, 8000, 9101))
        for source in everybody:
            assert not reaches(overlay, source, ours(overlay, name), port), source


@every_overlay
def test_the_api_is_reached_through_the_ingress_and_by_who_asks_its_metrics(overlay):
    api = ours(overlay, "api")
    asked = [INGRESS, PROMETHEUS, *([] if overlay == "small" else [KEDA])]
    assert all(reaches(overlay, source, api, 8000) for source in asked)
    assert not any(reaches(overlay, source, api, port) for source in asked for port in (80, 443, 9100))
    others = [GRAFANA, DNS, STRANGER, LODGER, *STORES.values(), *INTERNET, *([KEDA] if overlay == "small" else [])]
    assert not any(reaches(overlay, source, api, 8000) for source in others)
    assert not any(reaches(overlay, ours(overlay, name), api, 8000) for name in DEPLOYMENTS)


@every_overlay
def test_what_else_runs_in_the_namespace_reaches_nothing_either(overlay):
    for target in (*STORES.values(), DNS, *INTERNET, "10.0.0.1"):
        assert not reaches(overlay, LODGER, target, 443)
        assert not reaches(overlay, target, LODGER, 443)


@every_overlay
def test_every_policy_selects_pods_of_ours(overlay):
    assert {one["metadata"]["namespace"] for one in of_kind(overlay, "NetworkPolicy").values()} == {"nurie"}
    (namespace,) = [one for one in built(overlay) if one["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"].items() >= SERVICES.items()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
