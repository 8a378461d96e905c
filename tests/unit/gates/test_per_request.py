"""By which annotations ingress-nginx asks the gate service, when they are written, and when they go."""

import pytest

from doorward.gates.ingress_nginx import annotations as ingress_nginx
from doorward.gates.ingress_nginx.known import ANNOTATIONS, BESIDE, PREFIX
from doorward.gates.ingress_nginx.per_request import AUTH_URL, IDENTITY, RESPONSE_HEADERS, UNDOING, is_question
from doorward.objects.proxy_requests.question import Gate, Question
from doorward.planning.gate import Decision, Protection

from .test_ingress_nginx import ISSUER, PARTNERS, SETTLED, decision, ingress

SERVICE = "http://doorward-gate.doorward-system.svc.cluster.local"
URL = (
    f"{SERVICE}/ingress-nginx/edge/issuers/partners"
    "?verify=$ssl_client_verify&serial=$ssl_client_serial&fingerprint=$ssl_client_fingerprint&ingress=$ingress_name"
)
EARLIER = URL.removesuffix("&ingress=$ingress_name")
ASKED = SETTLED | {AUTH_URL: URL, RESPONSE_HEADERS: IDENTITY}
OPTED_IN = {ISSUER: "issuers/partners"}
OAUTH = "http://oauth2-proxy.auth.svc.cluster.local/oauth2/auth"


def at(mode: str) -> Decision:
    made = decision()
    assert made.protection is not None
    known = made.protection
    protection = Protection(
        issuer=PARTNERS, settings=known.settings, optional=False, every_request=mode == "EveryRequest"
    )
    return Decision(protection=protection, said=made.said)


def changes(body, mode="EveryRequest", service=SERVICE):
    return ingress_nginx.changes(body, at(mode), service)


def test_where_the_service_is_installed_an_ingress_asks_it():
    assert changes(ingress(OPTED_IN)) == ASKED


def test_where_it_is_not_installed_nothing_is_asked():
    assert changes(ingress(OPTED_IN), service=None) == SETTLED


def test_what_is_settled_is_not_written_again():
    assert changes(ingress(OPTED_IN | ASKED, owned=ASKED)) is None


def test_a_question_about_another_issuer_follows_the_reference():
    before = ASKED | {AUTH_URL: URL.replace("partners", "staff")}
    assert changes(ingress(OPTED_IN | before, owned=ASKED)) == ASKED


def test_a_question_to_another_service_is_put_right():
    before = ASKED | {AUTH_URL: URL.replace(SERVICE, "http://mallory.edge.svc.cluster.local")}
    assert changes(ingress(OPTED_IN | before, owned=ASKED)) == ASKED


def test_a_question_of_an_earlier_doorward_is_written_anew():
    before = ASKED | {AUTH_URL: EARLIER}
    assert changes(ingress(OPTED_IN | before, owned=ASKED)) == ASKED
    assert ingress_nginx.read(ingress(OPTED_IN | before), SERVICE).unasked == ""


def test_once_the_service_is_uninstalled_nothing_is_asked_any_more():
    assert changes(ingress(OPTED_IN | ASKED, owned=ASKED), service=None) == SETTLED


# Handshake


def test_at_the_handshake_alone_nothing_is_asked():
    assert changes(ingress(OPTED_IN), "Handshake") == SETTLED
    assert changes(ingress(OPTED_IN | SETTLED, owned=SETTLED), "Handshake") is None


def test_what_the_admission_policy_wrote_is_owned_and_then_left_out_where_the_handshake_decides():
    """Server-side apply takes away only what the operator owns, and what a policy wrote has no owner."""
    written = ingress(OPTED_IN | ASKED, owned=SETTLED)
    first = changes(written, "Handshake")
    assert first == ASKED
    assert changes(ingress(OPTED_IN | first, owned=first), "Handshake") == SETTLED


def test_what_a_person_wrote_stays_and_is_not_fought_over_where_the_handshake_decides():
    body = ingress(OPTED_IN | ASKED, owned=SETTLED)
    names = {f"f:{name}": {} for name in (AUTH_URL, RESPONSE_HEADERS)}
    fields = {"f:metadata": {"f:annotations": names}}
    body["metadata"]["managedFields"].append({"manager": "kubectl", "operation": "Update", "fieldsV1": fields})
    assert changes(body, "Handshake") is None
    assert (
        changes(ingress_nginx.kept(body | {"metadata": body["metadata"] | {"resourceVersion": "1"}}), "Handshake")
        is None
    )


def test_what_somebody_else_asks_is_not_taken_over_where_the_handshake_decides_though_no_manager_owns_it():
    body = ingress(OPTED_IN | SETTLED | {AUTH_URL: OAUTH, RESPONSE_HEADERS: "X-User"}, owned=SETTLED)
    assert changes(body, "Handshake") is None


