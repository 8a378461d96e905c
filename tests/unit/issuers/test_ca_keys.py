"""Which thread makes the keys of CAs: RSA takes a second of a core, and the cut-offs of others go before."""

import asyncio
import os
import threading
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

from doorward.issuers.apply import NICENESS, IssuerApplier
from doorward.pki.keys import KeyAlgorithm, KeyKind
from doorward.pki.subjects import Subject
from doorward.planning.plan import CreateCa
from tests.support.key_source import CountingKeySource
from tests.unit.given import DAY, NOW


class Watched(CountingKeySource):
    """What each is made in: its thread, and that one's niceness."""

    def __init__(self) -> None:
        super().__init__()
        self.key_in = self.serial_in = (0, 0)

    def key(self, kind):
        self.key_in = here()
        return super().key(kind)

    def serial(self):
        self.serial_in = here()
        return super().serial()


def here():
    thread = threading.get_native_id()
    return thread, os.getpriority(os.PRIO_PROCESS, thread)


def test_the_key_of_a_ca_is_made_in_a_thread_that_yields_the_cores_and_nothing_else_is():
    source, ours = Watched(), here()[1]
    kind = KeyKind(algorithm=KeyAlgorithm.ECDSA, size=256)
    action = CreateCa(
        because="", generation=1, subject=Subject(common_name="ca"), kind=kind, lifetime=timedelta(days=1), rotate=""
    )
    anything = SimpleNamespace()
    applier = IssuerApplier(anything, anything, anything, anything, source, anything, Mock(), Mock())
    asyncio.run(applier._make_ca(action, not_before=NOW, not_after=NOW + DAY))
    assert (source.key_in[1], source.serial_in[1]) == (min(19, ours + NICENESS), ours)
