"""What the tests of X.509 begin with: a template, a CA, entries, instants."""

from datetime import datetime, timedelta
from typing import Any

from doorward.pki.certificates import LeafTemplate
from doorward.pki.subjects import AltNames, Subject
from tests.unit.given import DAY, HOUR, NOW, key


def template(*, now: datetime = NOW, lasts: timedelta = 7 * DAY, **override: Any) -> LeafTemplate:
    """Alice's certificate as the operator would ask for it at `now`."""
    return LeafTemplate(
        **{
            "subject": Subject(common_name="alice"),
            "alt_names": AltNames(),
            "public_key": key().public_key(),
            "serial": 0xA1,
            "not_before": now - HOUR,
            "not_after": now + lasts,
        }
        | override
    )
