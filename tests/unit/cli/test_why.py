"""`doorward why` and `doorward who` say what the gates do: compared with a gate's bundle, read by nothing of the code under test, and
with the gate service itself.
"""

import asyncio
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from doorward.cli.errors import UserError
from doorward.cli.host import serving
from doorward.cli.who import who
from doorward.cli.why import Asked, why
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, INGRESS, ISSUER, SECRET
from doorward.gate_service.service import GateService
from doorward.gates.interface import Target
from doorward.gates.registry import PLANES, planes
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests.question import Gate, Presented, Question
from tests.support.gate_clients import admits, held
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.unit.cli.conftest import Person
from tests.unit.given import NOW
from tests.unit.runtime.looks import GATE, record, serial

SERVICE = "http://doorward-gate.doorward-system.svc.cluster.local"
HOST = "shop.example"
MODES = {"asked": planes(SERVICE), "handshake alone": PLANES}


@pytest.fixture(params=MODES)
def bed(request):
    """Alice and bob, who is labelled, and an Ingress; with the gate service and without."""
    with OperatorBed(NOW, finalizer_at_creation=True, planes=MODES[request.param]) as made:
        made.issuer()
        made.ingress()
        for name in ("alice", "bob"):
            made.apply(name)
        made.edit(CLIENT_CERTIFICATE, "bob", {"metadata": {"labels": {"role": "ops"}}})
        made.settle()
        yield made


class Gates:
    """What the gate of the host does, from outside: its bundle, and the gate service where the Ingress asks it."""

    def __init__(self, bed: OperatorBed) -> None:
        self._bed = bed
        self._service: GateService | None = None
        if "nginx.ingress.kubernetes.io/auth-url" in bed.find(INGRESS, "shop")["metadata"]["annotations"]:
            bed.with_gateway(self._start)

    async def _start(self, gateway) -> None:
        self._service = GateService(gateway, self._bed.clock)
        self._task = asyncio.create_task(self._service.follow())

    def admit(self, certificate, ingress: str = "shop") -> bool:
        """Whether the holder of the certificate has access."""
        self._bed.advance(0.1)
        now = self._bed.cluster.now()
        good = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
        if not (good and admits(self._bed.find(SECRET, GATE), certificate)):
            return False
        if self._service is None:
            return True
        number = certificate.serial_number
        sha1 = bytes.fromhex(record(self._bed, number)["spec"]["fingerprints"]["sha1"])
        question = Question(Gate(NAMESPACE_NAME, ISSUER_AT), Presented(sha1, number), ingress)
        return self._service.answer(question).verdict.value == "admitted"


class Asks:
    """A person who asks with alice's file, her serial number and her name, and gets one answer."""

    def __init__(self, bed: OperatorBed, capsys, folder) -> None:
        self.person = Person(bed)
        self._capsys = capsys
        self._folder = folder

    def told(self, asked: Asked, host: str = HOST) -> list[dict]:
        assert self.person.asks(lambda reader: why(reader, host, asked, "json")) == 0
        return json.loads(self._capsys.readouterr().out)["answers"]

    def of(self, certificate, host: str = HOST) -> dict:
        path = self._folder / "client.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        (by_file,) = self.told(Asked(certificate=path), host)
        (by_serial,) = self.told(Asked(serial=certificate.serial_number), host)
        assert by_serial == by_file
        return by_file

    def who(self, host: str = HOST) -> dict:
        assert self.person.asks(lambda reader: who(reader, host, "json")) == 0
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def asks(bed, capsys, tmp_path):
    return Asks(bed, capsys, tmp_path)


def suspended(bed: OperatorBed) -> None:
    bed.apply("alice", suspended=True)


def revoked(bed: OperatorBed) -> None:
    bed.apply("alice", revoked=True)


def deleted(bed: OperatorBed) -> None:
    bed.delete(CLIENT_CERTIFICATE, "alice")


def created_again(bed: OperatorBed) -> None:
    deleted(bed)
    bed.settle()
    bed.apply("alice")


