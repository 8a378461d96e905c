"""The labels by which people find client Secrets, and the fields by which they find records; what somebody makes of a label is left."""

from doorward.objects import finding
from tests.support.audit import Audit
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, ISSUERS, RECORDS, SECRETS, Kind, eventually

LONG = f"{'a' * 41}.{'b' * 40}"
THEIRS = dict.fromkeys(("doorward.io/issuer", "doorward.io/issuer-namespace", "doorward.io/client"), "mallory")


def found(home: Home, kind: Kind, selector: str, **values: str) -> list[str]:
    """The names of what a selector finds."""
    text = "%2C".join(f"{name}%3D{value}" for name, value in values.items())
    answer = home.admin.ask("GET", kind.path(home.namespace), query=f"{selector}Selector={text}")
    assert answer.ok, answer.message
    return sorted(body["metadata"]["name"] for body in answer.body["items"])


def secrets(home: Home, **labels: str) -> list[str]:
    return found(
        home, SECRETS, "label", **{f"doorward.io/{name.replace('_', '-')}": value for name, value in labels.items()}
    )


def test_secrets_and_records_are_found_by_client_and_by_issuer(home: Home):
    names = ("alice", "bob.edge.example", LONG)
    home.partners()
    for name in names:
        home.make(CERTIFICATES, client(name, commonName="alice.example"))
    for name in names:
        home.issued(name)
    for name in names:
        (only,) = home.records(name)
        of_client = {"spec.clientCertificate.name": name, "spec.clientCertificate.namespace": home.namespace}
        assert found(home, RECORDS, "field", **of_client) == [only["metadata"]["name"]]
        assert secrets(home, client=finding.label_value(name)) == [f"{name}-mtls"]
    assert secrets(home, issuer="partners", issuer_namespace=home.namespace) == sorted(f"{n}-mtls" for n in names)
    assert len(found(home, RECORDS, "field", **{"spec.issuerName": "partners"})) == len(names)


def test_what_somebody_makes_of_a_secrets_labels_is_left_until_the_next_certificate(home: Home, audit: Audit):
    home.partners("alice")
    counted = {"live": 1, "revoked": 0, "expired": 0}
    eventually(lambda: home.body(ISSUERS, "partners")["status"].get("counts") == counted, "the counts are written")
    audit.rest(home.namespace)
    with audit.writes(home.namespace) as written:
        home.change(SECRETS, "alice-mtls", {"metadata": {"labels": THEIRS}})
    assert written == {}
    before = home.serial()
    home.respec(CERTIFICATES, "alice", reissue="now")
    home.reissued(before)
    assert secrets(home, client="alice", issuer="partners", issuer_namespace=home.namespace) == ["alice-mtls"]
