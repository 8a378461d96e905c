"""What of a backup is brought back, and as what."""

import pytest

from doorward.objects import backup
from doorward.objects.meta import labels


def body(kind, name="thing", *, role=None, **fields):
    metadata = {"namespace": "edge", "name": name, "uid": "old"} | ({"labels": labels(role)} if role else {})
    return {"kind": kind, "metadata": metadata | fields.pop("metadata", {})} | fields


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(body("IssuedCertificate"), "", id="the ledger"),
        pytest.param(body("ConfigMap", role="crl"), "", id="a CRL"),
        pytest.param(body("ConfigMap", role="archive"), "", id="an archive of the ledger"),
        pytest.param(body("ConfigMap", role="archive-index"), "", id="the index of an archive"),
        pytest.param(body("Secret"), "", id="a Secret of a person's, such as a CA"),
        pytest.param(body("ConfigMap"), "restore it yourself", id="another ConfigMap"),
        pytest.param(body("Ingress"), "restore it yourself", id="another kind"),
        pytest.param(
            body("Secret", "doorward.edge.partners", role="gate"), "the operator writes it again", id="a gate"
        ),
        pytest.param(
            body("ConfigMap", "doorward-guarded", role="guarded"), "the operator writes it again", id="Services"
        ),
        pytest.param(
            body("Secret", type="kubernetes.io/service-account-token"),
            "the cluster creates it",
            id="an account's token",
        ),
        pytest.param(
            body("ClientCertificate", metadata={"deletionTimestamp": "2026-09-01T12:00:00Z"}),
            "was being deleted",
            id="a client that was on its way out",
        ),
    ],
)
def test_of_a_backup_is_brought_back_or_left(found, why):
    assert backup.why_left(found) == why


def test_nothing_comes_back_that_was_true_of_the_old_object_alone():
    said = {"ownerReferences": [{"uid": "old"}], "resourceVersion": "7", "finalizers": ["x"], "labels": {"a": "b"}}
    old = body("Secret", metadata=said, data={"tls.crt": ""}, status={"x": 1})
    metadata = {"namespace": "edge", "name": "thing", "labels": {"a": "b"}}
    assert backup.fresh(old) == {"kind": "Secret", "metadata": metadata, "data": {"tls.crt": ""}}
