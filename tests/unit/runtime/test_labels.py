"""Secrets have labels by which people find them. They are written along, and no write and no access hangs on them."""

import pytest

from doorward.cluster.gateway import SECRET
from tests.support.operator_bed import NAMESPACE_NAME
from tests.unit.runtime.looks import said

LABELS = {
    "doorward.io/issuer": "partners",
    "doorward.io/issuer-namespace": NAMESPACE_NAME,
    "doorward.io/client": "alice",
}
FOREIGN = pytest.mark.parametrize("value", [None, "mallory", "bob"], ids=["none", "a stranger's", "another client's"])
"""What stands in a cluster from before there were labels, or what somebody wrote over them."""


def labels(bed, secret="alice-mtls"):
    """Those by which people find the Secret."""
    found = bed.find(SECRET, secret)["metadata"]["labels"]
    return {name: found.get(name) for name in LABELS}


def relabel(bed, value):
    bed.edit(SECRET, "alice-mtls", {"metadata": {"labels": dict.fromkeys(LABELS, value)}})


def test_a_new_secret_has_them(served):
    assert labels(served) == LABELS


def test_a_long_name_with_dots_is_shortened(bed):
    name = f"{'a' * 41}.{'b' * 40}"
    bed.apply(name, commonName="alice", secretName="long")
    bed.settle()
    assert labels(bed, "long")["doorward.io/client"] == f"{'a' * 41}._f73bb96a32892e119d3c"


@FOREIGN
def test_nothing_is_written_for_their_sake(served, value):
    assert served.writes_of(lambda: relabel(served, value)) == []
    assert served.writes_of(served.restart) == []
    assert said(served, "alice") == {"Ready": "Issued", "Admitted": "Live"}


@FOREIGN
@pytest.mark.parametrize(
    "spec", [{"reissue": "now"}, {"secretTemplate": {"labels": {"team": "shop"}}}], ids=["reissue", "other marks"]
)
def test_the_next_write_brings_them(served, value, spec):
    relabel(served, value)
    served.apply("alice", **spec)
    served.settle()
    assert labels(served) == LABELS
