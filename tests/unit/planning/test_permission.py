"""Whether a ClientCertificate may have what it asks for, and who can mend it where it may not."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from doorward.api.conditions import said
from doorward.api.issuer_parts import NamespaceRule
from doorward.api.reason import Mender
from doorward.objects.meta import ObjectKey
from doorward.planning import permission, terms
from doorward.planning.observed import Unseen
from tests.unit import given

SAME = NamespaceRule()
ALL = NamespaceRule(from_="All")
EDGE = NamespaceRule.model_validate(
    {"from": "Selector", "selector": {"matchLabels": {"team": "edge", "tier": "front"}}}
)


@pytest.mark.parametrize(
    ("rule", "namespace", "labels", "expected"),
    [
        pytest.param(SAME, "issuers", {}, True, id="Same takes in the issuer's own"),
        pytest.param(SAME, "edge", {"team": "edge"}, False, id="Same takes in no other"),
        pytest.param(ALL, "edge", None, True, id="All takes in every namespace, known or not"),
        pytest.param(
            EDGE, "edge", {"team": "edge", "tier": "front", "x": "y"}, True, id="Selector takes in all labels"
        ),
        pytest.param(EDGE, "edge", {"team": "edge"}, False, id="Selector does not take in some of them"),
        pytest.param(EDGE, "edge", {"team": "edge", "tier": "back"}, False, id="nor another value"),
        pytest.param(EDGE, "edge", {}, False, id="nor no labels"),
        pytest.param(EDGE, "edge", None, None, id="with unknown labels it says neither yes nor no"),
        pytest.param(EDGE, "issuers", None, True, id="the issuer's own namespace always takes part"),
    ],
)
def test_a_rule_takes_in_a_namespace(rule, namespace, labels, expected):
    assert permission.namespace_allowed(rule, given.ISSUER, namespace, labels) is expected


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param({"commonName": "system:masters"}, "system:", id="a name of the cluster's own"),
        pytest.param({"commonName": "System:node"}, "system:", id="in any case"),
        pytest.param({"subject": {"organizations": ["system:masters"]}}, "system:", id="or an organization"),
        pytest.param({"commonName": "al\nice"}, "control character", id="a line break in a name"),
        pytest.param({"subject": {"localities": ["Ber\u200blin"]}}, "nobody sees", id="a character without a look"),
        pytest.param({"commonName": "ä" * 33}, "66 bytes", id="a name of too many bytes"),
        pytest.param({"dnsNames": ["not a name"]}, "no DNS name", id="a DNS name that is none"),
        pytest.param({"duration": "90d"}, "spec.duration", id="a duration in days"),
        pytest.param({"renewBefore": "90d"}, "spec.renewBefore", id="a renewBefore in days"),
        pytest.param({"secretTemplate": {"labels": {"bad key!": "x"}}}, "'bad key!'", id="a label key with a space"),
        pytest.param({"secretTemplate": {"labels": {"team": "a b"}}}, "'a b'", id="a label value with a space"),
        pytest.param(
            {"secretTemplate": {"labels": {"Team/x": "y"}}}, "'Team/x'", id="a label key with a capital prefix"
        ),
        pytest.param({"secretTemplate": {"labels": {"/x": "y"}}}, "'/x'", id="a label key with an empty prefix"),
        pytest.param(
            {"secretTemplate": {"labels": {"a" * 64: "y"}}}, "cannot be a key", id="a label key of 64 letters"
        ),
        pytest.param(
            {"secretTemplate": {"annotations": {"a/b/c": "y"}}}, "'a/b/c'", id="an annotation with two slashes"
        ),
    ],
)
def test_a_spec_that_no_certificate_can_say_is_told_with_what_to_write(spec, says):
    (problem,) = permission.spec_problems(given.spec(**spec))
    assert says in problem


@pytest.mark.parametrize(
    "template",
    [
        pytest.param({"labels": {"team": "edge", "example.com/Team_1.x": ""}}, id="labels"),
        pytest.param({"annotations": {"Example.com/Note": "any text at all"}}, id="annotations"),
    ],
)
def test_nothing_is_wrong_with_a_template_of_usual(template):
    assert list(permission.spec_problems(given.spec(secretTemplate=template))) == []


def test_all_that_is_wrong_with_a_spec_is_told_at_once():
    spec = given.spec(commonName="system:x", duration="1d", uris=["nowhere"])
    assert len(list(permission.spec_problems(spec))) == 3


OTHERS = ObjectKey("edge", "alice")
WITH_CSR = given.spec(request=given.csr())
COMPROMISED = frozenset({given.request().public_key_sha256})
NO_PASSWORD = said("PasswordMissing", secret="s", key="password")
OF_A_CA = {"secret_name": "partners-ca-2"}


def _issuer(**spec):
    return given.issuer(spec=given.issuer_spec(**spec))


def _from_elsewhere(labels):
    selector = {"from": "Selector", "selector": {"matchLabels": {"team": "edge"}}}
    spec = given.issuer_spec(issuance={"allowedNamespaces": selector})
    return {"key": OTHERS, "records": (), "issuer": given.issuer(spec=spec, namespace_labels=labels)}


ACME = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ACME")])
ONLY_ACME = x509.NameConstraints([x509.DirectoryName(ACME)], None)
PROBLEMS = [
    pytest.param({"spec": "spec.commonName: missing"}, "InvalidSpec", id="the spec cannot be read"),
    pytest.param({"spec": given.spec(commonName="system:x")}, "InvalidSpec", id="the spec asks for the impossible"),
    pytest.param(
        {"spec": WITH_CSR, "request": said("InvalidRequest", detail="no PEM")}, "InvalidRequest", id="the CSR is none"
    ),
    pytest.param({"issuer": Unseen.ABSENT}, "IssuerNotFound", id="there is no issuer"),
    pytest.param({"key": OTHERS, "records": ()}, "NamespaceNotAllowed", id="the issuer is Same, the client elsewhere"),
    pytest.param(_from_elsewhere({}), "NamespaceNotAllowed", id="the namespace lacks the label"),
    pytest.param(_from_elsewhere(None), "NamespaceNotAllowed", id="unknown labels let nobody in"),
    pytest.param(
        {"issuer": _issuer(issuance={"allowedSubjects": [{"commonName": "*.x"}]})}, "SubjectNotAllowed", id="the name"
    ),
    pytest.param(
        {"issuer": given.issuer(authority=given.authority(name_constraints=ONLY_ACME))},
        "SubjectNotAllowed",
        id="the CA may not certify the name",
    ),
    pytest.param({"issuer": _issuer(certificates={"allowedKeys": ["RSA"]})}, "KeyNotAllowed", id="the kind of key"),
    pytest.param(
        {"issuer": _issuer(certificates={"allowedKeys": ["RSA"]}), "spec": WITH_CSR},
        "KeyNotAllowed",
        id="the CSR's kind of key",
    ),
    pytest.param({"spec": given.spec(duration="8761h")}, "DurationTooLong", id="longer than the issuer's maximum"),
    pytest.param(
        {"spec": WITH_CSR, "issuer": given.issuer(barred_keys=COMPROMISED)}, "KeyCompromised", id="a burnt key"
    ),
    pytest.param({"rival": "older"}, "SecretNameTaken", id="an older one has the Secret's name"),
    pytest.param({"secret": Unseen.DENIED}, "NotPermitted", id="the namespace has not consented"),
    pytest.param({"secret": given.foreign()}, "SecretUnmanaged", id="the Secret is somebody else's"),
    pytest.param({"secret": given.foreign(copied=True)}, "SecretCopied", id="the Secret is a copy of another client's"),
    pytest.param(OF_A_CA | {"secret": Unseen.ABSENT}, "SecretNameReserved", id="a CA would have the Secret's name"),
    pytest.param(OF_A_CA | {"secret": given.foreign()}, "SecretNameReserved", id="a CA has the Secret's name"),
    pytest.param({"password": NO_PASSWORD}, "PasswordMissing", id="the password is missing"),
]


@pytest.mark.parametrize(("world", "reason"), PROBLEMS)
def test_nothing_is_issued_and_the_reason_told_where(world, reason):
    assert permission.first_problem(given.certificate(**world)).reason.name == reason


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="all is as the issuer says"),
        pytest.param({**_from_elsewhere({"team": "edge"})}, id="the namespace has the label"),
        pytest.param({"spec": given.spec(duration="8760h")}, id="the duration is the issuer's maximum"),
        pytest.param({"spec": WITH_CSR}, id="the CSR's key was never compromised"),
        pytest.param({"secret": Unseen.ABSENT}, id="there is no Secret yet"),
        pytest.param(
            {
                "spec": given.spec(subject={"organizations": ["ACME"]}),
                "issuer": given.issuer(authority=given.authority(name_constraints=ONLY_ACME)),
                "secret": Unseen.ABSENT,
            },
            id="the CA may certify the name",
        ),
        pytest.param({"issuer": given.issuer(authority=None, problem="none")}, id="no CA signs now"),
    ],
)
def test_nothing_stands_against_issuing_where(world):
    assert permission.first_problem(given.certificate(**world)) is None


@pytest.mark.parametrize(
    ("worlds", "reason"),
    [
        pytest.param(
            ({"issuer": Unseen.ABSENT}, {"rival": "older"}), "IssuerNotFound", id="the issuer before the rival"
        ),
        pytest.param(
            ({"rival": "older"}, {"password": NO_PASSWORD}), "SecretNameTaken", id="the rival before the password"
        ),
        pytest.param(
            ({"issuer": Unseen.ABSENT}, {"spec": "spec.commonName: missing"}), "InvalidSpec", id="the spec before all"
        ),
    ],
)
def test_of_several_problems_the_first_to_mend_is_told(worlds, reason):
    together = {name: value for world in worlds for name, value in world.items()}
    assert permission.first_problem(given.certificate(**together)).reason.name == reason


def test_a_namespace_that_has_not_consented_is_told_the_command_to_run():
    condition = permission.not_permitted("edge", given.ACCOUNT)
    assert "kubectl -n edge create rolebinding doorward-secrets" in condition.message
    assert condition.reason.mender is Mender.CLUSTER


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        pytest.param({}, 256, id="P-256 where nothing is said"),
        pytest.param({"algorithm": "RSA"}, 2048, id="2048 bits for RSA"),
        pytest.param({"algorithm": "RSA", "size": 4096}, 4096, id="as many as are asked for"),
        pytest.param({"algorithm": "Ed25519"}, None, id="none for Ed25519"),
    ],
)
def test_a_key_has_a_default_size(spec, size):
    assert terms.key_kind_of(given.spec(privateKey=spec)).size == size
