"""Who may connect to whom, by NetworkPolicies: as Kubernetes defines them, in a few lines.

A pod that any policy of a direction selects may only do there what one of them allows; a connection between pods needs
both ends' leave. What this does not know (named ports, policies without policyTypes) is refused.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Policy = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """One end of a connection, by its labels and its namespace's; `namespace` is the namespace's name."""

    namespace: str
    labels: dict[str, str]
    namespace_labels: dict[str, str] = field(default_factory=dict)

    @property
    def all_namespace_labels(self) -> dict[str, str]:
        return {"kubernetes.io/metadata.name": self.namespace, **self.namespace_labels}


End = Pod | str
"""A pod, or an address outside of the cluster."""


def may_connect(policies: list[Policy], source: End, target: End, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection from `source` to a port of `target` gets through."""
    return _lets(policies, "Egress", source, target, (protocol, port)) and _lets(
        policies, "Ingress", target, source, (protocol, port)
    )


def _lets(policies: list[Policy], direction: str, end: End, other: End, door: tuple[str, int]) -> bool:
    if isinstance(end, str):
        return True
    mine = [
        one["spec"]
        for one in policies
        if one["metadata"]["namespace"] == end.namespace
        and direction in one["spec"]["policyTypes"]
        and matches(one["spec"]["podSelector"], end.labels)
    ]
    peers = {"Egress": "to", "Ingress": "from"}[direction]
    rules = [rule for spec in mine for rule in spec.get(direction.lower(), [])]
    return not mine or any(_is_peer(rule, peers, end, other) and _is_port(rule, door) for rule in rules)


def _is_peer(rule: Policy, peers: str, end: Pod, other: End) -> bool:
    assert rule.keys() <= {peers, "ports"}
    if not rule.get(peers):
        return True  # an empty list is everybody
    return any(_is_one(peer, end, other) for peer in rule[peers])


def _is_one(peer: Policy, end: Pod, other: End) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        # Pods have addresses of a private network: where a block lets one of those through, a test says so by address.
        if isinstance(other, Pod):
            return False
        address = ip_address(other)
        inside = [address in ip_network(one) for one in block.get("except", [])]
        return address in ip_network(block["cidr"]) and not any(inside)
    if isinstance(other, str):
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], other.all_namespace_labels):
            return False
    elif other.namespace != end.namespace:
        return False
    return matches(peer.get("podSelector", {}), other.labels)


def _is_port(rule: Policy, door: tuple[str, int]) -> bool:
    protocol, port = door
    ports = rule.get("ports")
    return not ports or any(
        one.get("protocol", "TCP") == protocol and one["port"] <= port <= one.get("endPort", one["port"])
        for one in ports
    )


def matches(selector: Policy, labels: dict[str, str]) -> bool:
    """Whether a label selector picks what has these labels."""
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    for one in selector.get("matchExpressions", []):
        assert one["operator"] in ("In", "Exists")
        if one["key"] not in labels or (one["operator"] == "In" and labels[one["key"]] not in one["values"]):
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()
