"""The one table of what wakes what: each change that is seen, and the keys that must look again because of it.

| change | keys |
| --- | --- |
| ClientCertificate | itself; where it is gone or has another CSR, those whose CSR has the same public key; where it is gone, those with the same secretName |
| MTLSIssuer | itself and its ledger; where its spec changed, its targets and its ClientCertificates |
| target of a data plane | itself, the issuers that it names or named, and the targets with which it shares a host, or a Service that one of them leaves open |
| the first target that sets the trust bundle for clients that name no host | every target that opted in |
| Services that a target guards, or serves all the same | the guarded Services of the namespace; the issuers of the targets at a Service that another one serves without a certificate |
| IssuedCertificate | its ClientCertificate; its issuer, where its revocation changed, or where the counts are due |
| Secret | ClientCertificates that it belongs to or that take their password from it; issuers whose CA or gate it is |
| ConfigMap | the issuer whose CRL, or whose archive's index, it is; or the guarded Services of its namespace |
| IngressClass, settings of a controller | every target that opted in |
| Namespace (labels, deletion), opt-in | all that is in it, and the issuers with a gate in it |
| what an issuer publishes or signs with | the ClientCertificates that it concerns: see `trust_domain` |
| a target cannot be configured, or can again | the issuers that it names |
| a list is reported as not synced, or no longer | of a namespace: as an opt-in; of the cluster: every issuer |
| the cluster was rolled back | every issuer |
"""

import asyncio
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    SECRET,
    Kind,
    Object,
)
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, issuer_of_ca_secret, key_of
from doorward.pki.requests import ClientRequest
from doorward.planning import revocation
from doorward.view import guarded
from doorward.view.cut_offs import CutOffWatch, NobodyWatches
from doorward.view.keys import Key, certificate_key, guarded_key, issuer_key, ledger_key, target_key
from doorward.view.parsed import CertificateObject, IssuerObject, gate_of
from doorward.view.stores import TargetKind, View
from doorward.view.story import LedgerStory
from doorward.view.trust_domains import TrustDomain
from doorward.view.waking import FEW, wake_all
from doorward.workqueue.priority import Priority
from doorward.workqueue.queue import WorkQueue

MOST_ASKERS = 32
"""Of those who ask for one key so many are woken; the others look again within the hour. Thousands may ask, and go one by one."""
CountsDue = Callable[[ObjectKey], bool]
"""Whether an issuer may write its counts now."""


def share(view: View, key: Key) -> tuple[ObjectKey | None, str]:
    """On whose account a key is worked on: issuer and namespace of a ClientCertificate, the namespace of all else."""
    found = view.certificates.get(key.at) if key.kind == "certificate" else None
    return (None if found is None else found.issuer, key.at.namespace)


