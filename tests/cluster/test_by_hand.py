"""What people delete, edit or strip by hand comes back, and nobody is refused for it whose key was not exchanged.

The fences that refuse most of it are taken away for these tests, as somebody would who breaks the glass.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.support.home import Home, client
from tests.support.kube import (
    CERTIFICATES,
    CONFIGMAPS,
    INGRESSES,
    ISSUERS,
    NAMESPACES,
    RECORDS,
    SECRETS,
    Answer,
    Kind,
    Object,
    Person,
    eventually,
)
from tests.support.openssl import OpenSsl

from .policies_support import (
    GATE,
    ISSUER,
    NGINX,
    SECRET,
    crl,
    host_of,
    ingress,
    record,
    secret,
    unbound,
    without_finalizer_policy,
)

MANAGED = "app.kubernetes.io/managed-by"
FINALIZER = "doorward.io/cut-off"
GATE_SAYS = "doorward.io/gate"


@pytest.fixture(scope="module", autouse=True)
def _unfenced(admin: Person) -> Iterator[None]:
    place = admin.create(NAMESPACES, {"metadata": {"generateName": "unfenced-"}}).body["metadata"]["name"]
    for kind, body in ((CONFIGMAPS, crl(place)), (RECORDS, record(place))):
        assert admin.create(kind, body).ok
    refused = {
        "fence-crl.doorward.io": partial(delete, admin, CONFIGMAPS, crl(place)),
        "fence-ledger.doorward.io": partial(delete, admin, RECORDS, record(place)),
        "fence-gates.doorward.io": partial(admin.create, SECRETS, secret(place, GATE), dry_run=True),
    }
    with ExitStack() as stack:
        for policy, probe in refused.items():
            stack.enter_context(unbound(admin, policy, probe))
        yield
    admin.delete(NAMESPACES, {"metadata": {"name": place}})


def delete(person: Person, kind: Kind, body: Object) -> Answer:
    path = kind.path(body["metadata"]["namespace"], body["metadata"]["name"])
    return person.ask("DELETE", path, query="dryRun=All")


@pytest.fixture
def served(home: Home) -> Home:
    """An issuer, alice, and an Ingress that lets her in."""
    settings = {"verifyDepth": 2, "passCertificateToUpstream": True, "errorPage": "https://help.example/"}
    home.partners("alice", ingress=settings)
    body = ingress(home.namespace, {ISSUER: "partners"})
    body["spec"]["tls"] = [{"hosts": [host_of(home.namespace)]}]
    home.make(INGRESSES, body)
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    return home


@pytest.fixture
def told(served: Home) -> Home:
    """The Ingress has its annotations, which it gets last."""
    served.told()
    return served


def annotation(home: Home, name: str) -> str | None:
    """As it stands on the Ingress now."""
    text: str | None = home.body(INGRESSES, "app")["metadata"]["annotations"].get(name)
    return text


def listed(home: Home, openssl: OpenSsl) -> set[str]:
    """The serials that the published CRL names."""
    return set(openssl.crl_entries(home.crl().read_bytes()))


# The client's Secret

LOSSES: dict[str, Object] = {
    "deleted": {},
    "robbed of its key": {"data": {"tls.key": ""}},
    "robbed of its certificate": {"data": {"tls.crt": ""}},
    "filled with junk": {"data": {"tls.crt": "anVuaw==", "tls.key": "anVuaw=="}},
}


@pytest.mark.parametrize("edit", LOSSES.values(), ids=LOSSES)
def test_a_client_secret_is_reissued_and_the_old_file_still_works_when_it_is(served: Home, openssl: OpenSsl, edit):
    lost = served.serial()
    if edit:
        served.change(SECRETS, "alice-mtls", edit)
    else:
        served.remove(SECRETS, "alice-mtls")
    served.reissued(lost)
    leaf = served.files()["tls.crt"].read_bytes()
    assert openssl.text(leaf).replace(":", "").replace(" ", "").lower().count(served.serial())
    assert listed(served, openssl) == set()
    (record,) = [record for record in served.records("alice") if record["spec"]["serialNumber"] == lost]
    assert "doorward.io/secret-missing-since" in record["metadata"]["annotations"]


def test_a_client_secret_whose_key_somebody_exchanged_is_reissued_and_its_serial_revoked(
    served: Home, openssl: OpenSsl
):
    lost = served.serial()
    served.change(SECRETS, "alice-mtls", {"data": {"tls.key": "anVuaw=="}})
    served.reissued(lost)
    eventually(lambda: listed(served, openssl) == {lost}, "the lost serial is on the CRL")


MENDED: dict[str, Object] = {
    "its keystore": {"data": {"keystore.p12": None}},
    "its keystore's password": {"data": {"keystore.password": "d3JvbmctcGFzc3dvcmQ="}},
    "its ca.crt": {"data": {"ca.crt": "anVuaw=="}},
}


@pytest.mark.parametrize("edit", MENDED.values(), ids=MENDED)
def test_a_client_secret_gets_back_around_the_same_certificate(served: Home, openssl: OpenSsl, edit):
    before = served.data("alice-mtls")
    served.change(SECRETS, "alice-mtls", edit)

    def whole() -> bool:
        data = served.data("alice-mtls")
        if data.get("ca.crt") != before["ca.crt"] or data.keys() != before.keys():
            return False
        password = f"pass:{data['keystore.password'].decode()}"
        try:
            return bool(openssl.makes("pkcs12", "-nodes", "-passin", password, stdin=data["keystore.p12"]))
        except AssertionError:
            return False

    eventually(whole, "the Secret is whole again")
    assert served.data("alice-mtls")["tls.crt"] == before["tls.crt"]
    assert served.data("alice-mtls")["tls.key"] == before["tls.key"]


def test_a_label_stripped_from_our_secret_makes_it_foreign_until_it_is_back(served: Home):
    before = served.serial()
    served.change(SECRETS, "alice-mtls", {"metadata": {"labels": {MANAGED: None}}})
    assert "move it away" in served.says(CERTIFICATES, "alice", "Ready", "SecretUnmanaged")
    assert served.condition(CERTIFICATES, "alice", "Admitted")["reason"] == "Live"
    served.change(SECRETS, "alice-mtls", {"metadata": {"labels": {MANAGED: "doorward"}}})
    served.issued()
    assert served.serial() == before


def test_a_secret_that_was_stripped_and_then_deleted_is_reissued(served: Home, openssl: OpenSsl):
    lost = served.serial()
    served.change(SECRETS, "alice-mtls", {"metadata": {"labels": {MANAGED: None}}})
    served.says(CERTIFICATES, "alice", "Ready", "SecretUnmanaged")
    served.remove(SECRETS, "alice-mtls")
    served.reissued(lost)
    assert listed(served, openssl) == set()


def test_the_finalizer_comes_back_though_nothing_puts_it_back_but_the_operator(served: Home):
    without = {"metadata": {"finalizers": None}}
    probe = partial(served.admin.patch, CERTIFICATES, served.body(CERTIFICATES, "alice"), without)
    policies = without_finalizer_policy(served.admin, served.here(client("probe")))
    with policies, unbound(served.admin, "fence-clients.doorward.io", probe):
        eventually(
            lambda: FINALIZER in (served.body(CERTIFICATES, "alice")["metadata"].get("finalizers") or ()),
            "the finalizer is back",
        )


# The CRL


def revoked(served: Home) -> str:
    """alice's serial, on the published CRL."""
    served.respec(CERTIFICATES, "alice", revoked=True)
    served.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    return served.serial()


