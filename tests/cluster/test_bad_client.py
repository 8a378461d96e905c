"""ClientCertificates that cannot have what they ask for: each is told with what to do, and has it as soon as it can."""

import base64
from typing import Any

import pytest

from tests.support import quotas
from tests.support.audit import Audit, described
from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, ISSUERS, MERGE, NAMESPACES, SECRETS, Answer, Person, eventually
from tests.support.odd_csrs import Csr
from tests.support.openssl import EC_KEY, OpenSsl

pytestmark = pytest.mark.promise(7)


@pytest.fixture
def partners(home: Home) -> Home:
    """A namespace with an issuer that signs."""
    home.partners()
    return home


@pytest.fixture
def outside(admin: Person, home: Home) -> Home:
    """Another namespace that consented."""
    other = Home.found(admin, home.folder, prefix="outside-")
    yield other
    other.abandon()


def refused(home: Home, **spec: Any) -> str:
    """What the API server says of a ClientCertificate that it does not take."""
    answer = home.admin.create(CERTIFICATES, home.here(client(**spec)))
    assert answer.status == 422, answer.body
    return answer.message


def told(home: Home, reason: str, name: str = "alice", **spec: Any) -> str:
    """What the operator says of a ClientCertificate."""
    home.make(CERTIFICATES, client(name, **spec))
    return home.says(CERTIFICATES, name, "Ready", reason)


def changed(home: Home, change: dict[str, Any], name: str = "alice") -> Answer:
    return home.admin.patch(CERTIFICATES, home.here({"metadata": {"name": name}}), {"spec": change})


# A client's own request


def request(openssl: OpenSsl, *options: str, key: tuple[str, ...] = EC_KEY) -> str:
    return openssl.request("mallory", openssl.makes(*key), *options).decode()


def forged(openssl: OpenSsl) -> str:
    der = openssl.makes("req", "-outform", "DER", stdin=request(openssl).encode())
    return pem(der[:-1] + bytes([der[-1] ^ 1]))


def pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE REQUEST-----\n"


REQUESTS = {
    "a bad signature": (forged, "make it again with the private key at hand"),
    "a weak key": (lambda o: request(o, key=("genrsa", "1024")), "use RSA of 2048, 3072 or 4096 bits"),
    "a curve that is not taken": (
        lambda o: request(o, key=("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521")),
        "use P-256 or P-384",
    ),
    "CA:TRUE": (lambda o: request(o, "-addext", "basicConstraints=critical,CA:TRUE"), "without basicConstraints"),
    "SHA-1": (lambda o: request(o, "-sha1", key=("genrsa", "2048")), "is signed with SHA-1, which can be forged"),
    "MD5": (lambda o: request(o, "-md5", key=("genrsa", "2048")), "is signed with MD5, which can be forged"),
    "an RSA-PSS key": (
        lambda o: request(o, key=("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")),
        "make a plain RSA key",
    ),
    "version 3": (lambda _: Csr(version=b"\2").pem.decode(), "is of version 3, and there is only version 1"),
    "no attributes": (lambda _: Csr(attributes=b"").pem.decode(), "lacks the attributes"),
    "Latin-1": (lambda _: Csr(text=b"M\xfcller").pem.decode(), "has a subject with text that is not UTF-8"),
    "base64 of DER": (
        lambda _: base64.encodebytes(Csr().der).decode(),
        "is base64 without its first and last line",
    ),
    "no request at all": (lambda _: "I would like a certificate please. " * 3, "holds no PEM block"),
    "half a request": (lambda _: pem(b"\x30\x82\x01\x00\x02\x01" * 9), "cannot be parsed"),
}


@pytest.mark.parametrize(("make", "advice"), REQUESTS.values(), ids=REQUESTS)
def test_a_bad_request_is_said_with_what_to_do_and_healed_by_a_good_one(partners: Home, openssl: OpenSsl, make, advice):
    assert advice in told(partners, "InvalidRequest", request=make(openssl))
    partners.respec(CERTIFICATES, "alice", request=request(openssl))
    partners.issued()


