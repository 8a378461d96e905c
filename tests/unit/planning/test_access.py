"""Which of the three decides at an Ingress, and what the handshake refuses a certificate for."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from doorward.api.reasons import REASONS
from doorward.pki.crls import CrlEntry, PublishedCrl
from doorward.planning import access
from doorward.planning.access import Answer, Rule, Seen, decide
from doorward.planning.admission import Verdict
from doorward.planning.handshake import Refusal, Shown, Trust, refusal
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW, SECOND

GOOD = Seen(told="Protected", handshake=None, asked=Verdict.ADMITTED)


def answer(**changes: object) -> tuple[Answer, Rule]:
    found = decide(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert found.why
    return found.answer, found.rule


def test_every_refusal_and_every_verdict_is_explained():
    assert set(access.HANDSHAKE) == set(Refusal)
    assert set(access.GATE_SERVICE) == set(Verdict) - {Verdict.ADMITTED}


def test_what_the_operator_may_say_of_a_gate_is_known():
    said = {name for name, reason in REASONS.items() if reason.condition == "Gate"}
    assert said >= access.CLOSED | access.AS_THE_RULES_SAY


@pytest.mark.parametrize(
    "told", sorted({name for name, reason in REASONS.items() if reason.condition == "Gate"} | {""})
)
def test_nobody_is_said_to_be_admitted_at_a_gate_that_is_not_as_the_rules_say(told):
    wanted = (
        Answer.ADMITTED
        if told in access.AS_THE_RULES_SAY
        else Answer.REFUSED
        if told in access.CLOSED
        else Answer.UNCLEAR
    )
    assert answer(told=told)[0] is wanted


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        *((told, Answer.REFUSED) for told in ("NoSuchIssuer", "GateMissing", "NotAllowedHere")),
        *((told, Answer.ADMITTED) for told in ("Protected", "ListNotEnforced", "ListNotRead")),
        *((told, Answer.ADMITTED) for told in ("ListedNotSelectable", "OptionalNotAllowed", "NotAsked")),
        *(
            (told, Answer.UNCLEAR)
            for told in ("NotEnforced", "HostShared", "PlainHTTP", "FoundOpen", "GateClosing", "IssuerNotRead", "")
        ),
    ],
)
def test_what_the_operator_said_of_the_gate_decides(told, wanted):
    assert answer(told=told)[0] is wanted
    assert decide(replace(GOOD, told=told, message="so it is")).why.endswith("so it is") is (
        wanted is not Answer.ADMITTED and told != ""
    )


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - {Verdict.ADMITTED}))
def test_the_gate_service_refuses_for_whatever_it_says(verdict):
    assert answer(asked=verdict) == (Answer.REFUSED, Rule.GATE_SERVICE)


@pytest.mark.parametrize("why", Refusal)
def test_the_handshake_refuses_before_the_gate_service_is_asked(why):
    assert answer(handshake=why, asked=Verdict.REVOKED) == (Answer.REFUSED, Rule.HANDSHAKE)
    assert answer(handshake=why, asked=None) == (Answer.REFUSED, Rule.HANDSHAKE)


def test_where_the_bundle_may_be_older_only_the_gate_service_is_sure():
    assert answer(handshake=Refusal.REVOKED, current=False, asked=None)[0] is Answer.UNCLEAR
    assert answer(handshake=Refusal.REVOKED, current=False)[0] is Answer.UNCLEAR
    assert answer(handshake=Refusal.REVOKED, current=False, asked=Verdict.REVOKED) == (
        Answer.REFUSED,
        Rule.GATE_SERVICE,
    )


def test_what_was_not_read_makes_nothing_certain():
    assert answer(bundle_read=False)[0] is Answer.UNCLEAR
    assert answer(asked=Verdict.CLIENT_GONE, client_unread=True)[0] is Answer.UNCLEAR
    assert answer(asked=Verdict.REVOKED, client_unread=True)[0] is Answer.REFUSED
    assert answer(asked=Verdict.CLIENT_GONE)[0] is Answer.REFUSED
    assert answer(asked=None, another=True)[0] is Answer.UNCLEAR


def test_the_handshake_alone_admits_where_nobody_else_is_asked():
    assert answer(asked=None) == (Answer.ADMITTED, Rule.HANDSHAKE)
    assert answer() == (Answer.ADMITTED, Rule.GATE_SERVICE)


KEY = given.key(7)
ISSUER = "edge/partners"


def certificate(name: str, *usages: x509.ObjectIdentifier, serial: int = 5, ends=NOW + DAY) -> x509.Certificate:
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ca = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    builder = x509.CertificateBuilder(ca, named, KEY.public_key(), serial, NOW - DAY, ends)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(KEY, hashes.SHA256())


def crl(*serials: int, hold: bool = False, ends=NOW + DAY) -> PublishedCrl:
    reason = x509.ReasonFlags.certificate_hold if hold else None
    entries = {serial: CrlEntry(serial=serial, revoked_at=NOW, reason=reason) for serial in serials}
    return PublishedCrl(number=9, this_update=NOW - HOUR, next_update=ends, entries=entries, pem=b"")


TRUST = Trust(anchors={3: certificate("ca", serial=1)}, crls={3: crl(66)})
SHOWN = Shown(serial=5, sha1=b"", not_before=NOW - DAY, not_after=NOW + DAY, generations={ISSUER: 3})


def refused(shown: Shown = SHOWN, trust: Trust = TRUST, now=NOW) -> Refusal | None:
    return refusal(shown, ISSUER, trust, now)


def test_a_certificate_of_a_trusted_generation_passes():
    assert refused() is None
    assert TRUST.number == 9


@pytest.mark.parametrize(
    ("shown", "trust", "why"),
    [
        (replace(SHOWN, generations={ISSUER: 4}), TRUST, Refusal.NOT_SIGNED),
        (replace(SHOWN, generations={"edge/others": 3}), TRUST, Refusal.NOT_SIGNED),
        (SHOWN, replace(TRUST, anchors={}), Refusal.NOT_SIGNED),
        (SHOWN, replace(TRUST, crls={}), Refusal.NO_CRL),
        (SHOWN, replace(TRUST, crls={3: crl(ends=NOW)}), Refusal.CRL_EXPIRED),
        (SHOWN, replace(TRUST, crls={3: crl(5)}), Refusal.REVOKED),
        (SHOWN, replace(TRUST, crls={3: crl(5, hold=True)}), Refusal.HELD),
        (SHOWN, replace(TRUST, anchors={3: certificate("ca", ends=NOW)}), Refusal.CA_EXPIRED),
        (replace(SHOWN, not_after=NOW), TRUST, Refusal.EXPIRED),
        (replace(SHOWN, not_before=NOW + SECOND), TRUST, Refusal.NOT_YET_VALID),
        (replace(SHOWN, serial=66), TRUST, Refusal.REVOKED),
    ],
)
def test_it_is_refused_for(shown, trust, why):
    assert refused(shown, trust) is why


@pytest.mark.parametrize(
    ("usages", "why"),
    [
        ((), None),
        ((ExtendedKeyUsageOID.CLIENT_AUTH,), None),
        ((ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH), None),
        ((ExtendedKeyUsageOID.SERVER_AUTH,), Refusal.NOT_FOR_CLIENTS),
    ],
)
def test_a_certificate_from_a_file_says_itself_who_signed_it_and_what_it_is_for(usages, why):
    shown = replace(SHOWN, generations=None, certificate=certificate("alice", *usages))
    assert refused(shown) is why


def test_a_certificate_from_a_file_that_another_key_signed_is_refused():
    shown = replace(SHOWN, generations=None, certificate=certificate("alice"))
    other = x509.CertificateBuilder(
        *(TRUST.anchors[3].subject,) * 2, given.key(8).public_key(), 1, NOW - DAY, NOW + timedelta(days=9)
    ).sign(given.key(8), hashes.SHA256())
    assert refused(shown, replace(TRUST, anchors={3: other})) is Refusal.NOT_SIGNED
