"""Every metric of the operator: name, type, labels and what it means. docs/reference/metrics.md is made from this table.

Labels are bounded: no client, serial number or message is ever in one. Series of an issuer go with the issuer.
"""

from dataclasses import dataclass
from typing import Literal

from doorward.planning.targets_told import CLOSED_OR_PROTECTED

ISSUER_LABELS = ("issuer_namespace", "issuer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One metric."""

    name: str
    """As it is exposed, with its unit; of a counter with `_total`, of a histogram without its suffixes."""
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Of a histogram: upper bounds."""


_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 6.0)
_PASSES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)

# Certificates and CRL, by issuer

CERTIFICATES = Definition(
    name="doorward_certificates",
    type="gauge",
    labels=(*ISSUER_LABELS, "state"),
    help="Certificates in the ledger of the issuer, by state: live; held (suspended, or deleted within the undo window);"
    " revoked (or signed by a CA generation that the gates no longer trust); expired without a revocation.",
)
NEXT_EXPIRY = Definition(
    name="doorward_certificate_next_expiry_seconds",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Seconds until the next live certificate of the issuer expires. Absent if the issuer has no live certificate.",
)
LEDGER_RECORDS = Definition(
    name="doorward_ledger_records",
    type="gauge",
    labels=ISSUER_LABELS,
    help="IssuedCertificate objects of the issuer.",
)
ARCHIVED_RECORDS = Definition(
    name="doorward_archived_records",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Records in the archive of the issuer. Absent if the index of the archive cannot be read.",
)
CRL_NUMBER = Definition(
    name="doorward_crl_number",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Highest CRL number that is published. All CRL metrics are absent while no CRL is published, and on a process"
    " that does not lead.",
)
CRL_AGE = Definition(
    name="doorward_crl_age_seconds",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Seconds since the published CRL was signed. thisUpdate is one hour earlier.",
)
CRL_NEXT_UPDATE = Definition(
    name="doorward_crl_next_update_seconds",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Seconds until nextUpdate of the published CRL. If it is negative, gates refuse all clients of the issuer.",
)
CRL_ENTRIES = Definition(
    name="doorward_crl_entries",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Serial numbers that the published CRL names.",
)
CRL_BYTES = Definition(
    name="doorward_crl_size_bytes",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Size of the published trust bundle: CA certificates and CRLs, in PEM format.",
)
CRL_RATIO = Definition(
    name="doorward_crl_size_ratio",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Size of the published trust bundle divided by the limit of its ConfigMap. From 0.9 the rest is reserved for"
    " explicit revocations. A CA generation whose revocations do not fit is closed: gates refuse all its certificates.",
)

GATES_CURRENT = Definition(
    name="doorward_gates_current",
    type="gauge",
    labels=ISSUER_LABELS,
    help="1 if all gates of the issuer hold its published CRL or admit nobody, else 0. Absent on a process that does not lead.",
)
CA_EXPIRY = Definition(
    name="doorward_ca_expiry_seconds",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Seconds until the last CA generation that the gates trust expires. A successor counts as soon as it is published."
    " Absent while no CRL is published.",
)
CA_LIFETIME = Definition(
    name="doorward_ca_lifetime_seconds",
    type="gauge",
    labels=ISSUER_LABELS,
    help="Lifetime of the CA generation that signs certificates now, from notBefore to notAfter. Absent while none can sign.",
)

# Cut-offs

CUT_OFFS_PENDING = Definition(
    name="doorward_cut_offs_pending",
    type="gauge",
    labels=("stage",),
    help="Cut-offs that wait for a stage. ledger: clients whose ledger records are not all revoked. crl: certificates"
    " that no committed CRL names yet. gates: certificates that not all gates refuse yet. Always 0 on a process that does"
    " not lead.",
)
CUT_OFF_OLDEST = Definition(
    name="doorward_cut_off_oldest_pending_seconds",
    type="gauge",
    labels=("stage",),
    help="Seconds since the cut-off began that has waited longest for the stage. 0 if none is pending.",
)
CUT_OFF_STAGE = Definition(
    name="doorward_cut_off_stage_duration_seconds",
    type="histogram",
    labels=("stage",),
    help="Duration of one stage of the cut-off of one certificate. ledger: from the deletion, revocation or suspension of"
    " the ClientCertificate until its ledger record is revoked. crl: until a CRL that names the serial number is"
    " committed. gates: until all gates hold that CRL.",
    buckets=_SECONDS,
)
CUT_OFF = Definition(
    name="doorward_cut_off_duration_seconds",
    type="histogram",
    help="Duration of the cut-off of one certificate, from the deletion, revocation or suspension of the"
    " ClientCertificate until all gates hold a CRL that names the serial number.",
    buckets=_SECONDS,
)

# Writes

WRITES = Definition(
    name="doorward_writes_total",
    type="counter",
    labels=("kind", "subresource", "verb", "result"),
    help="Writes to the Kubernetes API that have ended, by kind of object, verb and result.",
)
WRITES_REFUSED = Definition(
    name="doorward_writes_refused_total",
    type="counter",
    labels=("kind", "subresource", "code"),
    help="Writes that the API server, or a policy, webhook or quota, refused, by kind of object and HTTP status code.",
)

# Work

EVENTS = Definition(
    name="doorward_events_total",
    type="counter",
    labels=("outcome",),
    help="Kubernetes Events by what became of them: written, refused (by the API server), or left_out (too many at once).",
)
PASSES = Definition(
    name="doorward_reconcile_passes",
    type="histogram",
    labels=("kind",),
    help="Passes of observe, plan and apply that one reconciliation of an object took, by kind: certificate, issuer,"
    " ledger (the archiving of its records) or target.",
    buckets=_PASSES,
)
NOT_SETTLED = Definition(
    name="doorward_reconcile_not_settled_total",
    type="counter",
    labels=("kind",),
    help="Reconciliations that still had something to write after the last pass, or whose writes another controller or a"
    " policy undid or changed.",
)
QUEUE_DEPTH = Definition(
    name="doorward_queue_depth",
    type="gauge",
    labels=("priority",),
    help="Objects that wait for a worker, by priority.",
)
QUEUE_WAIT = Definition(
    name="doorward_queue_wait_seconds",
    type="histogram",
    labels=("priority",),
    help="Time that an object waited for a worker, by priority.",
    buckets=_SECONDS,
)
WORK_DURATION = Definition(
    name="doorward_work_duration_seconds",
    type="histogram",
    labels=("priority", "result"),
    help="Duration of one reconciliation of an object, by priority and result: done, failed (for example a refused"
    " write), not_settled, or bug.",
    buckets=_SECONDS,
)

# Probes of gates

GATE_HOSTS = Definition(
    name="doorward_gate_hosts",
    type="gauge",
    labels=(*ISSUER_LABELS, "enforced"),
    help="Hosts that admit only the clients of the issuer, by what probes show: True, False (clients without a certificate have"
    " access, or a replica of the ingress controller hangs) or Unknown.",
)
INGRESSES = Definition(
    name="doorward_ingresses",
    type="gauge",
    labels=(*ISSUER_LABELS, "reason"),
    help="Ingresses that name the issuer, by the reason that their annotation doorward.io/gate says. These reasons mean that"
    f" nothing visible opens the host, or that GatesCurrent of the issuer says why: {', '.join(sorted(CLOSED_OR_PROTECTED))}."
    " HostsProtected of the issuer counts the Ingresses of all other reasons.",
)
CANARY_SECONDS = Definition(
    name="doorward_canary_refused_after_seconds",
    type="gauge",
    labels=(*ISSUER_LABELS, "replica"),
    help="Seconds from the publication of the CRL that revokes the issuer's last canary until the replica of the ingress controller"
    " refused it at all gates. Absent until then, without `spec.enforcement.canary`, and after a restart of the operator until the"
    " next CRL.",
)
CANARY_ADMITTED = Definition(
    name="doorward_canary_admitted_gates",
    type="gauge",
    labels=(*ISSUER_LABELS, "replica"),
    help="Gates of the issuer at which the replica still admits a certificate that the published CRL revokes, though it had 30 seconds"
    " to load the CRL. Above 0, clients whose access is revoked may have access there.",
)
PROBES = Definition(
    name="doorward_probes_total",
    type="counter",
    labels=("verdict",),
    help="Probes of one host at one replica of the ingress controller, by what they show: refused (as it should be), open, silent,"
    " unreachable or unclear.",
)

# The process

LOOP_LAG = Definition(
    name="doorward_event_loop_lag_seconds",
    type="histogram",
    help="How late the event loop ran a timer, measured 20 times per second.",
    buckets=_LAG,
)
LOOP_LAG_MAX = Definition(
    name="doorward_event_loop_lag_max_seconds",
    type="gauge",
    help="Longest lag of the event loop in the last 5 minutes.",
)
SOURCES_NOT_SYNCED = Definition(
    name="doorward_sources_not_synced",
    type="gauge",
    labels=("resource", "namespace"),
    help="Lists of objects that could not be read yet, by resource and namespace (empty: all namespaces). Absent if all are"
    ' synced. Above 100 lists, the rest is counted in namespace "(others)".',
)
LEADER = Definition(
    name="doorward_leader",
    type="gauge",
    help="1 if this process leads and writes to the cluster, else 0.",
)
LEASE_AGE = Definition(
    name="doorward_lease_renewal_age_seconds",
    type="gauge",
    help="Seconds since this process last renewed its Lease. Absent on a process that does not hold the Lease.",
)
KOPF_RESTARTS = Definition(
    name="doorward_kopf_restarts_total",
    type="counter",
    help="How often the Kopf watcher stopped and was restarted.",
)

DEFINITIONS = (
    CERTIFICATES,
    NEXT_EXPIRY,
    LEDGER_RECORDS,
    ARCHIVED_RECORDS,
    CRL_NUMBER,
    CRL_AGE,
    CRL_NEXT_UPDATE,
    CRL_ENTRIES,
    CRL_BYTES,
    CRL_RATIO,
    GATES_CURRENT,
    CA_EXPIRY,
    CA_LIFETIME,
    CUT_OFFS_PENDING,
    CUT_OFF_OLDEST,
    CUT_OFF_STAGE,
    CUT_OFF,
    WRITES,
    WRITES_REFUSED,
    EVENTS,
    PASSES,
    NOT_SETTLED,
    QUEUE_DEPTH,
    QUEUE_WAIT,
    WORK_DURATION,
    GATE_HOSTS,
    INGRESSES,
    CANARY_SECONDS,
    CANARY_ADMITTED,
    PROBES,
    LOOP_LAG,
    LOOP_LAG_MAX,
    SOURCES_NOT_SYNCED,
    LEADER,
    LEASE_AGE,
    KOPF_RESTARTS,
)