def released(bed: OperatorBed) -> None:
    suspended(bed)
    bed.settle()
    bed.apply("alice", suspended=False)


def torn_out(bed: OperatorBed) -> None:
    bed.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"finalizers": []}})
    bed.delete(CLIENT_CERTIFICATE, "alice")


def listed_not(bed: OperatorBed) -> None:
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/allow": "role=ops"}}})


def listed(bed: OperatorBed) -> None:
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/allow": "alice"}}})


def listed_badly(bed: OperatorBed) -> None:
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/allow": "*"}}})


def handshake_mode(bed: OperatorBed) -> None:
    bed.edit(ISSUER, "partners", {"spec": {"enforcement": {"mode": "Handshake"}}})


def renewed(bed: OperatorBed) -> None:
    bed.apply("alice", reissue="now")


def optional(bed: OperatorBed) -> None:
    bed.edit(ISSUER, "partners", {"spec": {"gates": {"allowOptional": True}}})
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/verify-client": "optional"}}})


def nothing(_: OperatorBed) -> None: ...


STORIES: list[Callable[[OperatorBed], None]] = [
    nothing,
    suspended,
    revoked,
    deleted,
    created_again,
    released,
    torn_out,
    listed_not,
    listed,
    listed_badly,
    handshake_mode,
    renewed,
    optional,
]


@pytest.mark.parametrize("works", [True, False], ids=["the operator works", "the operator is down"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_answer_is_that_of_the_gate(bed, asks, story, works):
    gates = Gates(bed)
    certificates = {name: held(bed.find(SECRET, f"{name}-mtls")) for name in ("alice", "bob")}
    if not works:
        bed.kill()
    story(bed)
    if works:
        bed.settle()
    gates = Gates(bed) if works else gates
    admitted = {each["serial"] for each in asks.who()["admitted"]}
    for certificate in certificates.values():
        told = asks.of(certificate)
        does = gates.admit(certificate)
        assert told["answer"] == ("admitted" if does else "refused"), told
        assert (f"{certificate.serial_number:x}" in admitted) is does


def test_time_alone_ends_what_was_admitted(bed, asks):
    certificate = held(bed.find(SECRET, "alice-mtls"))
    bed.kill()
    assert asks.of(certificate)["answer"] == "admitted"
    bed.clock.advance(days=8)
    assert asks.of(certificate)["why"] == "the CRL has expired: the gate refuses everybody"


def test_a_client_is_asked_for_by_name_with_all_its_certificates(bed, asks):
    old = serial(bed, "alice")
    bed.apply("alice", reissue="now")
    bed.settle()
    told = asks.told(Asked(client="alice"))
    assert [each["serial"] for each in told] == [f"{serial(bed, 'alice'):x}", f"{old:x}"]
    assert {each["client"] for each in told} == {"edge/alice"}


def test_a_certificate_of_another_ca_is_refused_at_the_handshake(asks, tmp_path):
    path = tmp_path / "other.pem"
    path.write_bytes(held_elsewhere().public_bytes(Encoding.PEM))
    (told,) = asks.told(Asked(certificate=path))
    assert (told["answer"], told["rule"], told["client"]) == ("refused", "TLS handshake", None)


def held_elsewhere():
    """A certificate of a cluster that is none of these."""
    with OperatorBed(NOW, first_key=100) as other:
        other.issuer()
        other.apply("alice")
        other.settle()
        return held(other.find(SECRET, "alice-mtls"))


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("GateMissing: closed", "refused"),
        ("NotAllowedHere: closed", "refused"),
        ("NoSuchIssuer: closed", "refused"),
        ("HostShared: x", "not clear"),
        ("FoundOpen: x", "not clear"),
        ("PlainHTTP: x", "not clear"),
        ("GateOutOfReach: x", "not clear"),
        ("Whatever", "not clear"),
        (None, "not clear"),
    ],
)
def test_what_the_operator_says_of_the_gate_comes_first(bed, asks, told, answer):
    certificate = held(bed.find(SECRET, "alice-mtls"))
    bed.kill()
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/gate": told}}})
    assert asks.of(certificate)["answer"] == answer
    assert asks.who()["admitted"] == []


