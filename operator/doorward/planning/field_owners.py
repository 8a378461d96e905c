"""Our own settings of a target that another field manager owns: they are told, and never fought over.

Only settings that admit and refuse nobody are left to others. Which trust bundle a target has, and whether a certificate is asked
for, is never left: it is written again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from doorward.api.issuer_gates import IngressSettings
from doorward.objects.meta import ObjectKey

Setting = Literal["verifyDepth", "errorPage", "passCertificateToUpstream"]
"""A field of the issuer's spec.ingress."""
MOST_TEXT = 120
"""Characters of a value or a manager in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetByOther:
    """One setting as it stands on the target."""

    setting: Setting
    field: str
    """What it is called on the target."""
    value: str
    manager: str

    def told(self, issuer: ObjectKey, wanted: str | None) -> str:
        """That it differs from what the issuer says, and what to do."""
        theirs, who = self.value[:MOST_TEXT], self.manager[:MOST_TEXT]
        return (
            f"{self.field} is {theirs}, set by field manager {who}, and MTLSIssuer {issuer} says {str(wanted)[:MOST_TEXT]}: remove it there,"
            f" or change spec.ingress.{self.setting}"
        )


def wanted_of(settings: IngressSettings) -> dict[Setting, str | None]:
    """The values that the issuer says, as they are written; None: it writes none."""
    return {
        "verifyDepth": str(settings.verify_depth),
        "errorPage": settings.error_page,
        "passCertificateToUpstream": "true" if settings.pass_certificate_to_upstream else None,
    }


def contested(found: Iterable[SetByOther], settings: IngressSettings) -> SetByOther | None:
    """The first that another manager set to something else than the issuer says; None: there is none."""
    wanted = wanted_of(settings)
    return next((each for each in found if wanted[each.setting] not in (None, each.value)), None)