def test_a_request_gives_its_key_alone_to_the_certificate(partners: Home, openssl: OpenSsl):
    wishes = ("subjectAltName=DNS:evil.example", "extendedKeyUsage=serverAuth", "keyUsage=keyCertSign")
    asked = request(openssl, *(option for wish in wishes for option in ("-addext", wish)))
    partners.make(CERTIFICATES, client(request=asked))
    partners.issued()
    data = partners.data("alice-mtls")
    said = openssl.text(data["tls.crt"])
    assert "CA:FALSE" in said
    assert not [wish for wish in ("CA:TRUE", "evil", "Web Server", "Certificate Sign", "mallory") if wish in said]
    assert openssl.subject(data["tls.crt"]) == ["CN=alice.example"]
    assert data.keys() == {"tls.crt", "ca.crt"}


# Names

NAMES = {
    "a quote": 'al"ice',
    "a semicolon": "al;ice",
    "a brace": "al}ice",
    "a comma": "al,ice",
    "a plus": "al+ice",
    "an equals sign": "al=ice",
    "a backslash": "al\\ice",
    "a hash in front": "#alice",
    "a slash": "/CN=root",
    "another language": "álice Žižková",
    "an emoji": "alice 🦊",
    "64 characters": "a" * 64,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_common_name_is_in_the_certificate_exactly_as_it_was_written(partners: Home, openssl: OpenSsl, name: str):
    partners.make(CERTIFICATES, client(commonName=name))
    partners.issued()
    assert openssl.subject(partners.data("alice-mtls")["tls.crt"]) == [f"CN={name}"]


BAD_NAMES = {
    "a newline": ("alice\nCN=root", "leave it out"),
    "a NUL": ("alice\x00", "leave it out"),
    "a space at the end": ("alice ", "leave it out"),
    "64 emoji": ("🦊" * 64, "shorten it to 64"),
}


@pytest.mark.parametrize(("name", "advice"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_common_name_that_no_certificate_can_say_is_told_and_healed_by_another(partners: Home, name, advice):
    assert advice in told(partners, "InvalidSpec", commonName=name)
    partners.respec(CERTIFICATES, "alice", commonName="alice.example")
    partners.issued()


SERVER_REFUSES = {
    "a common name of 65 characters": ({"commonName": "a" * 65}, "may not be more than 64"),
    "an empty common name": ({"commonName": ""}, "should be at least 1 chars long"),
    "a name of the cluster's own": ({"commonName": "system:masters"}, "choose another commonName"),
    "days": ({"duration": "90d"}, "such as 2160h for 90 days"),
    "a year": ({"duration": "1y"}, "such as 2160h for 90 days"),
    "a fraction": ({"duration": "1.5h"}, "such as 2160h for 90 days"),
    "a negative duration": ({"duration": "-5h"}, "such as 2160h for 90 days"),
    "no duration": ({"duration": "0h"}, "write a duration above zero"),
    "days before renewal": ({"renewBefore": "30d"}, "such as 2160h for 90 days"),
    "less than an hour": ({"duration": "59m59s"}, "the shortest lifetime of a client certificate is 1h"),
    "a renewal each second": (
        {"duration": "720h", "renewBefore": "719h59m59s"},
        "set renewBefore to at least 5m less than duration",
    ),
    "a renewal before five minutes": (
        {"duration": "1h", "renewBefore": "55m1s"},
        "set renewBefore to at least 5m less than duration",
    ),
    "a renewal before the beginning": (
        {"duration": "1h", "renewBefore": "2h"},
        "set renewBefore to at least 5m less than duration",
    ),
    "a gate's Secret": ({"secretName": "doorward.edge.partners"}, "are kept for gates"),
    "a Secret that shares a gate's file": ({"secretName": "edge-doorward.edge.partners"}, "are kept for gates"),
    "a gate's Secret by its own name": ({"name": "doorward.edge.partners"}, "are kept for gates"),
    "a size that does not fit": ({"privateKey": {"algorithm": "ECDSA", "size": 2048}}, "choose a size that fits"),
    "a mark of the operator's": (
        {"secretTemplate": {"labels": {"app.kubernetes.io/managed-by": "me"}}},
        "they mark what is the operator's own",
    ),
}


@pytest.mark.parametrize(("spec", "advice"), SERVER_REFUSES.values(), ids=SERVER_REFUSES)
def test_the_api_server_says_what_to_write_instead_of(home: Home, spec: dict[str, Any], advice: str):
    assert advice in refused(home, **spec)


IN_RANGE = {
    "the shortest lifetime": {"duration": "1h"},
    "the longest time before its end": {"duration": "1h", "renewBefore": "55m"},
    "a time before the end of a lifetime that the issuer says": {"renewBefore": "719h"},
}


@pytest.mark.parametrize("spec", IN_RANGE.values(), ids=IN_RANGE)
def test_the_api_server_takes(home: Home, spec: dict[str, Any]):
    home.make(CERTIFICATES, client(**spec))


def test_a_renewal_that_the_issuers_default_makes_too_frequent_is_told_and_heals(home: Home):
    home.partners(certificates={"duration": "10h"})
    assert "the default of the MTLSIssuer" in told(home, "RenewBeforeTooLong", renewBefore="10h")
    assert home.condition(CERTIFICATES, "alice", "Admitted")["reason"] == "Live"
    serial = home.serial()
    home.respec(CERTIFICATES, "alice", renewBefore="5h")
    home.issued()
    assert home.serial() == serial


ISSUER_REFUSES = {
    "certificates of less than an hour": (
        {"certificates": {"duration": "30m"}},
        "the shortest lifetime of a client certificate is 1h",
    ),
    "no certificate of an hour": (
        {"certificates": {"duration": "30m", "maxDuration": "30m"}},
        "the shortest lifetime of a client certificate is 1h",
    ),
    "a default that is longer than the maximum": (
        {"certificates": {"maxDuration": "24h"}},
        "set certificates.duration to at most certificates.maxDuration",
    ),
    "a CA of a day": (
        {"ca": {"generate": {"commonName": "x", "duration": "24h"}}},
        "choose a CA duration between 48h and 262800h",
    ),
    "a CA an hour": (
        {"ca": {"generate": {"commonName": "x", "renewBefore": "8759h"}}},
        "set ca.generate.renewBefore to at least 24h less than ca.generate.duration",
    ),
    "a CRL a second": ({"crl": {"validity": "2s", "renewEvery": "1s"}}, "keep renewEvery at 1m or more"),
    "a CRL that lapses": ({"crl": {"validity": "24h", "renewEvery": "13h"}}, "at half of validity or less"),
}


@pytest.mark.parametrize(("spec", "advice"), ISSUER_REFUSES.values(), ids=ISSUER_REFUSES)
def test_the_api_server_says_what_an_issuer_is_to_say_instead_of(home: Home, spec: dict[str, Any], advice: str):
    answer = home.admin.create(ISSUERS, home.here(issuer(**spec)))
    assert (answer.status, advice in answer.message) == (422, True), answer.message


ISSUER_IN_RANGE = {
    "the shortest certificates": {"certificates": {"duration": "1h", "maxDuration": "1h"}},
    "the shortest CA": {"ca": {"generate": {"commonName": "x", "duration": "48h", "renewBefore": "24h"}}},
    "a CA of a month, with the default of renewBefore": {"ca": {"generate": {"commonName": "x", "duration": "720h"}}},
    "the fastest CRL": {"crl": {"validity": "2m", "renewEvery": "1m"}},
}


@pytest.mark.parametrize("spec", ISSUER_IN_RANGE.values(), ids=ISSUER_IN_RANGE)
def test_the_api_server_takes_an_issuer_with(home: Home, spec: dict[str, Any]):
    home.make(ISSUERS, issuer(**spec))


IMMUTABLE = {
    "issuerRef": ({"issuerRef": {"name": "others"}}, "issuerRef is immutable: create a new ClientCertificate"),
    "secretName": ({"secretName": "other"}, "secretName is immutable: create a new ClientCertificate"),
    "secretName's absence": ({"secretName": None}, "secretName is immutable: create a new ClientCertificate"),
    "request's absence": ({"request": "x" * 64}, "can be replaced, but not added or removed"),
}


@pytest.mark.parametrize(("change", "advice"), IMMUTABLE.values(), ids=IMMUTABLE)
def test_what_is_immutable_is_refused_with_what_to_do(home: Home, change: dict[str, Any], advice: str):
    home.make(CERTIFICATES, client(secretName="mine"))
    answer = changed(home, change)
    assert (answer.status, advice in answer.message) == (422, True), answer.message


# Issuers that do not serve everybody


def test_a_namespace_that_the_issuer_does_not_allow_is_told_and_served_when_it_does(home: Home, outside: Home):
    home.partners()
    reference = {"name": "partners", "namespace": home.namespace}
    assert "widen" in told(outside, "NamespaceNotAllowed", issuerRef=reference)
    names = [{"commonName": "*.example"}]
    home.respec(ISSUERS, "partners", issuance={"allowedNamespaces": {"from": "All"}, "allowedSubjects": names})
    outside.issued()


def test_a_namespace_is_served_as_soon_as_it_has_the_label(home: Home, outside: Home):
    selector = {"matchLabels": {"team": "edge"}}
    allowed = {"from": "Selector", "selector": selector}
    home.partners(issuance={"allowedNamespaces": allowed, "allowedSubjects": [{"commonName": "*"}]})
    told(outside, "NamespaceNotAllowed", issuerRef={"name": "partners", "namespace": home.namespace})
    namespace = {"metadata": {"labels": {"team": "edge"}}}
    assert home.admin.ask("PATCH", NAMESPACES.path(None, outside.namespace), namespace, content=MERGE).ok
    outside.issued()


def test_a_subject_that_the_issuer_does_not_allow_is_told_and_served_when_it_is_another(home: Home):
    home.partners(issuance={"allowedSubjects": [{"commonName": "*.{namespace}.example"}]})
    assert f"*.{home.namespace}.example" in told(home, "SubjectNotAllowed")
    home.respec(CERTIFICATES, "alice", commonName=f"alice.{home.namespace}.example")
    home.issued()


def test_a_key_and_a_duration_that_the_issuer_does_not_allow_are_told(home: Home):
    home.partners(certificates={"allowedKeys": ["ECDSA"], "maxDuration": "100h", "duration": "10h"})
    assert "allows only ECDSA keys" in told(home, "KeyNotAllowed", privateKey={"algorithm": "RSA"})
    assert "shorten it" in told(home, "DurationTooLong", "bob", duration="101h")


# Secrets


def test_of_two_with_one_secret_name_the_second_waits_for_the_first_to_go(partners: Home):
    partners.make(CERTIFICATES, client("alice", secretName="shared"))
    partners.issued("alice")
    before = partners.data("shared")
    assert "alice already writes Secret shared" in told(partners, "SecretNameTaken", "bob", secretName="shared")
    assert partners.data("shared") == before
    assert partners.issued("alice")
    partners.remove(CERTIFICATES, "alice")
    partners.issued("bob")


def test_two_with_one_secret_name_made_at_once_do_not_both_wait(partners: Home):
    for name in ("alice", "bob", "carol"):
        partners.make(CERTIFICATES, client(name, secretName="shared"))

    def ready() -> list[str]:
        found = [partners.condition(CERTIFICATES, name, "Ready") for name in ("alice", "bob", "carol")]
        return sorted(condition.get("reason", "") for condition in found)

    eventually(lambda: ready() == ["Issued", "SecretNameTaken", "SecretNameTaken"], "one is served")


def test_a_foreign_secret_is_never_overwritten_and_its_place_is_taken_when_it_goes(partners: Home):
    mine = partners.secret("alice-mtls", {"precious": b"1"})
    assert "move it away" in told(partners, "SecretUnmanaged")
    assert partners.body(SECRETS, "alice-mtls")["metadata"]["resourceVersion"] == mine["metadata"]["resourceVersion"]
    assert partners.records("alice") == []
    partners.remove(SECRETS, "alice-mtls")
    partners.issued()


GOOD = {"password": b"correct horse"}
OFFERED = {"doorward.io/keystore-password": "true"}
PASSWORDS: dict[str, tuple[dict[str, bytes] | None, dict[str, str]]] = {
    "no Secret": (None, {}),
    "a Secret that does not offer it": (GOOD, {}),
    "a Secret that says no": (GOOD, {"doorward.io/keystore-password": "false"}),
    "another key": ({"passwort": b"correct horse"}, OFFERED),
    "a short one": ({"password": b"1234567"}, OFFERED),
    "a long one": ({"password": b"x" * 257}, OFFERED),
    "bytes that are no text": ({"password": b"\xff" * 12}, OFFERED),
}


@pytest.mark.parametrize(("data", "marks"), PASSWORDS.values(), ids=PASSWORDS)
def test_a_missing_password_is_told_and_the_keystore_made_when_it_is_there(
    partners: Home, openssl: OpenSsl, data, marks
):
    """Whoever may write ClientCertificates alone learns nothing of the Secret: all of these are told in the same words."""
    if data is not None:
        partners.secret("secret", data, metadata={"name": "secret", "labels": marks})
    keystores = {"pkcs12": {"passwordSecretRef": {"name": "secret"}}}
    assert told(partners, "PasswordMissing", keystores=keystores) == (
        "Secret secret offers no keystore password under key password: it must exist in the namespace of this ClientCertificate,"
        ' carry the label doorward.io/keystore-password: "true", and hold 8 to 256 bytes of UTF-8 under that key,'
        " without control characters (a line break at the end is not part of the password)"
    )
    partners.put_secret("secret", GOOD)
    partners.change(SECRETS, "secret", {"metadata": {"labels": OFFERED}})
    partners.issued()
    keystore = partners.data("alice-mtls")["keystore.p12"]
    assert b"BEGIN CERTIFICATE" in openssl.makes("pkcs12", "-nokeys", "-passin", "pass:correct horse", stdin=keystore)


def test_a_password_is_what_a_person_types_though_echo_ended_it_with_a_line_break(partners: Home, openssl: OpenSsl):
    marks = {"name": "secret", "labels": OFFERED}
    partners.secret("secret", {"password": b"correct horse\n"}, metadata=marks)
    partners.make(CERTIFICATES, client(keystores={"pkcs12": {"passwordSecretRef": {"name": "secret"}}}))
    partners.issued()
    keystore = partners.data("alice-mtls")["keystore.p12"]
    assert b"BEGIN CERTIFICATE" in openssl.makes("pkcs12", "-nokeys", "-passin", "pass:correct horse", stdin=keystore)


@pytest.mark.promise(2)
def test_a_secret_that_is_refused_again_and_again_costs_one_serial(partners: Home, audit: Audit):
    quotas.impose(partners, secrets="1")
    assert "exceeded quota" in told(partners, "SecretRefused")

    def refusals() -> int:
        return sum(
            described(event) == "create secrets" and event["responseStatus"]["code"] == 403
            for event in audit.writes_into(partners.namespace)
        )

    eventually(lambda: refusals() >= 2, "it is tried again")
    quotas.lift(partners)
    serial = partners.issued()["status"]["serialNumber"]
    assert [record["spec"]["serialNumber"] for record in partners.records("alice")] == [serial]


def test_fifty_good_ones_beside_broken_ones_are_all_ready(partners: Home):
    partners.secret("taken-mtls", {"precious": b"1"})
    broken = {
        "newline": {"commonName": "a\nb"},
        "nobody": {"issuerRef": {"name": "nobody"}},
        "password": {"keystores": {"pkcs12": {"passwordSecretRef": {"name": "nothing"}}}},
        "taken": {},
        "nonsense": {"request": "x" * 64},
    }
    good = [f"good-{number}" for number in range(50)]
    for name in [*broken, *good]:
        partners.make(CERTIFICATES, client(name, **broken.get(name, {})))
    for name in good:
        partners.issued(name)
    for name in broken:
        eventually(lambda name=name: partners.condition(CERTIFICATES, name, "Ready").get("status") == "False", name)
