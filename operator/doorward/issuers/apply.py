"""An issuer's actions to writes: its CA, its CRL, its gates."""

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from cryptography import x509

from doorward.clock import Clock
from doorward.cluster.errors import AlreadyExists, NotFound
from doorward.cluster.gateway import CONFIG_MAP, SECRET, Gateway
from doorward.gates.apply import GateApplier, Newer
from doorward.gates.memory import GateMemory
from doorward.issuers.memory import Committed, IssuerMemories, IssuerMemory
from doorward.issuers.publish import Publisher
from doorward.logged import about
from doorward.objects import ca_secret
from doorward.objects.meta import ObjectKey, crl_configmap_name
from doorward.pki.certificates import build_ca
from doorward.pki.key_source import KeySource
from doorward.pki.keys import SecretBytes, private_key_pem, public_key_sha256
from doorward.pki.pem import certificate_pem
from doorward.planning import timing
from doorward.planning.notices import notice
from doorward.planning.plan import CloseGate, CreateCa, GateAction, PublishCrl, RemoveGate, WriteGate
from doorward.probes.canary_book import CanaryBook
from doorward.view.intake import Intake
from doorward.view.keys import issuer_key
from doorward.view.stores import View
from doorward.view.teller import Teller

logger = logging.getLogger(__name__)
NICENESS = 10
"""Added to that of the thread that CA keys are made in: it gets the CPU that nobody else wants, about a tenth of a core that others want, too."""


