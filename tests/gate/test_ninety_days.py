"""The tutorial's CA of 30 days, for 90 days: each day a real nginx, whose clock is turned to it, is asked for entry."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorward.cluster.gateway import SECRET
from tests.support.openssl import OpenSsl
from tests.support.operator_bed import ISSUER_AT, OperatorBed
from tests.support.turned_nginx import Pair, TurnedNginx
from tests.unit.given import NOW

GATE = f"doorward.{ISSUER_AT.namespace}.{ISSUER_AT.name}"
CA = {"generate": {"commonName": "my_ca", "duration": "720h"}}
DAYS = 90


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[TurnedNginx]:
    served = TurnedNginx(tmp_path, OpenSsl(tmp_path))
    yield served
    served.close()


def data(bed: OperatorBed, secret: str) -> dict[str, bytes]:
    """What a Secret holds."""
    found = bed.find(SECRET, secret)
    assert found is not None
    return {name: base64.b64decode(value) for name, value in found["data"].items()}


def pair(bed: OperatorBed, client: str) -> Pair:
    """What the client's Secret holds now."""
    held = data(bed, f"{client}-mtls")
    return Pair(held["tls.crt"], held["tls.key"])


@pytest.mark.promise(1)
@pytest.mark.promise(3)
@pytest.mark.promise(4)
def test_who_takes_the_certificate_from_the_secret_gets_in_on_each_of_90_days_and_who_is_revoked_on_none(nginx):
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        bed.issuer(ca=CA)
        bed.ingress()
        for name in ("alice", "mallory"):
            bed.apply(name, duration="240h")
        bed.settle()
        told = []
        for day in range(DAYS):
            if day % 10 == 0:  # a new one that is good till the tenth day after, revoked as soon as it is there
                bed.apply("mallory", revoked=False)
                bed.settle()
                mallory = pair(bed, "mallory")
                bed.apply("mallory", revoked=True)
                bed.settle()
            clients = {"alice": pair(bed, "alice"), "mallory": mallory}
            gate = data(bed, GATE)
            told.append(nginx.answers(clients, anchors=gate["ca.crt"], crl=gate["ca.crl"], at=bed.cluster.now()))
            bed.jump(days=1)
            bed.settle()
        assert told == [{"alice": 200, "mallory": 400}] * DAYS