def test_a_gate_with_an_older_crl_is_not_said_to_refuse(bed, asks):
    certificate = held(bed.find(SECRET, "alice-mtls"))
    bed.apply("alice", suspended=True)
    bed.settle()
    bed.kill()
    body = bed.find(ISSUER, "partners")
    (gate,) = body["status"]["gates"]
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"status": {"gates": [gate | {"state": "Stale"}]}}, "test", "status")
    told = asks.of(certificate)
    assert told["answer"] == ("refused" if told["rule"] == "gate service" else "not clear")


@pytest.mark.parametrize("kind", ["MTLSIssuer", "IssuedCertificate", "ClientCertificate", "ConfigMap"])
def test_without_a_right_nobody_is_said_to_be_admitted_or_refused(bed, asks, kind):
    certificate = held(bed.find(SECRET, "alice-mtls"))
    asks.person.missing = lambda _verb, missing, _namespace: missing == kind
    path = asks._folder / "alice.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    (told,) = asks.told(Asked(certificate=path))
    by_service = "auth-url" in str(bed.find(INGRESS, "shop"))
    unneeded = kind == "ClientCertificate" and not by_service
    assert told["answer"] == ("admitted" if unneeded else "not clear"), told


def test_who_may_list_ingresses_of_one_namespace_only_is_told_so(asks, capsys):
    asks.person.missing = lambda _verb, kind, namespace: (kind, namespace) == ("Ingress", None)
    assert asks.person.asks(lambda reader: who(reader, HOST, None)) == 0
    out, err = capsys.readouterr()
    assert "edge/alice" in out
    assert err.startswith("note: ")


def test_an_ingress_of_the_host_that_names_no_issuer_is_told(bed, asks):
    body = json.loads(json.dumps(bed.find(INGRESS, "shop")))
    body["metadata"] = {"name": "public"}
    bed.cluster.create(INGRESS, NAMESPACE_NAME, body, "kubectl")
    bed.settle()
    told = asks.who()
    assert any("edge/public: it names no MTLSIssuer" in each for each in told["warnings"])
    answers = asks.told(Asked(client="alice"))
    assert [each["ingress"] for each in answers] == ["edge/public", "edge/shop"]


@pytest.mark.parametrize("told", ["HostShared: x", "FoundOpen: x", None])
def test_what_may_let_others_in_is_told_also_where_there_are_no_clients(bed, asks, told):
    for name in ("alice", "bob"):
        bed.delete(CLIENT_CERTIFICATE, name)
    bed.settle()
    bed.kill()
    bed.clock.advance(days=100)
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/gate": told}}})
    assert any(each.startswith("Ingress edge/shop: ") for each in asks.who()["warnings"])


def test_an_optional_certificate_is_told_where_nobody_else_is_asked(bed, asks):
    assert asks.who()["warnings"] == []
    optional(bed)
    bed.settle()
    asked = "auth-url" in str(bed.find(INGRESS, "shop"))
    assert any("everybody without one has access" in each for each in asks.who()["warnings"]) is not asked


def test_a_crl_that_is_newer_than_what_the_issuer_says_makes_nothing_certain(bed, asks):
    """The operator died after it had published, and before it wrote the gate: the gate has the older CRL."""
    certificate = held(bed.find(SECRET, "alice-mtls"))
    before = bed.find(ISSUER, "partners")["status"]
    bed.apply("alice", revoked=True)
    bed.settle()
    bed.kill()
    bed.cluster.merge_patch(ISSUER, ISSUER_AT, {"status": before}, "test", "status")
    told = asks.of(certificate)
    assert told["answer"] == ("refused" if told["rule"] == "gate service" else "not clear")


NGINX = "nginx.ingress.kubernetes.io/"


