"""What a reason is: a word for a condition, what it means, how it is said of one object, and who has to act."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Mender(StrEnum):
    """By whom action is required."""

    NOBODY = "nobody"
    OWNER = "the owner of the object"
    ISSUER = "the owner of the MTLSIssuer"
    CLUSTER = "a cluster administrator"
    ITSELF = "nobody, it ends by itself"


Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of one condition; `message` is a template for `str.format`."""

    name: str
    condition: str
    status: Status
    doc: str
    message: str
    mender: Mender


def table(condition: str, *rows: tuple[str, Status, Mender, str, str]) -> dict[str, Reason]:
    return {
        name: Reason(name=name, condition=condition, status=status, doc=doc, message=message, mender=mender)
        for name, status, mender, doc, message in rows
    }
