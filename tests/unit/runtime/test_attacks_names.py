"""An MTLSIssuer from before its name was checked, whose CA Secret would be named as another issuer's gate."""

import pytest

from doorward.cluster.gateway import CONFIG_MAP, ISSUER, SECRET
from doorward.objects.meta import labels
from tests.support.operator_bed import NAMESPACE_NAME, PEOPLE
from tests.unit import given
from tests.unit.runtime.looks import said

GENERATED = {"spec": {"ca": {"generate": {"commonName": "Mallory"}}}}


@pytest.mark.parametrize("name", ["doorward.edge.other", "x-doorward.edge.other", "other.1", "Other", "other\n"])
def test_an_issuer_whose_name_no_reference_can_say_gets_no_ca_and_is_told(served, name):
    before = {(kind, body["metadata"]["name"]) for kind in (SECRET, CONFIG_MAP) for body in served.cluster.all(kind)}
    served.cluster.create(ISSUER, NAMESPACE_NAME, {"metadata": {"name": name}} | GENERATED, PEOPLE)
    served.settle()
    after = {(kind, body["metadata"]["name"]) for kind in (SECRET, CONFIG_MAP) for body in served.cluster.all(kind)}
    status = served.find(ISSUER, name)["status"]
    assert (given.reasons(status)["Ready"], after) == ("InvalidSpec", before)
    assert any("choose a name without dots" in condition["message"] for condition in status["conditions"])


def test_one_that_has_its_ca_already_harms_nobody(served):
    ca = {"metadata": {"name": "doorward.edge.other-ca-1", "labels": labels("ca")}, "type": "Opaque"}
    served.kill()
    served.cluster.create(SECRET, NAMESPACE_NAME, ca, PEOPLE)
    served.cluster.create(ISSUER, NAMESPACE_NAME, {"metadata": {"name": "doorward.edge.other"}} | GENERATED, PEOPLE)
    served.start()
    served.apply("carol")
    served.settle()
    assert said(served, "carol")["Ready"] == "Issued"