@pytest.mark.promise(1)
def test_a_deleted_crl_comes_back_with_all_it_named(served: Home, openssl: OpenSsl):
    gone = revoked(served)
    before = served.body(CONFIGMAPS, "partners-crl")["metadata"]["uid"]
    served.remove(CONFIGMAPS, "partners-crl")
    eventually(
        lambda: served.get(CONFIGMAPS, "partners-crl").body["metadata"].get("uid") not in (before, None), "it is back"
    )
    assert listed(served, openssl) == {gone}


CRL_EDITS = {"emptied": "", "cut short": "-----BEGIN X509 CRL-----\nMIIB", "filled with junk": "junk"}


@pytest.mark.promise(1)
@pytest.mark.parametrize("content", CRL_EDITS.values(), ids=CRL_EDITS)
def test_a_crl_is_published_anew_when_it_is(served: Home, openssl: OpenSsl, content: str):
    gone = revoked(served)
    served.change(CONFIGMAPS, "partners-crl", {"data": {"ca.crl": content}})
    eventually(lambda: served.body(CONFIGMAPS, "partners-crl")["data"]["ca.crl"] != content, "it is published anew")
    assert listed(served, openssl) == {gone}


# The ledger


@pytest.mark.promise(2)
def test_the_record_of_a_live_certificate_comes_back(served: Home):
    number = served.serial()
    before = served.body(RECORDS, f"partners.1.{number}")
    served.remove(RECORDS, f"partners.1.{number}")
    again = eventually(
        lambda: [r for r in served.records("alice") if r["metadata"]["uid"] != before["metadata"]["uid"]], "it is back"
    )
    assert [record["spec"] for record in again] == [before["spec"]]
    assert served.serial() == number


