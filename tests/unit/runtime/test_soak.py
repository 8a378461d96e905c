"""Fifty generations of objects in hours of virtual time: a process ends as small as it began."""

import gc

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.objects.meta import ObjectKey
from doorward.pki.certificates import CertificateAuthority
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW

GENERATIONS = 50


def sizes(bed):
    """How much this process remembers, by what."""
    operator = bed.operator
    memories = {
        "issuers": len(operator._issuer_memories),
        "certificates": len(operator._certificate_memories),
        "trust domains": len(operator._issuers._domains._known),
        "troubles": len(operator._reconciler._troubles._known),
        "due": len(operator.queue._due),
    }
    view = operator.view
    stores = {
        "issuer objects": len(view.issuers),
        "certificate objects": len(view.certificates),
        "targets": sum(map(len, view.targets.values())),
        "records": len(view.ledger.store),
        "secrets": len(view.secrets),
        "configmaps": len(view.configmaps),
    }
    return memories | stores


def cas_in_memory():
    gc.collect()
    return sum(isinstance(held, CertificateAuthority) for held in gc.get_objects())


def live_once(bed, number):
    """An issuer with its gate and its clients, and all of them deleted again."""
    bed.issuer()
    bed.ingress(f"shop-{number}")
    for name in ("alice", "bob"):
        bed.apply(f"{name}-{number}")
    bed.settle()
    for name in ("alice", "bob"):
        bed.delete(CLIENT_CERTIFICATE, f"{name}-{number}")
    bed.delete(INGRESS, f"shop-{number}")
    bed.settle()
    bed.delete(ISSUER, ISSUER_AT.name)
    bed.settle()


def sweep_up(bed):
    """What outlives an issuer on purpose, as its administrator would take it away."""
    for kind in (SECRET, ISSUED_CERTIFICATE):
        for body in bed.cluster.all(kind):
            bed.cluster.delete(kind, ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"]), PEOPLE)
    bed.settle()


def test_a_process_remembers_nothing_of_fifty_generations_of_objects():
    with OperatorBed(NOW, finalizer_at_creation=True) as bed:
        live_once(bed, 0)
        sweep_up(bed)
        began, keys = sizes(bed), cas_in_memory()
        for number in range(1, GENERATIONS + 1):
            live_once(bed, number)
            sweep_up(bed)
        assert sizes(bed) == began
        assert began["issuers"] == began["certificates"] == began["trust domains"] == 0
        assert cas_in_memory() <= keys


@pytest.mark.promise(5)
def test_a_ca_key_leaves_memory_when_the_namespace_opts_out(served):
    bed = served
    assert bed.operator._issuer_memories.get(ISSUER_AT).held
    forbidden = Forbidden("secrets is forbidden", status=403)
    bed.gateway.refuse_reads = lambda kind, namespace: (
        forbidden if kind == SECRET and namespace == NAMESPACE_NAME else None
    )
    bed.gateway.end_watches()
    bed.advance(120)
    memory = bed.operator._issuer_memories.get(ISSUER_AT)
    assert (dict(memory.held), dict(memory.cas_seen)) == ({}, {})
    assert not bed.operator._issuers._domains.get(ISSUER_AT).held
