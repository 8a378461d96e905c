"""The gate service beside the whole operator, over one cluster: what the operator revokes, restores and issues is so at both."""

import asyncio

import pytest

from doorward.cluster.gateway import CLIENT_CERTIFICATE, INGRESS, ISSUED_CERTIFICATE, ISSUER
from doorward.gate_service.service import GateService
from doorward.gates.ingress_nginx.per_request import AUTH_URL, RESPONSE_HEADERS
from doorward.gates.registry import planes
from doorward.objects.proxy_requests.question import Gate, Presented, Question
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import issuer_said, record, serial

SERVICE = "http://doorward-gate.doorward-system.svc.cluster.local"


@pytest.fixture
def bed():
    """The gate service is installed."""
    with OperatorBed(NOW, finalizer_at_creation=True, planes=planes(SERVICE)) as made:
        made.issuer()
        made.ingress()
        made.settle()
        yield made


class Asked:
    """The gate service, asked with the certificates of clients."""

    def __init__(self, bed: OperatorBed) -> None:
        self._bed = bed
        bed.with_gateway(self._start)

    async def _start(self, gateway) -> None:
        self._gateway = gateway
        self._service = GateService(gateway, self._bed.clock)
        self._task = asyncio.create_task(self._service.follow())

    def bookmark(self) -> None:
        """A minute is over: the API server tells each watch which version it has reached."""
        self._gateway.send_bookmarks()
        self._bed.advance(0.1)

    def tells(self, number: int, ingress: str = "") -> str:
        """What the holder of that serial is told a moment from now; as before access lists where no Ingress is named."""
        self._bed.advance(0.1)
        sha1 = record(self._bed, number)["spec"]["fingerprints"]["sha1"]
        gate = Gate(NAMESPACE_NAME, ISSUER_AT)
        return self._service.answer(Question(gate, Presented(bytes.fromhex(sha1), number), ingress)).verdict.value


@pytest.fixture
def alice(bed):
    bed.apply("alice")
    bed.settle()
    return serial(bed, "alice")


@pytest.fixture
def asked(bed, alice):
    made = Asked(bed)
    assert made.tells(alice) == "admitted"
    return made


def allow(bed, text):
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/allow": text}}})
    bed.settle()


def annotations(bed, name="shop"):
    return bed.find(INGRESS, name)["metadata"]["annotations"]


@pytest.mark.parametrize(("how", "then"), [("revoked", "revoked"), ("suspended", "held")])
def test_a_client_that_is_cut_off_is_refused_at_once_and_stays_so(bed, alice, asked, how, then):
    bed.kill()
    bed.apply("alice", **{how: True})
    assert asked.tells(alice) == f"client_{how}"
    bed.start()
    bed.settle()
    assert asked.tells(alice) == then


def test_a_client_that_is_deleted_is_refused_at_once_and_stays_so(bed, alice, asked):
    bed.kill()
    bed.delete(CLIENT_CERTIFICATE, "alice")
    assert asked.tells(alice) == "client_deleted"
    bed.start()
    bed.settle()
    assert bed.find(CLIENT_CERTIFICATE, "alice") is None
    assert asked.tells(alice) == "held"


def test_a_client_that_is_created_again_gets_in_with_its_new_certificate_alone(bed, alice, asked):
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.settle()
    bed.apply("alice")
    bed.settle()
    assert asked.tells(alice) == "held"
    assert serial(bed, "alice") != alice
    assert asked.tells(serial(bed, "alice")) == "admitted"


def test_a_client_that_is_restored_with_another_uid_gets_in_as_the_operator_says(bed, alice, asked):
    """The finalizer is stripped, the object is gone, and a backup brings it back: to the operator it is the same client."""
    bed.kill()
    body = bed.find(CLIENT_CERTIFICATE, "alice")
    bed.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"finalizers": []}})
    bed.delete(CLIENT_CERTIFICATE, "alice")
    assert asked.tells(alice) == "client_gone"
    bed.apply("alice")
    assert bed.find(CLIENT_CERTIFICATE, "alice")["metadata"]["uid"] != body["metadata"]["uid"]
    assert asked.tells(alice) == "ledger_behind"
    asked.bookmark()
    assert asked.tells(alice) == "admitted"
    bed.start()
    bed.settle()
    bed.advance(900)
    bed.settle()
    assert "revocation" not in record(bed, alice)["spec"]
    assert asked.tells(alice) == "admitted"


def test_a_serial_whose_hold_is_lifted_by_hand_gets_in_again(bed, alice, asked):
    bed.apply("alice", suspended=True)
    bed.settle()
    assert asked.tells(alice) in ("client_suspended", "held")
    bed.apply("alice", suspended=False)
    bed.settle()
    assert asked.tells(alice) == "admitted"


def test_a_record_that_a_person_revokes_is_refused_at_once(bed, alice, asked):
    bed.kill()
    name = record(bed, alice)["metadata"]["name"]
    bed.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": {"reason": "keyCompromise"}}})
    assert asked.tells(alice) == "revoked"


def test_with_the_issuer_gone_nobody_gets_in(bed, alice, asked):
    bed.kill()
    bed.delete(ISSUER, ISSUER_AT.name)
    assert asked.tells(alice) == "no_issuer"