class Routing:
    """From changes to keys in the queue, each with its priority."""

    def __init__(
        self,
        view: View,
        queue: WorkQueue[Key],
        counts_due: CountsDue,
        cut_offs: CutOffWatch | None = None,
        story: LedgerStory | None = None,
    ) -> None:
        self._view = view
        self._queue = queue
        self._counts_due = counts_due
        self._cut_offs = cut_offs or NobodyWatches()
        self._story = story or LedgerStory(leads=lambda: True)
        self._crowded: set[tuple[Kind, ObjectKey]] = set()
        """Services whose many targets are about to be woken."""
        self._catching_all: dict[str, ObjectKey | None] = {}
        """By plural of the kind: the target that was last seen to set the trust bundle for clients that name no host."""

    def wake(self, key: Key) -> None:
        """Make a key ready: cut-offs and what publishes them go before the issuing of many."""
        self._queue.add(key, self._priority(key))

    def wake_later(self, key: Key) -> None:
        """Make a key ready behind all that people wait for, unless it is a cut-off."""
        priority = self._priority(key)
        self._queue.add(key, priority if priority < Priority.ISSUANCE else Priority.BACKGROUND)

    def wake_at_first(self, key: Key) -> None:
        """Make a key ready of which something is seen for the first time. Where its client has its certificate, nobody waits for
        what that look finds: ten thousand of them must not hold up, at a start, who has none.
        """
        found = self._view.certificates.get(key.at) if key.kind == "certificate" else None
        if found is not None and found.issued:
            self.wake_later(key)
        else:
            self.wake(key)

    def postpone(self, key: Key, priority: Priority) -> bool:
        """Leave the rest of the work on a key to a later turn, at a lower priority; False: this is that turn."""
        if self._queue.working_priority(key) == priority:
            return False
        self._queue.add(key, priority)
        return True

    def _priority(self, key: Key) -> Priority:
        if key.kind == "ledger":
            return Priority.BACKGROUND
        if key.kind != "certificate":
            return Priority.CUT_OFF if key.kind == "issuer" else Priority.INTERACTIVE
        found = self._view.certificates.get(key.at)
        if found is None:
            return Priority.ISSUANCE
        records = self._view.ledger.of_client(key.at)
        if self._view.is_out(found):
            # Where all are refused the rest is the issuer's to do: what is left here is a status, or a finalizer.
            return Priority.INTERACTIVE if records and all(record.refused for record in records) else Priority.CUT_OFF
        return Priority.INTERACTIVE if any(map(revocation.by_suspension, records)) else Priority.ISSUANCE

    def changed(self, kind: Kind, key: ObjectKey, before: Any, now: Any, *, by: Key | None = None) -> None:
        """An object is another one than before (either may be None); `by`: the key whose own write this was."""
        self._cut_offs.changed(kind, key, before, now)
        if kind == ISSUED_CERTIFICATE and by is None:
            self._story.changed(before, now)
        wake = self.wake_at_first if before is None else self.wake
        wake_all((woken for woken in self._concerned(kind, key, before, now) if woken != by), wake)

    def _concerned(self, kind: Kind, key: ObjectKey, before: Any, now: Any) -> Iterator[Key]:
        if kind == CLIENT_CERTIFICATE:
            yield certificate_key(key)
            yield from self._askers(before, now)
            if before is not None and now is None:
                sharers = self._view.certificates.lookup("secret", before.secret)
                yield from (certificate_key(other.key) for other in sharers)
        elif kind == ISSUER:
            yield from self._issuer(key, before, now)
        elif kind == ISSUED_CERTIFICATE:
            yield from self._record(before, now)
        elif kind == SECRET:
            yield from self._secret(key, before, now)
        elif kind == CONFIG_MAP and key == guarded_key(key.namespace).at:
            yield guarded_key(key.namespace)
        elif kind == CONFIG_MAP:
            suffix = "-crl" if key.name.endswith("-crl") else "-archive"
            yield issuer_key(ObjectKey(key.namespace, key.name.removesuffix(suffix)))
        elif kind == NAMESPACE:
            if _told_of_namespace(before) != _told_of_namespace(now):
                yield from self._namespace(key.name)
        elif (target := self._view.target_kinds.get(kind.plural)) is not None:
            yield from self._target(target, key, before, now)

    def _askers(self, before: CertificateObject | None, now: CertificateObject | None) -> Iterator[Key]:
        if before is None or not isinstance(before.request, ClientRequest):
            return
        if now is None or now.request != before.request:
            askers = self._view.askers(before.issuer, before.request.public_key_sha256)
            yield from map(certificate_key, askers[:MOST_ASKERS])

    def _issuer(self, key: ObjectKey, before: IssuerObject | None, now: IssuerObject | None) -> Iterator[Key]:
        yield issuer_key(key)
        if before is None or now is None or before.spec != now.spec:
            yield ledger_key(key)
            for kind, target in self._view.targets_of(key):
                yield target_key(kind, key_of(target))
            for certificate in self._view.certificates.lookup("issuer", key):
                yield certificate_key(certificate.key)

    def _record(self, before: Record | None, now: Record | None) -> Iterator[Key]:
        record = now or before
        assert record is not None
        yield certificate_key(record.holder)
        known = before.revocation if before is not None else None
        # A new one that is live changes no CRL: it is counted when the counts are due.
        if now is None or known != now.revocation or (before is None and self._counts_due(record.issuer)):
            yield issuer_key(record.issuer)

    def _secret(self, key: ObjectKey, before: Object | None, now: Object | None) -> Iterator[Key]:
        view = self._view
        for certificate in (*view.certificates.lookup("secret", key), *view.certificates.lookup("password", key)):
            yield certificate_key(certificate.key)
        for found in view.issuers.lookup("ca", key):
            yield issuer_key(found.key)
        if (ca := issuer_of_ca_secret(key)) is not None and view.issuers.get(ca[0]) is not None:
            yield issuer_key(ca[0])
        for issuer in {issuer for body in (before, now) if body for issuer in gate_of(body)}:
            yield issuer_key(issuer)
            if (before is None) != (now is None):  # a target is told when its gate is there
                for kind, target in view.targets_of(issuer):
                    if target["metadata"]["namespace"] == key.namespace:
                        yield target_key(kind, key_of(target))
                        yield from self._sharing(view.target_kinds[kind.plural], target)

    def _namespace(self, namespace: str) -> Iterator[Key]:
        view = self._view
        if view.takes_part(namespace):
            yield guarded_key(namespace)
        for certificate in view.certificates.lookup("namespace", namespace):
            yield certificate_key(certificate.key)
        for issuer in view.issuers.lookup("namespace", namespace):
            yield issuer_key(issuer.key)
        for plural, store in view.targets.items():
            target = view.target_kinds[plural]
            for body in store.lookup("namespace", namespace):
                yield target_key(target.kind, key_of(body))
                yield from map(issuer_key, target.issuer_of(body))
                yield from self._sharing(target, body)

    def _target(self, target: TargetKind, key: ObjectKey, before: Object | None, now: Object | None) -> Iterator[Key]:
        """An issuer asks of a target only whether it is there and names it; others, what it does at the host they share."""
        yield target_key(target.kind, key)
        named = [frozenset(target.issuer_of(body)) if body is not None else frozenset() for body in (before, now)]
        yield from map(issuer_key, named[0] ^ named[1])
        seen = [target.shared(body) if body is not None else None for body in (before, now)]
        if seen[0] != seen[1]:
            for body in filter(None, (before, now)):
                yield from self._sharing(target, body)
            yield from self._services(target, key, before, now)
            yield from self._caught(target)
            yield from guarded.concerned(self._view, target, key, before, now)

    def _services(self, target: TargetKind, key: ObjectKey, before: Object | None, now: Object | None) -> Iterator[Key]:
        """The targets that look at a Service which this one, or another at a host of it, leaves open, or no longer does."""
        plural = target.kind.plural
        bodies = [body for body in (before, now) if body is not None]
        sharing = [other for body in bodies for other in self._view.sharing(plural, key, target.hosts_of(body))]
        for service in {service for body in (*bodies, *sharing) for service in target.opens(body)}:
            looking = self._view.targets[plural].lookup("guards", service)
            if len(looking) <= FEW:
                yield from (target_key(target.kind, key_of(body)) for body in looking)
            elif (target.kind, service) not in self._crowded:
                self._crowded.add((target.kind, service))
                asyncio.get_running_loop().call_soon(self._wake_crowd, target.kind, service)

    def _wake_crowd(self, kind: Kind, service: ObjectKey) -> None:
        """All that look at a Service: once, however many others at it changed in this turn of the event loop."""
        self._crowded.discard((kind, service))
        sharing = self._view.targets[kind.plural].lookup("guards", service)
        wake_all((target_key(kind, key_of(body)) for body in sharing), self.wake)

    def _caught(self, target: TargetKind) -> Iterator[Key]:
        """Every target that opted in, where another one sets the trust bundle for clients that name no host."""
        plural = target.kind.plural
        found = self._view.catching_all(plural)
        if self._catching_all.get(plural) != found:
            self._catching_all[plural] = found
            yield from self._opted_in(target)

    def _opted_in(self, target: TargetKind) -> Iterator[Key]:
        for body in self._view.targets[target.kind.plural].values():
            if any(True for _ in target.issuer_of(body)):
                yield target_key(target.kind, key_of(body))

    def _sharing(self, target: TargetKind, body: Object) -> Iterator[Key]:
        """The targets that look at a host of this one."""
        for other in self._view.shared_by(target.kind.plural, key_of(body), target.hosts_of(body)):
            yield target_key(target.kind, other)

    def surroundings_changed(self) -> None:
        """Ingress classes or settings of a controller are others than before."""
        for target in self._view.target_kinds.values():
            wake_all(self._opted_in(target), self.wake)

    def opt_in_changed(self, namespace: str) -> None:
        """A namespace opted in or out."""
        wake_all(self._namespace(namespace), self.wake_at_first)

    def target_trouble(self, target: Key) -> None:
        """A target cannot be configured, or can again: the issuers that it names say so."""
        body = self._view.targets[target.plural].get(target.at)
        for issuer in self._view.target_kinds[target.plural].issuer_of(body) if body is not None else ():
            self.wake(issuer_key(issuer))

    def guarded_trouble(self, namespace: str) -> None:
        """The guarded Services of a namespace cannot be named to the policy, or can again: the issuers with a gate there say so."""
        for issuer in guarded.issuers_in(self._view, namespace):
            self.wake(issuer_key(issuer))

    def source_changed(self, namespace: str) -> None:
        """A list of the namespace ("": of the whole cluster) is to be reported as not synced, or no longer."""
        if namespace:
            self.opt_in_changed(namespace)
        else:
            self.rolled_back()

    def rolled_back(self) -> None:
        """The cluster was rolled back: every issuer publishes what is newest."""
        for issuer in self._view.issuers.keys():  # noqa: SIM118 - a Store is no dict
            self.wake(issuer_key(issuer))

    def restored(self, record: Record) -> None:
        """A record that a rollback lost was written again."""
        self.wake(issuer_key(record.issuer))
        self.wake(certificate_key(record.holder))

    def trust_domain(self, issuer: ObjectKey, before: TrustDomain | None, now: TrustDomain) -> None:
        """What an issuer signs with or publishes changed: its ClientCertificates look again where that concerns them."""
        self._cut_offs.published(issuer, before, now)
        view = self._view
        if before is None or _signing(before) != _signing(now):
            tell = self.wake_at_first if before is None or before.authority is None else self.wake_later
            wake_all((certificate_key(found.key) for found in view.certificates.lookup("issuer", issuer)), tell)
        elif (
            before.published is not now.published
            or before.gates_behind != now.gates_behind
            or _trusted(before) != _trusted(now)
        ):
            wake_all((certificate_key(found.key) for found in view.certificates.lookup("deleting", issuer)), self.wake)
            listed = _entries(before) ^ _entries(now)
            records = (record for serial in listed for record in view.ledger.of_serial(issuer, serial))
            wake_all((certificate_key(record.holder) for record in records), self.wake)
            self._trusted_generations(issuer, before, now)

    def _trusted_generations(self, issuer: ObjectKey, before: TrustDomain, now: TrustDomain) -> None:
        """Those whose CA generation is trusted now, or no longer, or was not when the first bundle was seen."""
        known = self._view.signed_generations(issuer) if before.published is None else _trusted(before)
        if changed := known ^ _trusted(now):
            records = (record for record in self._view.ledger.heard_of(issuer) if record.generation in changed)
            wake_all((certificate_key(record.holder) for record in records), self.wake_later)


def _signing(domain: TrustDomain) -> object:
    """What decides whether a certificate needs a successor, and whether it can have one."""
    return domain.authority, domain.problem, domain.staying


def _told_of_namespace(body: Object | None) -> object:
    return [body["metadata"].get(name) for name in ("labels", "deletionTimestamp")] if body else None


def _entries(domain: TrustDomain) -> AbstractSet[int]:
    """The serials that the published CRL names."""
    return domain.published.entries.keys() if domain.published is not None else frozenset()


def _trusted(domain: TrustDomain) -> AbstractSet[int]:
    """The CA generations that the gates trust."""
    return domain.trusted or frozenset()