@pytest.mark.promise(1)
def test_a_revoked_serial_stays_on_the_crl_when_its_record_is_deleted(served: Home, openssl: OpenSsl):
    number = revoked(served)
    served.remove(CERTIFICATES, "alice")
    served.gone(CERTIFICATES, "alice")
    served.remove(RECORDS, f"partners.1.{number}")
    served.make(CERTIFICATES, client("bob"))
    served.issued("bob")
    served.respec(CERTIFICATES, "bob", revoked=True)
    served.says(CERTIFICATES, "bob", "Admitted", "Revoked")
    assert listed(served, openssl) == {number, served.serial("bob")}


# The gate


def test_a_deleted_gate_comes_back(served: Home):
    before = served.body(SECRETS, served.gate)
    served.remove(SECRETS, served.gate)
    eventually(lambda: served.get(SECRETS, served.gate).ok, "the gate is back")
    assert served.body(SECRETS, served.gate)["data"] == before["data"]


ANNOTATIONS = {
    "auth-tls-verify-depth": "9",
    "auth-tls-pass-certificate-to-upstream": "false",
    "auth-tls-error-page": "https://evil.example/",
}


@pytest.mark.parametrize(("name", "value"), ANNOTATIONS.items(), ids=ANNOTATIONS)
def test_an_annotation_of_ours_that_somebody_sets_is_told_and_is_ours_again_when_it_goes(
    told: Home, name: str, value: str
):
    before = annotation(told, NGINX + name)
    told.change(INGRESSES, "app", {"metadata": {"annotations": {NGINX + name: value}}})
    conflict = f"FieldConflict: {NGINX}{name} is {value}, set by "
    eventually(lambda: (annotation(told, GATE_SAYS) or "").startswith(conflict), "it is told")
    assert annotation(told, NGINX + name) == value
    told.change(INGRESSES, "app", {"metadata": {"annotations": {NGINX + name: None}}})
    eventually(lambda: annotation(told, NGINX + name) == before, "it is as before")


@pytest.mark.promise(3)
@pytest.mark.mutating
def test_the_annotation_that_closes_the_door_cannot_be_taken_off(told: Home):
    told.change(INGRESSES, "app", {"metadata": {"annotations": {SECRET: None}}})
    assert told.body(INGRESSES, "app")["metadata"]["annotations"][SECRET] == f"{told.namespace}/{told.gate}"
