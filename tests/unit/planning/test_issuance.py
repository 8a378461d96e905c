"""Must a certificate be issued now, and why; and what it is to say."""

from datetime import timedelta

import pytest

from doorward.pki.keys import KeyAlgorithm, KeyKind
from doorward.planning import issuance
from doorward.planning.observed import Unseen
from tests.unit import given
from tests.unit.given import DAY, HOUR, NOW

P256 = KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256)
FROM_CSR = given.spec(request=given.csr())
REISSUE = given.spec(reissue="2026-09-01")
REISSUED_BEFORE = given.secret(annotations={"doorward.io/reissue": "2026-08-01"})


def _reason(**world):
    o = given.certificate(**world)
    return issuance.reason(o, o.spec, NOW)


@pytest.mark.parametrize(
    ("world", "says"),
    [
        pytest.param({"secret": Unseen.ABSENT}, "the Secret is not there", id="there is no Secret"),
        pytest.param({"secret": given.broken()}, "the Secret holds no certificate", id="it cannot be read"),
        pytest.param({"leaf_is_ours": False}, "was not signed by this issuer", id="another CA signed it"),
        pytest.param(
            {"secret": given.secret(has_key=False)}, "private key in the Secret does not fit", id="its key does not fit"
        ),
        pytest.param(
            {"records": (given.record(of=given.leaf(), revocation=given.hold()),)},
            "the serial in the Secret is revoked",
            id="its serial is held",
        ),
        pytest.param({"spec": given.spec(commonName="bob")}, "does not say what the spec says", id="the name changed"),
        pytest.param(
            {"spec": given.spec(emailAddresses=["a@b.example"])}, "does not say", id="an email address was added"
        ),
        pytest.param(
            {"spec": given.spec(privateKey={"algorithm": "ECDSA", "size": 384})},
            "another kind of key",
            id="the spec asks for another size of key",
        ),
        pytest.param(
            {"spec": given.spec(request=given.csr(8)), "secret": given.secret(given.leaf(private_key=given.key(7)))},
            "spec.request has another key",
            id="the CSR was replaced",
        ),
        pytest.param(
            {"issuer": given.issuer(barred_keys=frozenset([given.leaf().public_key_sha256]))},
            "revoked as keyCompromise, under another serial",
            id="its key is barred",
        ),
        pytest.param({"spec": REISSUE}, "spec.reissue asks for it", id="reissue is set for the first time"),
        pytest.param({"spec": REISSUE, "secret": REISSUED_BEFORE}, "spec.reissue asks", id="reissue changed"),
        pytest.param(
            {"secret": given.secret(given.leaf(issued=NOW - 60 * DAY))}, "its renewal is due", id="two thirds are over"
        ),
        pytest.param(
            {"secret": given.secret(given.leaf(issued=NOW - 91 * DAY))}, "its renewal is due", id="it has expired"
        ),
        pytest.param(
            {"spec": given.spec(renewBefore="2136h")}, "its renewal is due", id="renewBefore is as long as what is left"
        ),
    ],
)
def test_a_certificate_is_issued_where(world, says):
    assert says in _reason(**world)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="all is well"),
        pytest.param({"spec": given.spec(duration="1h")}, id="the next one is to have another duration"),
        pytest.param(
            {"spec": REISSUE, "secret": given.secret(annotations={"doorward.io/reissue": "2026-09-01"})},
            id="it was issued for this reissue",
        ),
        pytest.param({"secret": REISSUED_BEFORE}, id="reissue was taken away"),
        pytest.param({"spec": given.spec(reissue=""), "secret": REISSUED_BEFORE}, id="reissue was emptied"),
        pytest.param({"leaf_is_ours": None}, id="nobody can say whose the leaf is"),
        pytest.param({"secret": given.foreign()}, id="the Secret is somebody else's"),
        pytest.param({"secret": Unseen.UNKNOWN}, id="the Secret was not heard of yet"),
        pytest.param({"secret": Unseen.DENIED}, id="the Secret may not be read"),
        pytest.param({"records": ()}, id="its record is gone"),
        pytest.param(
            {"records": (given.record(of=given.leaf(), revocation=given.hold(lifted=True)),)}, id="its hold was lifted"
        ),
        pytest.param(
            {
                "spec": FROM_CSR,
                "secret": given.secret(given.leaf(private_key=given.key(7)), has_key=False),
            },
            id="it was made from a CSR and the Secret holds no key",
        ),
        pytest.param(
            {"secret": given.secret(given.leaf(issued=NOW - 60 * DAY + timedelta(seconds=1)))},
            id="its renewal is due in a second",
        ),
    ],
)
def test_no_certificate_is_issued_where(world):
    assert _reason(**world) is None


@pytest.mark.parametrize(
    ("world", "lost"),
    [
        pytest.param({"secret": Unseen.ABSENT}, True, id="the Secret is gone"),
        pytest.param({"secret": given.broken()}, True, id="the certificate is garbled"),
        pytest.param({"secret": given.secret(has_key=False)}, True, id="the key is another"),
        pytest.param({"secret": Unseen.DENIED}, False, id="the Secret may not be read: unknown is no loss"),
        pytest.param({"secret": Unseen.UNKNOWN}, False, id="the Secret was not heard of: unknown is no loss"),
        pytest.param({"spec": given.spec(commonName="bob")}, False, id="the spec asks for something else"),
    ],
)
def test_what_was_handed_out_counts_as_lost_where(world, lost):
    assert (issuance.lost(given.certificate(**world)) is not None) is lost