@pytest.mark.parametrize(
    "added",
    [{"auth-url": "http://another"}, {"auth-cache-key": "$remote_user"}, {"enable-global-auth": "true"}],
    ids=lambda added: next(iter(added)),
)
def test_where_something_else_is_asked_nobody_is_said_to_be_admitted(bed, asks, added):
    certificates = [held(bed.find(SECRET, f"{name}-mtls")) for name in ("alice", "bob")]
    bed.apply("bob", revoked=True)
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {NGINX + name: value for name, value in added.items()}}})
    bed.settle()
    assert [asks.of(each)["answer"] for each in certificates] == ["not clear", "refused"]
    assert asks.who()["admitted"] == []


@pytest.mark.parametrize("data", [{}, {"ca.crt": "x", "ca.crl": "x"}, None])
def test_a_bundle_that_cannot_be_read_refuses_nobody(bed, asks, data):
    certificate = held(bed.find(SECRET, "alice-mtls"))
    bed.kill()
    if data is None:
        bed.delete(CONFIG_MAP, "partners-crl")
    else:
        bed.edit(CONFIG_MAP, "partners-crl", {"data": {"ca.crt": None, "ca.crl": None} | data})
    assert asks.of(certificate)["answer"] == "not clear"


@pytest.mark.parametrize(
    "named", ["SHOP.example", "shop.example.", "https://shop.example/x?y", "https://shop.example:8443"]
)
def test_a_host_is_taken_as_people_have_it(bed, asks, named):
    assert asks.of(held(bed.find(SECRET, "alice-mtls")), named)["answer"] == "admitted"


def test_a_host_that_nobody_protects_admits_everybody(bed, asks, tmp_path):
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/issuer": None}}})
    bed.settle()
    path = tmp_path / "alice.pem"
    path.write_bytes(held(bed.find(SECRET, "alice-mtls")).public_bytes(Encoding.PEM))
    (told,) = asks.told(Asked(certificate=path))
    assert (told["answer"], told["issuer"]) == ("admitted", None)
    assert any("everybody" in each for each in asks.who()["warnings"])
    with pytest.raises(UserError, match="names an MTLSIssuer"):
        asks.told(Asked(client="alice"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(serial=0xABC), "issued no certificate with serial number abc"),
        (Asked(client="nobody"), "issued no certificate for client edge/nobody"),
    ],
)
def test_what_is_not_in_the_ledger_is_one_line(asks, asked, said):
    with pytest.raises(UserError, match=said):
        asks.told(asked)


def test_a_host_that_is_not_there_is_one_line(asks):
    with pytest.raises(UserError, match=r"no Ingress serves the host nowhere\.example"):
        asks.told(Asked(client="alice"), "nowhere.example")


def test_exactly_one_certificate_is_named():
    for given in ({}, {"serial": 1, "client": "alice"}):
        with pytest.raises(UserError, match="name one certificate"):
            Asked(**given)


@pytest.mark.parametrize(
    "content", [b"", b"no", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None]
)
def test_a_file_without_a_certificate_is_one_line(asks, tmp_path, content):
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="cannot read a certificate"):
        asks.told(Asked(certificate=path))


def target(name: str, *hosts: str) -> Target:
    return Target(key=ObjectKey("a", name), reference=None, wants_optional=False, other_secret=False, hosts=hosts)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("a.shop.example", ["exact"]),
        ("b.shop.example", ["wide"]),
        ("x.y.example", ["wider"]),
        ("elsewhere.test", ["all"]),
    ],
)
def test_a_host_is_served_by_its_name_else_by_the_longest_wildcard(host, found):
    targets = [
        target("exact", "a.shop.example"),
        target("wide", "*.shop.example"),
        target("wider", "*.example"),
        target("all", ""),
    ]
    assert [each.key.name for each in serving(host, targets)] == found


def test_people_see_client_ingress_and_rule(asks, capsys):
    assert asks.person.asks(lambda reader: why(reader, HOST, Asked(client="alice"), None)) == 0
    out = capsys.readouterr().out
    assert "edge/shop" in out
    assert "admitted" in out
    assert asks.person.asks(lambda reader: who(reader, HOST, None)) == 0
    out = capsys.readouterr().out
    assert "edge/alice" in out
    assert "edge/bob" in out
