"""Of each reason: what ends it, and what makes the operator notice. Nothing waits for an edit or a restart that nobody owes it."""

import inspect
from typing import NamedTuple

import pytest

from doorward.api.reason import Mender
from doorward.api.reasons import BY_CONDITION, REASONS
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    ROLE_BINDING,
    SECRET,
)
from tests.unit.planning import test_lineage
from tests.unit.runtime import (
    test_attacks_clock,
    test_budget,
    test_ca_secret,
    test_canary,
    test_closed_gates,
    test_crl_overflow,
    test_ends,
    test_guarded,
    test_key_owner,
    test_losses,
    test_mending,
    test_missing_rights,
    test_not_settling,
    test_probes,
    test_refused,
    test_retention,
    test_separated,
    test_unsynced,
)

CLIENT, MTLS, RECORD = CLIENT_CERTIFICATE.name, ISSUER.name, ISSUED_CERTIFICATE.name
MAP, SEC, SPACE, BINDING, HOST = CONFIG_MAP.name, SECRET.name, NAMESPACE.name, ROLE_BINDING.name, INGRESS.name
EVENTS = {CLIENT, MTLS, RECORD, MAP, SEC, SPACE, BINDING, HOST}


class Ends(NamedTuple):
    """What ends it; the kinds of which an event makes the operator look again; where it is due at a time, when, and the test
    that shows that it ends then with no event at all.
    """

    by: str
    events: tuple[str, ...] = ()
    due: str = ""
    shown: object = None