def _issue(authority=None, **world):
    o = given.certificate(**world)
    lasts = issuance.lifetime(o.spec, given.issuer_spec())
    return issuance.issue(o, o.spec, authority or given.authority(), lasts, "a reason", NOW)


def test_a_certificate_begins_an_hour_back_and_lasts_as_the_issuer_says():
    issue = _issue()
    assert (issue.not_before, issue.not_after) == (NOW - HOUR, NOW + 90 * DAY)


@pytest.mark.parametrize(
    ("spec", "limits", "expected"),
    [
        pytest.param({}, {"duration": "30m"}, HOUR, id="the default of an issuer that is older than the limit"),
        pytest.param({"duration": "59m59s"}, {}, HOUR, id="the spec of a client that is older than the limit"),
        pytest.param({"duration": "1h"}, {}, HOUR, id="the shortest one"),
        pytest.param({"duration": "2h"}, {"duration": "30m"}, 2 * HOUR, id="the spec, whatever the default is"),
    ],
)
def test_no_certificate_lasts_less_than_an_hour_by(spec, limits, expected):
    assert issuance.lifetime(given.spec(**spec), given.issuer_spec(certificates=limits)) == expected


def test_a_certificate_lasts_as_its_spec_says():
    assert _issue(spec=given.spec(duration="720h")).not_after == NOW + 30 * DAY


def test_a_certificate_never_outlives_its_ca():
    assert _issue(given.authority(not_after=NOW + DAY)).not_after == NOW + DAY


def test_a_certificate_never_begins_before_its_ca():
    assert _issue(given.authority(not_before=NOW)).not_before == NOW


def test_a_certificate_says_the_spec_and_nothing_else():
    spec = given.spec(commonName="bob", subject={"organizations": ["ACME"]}, dnsNames=["bob.example"])
    issue = _issue(spec=spec)
    assert issue.subject.common_name == "bob"
    assert issue.subject.organizations == ("ACME",)
    assert issue.alt_names.dns_names == ("bob.example",)


def test_a_certificate_says_which_reissue_it_answers():
    assert _issue(spec=REISSUE).reissue == "2026-09-01"


def test_a_certificate_from_a_csr_is_for_the_key_of_the_csr():
    issue = _issue(spec=FROM_CSR, secret=Unseen.ABSENT)
    assert (issue.kind, issue.keep_key) == (P256, False)


NEVER = given.spec(privateKey={"rotationPolicy": "Never"})


@pytest.mark.parametrize(
    ("world", "keeps"),
    [
        pytest.param({"spec": NEVER}, True, id="the policy is Never"),
        pytest.param({}, False, id="the policy is Always"),
        pytest.param({"spec": NEVER, "secret": Unseen.ABSENT}, False, id="there is no Secret to keep it from"),
        pytest.param({"spec": NEVER, "secret": given.secret(has_key=False)}, False, id="the key does not fit"),
        pytest.param(
            {"spec": given.spec(privateKey={"rotationPolicy": "Never", "size": 384})},
            False,
            id="another kind is asked for",
        ),
        pytest.param(
            {"spec": NEVER, "records": (given.record(of=given.leaf(), revocation=given.revocation()),)},
            False,
            id="its serial was revoked",
        ),
        pytest.param({"spec": NEVER, "records": ()}, False, id="its serial is not recorded"),
        pytest.param(
            {"spec": NEVER, "issuer": given.issuer(barred_keys=frozenset([given.leaf().public_key_sha256]))},
            False,
            id="its key was compromised under another serial",
        ),
    ],
)
def test_the_key_is_kept_only_where_it_may_be(world, keeps):
    assert _issue(**world).keep_key is keeps


def _wanted(spec=None, request=None, **authority):
    return issuance.wanted(spec or given.spec(), request, given.authority(**authority))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_wanted(given.spec(commonName="bob")), id="the name"),
        pytest.param(_wanted(given.spec(uris=["spiffe://x/y"])), id="an alternative name"),
        pytest.param(_wanted(given.spec(privateKey={"algorithm": "Ed25519"})), id="the kind of key"),
        pytest.param(_wanted(request=given.request()), id="the CSR's key"),
        pytest.param(_wanted(REISSUE), id="what reissue says"),
        pytest.param(_wanted(generation=2), id="the CA's generation"),
        pytest.param(_wanted(public_key_sha256="00"), id="the CA's key"),
    ],
)
def test_a_signed_certificate_is_not_delivered_for_a_spec_that_differs_in(other):
    assert other != _wanted()


def test_a_signed_certificate_is_delivered_for_a_spec_that_says_the_same():
    assert _wanted(given.spec(revocationReason="superseded", secretTemplate={"labels": {"a": "b"}})) == _wanted()


def test_the_shown_record_is_found_by_fingerprint_not_by_serial():
    same_serial = given.record(of=given.leaf(), sha256="00" * 32)
    assert issuance.shown_record(given.certificate(records=(same_serial,))) is None
