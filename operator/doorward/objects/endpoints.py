"""The replicas of an ingress controller, by the EndpointSlices of its Service."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

SERVICE_LABEL = "kubernetes.io/service-name"
MOST_LOOKED_AT = 1000
"""Endpoints of a slice; the API server takes no more."""


class Replica(NamedTuple):
    """One replica, and where it listens; a port is 0 where its Service has none."""

    address: str
    https: int
    http: int

    def __str__(self) -> str:
        return self.address


def replicas(slices: Iterable[tuple[Replica, ...]]) -> tuple[Replica, ...]:
    """Those of all slices of a Service, each once."""
    return tuple(sorted({replica for found in slices for replica in found}))


def given(text: str) -> Replica:
    """`<address>:<HTTPS port>:<HTTP port>`. Raises ValueError."""
    address, https, http = text.rsplit(":", 2)
    return Replica(str(ipaddress.ip_address(address.strip("[]"))), int(https), int(http))


def parse(body: Mapping[str, Any]) -> tuple[Replica, ...]:
    """The replicas in one slice that serve. Of what is no EndpointSlice with addresses, none."""
    ports = {str(port.get("name") or ""): port.get("port") for port in _dicts(body.get("ports"))}
    https, http = _port(ports, "https", 443), _port(ports, "http", 80)
    if not https:
        return ()
    return tuple(Replica(address, https, http) for address in _addresses(body.get("endpoints")))


def _port(ports: Mapping[str, Any], name: str, number: int) -> int:
    """By its name, else by the number that is usual."""
    found = ports.get(name, number if number in ports.values() else 0)
    return found if isinstance(found, int) and 0 < found < 65536 else 0


def _addresses(endpoints: Any) -> Iterator[str]:
    """One that is not ready is probed as well: a replica that hangs is not ready after a while. One that ends is not."""
    for endpoint in _dicts(endpoints):
        conditions, addresses = endpoint.get("conditions"), endpoint.get("addresses")
        if isinstance(conditions, dict) and conditions.get("terminating") is True:
            continue
        if isinstance(addresses, list) and addresses and isinstance(addresses[0], str):
            with suppress(ValueError):
                yield str(ipaddress.ip_address(addresses[0]))


def _dicts(items: Any) -> Iterator[Mapping[str, Any]]:
    for item in (items or ())[:MOST_LOOKED_AT] if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield item
