"""What people write, as the models read it: names as in YAML, defaults as in the CRD, no more than the schema allows."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from doorward.api.crds import structural_schema
from doorward.api.issued_certificate import IssuedCertificateSpec
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.objects.meta import parse_instant

CLIENT = {"issuerRef": {"name": "partners"}, "commonName": "alice"}
ISSUER = {"ca": {"generate": {"commonName": "Partners CA"}}}
RECORD = {
    "issuerName": "partners",
    "generation": 1,
    "serialNumber": "1f",
    "subject": "CN=alice",
    "notBefore": "2026-09-01T12:00:00Z",
    "notAfter": "2026-10-01T12:00:00Z",
    "fingerprints": {"sha256": "a" * 64, "sha1": "b" * 40},
    "publicKeySHA256": "c" * 64,
    "clientCertificate": {"namespace": "edge", "name": "alice", "uid": "1"},
}


def refused(model, given, at):
    """The document is refused, and for one reason: what stands at that path."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return {".".join(map(str, error["loc"])) for error in caught.value.errors()} == {at}


def test_the_smallest_client_asks_for_an_ecdsa_key_and_a_modern_keystore():
    spec = ClientCertificateSpec.model_validate(CLIENT)
    assert (spec.private_key.algorithm, spec.private_key.rotation_policy) == ("ECDSA", "Always")
    assert spec.keystores.pkcs12.profile == "Modern2023"
    assert (spec.revoked, spec.revocation_reason, spec.request, spec.secret_name) == (False, "unspecified", None, None)


def test_the_smallest_issuer_serves_its_own_namespace_and_lets_nobody_choose_optional():
    spec = MTLSIssuerSpec.model_validate(ISSUER)
    assert (spec.issuance.allowed_namespaces.from_, spec.gates.allowed_namespaces.from_) == ("Same", "Same")
    assert (spec.gates.allow_optional, spec.ingress.verify_client) == (False, "on")
    assert (spec.crl.validity, spec.crl.renew_every, spec.revocation.undo_window) == ("168h", "24h", "24h")


def test_an_own_ca_needs_but_a_reference():
    spec = MTLSIssuerSpec.model_validate({"ca": {"secretRef": {"name": "company-ca"}}})
    assert (spec.ca.generate, spec.ca.secret_ref.name) == (None, "company-ca")


def test_a_record_is_read_under_the_names_that_it_is_written_with():
    spec = IssuedCertificateSpec.model_validate(RECORD)
    assert spec.public_key_sha256 == "c" * 64
    assert spec.model_dump(by_alias=True, exclude_none=True) == RECORD


def test_a_field_that_is_not_known_is_passed_over():
    assert ClientCertificateSpec.model_validate(CLIENT | {"later": True}) == ClientCertificateSpec.model_validate(
        CLIENT
    )