def _yield_the_cores() -> None:
    """Of this thread alone: to Linux each thread has a niceness of its own. Where that is not so, keys are made all the same."""
    with suppress(OSError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


_CA_KEYS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ca-keys", initializer=_yield_the_cores)
"""A thread of its own: hundreds of new issuers with RSA keys must not stand before a client's certificate, nor take a core from
the cut-offs. It makes keys and nothing else: that holds no interpreter's lock, for which all others would wait with it.
"""


class IssuerApplier:
    """Makes CAs, publishes, and brings gates to what is published."""

    def __init__(
        self,
        view: View,
        gateway: Gateway,
        intake: Intake,
        memories: IssuerMemories,
        source: KeySource,
        clock: Clock,
        canaries: CanaryBook,
        teller: Teller,
    ) -> None:
        self._view = view
        self._gateway = gateway
        self._intake = intake
        self._memories = memories
        self._source = source
        self._clock = clock
        self._teller = teller
        self._gates = GateApplier(view, gateway, intake, clock, source)
        self._publisher = Publisher(view, gateway, clock, intake, memories, canaries)

    async def create_ca(self, issuer: ObjectKey, action: CreateCa) -> None:
        """Make the CA of one generation, and its Secret; one that is there already stays."""
        now = self._clock.now()
        certificate, key = await self._make_ca(
            action, not_before=now - timing.BACKDATE, not_after=now + action.lifetime
        )
        pem = certificate_pem(certificate)
        body = ca_secret.render(issuer, action.generation, pem, key, rotate=action.rotate)
        try:
            written = await self._gateway.create(SECRET, issuer.namespace, body)
        except AlreadyExists:
            # Somebody took the name: the next plan takes another number.
            taken = await self._gateway.get(SECRET, issuer.namespace, body["metadata"]["name"])
            self._intake.written(SECRET, taken, by=issuer_key(issuer))
            return
        memory = self._memories.get(issuer)
        made = {**memory.made, action.generation: public_key_sha256(certificate.public_key())}
        self._memories.keep(issuer, replace(memory, made=made))
        self._intake.written(SECRET, written, by=issuer_key(issuer))
        logger.info("ca created", extra=_about(issuer, generation=action.generation, because=action.because))
        values = {"generation": action.generation, "secret": body["metadata"]["name"], "because": action.because}
        self._teller.tell(issuer_key(issuer), (notice("MTLSIssuer", "CaCreated", **values),))

    async def _make_ca(
        self, wanted: CreateCa, *, not_before: datetime, not_after: datetime
    ) -> tuple[x509.Certificate, SecretBytes]:
        """A new CA: certificate, and key in PEM."""
        source = self._source
        key = await asyncio.get_running_loop().run_in_executor(_CA_KEYS, source.key, wanted.kind)

        def make() -> tuple[x509.Certificate, SecretBytes]:
            certificate = build_ca(
                subject=wanted.subject, key=key, serial=source.serial(), not_before=not_before, not_after=not_after
            )
            return certificate, private_key_pem(key)

        return await asyncio.to_thread(make)

    async def publish(self, issuer: ObjectKey, action: PublishCrl) -> None:
        """Commit the CRLs, and say which CA generations left the bundle with that."""
        before = self._memories.get(issuer).published
        await self._publisher.commit(issuer, action)
        after = self._memories.get(issuer).published
        if before is not None and after is not None:
            retired = sorted(before.anchors.keys() - after.anchors.keys())
            told = (notice("MTLSIssuer", "CaRetired", generation=generation) for generation in retired)
            self._teller.tell(issuer_key(issuer), told)

    async def gate(self, issuer: ObjectKey, action: GateAction) -> None:
        """Bring one gate to what is committed, or close it, or delete it."""
        memory = self._memories.get(issuer)
        known = memory.gates.get(action.namespace, GateMemory())
        committed = memory.committed
        learned: GateMemory | Newer
        if isinstance(action, CloseGate):
            learned = await self._gates.close(issuer, action.namespace, known)
        elif isinstance(action, RemoveGate):
            learned = await self._gates.remove(issuer, action.namespace, known)
        elif committed is None:
            return
        else:
            learned = await self._gates.write(issuer, action.namespace, committed.wanted(), known)
        if isinstance(learned, Newer):
            await self._hear_of_a_newer(issuer, action.namespace, committed)
            return
        memory = self._memories.get(issuer)  # others of its gates were written in the meantime
        if committed is not None and isinstance(action, WriteGate):
            self._tell_written(issuer, action.namespace, known, learned, memory)
        self._memories.keep(issuer, replace(memory, gates={**memory.gates, action.namespace: learned}))

    def _tell_written(
        self, issuer: ObjectKey, namespace: str, before: GateMemory, now: GateMemory, memory: IssuerMemory
    ) -> None:
        """Which CRL a gate holds now, and whose certificates that admits or refuses there; or why it could not be written."""
        if now.view is None:
            if now.refusal is not None and (before.refusal is None or before.refusal.detail != now.refusal.detail):
                error = now.refusal.detail
                logger.warning("gate not written", extra=_about(issuer, namespace=namespace, error=error))
            return
        clients = memory.news_between(before.view.number if before.view is not None else 0, now.view.number)
        told = _about(issuer, namespace=namespace, number=now.view.number, clients=list(clients) or None)
        logger.info("gate written", extra=told)

    async def _hear_of_a_newer(self, issuer: ObjectKey, namespace: str, committed: Committed | None) -> None:
        """The gate is ahead of what this process knows to be published: another published more, or the ConfigMap was set
        back; then what the gate holds is published again.
        """
        at = ObjectKey(issuer.namespace, crl_configmap_name(issuer.name))
        with suppress(NotFound):
            body = await self._gateway.get(CONFIG_MAP, at.namespace, at.name)
            self._intake.written(CONFIG_MAP, body, by=issuer_key(issuer))
        if committed is not None and self._view.configmaps.version(at) == committed.version:
            copy = await self._gates.copy(issuer, namespace)
            if copy is not None:
                self._memories.keep(issuer, self._memories.get(issuer).with_copy(copy))


def _about(issuer: ObjectKey, **fields: object) -> dict[str, object]:
    return about(f"MTLSIssuer {issuer}", issuer=str(issuer), **fields)
