"""Which ClientCertificate stands behind a serial, and whether it still gives access: the operator and the gate service both ask
here, so that they cannot differ.
"""

from enum import StrEnum

from doorward.objects.meta import ObjectKey


class CutOff(StrEnum):
    """Why a ClientCertificate gives no access, although it is there."""

    DELETED = "client_deleted"
    """It is being deleted: somebody's finalizer keeps it."""
    REVOKED = "client_revoked"
    SUSPENDED = "client_suspended"


def cut_off_by(*, deleting: bool, revoked: bool, suspended: bool) -> CutOff | None:
    """Why all serials of a ClientCertificate are to be refused; None: they are not."""
    if deleting:
        return CutOff.DELETED
    if revoked:
        return CutOff.REVOKED
    return CutOff.SUSPENDED if suspended else None


def stands_behind(named: ObjectKey, issuer: ObjectKey) -> bool:
    """Whether a ClientCertificate that names an issuer stands behind a serial that `issuer` signed for one of its name.

    UIDs are not compared. A backup is restored with new UIDs and is the same client. One that was deleted and created again
    gets nothing back by it: its serials are held since the deletion, and only an explicit act lifts that. A
    ClientCertificate that now names another issuer is another issuer's client.
    """
    return named == issuer