def test_what_was_read_cannot_be_changed():
    spec = ClientCertificateSpec.model_validate(CLIENT)
    with pytest.raises(ValidationError, match="frozen"):
        spec.revoked = True


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        pytest.param({"commonName": ""}, "commonName", id="an empty common name"),
        pytest.param({"commonName": "a" * 65}, "commonName", id="65 characters of common name"),
        pytest.param({"commonName": None}, "commonName", id="a common name of null"),
        pytest.param({"issuerRef": {}}, "issuerRef.name", id="no issuer's name"),
        pytest.param({"issuerRef": {"name": "Partners"}}, "issuerRef.name", id="an issuer's name in capitals"),
        pytest.param({"issuerRef": {"name": "a" * 64}}, "issuerRef.name", id="64 characters of issuer's name"),
        pytest.param(
            {"issuerRef": {"name": "a", "namespace": "a/b"}}, "issuerRef.namespace", id="a slash in a namespace"
        ),
        pytest.param({"secretName": "Alice"}, "secretName", id="a Secret's name in capitals"),
        pytest.param({"secretName": ""}, "secretName", id="an empty Secret's name"),
        pytest.param({"privateKey": {"algorithm": "DSA"}}, "privateKey.algorithm", id="a DSA key"),
        pytest.param({"privateKey": {"size": 1024}}, "privateKey.size", id="a key of 1024 bits"),
        pytest.param({"dnsNames": ["a"] * 33}, "dnsNames", id="33 DNS names"),
        pytest.param({"emailAddresses": [""]}, "emailAddresses.0", id="an empty email address"),
        pytest.param({"uris": ["u:" + "x" * 511]}, "uris.0", id="a URI of 513 characters"),
        pytest.param({"request": "short"}, "request", id="a request that is no CSR by its length"),
        pytest.param({"request": "x" * 16_385}, "request", id="a request above 16 KiB"),
        pytest.param({"reissue": "x" * 65}, "reissue", id="65 characters of reissue"),
        pytest.param({"suspended": "perhaps"}, "suspended", id="suspended perhaps"),
        pytest.param({"revoked": "perhaps"}, "revoked", id="revoked perhaps"),
        pytest.param({"revocationReason": "certificateHold"}, "revocationReason", id="a hold, which can be lifted"),
        pytest.param({"keystores": {"pkcs12": {"profile": "RC2"}}}, "keystores.pkcs12.profile", id="an RC2 keystore"),
        pytest.param({"secretTemplate": {"labels": {"a": "b" * 64}}}, "secretTemplate.labels.a", id="a long label"),
    ],
)
def test_a_client_is_refused_with(changes, at):
    assert refused(ClientCertificateSpec, CLIENT | changes, at)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        pytest.param({"ca": {}}, "ca", id="no CA"),
        pytest.param({"ca": ISSUER["ca"] | {"secretRef": {"name": "a"}}}, "ca", id="two CAs"),
        pytest.param({"ca": {"generate": {}}}, "ca.generate.commonName", id="a CA without a name"),
        pytest.param({"ingress": {"verifyClient": "off"}}, "ingress.verifyClient", id="an open gate"),
        pytest.param({"ingress": {"verifyDepth": 0}}, "ingress.verifyDepth", id="a depth of none"),
        pytest.param({"ingress": {"errorPage": "/denied"}}, "ingress.errorPage", id="a relative error page"),
        pytest.param({"ingress": {"errorPage": "https://a/;}"}}, "ingress.errorPage", id="nginx syntax in a URL"),
        pytest.param({"ingress": {"errorPage": "https://a/\nb"}}, "ingress.errorPage", id="a line break in a URL"),
        pytest.param({"ingress": {"errorPage": "https://a/$b"}}, "ingress.errorPage", id="an nginx variable in a URL"),
        pytest.param({"certificates": {"allowedKeys": []}}, "certificates.allowedKeys", id="no allowed key"),
        pytest.param({"issuance": {"allowedNamespaces": {"from": "Any"}}}, "issuance.allowedNamespaces.from", id="Any"),
        pytest.param(
            {"gates": {"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {}}}}},
            "gates.allowedNamespaces.selector.matchLabels",
            id="a selector that selects everything",
        ),
    ],
)
def test_an_issuer_is_refused_with(changes, at):
    assert refused(MTLSIssuerSpec, ISSUER | changes, at)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        pytest.param({"serialNumber": "1F"}, "serialNumber", id="a serial in capitals"),
        pytest.param({"serialNumber": "a" * 41}, "serialNumber", id="a serial of more than 20 octets"),
        pytest.param({"generation": 0}, "generation", id="a generation before the first"),
        pytest.param({"publicKeySHA256": "c" * 63}, "publicKeySHA256", id="a short digest"),
        pytest.param({"revocation": {"reason": "because"}}, "revocation.reason", id="a reason that RFC 5280 has not"),
        pytest.param(
            {"revocation": {"reason": "certificateHold", "heldBy": "me"}},
            "revocation.heldBy",
            id="a hold by nobody known",
        ),
    ],
)
def test_a_record_is_refused_with(changes, at):
    changed = RECORD | changes
    if "revocation" in changes:
        changed["revocation"] = changes["revocation"] | {"time": "2026-09-01T12:00:00Z"}
    assert refused(IssuedCertificateSpec, changed, at)


@pytest.mark.parametrize(
    "time",
    [
        pytest.param("2026-09-01T12:00:00z", id="a small z"),
        pytest.param("2026-09-01t12:00:00Z", id="a small t"),
        pytest.param("2026-09-01T12:00:00x5Z", id="junk before the zone"),
        pytest.param("2026-09-01T12:00Z", id="no seconds"),
        pytest.param("2026-09-01T12:00:00", id="no zone"),
        pytest.param("2026-09-01", id="no time"),
        pytest.param("0000-01-01T00:00:00Z", id="a year that is none"),
        pytest.param("2026-09-01T12:00:00Z\n", id="a line break"),
    ],
)
def test_a_revocation_is_refused_since(time):
    # The API server's own date-time takes most of these, and then nobody could read since when the serial is refused.
    changed = RECORD | {"revocation": {"reason": "keyCompromise", "time": time}}
    assert refused(IssuedCertificateSpec, changed, "revocation.time")


@pytest.mark.parametrize("time", ["2026-09-01T12:00:00Z", "2026-09-01T14:00:00.123456789+02:00"])
def test_a_revocation_is_read_since(time):
    revocation = {"reason": "keyCompromise", "time": time}
    spec = IssuedCertificateSpec.model_validate(RECORD | {"revocation": revocation})
    assert parse_instant(spec.revocation.time) == datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("reason", ["certificateHold", "keyCompromise", "cessationOfOperation"])
def test_a_record_may_be_revoked_as(reason):
    revocation = {"reason": reason, "time": "2026-09-01T12:00:00Z"}
    assert IssuedCertificateSpec.model_validate(RECORD | {"revocation": revocation}).revocation.lifted is False


@pytest.mark.parametrize(
    ("model", "smallest"),
    [
        pytest.param(ClientCertificateSpec, CLIENT, id="a ClientCertificate"),
        pytest.param(MTLSIssuerSpec, ISSUER, id="an MTLSIssuer"),
        pytest.param(IssuedCertificateSpec, RECORD, id="an IssuedCertificate"),
    ],
)
def test_with_every_default_written_out_the_spec_is_the_same_of(model, smallest):
    def filled(schema, given):
        if not isinstance(given, dict) or "properties" not in schema:
            return given
        defaults = {name: child["default"] for name, child in schema["properties"].items() if "default" in child}
        return {name: filled(schema["properties"][name], value) for name, value in (defaults | given).items()}

    as_stored = filled(structural_schema(model), smallest)
    assert model.model_validate(as_stored) == model.model_validate(smallest)