# What a person set instead


@pytest.mark.parametrize(
    ("theirs", "left_alone"),
    [
        ({AUTH_URL: OAUTH}, AUTH_URL),
        ({RESPONSE_HEADERS: "X-Auth-Request-User"}, RESPONSE_HEADERS),
    ],
)
def test_what_a_person_set_is_told_and_never_rewritten(theirs, left_alone):
    body = ingress(OPTED_IN | theirs)
    assert changes(body) == {name: value for name, value in ASKED.items() if name != left_alone}
    assert ingress_nginx.read(body, SERVICE).unasked == f"remove the annotation {left_alone}"
    assert ingress_nginx.read(body).unasked == ""


@pytest.mark.parametrize("name", UNDOING)
def test_what_undoes_the_question_is_told_and_the_question_stays(name):
    body = ingress(OPTED_IN | ASKED | {name: "x"}, owned=ASKED)
    assert changes(body) is None
    assert ingress_nginx.read(body, SERVICE).unasked == f"remove the annotation {name}"
    assert name.removeprefix(PREFIX) in ANNOTATIONS


def test_an_ingress_that_asks_has_nothing_to_be_told():
    assert ingress_nginx.read(ingress(OPTED_IN | ASKED), SERVICE).unasked == ""
    assert ingress_nginx.read(ingress(OPTED_IN), SERVICE).unasked == ""


# Opting out


def test_an_ingress_that_opted_out_asks_no_more():
    body = ingress({name: value for name, value in ASKED.items() if name != ISSUER}, owned=SETTLED)
    assert set(ingress_nginx.leftovers(body)) == set(ASKED)
    body["metadata"]["annotations"] |= {"a": "b"}
    del body["metadata"]["annotations"][RESPONSE_HEADERS]
    assert set(ingress_nginx.leftovers(body)) == set(ASKED) - {RESPONSE_HEADERS}


def test_an_ingress_that_never_opted_in_keeps_what_it_asks():
    assert ingress_nginx.leftovers(ingress({AUTH_URL: URL, RESPONSE_HEADERS: IDENTITY})) == ()
    body = ingress({AUTH_URL: OAUTH, RESPONSE_HEADERS: "X-User"} | SETTLED, owned=SETTLED)
    assert not {AUTH_URL, RESPONSE_HEADERS} & set(ingress_nginx.leftovers(body))


@pytest.mark.parametrize(
    "value",
    [
        "",
        OAUTH,
        URL.replace("http://", "https://"),
        URL.replace("edge", "shop"),
        URL.replace("$ssl_client_verify", "SUCCESS"),
        URL + "&x=y",
        EARLIER + "&ingress=other",
        URL.partition("?")[0],
    ],
)
def test_what_is_no_question_is_not_taken_for_one(value):
    assert is_question(URL, "edge")
    assert is_question(EARLIER, "edge")
    assert not is_question(value, "edge")


def test_what_undoes_the_question_is_all_that_the_policy_refuses_beside_it():
    assert {AUTH_URL, *UNDOING} == {PREFIX + name for name in BESIDE}


# What doorward why asks in its place


def test_what_an_ingress_asks_is_read_with_its_name_as_far_as_the_question_says_it():
    gate = Gate("edge", PARTNERS)
    assert ingress_nginx.read(ingress(OPTED_IN | ASKED)).question == Question(gate, None, "app")
    assert ingress_nginx.read(ingress(OPTED_IN | ASKED | {AUTH_URL: EARLIER})).question == Question(gate, None, "")


@pytest.mark.parametrize(
    ("marks", "another"),
    [
        pytest.param(SETTLED, False, id="nothing is asked"),
        pytest.param(ASKED | {AUTH_URL: OAUTH}, True, id="another service is asked"),
        pytest.param(ASKED | {AUTH_URL: URL.replace("/issuers/partners", "/issuers/_")}, True, id="of no issuer"),
        pytest.param(ASKED | {RESPONSE_HEADERS: "X-User"}, True, id="the application is told another identity"),
        *(pytest.param(ASKED | {name: "x"}, True, id=f"{name} undoes the question") for name in UNDOING),
        *(pytest.param(SETTLED | {name: "x"}, True, id=f"nothing is asked, and {name}") for name in UNDOING),
    ],
)
def test_an_ingress_that_does_not_ask_as_it_should_has_no_question(marks, another):
    target = ingress_nginx.read(ingress(OPTED_IN | marks))
    assert (target.question, target.asks_another) == (None, another)


def test_an_ingress_that_asks_as_it_should_asks_nothing_else():
    assert not ingress_nginx.read(ingress(OPTED_IN | ASKED)).asks_another