ENDS: dict[str, Ends] = {
    # Ready of a ClientCertificate
    "Issued": Ends(
        "a successor", (SEC, CLIENT, MTLS), "its renewal", test_ends.test_a_certificate_is_renewed_when_its_time_comes
    ),
    "CutOff": Ends("spec.revoked: false", (CLIENT,)),
    "Suspended": Ends("spec.suspended: false", (CLIENT,)),
    "Deleting": Ends(
        "the CRL that names all serials, or patience",
        (MAP, CLIENT),
        "30 s after the deletion, then every 5 s",
        test_mending.test_a_crl_that_cannot_be_written_holds_a_deletion_back_without_turning_the_loop,
    ),
    "NamespaceTerminating": Ends("the end of the namespace, with all that is in it", (SPACE, CLIENT)),
    "InvalidSpec": Ends("another spec", (CLIENT, MTLS)),
    "InvalidRequest": Ends("another CSR", (CLIENT,)),
    "KeyCompromised": Ends("another CSR", (CLIENT,)),
    "KeyTaken": Ends(
        "another CSR, the end of the other client, or of its certificates",
        (CLIENT,),
        "the end of the other's last certificate, at most an hour",
        test_key_owner.test_a_key_is_free_when_its_owner_is_gone_and_its_certificates_have_expired,
    ),
    "IssuerNotFound": Ends("an MTLSIssuer of that name", (MTLS,)),
    "IssuerNotReady": Ends("an MTLSIssuer that signs, which wakes its clients", (MTLS, SEC, MAP)),
    "NamespaceNotAllowed": Ends("another rule, or other labels", (MTLS, SPACE)),
    "SubjectNotAllowed": Ends("another rule, or other names", (MTLS, CLIENT)),
    "KeyNotAllowed": Ends("another rule, or another key", (MTLS, CLIENT)),
    "DurationTooLong": Ends("another rule, or another duration", (MTLS, CLIENT)),
    "SecretNameTaken": Ends("the end of the other client, or its Secret", (CLIENT, SEC)),
    "SecretUnmanaged": Ends("the Secret is moved away", (SEC,)),
    "SecretCopied": Ends("the copy is deleted", (SEC,)),
    "SecretMissing": Ends(
        "the Secret, or another certificate",
        (SEC,),
        "5 s after it was missed",
        test_losses.test_a_secret_that_is_missing_is_soon_there_again_and_the_old_file_works_for_a_day_when,
    ),
    "SecretImmutable": Ends("the Secret is deleted, or need not be written", (SEC, CLIENT)),
    "SecretNameReserved": Ends("another ClientCertificate, since the name is immutable", (CLIENT,)),
    "PasswordMissing": Ends("a Secret with a password", (SEC, CLIENT)),
    "NotPermitted": Ends("a RoleBinding", (BINDING,)),
    "SecretRefused": Ends(
        "another policy or quota",
        (),
        "2 s after the refusal, at most 5 min",
        test_mending.test_a_secret_that_is_refused_again_and_again_costs_one_serial,
    ),
    "ReissueBudgetSpent": Ends(
        "time",
        (CLIENT,),
        "when the next certificate may be issued",
        test_ends.test_a_client_that_used_up_its_budget_is_issued_to_when_it_has_one_again,
    ),
    "CertificateLimitReached": Ends(
        "certificates that expire",
        (CLIENT, MTLS),
        "every 10 min",
        test_budget.test_a_client_beyond_a_limit_waits_until_others_have_expired,
    ),
    "DurationTooShort": Ends(
        "another spec", (CLIENT,), "its renewal", test_ends.test_a_certificate_is_renewed_when_its_time_comes
    ),
    "RenewBeforeTooLong": Ends(
        "another spec", (CLIENT,), "its renewal", test_ends.test_a_certificate_is_renewed_when_its_time_comes
    ),
    "ClockSkewed": Ends(
        "a clock that is set",
        (),
        "every 5 s",
        test_attacks_clock.test_an_api_server_whose_clock_was_turned_delays_a_cut_off_until_it_is_right,
    ),
    # Admitted
    "Live": Ends(
        "a revocation, another CA, or the end of the certificate",
        (RECORD, MAP, CLIENT, MTLS),
        "its notAfter",
        test_ends.test_a_client_that_cannot_be_renewed_is_said_to_have_no_access_when_its_certificate_expires,
    ),
    "Revoked": Ends("spec.revoked: false", (CLIENT,)),
    "OnHold": Ends("spec.suspended: false", (CLIENT,)),
    "LettingIn": Ends("the next CRL", (MAP,)),
    "CuttingOff": Ends("the next CRL", (MAP,)),
    "AccessChanging": Ends("the next CRL", (MAP,)),
    "CaNotTrusted": Ends("a certificate of the next CA, or the CA renewed", (MTLS, MAP, SEC)),
    "NoIssuer": Ends("an MTLSIssuer of that name", (MTLS,)),
    "NotIssued": Ends("a certificate, as soon as Ready lets it", (CLIENT, MTLS, SEC, RECORD)),
    "NoneValid": Ends("a certificate, as soon as Ready lets it", (CLIENT, MTLS, SEC, RECORD)),
    "Expired": Ends("a certificate, as soon as Ready lets it", (CLIENT, MTLS, SEC, RECORD)),
    # Ready of an MTLSIssuer
    "Signing": Ends(
        "the end of the CA, or another one",
        (SEC, MTLS, MAP),
        "its notAfter, or its renewal",
        test_ends.test_a_ca_of_a_persons_own_is_said_to_have_expired_when_it_does,
    ),
    "CaSecretMissing": Ends("the Secret", (SEC,)),
    "CaSecretInvalid": Ends("another Secret", (SEC,)),
    "CaExpired": Ends("another CA", (SEC, MTLS)),
    "CaNotYetValid": Ends(
        "time, or another CA",
        (SEC,),
        "its notBefore",
        test_ends.test_a_ca_that_is_not_valid_yet_signs_as_soon_as_it_is,
    ),
    "CaAnnounced": Ends(
        "gates that have taken the CA, or patience",
        (SEC,),
        "when they have, at most 10 min",
        test_lineage.test_a_next_ca_that_waits_for_a_gate_is_due_when_it_waits_no_longer,
    ),
    "CaDistrusted": Ends("another CA, or another spec", (SEC, MTLS)),
    "CaKeyShared": Ends("another key in one of the two", (SEC, MTLS)),
    "ClusterCa": Ends(
        "another CA, of the issuer's or of the cluster's",
        (SEC,),
        "every 10 min, since the cluster's is not watched",
        test_ends.test_a_ca_is_no_longer_the_clusters_own_when_the_cluster_has_another,
    ),
    "CaReplaced": Ends("the Secret as it was, or spec.ca.distrust", (SEC, MTLS)),
    "CaSecretUnmanaged": Ends("the Secret is moved away, or gets its labels", (SEC,)),
    "CrlUnmanaged": Ends(
        "the ConfigMap is moved away",
        (),
        "every minute, since what is not Doorward's is not watched",
        test_ends.test_a_configmap_in_the_way_is_missed_when_somebody_moves_it,
    ),
    "CrlFull": Ends("another CA", (SEC,)),
    "WriteRefused": Ends(
        "another policy or right",
        (),
        "after a rest, at most 5 min",
        test_refused.test_a_refused_update_of_the_crl_is_told_while_a_client_is_not_cut_off,
    ),
    "NotSettling": Ends(
        "only one that writes",
        (),
        "after a minute, then twice as long, up to an hour",
        test_not_settling.test_what_was_changed_settles_when_the_policy_is_gone,
    ),
    "ReconcileFailed": Ends(
        "whatever it says",
        (),
        "after a rest, at most 5 min",
        test_missing_rights.test_what_ends_the_work_on_an_issuer_is_told_by_its_status_and_until_it_is_over,
    ),
    # CRLCurrent
    "Published": Ends(
        "the end of the CRL, or another one",
        (MAP, RECORD),
        "its renewal, or its nextUpdate",
        test_ends.test_a_crl_that_nobody_can_renew_is_said_to_have_expired_when_it_does,
    ),
    "NotPublished": Ends("a CRL, as soon as Ready lets it", (MAP, SEC, MTLS)),
    # GatesCurrent
    "AllCurrent": Ends("another CRL, or a gate that changes", (SEC, MAP, HOST)),
    "NoGates": Ends("a host that names the issuer", (HOST,)),
    "GatesNotClosed": Ends(
        "a gate that can be deleted",
        (SEC, BINDING),
        "after 15 s, at most 2 min",
        test_closed_gates.test_what_is_refused_is_told_and_tried_again_ever_more_seldom,
    ),
    "SomeNotCurrent": Ends(
        "a gate that can be written",
        (SEC, BINDING, SPACE),
        "every 5 s where it was tried",
        test_refused.test_a_refused_gate_is_told_by_its_issuer,
    ),
    "TargetsNotWritten": Ends(
        "a host that can be written",
        (HOST,),
        "when the host is due",
        test_refused.test_an_ingress_that_cannot_be_written_is_told_by_its_issuer,
    ),
    # Enforced
    "ProbesRefused": Ends(
        "a probe that is answered, or a replica that cannot be probed",
        (HOST,),
        "every 15 s to 3 min",
        test_probes.test_an_open_host_is_told_at_once_on_the_issuer_and_the_ingress_with_an_event_each,
    ),
    "Open": Ends(
        "a probe that is refused",
        (HOST,),
        "every 10 s",
        test_probes.test_an_open_host_is_told_at_once_on_the_issuer_and_the_ingress_with_an_event_each,
    ),
    "ControllerHangs": Ends(
        "a probe that is answered",
        (HOST,),
        "every 10 s",
        test_probes.test_a_replica_that_hangs_is_unknown_and_then_false_and_true_when_it_answers_again,
    ),
    "NotReachable": Ends(
        "a probe that is answered",
        (HOST,),
        "every 10 s",
        test_probes.test_a_replica_that_hangs_is_unknown_and_then_false_and_true_when_it_answers_again,
    ),
    "NotVerified": Ends(
        "a probe that is refused",
        (HOST,),
        "5 s after a change",
        test_probes.test_nothing_is_called_enforced_before_it_was_probed,
    ),
    # Others of an MTLSIssuer
    "SomeNotProtected": Ends("an Ingress that is protected again", (HOST, MTLS, SEC)),
    "Generated": Ends("another MTLSIssuer, since the choice is immutable", (MTLS,)),
    "SharedCA": Ends("another MTLSIssuer, since the choice is immutable", (MTLS,)),
    "NextCaShown": Ends(
        "gates that have taken the CA",
        (SEC,),
        "when they have",
        test_lineage.test_a_next_ca_that_waits_for_a_gate_is_due_when_it_waits_no_longer,
    ),
    "NextCaAwaitsGates": Ends(
        "gates that can be reached, or patience",
        (SEC, BINDING),
        "when a sixth of the CA's lifetime is left, or after 10 min where its key is gone",
        test_lineage.test_a_next_ca_that_waits_for_a_gate_is_due_when_it_waits_no_longer,
    ),
    "ClientsMoving": Ends(
        "the last certificate of the old CA", (RECORD,), "its notAfter", test_lineage.test_the_gates_are_shown
    ),
    "OldCaDropped": Ends(
        "the last certificate of the old CA",
        (RECORD,),
        "its notAfter",
        test_ca_secret.test_it_is_told_that_a_ca_whose_key_is_gone_was_dropped_for_a_revocation,
    ),
    "CrlLarge": Ends("a smaller CRL", (MAP,)),
    "CaGenerationClosed": Ends(
        "the last certificate of that CA, or another spec",
        (MAP, MTLS),
        "the next CRL",
        test_crl_overflow.test_the_issuer_says_what_happened_and_goes_on,
    ),
    "CaFilesUnused": Ends(
        "another Secret, or the certificate that begins later is used",
        (SEC,),
        "its notBefore",
        test_ca_secret.test_a_certificate_that_begins_later_is_used_when_its_time_comes,
    ),
    "CaKeyInSecret": Ends("a certificate that can be used", (SEC,)),
    "CaKeyInMemory": Ends("the Secret as it was, or the last certificate of that CA", (SEC, RECORD)),
    "CaKeyNotLoaded": Ends("the Secret as it was", (SEC,)),
    "CaNotRestored": Ends("the Secret of the backup, or a distrust", (SEC, MTLS)),
    "CaSecretUnproven": Ends("the Secret is deleted, or proven", (SEC, MAP)),
    "DurationOutOfRange": Ends("another spec", (MTLS,)),
    "HandshakeOnly": Ends("another spec", (MTLS,)),
    "ServicesNotGuarded": Ends(
        "a ConfigMap that can be written",
        (HOST, MAP),
        "when the namespace is due",
        test_guarded.test_a_write_that_is_refused_is_said_by_the_issuer_until_it_is_taken,
    ),
    "ServicesUnprotected": Ends("another Ingress", (HOST,)),
    "SourceNotSynced": Ends(
        "a list that succeeds, which wakes those it concerns",
        (),
        "every 2 to 60 s",
        test_unsynced.test_a_list_that_fails_for_minutes_is_named_on_the_issuer_until_it_is_synced,
    ),
    "ClusterRolledBack": Ends("a restart of the operator: it stays until somebody has read it", (MTLS,)),
    "ArchiveRefused": Ends(
        "another policy or right",
        (),
        "after a rest, at most 5 min",
        test_retention.test_no_record_is_deleted_while_its_archive_cannot_be_written,
    ),
    "ArchiveIndexInvalid": Ends("another ConfigMap", (MAP,)),
    "CanaryRefused": Ends(
        "a canary of a later CRL that is admitted",
        (MAP, MTLS),
        "30 s after that CRL",
        test_canary.test_a_controller_that_loads_no_new_crl_is_said_after_half_a_minute_until_it_does,
    ),
    "RevokedCanaryAdmitted": Ends(
        "a canary that is refused",
        (MAP, MTLS),
        "every 5 s, and a CRL for another canary every 10 min",
        test_canary.test_a_controller_that_loads_no_new_crl_is_said_after_half_a_minute_until_it_does,
    ),
    "SessionsResumed": Ends(
        "a canary whose session is not resumed",
        (MAP, MTLS),
        "with the next CRL",
        test_canary.test_a_session_that_is_resumed_is_said_until_none_is,
    ),
    "CutOffNotVerified": Ends(
        "a canary that is refused",
        (MAP, MTLS),
        "with the next CRL",
        test_canary.test_the_first_canary_comes_with_a_crl_that_is_published_anyway,
    ),
    # HostsSeparated
    "EveryRequestChecked": Ends(
        "an Ingress at which the gate service is not asked, another enforcement.mode, or a probe that is not refused",
        (HOST, MTLS),
        "every 15 s to 3 min",
        test_separated.test_annotations_are_not_believed_where_no_probe_shows_that_the_host_is_served,
    ),
    "GateServiceNotAsked": Ends("a canary that the gate service refuses", (MAP, MTLS)),
    "UnknownNamesRefused": Ends(
        "a TLS handshake that is accepted",
        (),
        "every 15 s",
        test_separated.test_each_change_of_the_controller_is_said_within_seconds,
    ),
    "SessionsSeparated": Ends(
        "a canary of a later CRL that is admitted",
        (MAP, MTLS),
        "with the next CRL",
        test_canary.test_a_session_that_is_resumed_without_the_name_of_its_host_is_said_until_none_is,
    ),
    "OtherCAWithoutSNI": Ends(
        "a TLS handshake that names no other CA",
        (HOST,),
        "every 15 s",
        test_separated.test_each_change_of_the_controller_is_said_within_seconds,
    ),
    "SessionsOfOtherHosts": Ends(
        "a canary whose session is not resumed, or handshakes that are refused",
        (MAP, MTLS),
        "with the next CRL",
        test_canary.test_a_session_that_is_resumed_without_the_name_of_its_host_is_said_until_none_is,
    ),
    "SeparationNotVerified": Ends(
        "a TLS handshake that is refused, or a canary",
        (MAP, MTLS, HOST),
        "every 15 s",
        test_separated.test_each_change_of_the_controller_is_said_within_seconds,
    ),
    # Gate of a host
    "FoundOpen": Ends(
        "a probe that is refused",
        (HOST,),
        "every 10 s",
        test_probes.test_an_open_host_is_told_at_once_on_the_issuer_and_the_ingress_with_an_event_each,
    ),
    "Protected": Ends("a gate or a host that changes", (SEC, HOST, MTLS)),
    "NoSuchIssuer": Ends("an MTLSIssuer of that name", (MTLS, HOST)),
    "IssuerNotRead": Ends("a valid spec", (MTLS,)),
    "GateMissing": Ends("the gate's Secret", (SEC,)),
    "GateUnmanaged": Ends("the Secret is deleted", (SEC,)),
    "GateOutOfReach": Ends("a RoleBinding", (BINDING,)),
    "GateClosing": Ends("the gate's Secret goes", (SEC,)),
    "NotAllowedHere": Ends("another rule, or other labels", (MTLS, SPACE)),
    "BadReference": Ends("another annotation", (HOST,)),
    "OtherSecret": Ends("another annotation", (HOST,)),
    "NotEnforced": Ends("another Ingress", (HOST,)),
    "HostShared": Ends("another Ingress", (HOST,)),
    "NotServed": Ends("another Ingress", (HOST,)),
    "PlainHTTP": Ends("another Ingress", (HOST,)),
    "HostlessAuthTLS": Ends("another Ingress", (HOST,)),
    "SameServiceElsewhere": Ends("another Ingress", (HOST,)),
    "PathShared": Ends("another Ingress", (HOST,)),
    "NoAuthLocation": Ends("another Ingress", (HOST,)),
    "ListNotEnforced": Ends("another annotation, another enforcement.mode, or the gate service", (HOST, MTLS)),
    "ListNotRead": Ends("another annotation", (HOST,)),
    "ListedNotSelectable": Ends("another list of namespaces, or another annotation", (MTLS, HOST)),
    "OptionalNotAllowed": Ends("another rule, or another annotation", (MTLS, HOST)),
    "NotAsked": Ends("another annotation, or another enforcement.mode", (HOST, MTLS)),
    "FieldConflict": Ends(
        "only one that writes",
        (HOST,),
        "after a minute, then twice as long, up to an hour",
        test_not_settling.test_a_policy_that_changes_an_annotation_of_the_ingress_is_told_on_it_and_by_its_issuer,
    ),
}


def test_every_reason_has_an_end():
    assert ENDS.keys() == REASONS.keys()


@pytest.mark.parametrize("name", REASONS)
def test_something_makes_the_operator_notice_the_end(name):
    ends = ENDS[name]
    assert ends.by
    assert ends.events or ends.due
    assert set(ends.events) <= EVENTS


@pytest.mark.parametrize("name", [name for name, ends in ENDS.items() if ends.due])
def test_what_is_due_at_a_time_is_shown_by_a_test(name):
    shown = ENDS[name].shown
    assert inspect.isfunction(shown)
    assert shown.__name__.startswith("test_")


@pytest.mark.parametrize("name", [name for name, reason in REASONS.items() if reason.mender is Mender.ITSELF])
def test_what_passes_by_itself_waits_for_nobodys_edit(name):
    ends = ENDS[name]
    assert ends.due or set(ends.events) & {MAP, SEC, SPACE}


def test_every_condition_is_in_the_table():
    assert {name for table in BY_CONDITION.values() for name in table} == ENDS.keys()
