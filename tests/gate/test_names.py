"""A host that takes one name alone (auth-tls-match-cn), and somebody who may issue from its issuer and wants to look like that name."""

from typing import Any

import pytest

from tests.support.holders import holder_of_issue, tries
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, ISSUERS, SECRETS
from tests.testbed.ingress_nginx import IngressNginx

from .doors import CLOSED, IN, Door, Files, Street

ADMIN = "admin.prod.example"
MATCH = {"nginx.ingress.kubernetes.io/auth-tls-match-cn": f"CN={ADMIN}"}
SAYS = f"CN={ADMIN}"

ATTACKS: dict[str, tuple[dict[str, Any], str]] = {
    "the name itself": ({"commonName": ADMIN}, "SubjectNotAllowed"),
    "a unit": ({"subject": {"organizationalUnits": [SAYS]}}, "SubjectNotAllowed"),
    "an organization": ({"subject": {"organizations": [SAYS]}}, "SubjectNotAllowed"),
    "a locality": ({"subject": {"localities": [SAYS]}}, "SubjectNotAllowed"),
    "a province": ({"subject": {"provinces": [SAYS]}}, "SubjectNotAllowed"),
    "a street": ({"subject": {"streetAddresses": [SAYS]}}, "SubjectNotAllowed"),
    "a postal code": ({"subject": {"postalCodes": [SAYS]}}, "SubjectNotAllowed"),
    "a serial number": ({"subject": {"serialNumber": SAYS}}, "SubjectNotAllowed"),
    "a country": ({"subject": {"countries": ["US"]}}, "SubjectNotAllowed"),
    "a DNS name": ({"dnsNames": [ADMIN]}, "SubjectNotAllowed"),
    "an address": ({"emailAddresses": [f"admin@{ADMIN}"]}, "SubjectNotAllowed"),
    "a URI": ({"uris": [f"spiffe://{ADMIN}/admin"]}, "SubjectNotAllowed"),
    "an equals sign": ({"commonName": f"{SAYS}.{{}}.example"}, "SubjectNotAllowed"),
    "a slash": ({"commonName": f"x/{SAYS}.{{}}.example"}, "SubjectNotAllowed"),
    "a comma": ({"commonName": f"x,{SAYS}.{{}}.example"}, "SubjectNotAllowed"),
    "a Cyrillic letter": ({"commonName": "\u0430dmin.{}.example"}, "SubjectNotAllowed"),
    "a zero-width space": ({"commonName": "ad\u200bmin.{}.example"}, "InvalidSpec"),
    "a tag": ({"commonName": "admin\U000e0061.{}.example"}, "InvalidSpec"),
    "a turn of direction": ({"commonName": "\u202enimda.{}.example"}, "InvalidSpec"),
    "a fullwidth letter": ({"commonName": "\uff41dmin.{}.example"}, "InvalidSpec"),
}


@pytest.fixture
def own(home: Home) -> Home:
    """The attacker's namespace."""
    return Home.found(home.admin, home.folder, prefix="own-")


@pytest.fixture
def shop(ingress_nginx: IngressNginx, home: Home) -> Door:
    """A host that takes the one name, of an issuer that gives each namespace names of its own."""
    names = [{"commonName": "*.{namespace}.example"}]
    home.partners(issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": names})
    return Street.build(ingress_nginx, home).door("shop", **MATCH)


def as_client(own: Home, issuers: Home, name: str, **spec: Any) -> dict[str, Any]:
    reference = {"name": "partners", "namespace": issuers.namespace}
    said = {"commonName": f"{name}.{own.namespace}.example"} | spec
    said["commonName"] = said["commonName"].format(own.namespace)
    return client(name, **said, issuerRef=reference)


@pytest.mark.promise(8)
def test_nobody_looks_like_another_by_any_attribute(home: Home, own: Home, shop: Door):
    mallory = holder_of_issue(home, own)
    assert tries(mallory, own, as_client(own, home, "honest")).ok
    for number, (attack, _) in enumerate(ATTACKS.values()):
        assert mallory.create(CERTIFICATES, own.here(as_client(own, home, f"attack-{number}", **attack))).ok
    for number, (_, reason) in enumerate(ATTACKS.values()):
        own.says(CERTIFICATES, f"attack-{number}", "Ready", reason)
        assert own.get(SECRETS, f"attack-{number}-mtls").status == 404
    own.issued("honest")
    shop.comes_to_tell(own.files("honest"), CLOSED)
    assert {record["spec"]["subject"] for record in home.records()} == {f"CN=honest.{own.namespace}.example"}
    own.abandon()


def test_a_unit_opens_such_a_host_where_the_issuer_allows_any(home: Home, own: Home, shop: Door):
    """So the host alone does not stop it, and the attack above is one."""
    anything = [{"commonName": "*", "organizationalUnits": ["*"]}]
    home.respec(ISSUERS, "partners", issuance={"allowedSubjects": anything})
    mallory = holder_of_issue(home, own)
    assert tries(mallory, own, as_client(own, home, "unit", subject={"organizationalUnits": [SAYS]})).ok
    own.issued("unit")
    files: Files = own.files("unit")
    shop.comes_to_tell(files, IN)
    own.abandon()
