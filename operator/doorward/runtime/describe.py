"""Actions in words, for whoever must be told that one cannot be carried out."""

from doorward.objects.meta import ca_secret_name, crl_configmap_name, gate_secret_name
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
from doorward.view.keys import Key


def describe(key: Key, action: Action) -> str:
    """A verb phrase: "update Secret edge/alice-mtls"."""
    at = key.at
    match action:
        case AddFinalizer():
            text = f"add the finalizer to ClientCertificate {at}"
        case RemoveFinalizer():
            text = f"remove the finalizer from ClientCertificate {at}"
        case Issue():
            text = f"record a certificate in the ledger of MTLSIssuer {action.issuer} and write Secret {action.form.secret}"
        case Deliver():
            text = f"record a certificate in the ledger and write Secret {action.form.secret}"
        case RewriteSecret():
            text = f"update Secret {action.form.secret}"
        case RecordAgain():
            text = f"restore a record in the ledger of MTLSIssuer {action.issuer}"
        case Revoke():
            text = f"update IssuedCertificate {action.record.key} with its revocation"
        case MarkMissing():
            text = f"annotate IssuedCertificate {action.record.key} with whether its ClientCertificate is missing"
        case MarkSecretMissing():
            text = f"annotate IssuedCertificate {action.records[0].key} with whether its Secret is missing"
        case CreateCa():
            text = f"create Secret {at.namespace}/{ca_secret_name(at.name, action.generation)}"
        case PublishCrl():
            text = f"write the CRL into ConfigMap {at.namespace}/{crl_configmap_name(at.name)}"
        case WriteGate():
            text = f"write Secret {action.namespace}/{gate_secret_name(at)}"
        case CloseGate():
            text = f"close the gate in Secret {action.namespace}/{gate_secret_name(at)}"
        case RemoveGate():
            text = f"delete Secret {action.namespace}/{gate_secret_name(at)}"
        case ArchiveRecords():
            text = f"archive expired records of {action.month} in namespace {at.namespace}"
        case DeleteRecord():
            text = f"delete the archived IssuedCertificate {action.record.key}"
        case EmptyArchive():
            text = f"empty the archive of {action.month} of MTLSIssuer {at}"
        case ApplyTarget() | PatchTarget():
            text = f"update {key}"
        case WriteGuarded():
            text = f"write ConfigMap {at}"
        case DeleteGuarded():
            text = f"delete ConfigMap {at}"
        case WriteStatus():
            text = f"write the status of {key}"
    return text
