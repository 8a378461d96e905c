"""What an MTLSIssuer says of a write that is refused, whatever of its CA generations is published."""

import pytest

from doorward.planning import issuer
from doorward.planning.observed import Unseen
from doorward.planning.trouble import Trouble
from tests.unit import given
from tests.unit.given import NOW
from tests.unit.planning.test_lineage import ONE, TWO, record

REFUSED = Trouble(what="write the CRL into ConfigMap edge/partners-crl", detail="forbidden")
BOTH = given.trust({1: (ONE, given.crl()), 2: (TWO, given.crl())})


@pytest.mark.parametrize(
    ("published", "listed"),
    [
        pytest.param(Unseen.ABSENT, [], id="the ConfigMap is lost"),
        pytest.param(Unseen.DENIED, [], id="it may not be read"),
        pytest.param(given.trust({1: (ONE, given.crl())}), [1], id="the new one is not published yet"),
        pytest.param(BOTH, [1, 2], id="both are"),
    ],
)
def test_a_refused_write_is_told_and_the_generations_are_those_that_are_published(published, listed):
    records = (record(1, 1), record(2, 2))
    seen = given.trust_domain(authority=TWO, older=(ONE,), records=records, published=published)
    (write,) = issuer.report(seen, REFUSED, NOW).actions
    assert given.reasons(write.status)["Ready"] == "WriteRefused"
    assert [each["generation"] for each in write.status.get("generations", [])] == listed