def test_a_certificate_is_admitted_before_its_client_can_hold_it(bed, asked):
    """The record is written before the Secret: so no client is ever refused with a certificate that it was given."""
    del asked
    versions = {}
    for change in bed.cluster.history:
        if change.kind.name in ("IssuedCertificate", "Secret") and change.before is None:
            versions.setdefault(change.kind.name, []).append(change.version)
    assert min(versions["IssuedCertificate"]) < max(versions["Secret"])


# What the operator writes onto the Ingress


def test_the_operator_asks_at_every_request_and_owns_what_it_wrote(bed):
    said = annotations(bed)
    assert said[AUTH_URL].startswith(f"{SERVICE}/ingress-nginx/{NAMESPACE_NAME}/{ISSUER_AT}?verify=")
    assert said[RESPONSE_HEADERS] == "X-Doorward-Client,X-Doorward-Common-Name,X-Doorward-Serial"
    assert said["doorward.io/gate"].startswith("Protected:")
    assert bed.writes_of(lambda: None) == []


def test_the_issuer_may_leave_it_to_the_handshake_and_take_that_back(bed):
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"mode": "Handshake"}}})
    bed.settle()
    assert not {AUTH_URL, RESPONSE_HEADERS} & annotations(bed).keys()
    assert issuer_said(bed)["CutOffHolds"] == "HandshakeOnly"
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"mode": "EveryRequest"}}})
    bed.settle()
    assert "CutOffHolds" not in issuer_said(bed)
    assert {AUTH_URL, RESPONSE_HEADERS} <= annotations(bed).keys()


def test_once_the_gate_service_is_uninstalled_the_operator_removes_what_it_wrote_and_nothing_else(bed):
    """As docs/gate-service.md says."""
    question = {name: annotations(bed)[name] for name in (AUTH_URL, RESPONSE_HEADERS)}
    bed.ingress("theirs")
    bed.edit(INGRESS, "theirs", {"metadata": {"annotations": question}})
    bed.settle()
    bed.planes = planes(None)
    bed.restart()
    bed.settle()
    assert not question.keys() & annotations(bed).keys()
    assert annotations(bed)["doorward.io/gate"].startswith("Protected:")
    assert question.items() <= annotations(bed, "theirs").items()


def test_an_auth_url_of_somebody_else_is_told_and_left(bed):
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {AUTH_URL: "http://oauth.example/"}}})
    bed.settle()
    assert annotations(bed)[AUTH_URL] == "http://oauth.example/"
    assert annotations(bed)["doorward.io/gate"].startswith("NotAsked:")
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {AUTH_URL: None}}})
    bed.settle()
    assert annotations(bed)["doorward.io/gate"].startswith("Protected:")
    assert annotations(bed)[AUTH_URL].startswith(SERVICE)


def test_an_ingress_with_a_list_is_protected_only_while_somebody_compares(bed):
    allow(bed, "alice role=ops")
    said = f"clients of {ISSUER_AT} that doorward.io/allow selects have access"
    assert annotations(bed)["doorward.io/gate"] == f"Protected: {said}"
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"mode": "Handshake"}}})
    bed.settle()
    assert annotations(bed)["doorward.io/gate"].startswith("ListNotEnforced: all clients of")
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"enforcement": {"mode": "EveryRequest"}}})
    bed.settle()
    assert annotations(bed)["doorward.io/gate"] == f"Protected: {said}"


@pytest.mark.parametrize("text", ["alice", "", "*"])
def test_without_the_gate_service_an_ingress_with_a_list_is_never_protected(text):
    with OperatorBed(NOW, finalizer_at_creation=True) as made:
        made.issuer()
        made.ingress()
        allow(made, text)
        assert annotations(made)["doorward.io/gate"].startswith("ListNotEnforced: all clients of")
        assert "install the gate service" in annotations(made)["doorward.io/gate"]


def test_a_list_that_got_past_the_policy_is_told_and_refuses_everybody(bed, alice, asked):
    allow(bed, "alice,bob")
    assert annotations(bed)["doorward.io/gate"].startswith("ListNotRead: closed: write the entry 'alice,bob'")
    assert asked.tells(alice, "shop") == "list_not_read"
    allow(bed, "bob")
    assert asked.tells(alice, "shop") == "not_selected"
    allow(bed, "alice")
    assert asked.tells(alice, "shop") == "admitted"


def test_clients_that_the_issuer_does_not_list_are_told_on_the_ingress(bed):
    allow(bed, "alice elsewhere/bob")
    assert annotations(bed)["doorward.io/gate"].startswith("ListedNotSelectable: ")
    bed.edit(ISSUER, ISSUER_AT.name, {"spec": {"gates": {"selectableNamespaces": [NAMESPACE_NAME, "elsewhere"]}}})
    bed.settle()
    assert annotations(bed)["doorward.io/gate"].startswith("Protected: ")


def test_what_an_earlier_operator_wrote_is_written_anew(bed):
    now = annotations(bed)[AUTH_URL]
    bed.kill()
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {AUTH_URL: now.removesuffix("&ingress=$ingress_name")}}})
    bed.start()
    bed.settle()
    assert annotations(bed)[AUTH_URL] == now
    assert annotations(bed)["doorward.io/gate"].startswith("Protected:")


def test_an_ingress_that_opts_out_asks_no_more(bed):
    bed.edit(INGRESS, "shop", {"metadata": {"annotations": {"doorward.io/issuer": None}}})
    bed.settle()
    assert bed.find(INGRESS, "shop")["metadata"].get("annotations", {}) == {}
