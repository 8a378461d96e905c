"""Cache and reads to what rules may look at; the three kinds of key side by side."""

from datetime import datetime

from doorward.api.kinds import MTLSIssuerSpec
from doorward.clock import Clock
from doorward.cluster.gateway import Gateway, Object
from doorward.controllers.observe_certificate import CertificateObserver
from doorward.controllers.observe_gone import GoneObserver
from doorward.controllers.observe_issuer import TrustDomainObserver
from doorward.controllers.reads import Reads
from doorward.controllers.world import World
from doorward.gates import ingress_nginx
from doorward.objects.meta import ObjectKey, gate_secret_name, parse_instant
from doorward.planning.gate import GateObserved, parse_reference
from doorward.planning.observed import Unseen
from doorward.planning.permission import namespace_allowed


class Observer:
    """Looks at one object and all that it hangs on."""

    def __init__(self, world: World, gateway: Gateway, clock: Clock) -> None:
        self._world = world
        self._reads = Reads(world, gateway)
        self.certificates = CertificateObserver(world, gateway, self._reads)
        self.issuers = TrustDomainObserver(world, gateway, clock, self._reads)
        self.gone = GoneObserver(world, gateway, self._reads)

    def ingress(self, key: ObjectKey) -> tuple[Object, GateObserved] | None:
        """What an Ingress says and whom it names; None where there is none."""
        world = self._world
        body = world.ingresses.get(key)
        if body is None:
            return None
        target = ingress_nginx.read(body)
        issuer_key = parse_reference(target.reference, key.namespace) if target.reference is not None else None
        found = world.issuers.get(issuer_key) if issuer_key else None
        issuer: MTLSIssuerSpec | Unseen = Unseen.ABSENT if world.issuers.synced else Unseen.UNKNOWN
        allowed: bool | None = None
        gate = self._reads.secret_metadata(ObjectKey(key.namespace, gate_secret_name(issuer_key or key)))
        if found is not None and issuer_key is not None and not isinstance(found.spec, str):
            issuer = found.spec
            rule = issuer.gates.allowed_namespaces
            allowed = namespace_allowed(rule, issuer_key, key.namespace, self._reads.namespace_labels(key.namespace))
        return body, GateObserved(
            account=world.account,
            key=key,
            reference=target.reference,
            wants_optional=target.wants_optional,
            other_secret=target.other_secret,
            issuer=issuer,
            allowed=allowed,
            made_at=_made_at(body),
            gate=gate if isinstance(gate, Unseen) else _made_at(gate),
        )


def _made_at(body: Object) -> datetime:
    return parse_instant(body["metadata"]["creationTimestamp"])
