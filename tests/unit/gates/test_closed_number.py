"""The CRL number of a closed bundle is above that of each CRL that the gate held."""

import asyncio

import pytest

from doorward.cluster.gateway import SECRET
from doorward.cluster.store import version_of
from doorward.gates.apply import GateApplier
from doorward.gates.memory import GateMemory, GateView
from doorward.objects import closed_bundle
from doorward.objects.crl_configmap import TrustBundle, parse_gate, render_gate
from doorward.objects.meta import ObjectKey, gate_secret_name
from tests.support.key_source import CountingKeySource
from tests.unit.given import ISSUER, NOW
from tests.unit.issuers.bed import SHOP, PublisherBed

NOW_NUMBER = int(NOW.timestamp() * 1000)
HELD = 5


@pytest.mark.parametrize(
    ("number", "older", "expected"),
    [
        pytest.param(HELD, 0, HELD + 1, id="what it held is known"),
        pytest.param(HELD, 1, NOW_NUMBER, id="another wrote it since it was read"),
        pytest.param(0, 0, NOW_NUMBER, id="it held no CRL of ours"),
        pytest.param(None, 0, NOW_NUMBER, id="it was never read"),
    ],
)
def test_the_number_is(number, older, expected):
    bed, at = PublisherBed(), ObjectKey(SHOP, gate_secret_name(ISSUER))
    opened = render_gate(ISSUER, SHOP, TrustBundle(anchors=b"a", crl=b"b"), since=NOW, version=None)
    version = version_of(bed.cluster.create(SECRET, SHOP, opened, "doorward"))
    view = GateView(version - older, "digest", b"a", NOW, number) if number is not None else None
    applier = GateApplier(bed.view, bed.gateway, bed.intake, bed.clock, CountingKeySource(0))
    known = asyncio.run(applier.close(ISSUER, SHOP, GateMemory(view=view)))
    closed = parse_gate(bed.cluster.find(SECRET, at))
    assert closed_bundle.number_in(closed) == known.view.opens_from == expected
