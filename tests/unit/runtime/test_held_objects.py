"""Somebody keeps an object of ours with a finalizer and deletes it, where no fence refuses that: nobody is admitted by it, the
operator does not spin, and all is well when the finalizer goes.
"""

import pytest

from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, SECRET
from tests.support import promises
from tests.support.operator_bed import NAMESPACE_NAME
from tests.unit.runtime.looks import CRL, GATE, RECORDS, serial

KEEP = {"metadata": {"finalizers": ["example.com/keep"]}}


def _objects(bed):
    return {
        "the gate": (SECRET, GATE),
        "the CRL": (CONFIG_MAP, CRL),
        "the CA": (SECRET, "partners-ca-1"),
        "a client's Secret": (SECRET, "bob-mtls"),
        "the record of a refused client": (ISSUED_CERTIFICATE, f"{RECORDS}{serial(bed, 'alice'):x}"),
        "the record of a good client": (ISSUED_CERTIFICATE, f"{RECORDS}{serial(bed, 'bob'):x}"),
    }


@pytest.mark.promise(1)
@pytest.mark.parametrize("restart", [False, True], ids=["it runs", "it is restarted"])
@pytest.mark.parametrize(
    "which",
    [
        "the gate",
        "the CRL",
        "the CA",
        "a client's Secret",
        "the record of a refused client",
        "the record of a good client",
    ],
)
def test_a_deleted_object_that_a_finalizer_keeps_forgets_nobody(served, which, restart):
    alice = serial(served, "alice")
    kind, name = _objects(served)[which]
    served.edit(kind, name, KEEP)
    served.apply("alice", revoked=True)
    served.settle()
    served.delete(kind, name)
    if restart:
        served.restart()
    served.settle()  # which fails where it goes on writing
    served.apply("carol", revoked=False)
    served.jump(hours=25)
    served.settle()
    assert alice in promises.newest_crl(served.cluster)
    assert alice in promises.gate_crls(served.cluster)[NAMESPACE_NAME]
    assert promises.broken(served.cluster) == []
    body = served.find(kind, name)
    if body is not None and body["metadata"].get("finalizers"):
        served.edit(kind, name, {"metadata": {"finalizers": None}})
        served.settle()
        assert alice in promises.newest_crl(served.cluster)
        assert alice in promises.gate_crls(served.cluster)[NAMESPACE_NAME]
