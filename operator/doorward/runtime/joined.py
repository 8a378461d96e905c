"""The parts that look at keys, plan and write, joined to one Reconciler."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from doorward.certificates.apply import CertificateApplier
from doorward.certificates.memory import CertificateMemories
from doorward.certificates.observe import CertificateObserver
from doorward.certificates.orphaned import OrphanObserver
from doorward.clock import Clock
from doorward.cluster.gateway import Gateway
from doorward.gates.apply import TargetApplier
from doorward.gates.guarded.apply import GuardedApplier
from doorward.gates.guarded.observe import GuardedObserver
from doorward.gates.interface import DataPlane
from doorward.gates.observe import TargetObserver
from doorward.issuers.apply import IssuerApplier
from doorward.issuers.archive import ArchiveApplier
from doorward.issuers.memory import IssuerMemories
from doorward.issuers.observe import IssuerObserver
from doorward.issuers.retention import LedgerObserver
from doorward.pki.key_source import KeySource
from doorward.runtime.appliers import Appliers
from doorward.runtime.canary_probing import CanaryProbing
from doorward.runtime.cut_offs import CutOffRecorder
from doorward.runtime.guarded import GuardedServices
from doorward.runtime.looks import Certificates, Issuers, Ledgers, Targets
from doorward.runtime.metrics import Metrics
from doorward.runtime.probing import Probing
from doorward.runtime.reconcile import Reconciler
from doorward.runtime.told import ToldTargets
from doorward.runtime.troubles import Troubles
from doorward.view.apply import SharedWrites
from doorward.view.intake import Intake
from doorward.view.reads import Reads
from doorward.view.routing import Routing
from doorward.view.stores import View
from doorward.view.trust_domains import TrustDomains


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What several of them need."""

    view: View
    gateway: Gateway
    clock: Clock
    intake: Intake
    routing: Routing
    planes: Sequence[DataPlane]
    issuer_memories: IssuerMemories
    certificate_memories: CertificateMemories
    domains: TrustDomains
    cut_offs: CutOffRecorder
    writes: SharedWrites
    probing: Probing
    canaries: CanaryProbing
    told: ToldTargets


def joined(shared: Shared, source: KeySource, metrics: Metrics) -> tuple[Reconciler, Issuers]:
    """The Reconciler, and the part of it that looks at issuers."""
    s, reads, troubles = shared, Reads(shared.view, shared.gateway), Troubles(shared.clock)
    guarded_written: dict[str, datetime] = {}
    guarded = GuardedServices(s.view, GuardedObserver(s.view, s.planes), troubles, s.clock, guarded_written)
    issuers = _issuers(s, troubles, guarded)
    observer = CertificateObserver(s.view, s.domains, s.gateway, s.clock, reads)
    orphans = OrphanObserver(s.view, s.gateway, reads)
    reconciler = Reconciler(
        issuers,
        Ledgers(LedgerObserver(s.view, s.gateway, s.issuer_memories), s.clock),
        Certificates(observer, orphans, s.certificate_memories, s.clock, s.cut_offs),
        Targets(TargetObserver(s.view, reads, s.planes), s.probing, s.told, s.clock),
        guarded,
        _appliers(s, observer, GuardedApplier(s.gateway, s.intake, s.clock, guarded_written), source),
        s.writes,
        troubles,
        s.routing,
        s.clock,
        metrics,
    )
    return reconciler, issuers


def _issuers(s: Shared, troubles: Troubles, guarded: GuardedServices) -> Issuers:
    observer = IssuerObserver(s.view, s.gateway, s.clock, s.issuer_memories, s.planes)
    return Issuers(
        s.view,
        observer,
        s.issuer_memories,
        s.domains,
        s.routing,
        troubles,
        s.probing,
        s.canaries,
        guarded,
        s.told,
        s.clock,
    )


def _appliers(s: Shared, observer: CertificateObserver, guarded: GuardedApplier, source: KeySource) -> Appliers:
    return Appliers(
        CertificateApplier(
            s.view,
            s.domains,
            s.gateway,
            s.intake,
            s.certificate_memories,
            observer,
            s.writes,
            source,
            s.clock,
        ),
        IssuerApplier(
            s.view, s.gateway, s.intake, s.issuer_memories, source, s.clock, s.canaries.book, s.writes.teller
        ),
        ArchiveApplier(s.view, s.gateway, s.intake),
        TargetApplier(s.view, s.gateway, s.intake, s.writes.teller),
        guarded,
        s.writes,
    )
