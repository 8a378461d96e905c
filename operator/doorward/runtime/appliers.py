"""Which room carries out which action."""

from collections.abc import Awaitable
from typing import assert_never

from doorward.certificates.apply import CertificateApplier
from doorward.gates.apply import TargetApplier
from doorward.gates.guarded.apply import GuardedApplier
from doorward.issuers.apply import IssuerApplier
from doorward.issuers.archive import ArchiveApplier
from doorward.planning.plan import (
    Action,
    AddFinalizer,
    ApplyTarget,
    ArchiveRecords,
    CloseGate,
    CreateCa,
    DeleteGuarded,
    DeleteRecord,
    Deliver,
    EmptyArchive,
    Issue,
    MarkMissing,
    MarkSecretMissing,
    PatchTarget,
    PublishCrl,
    RecordAgain,
    RemoveFinalizer,
    RemoveGate,
    Revoke,
    RewriteSecret,
    WriteGate,
    WriteGuarded,
    WriteStatus,
)
from doorward.view.apply import SharedWrites
from doorward.view.keys import Key


class Appliers:
    """Carries plans out: ledger before Secret, ledger before CRL, CRL before gates, gates before the finalizer."""

    def __init__(
        self,
        certificates: CertificateApplier,
        issuers: IssuerApplier,
        archives: ArchiveApplier,
        targets: TargetApplier,
        guarded: GuardedApplier,
        shared: SharedWrites,
    ) -> None:
        self._certificates = certificates
        self._issuers = issuers
        self._archives = archives
        self._targets = targets
        self._guarded = guarded
        self._shared = shared

    def apply(self, key: Key, action: Action) -> Awaitable[str | None]:
        """Carry out one action. Which field of the answer is not as it was asked for; empty or None: none."""
        match action:
            case AddFinalizer() | RemoveFinalizer():
                return self._certificates.finalizer(key.at, action)
            case Issue():
                return self._certificates.issue(key.at, action)
            case Deliver():
                return self._certificates.deliver(key.at, action)
            case RewriteSecret():
                return self._certificates.rewrite(key.at, action)
            case RecordAgain():
                return self._certificates.record_again(key.at, action)
            case Revoke():
                return self._shared.revoke(key, action)
            case MarkMissing():
                return self._shared.mark_missing(key, action)
            case MarkSecretMissing():
                return self._shared.mark_secret_missing(key, action)
            case CreateCa():
                return self._issuers.create_ca(key.at, action)
            case PublishCrl():
                return self._issuers.publish(key.at, action)
            case WriteGate() | CloseGate() | RemoveGate():
                return self._issuers.gate(key.at, action)
            case ArchiveRecords():
                return self._archives.archive(key.at, action)
            case DeleteRecord():
                return self._archives.delete(action)
            case EmptyArchive():
                return self._archives.empty(key.at, action)
            case ApplyTarget():
                return self._targets.apply(key, action.fields)
            case PatchTarget():
                return self._targets.patch(key, action.patch)
            case WriteGuarded():
                return self._guarded.write(key, action)
            case DeleteGuarded():
                return self._guarded.delete(key, action)
            case WriteStatus():
                return self._shared.status(key, action)
            case _:
                assert_never(action)
