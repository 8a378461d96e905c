"""The CA generations of an issuer, from Secrets to what rules may look at; a key is read once for each version of its Secret."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

from doorward.api.conditions import Condition
from doorward.clock import Clock
from doorward.cluster.cache import version_of
from doorward.cluster.errors import Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, Gateway, Object
from doorward.controllers import authorities
from doorward.controllers.reads import Reads
from doorward.controllers.seen import IssuerObject
from doorward.controllers.world import Committed, LoadedCa, World
from doorward.objects import crl_configmap
from doorward.objects.meta import ObjectKey, ca_secret_name, crl_configmap_name, is_ours, issuer_of_ca_secret, key_of
from doorward.pki.keys import public_key_sha256
from doorward.pki.pem import load_certificates
from doorward.planning.observed import Authority, Unseen
from doorward.planning.trust import PublishedTrust

NEAR = 100
"""So far above our newest CA is a name that somebody took still in the way."""


class CaObserver:
    """Looks at the CAs of one MTLSIssuer."""

    def __init__(self, world: World, gateway: Gateway, clock: Clock, reads: Reads) -> None:
        self._world = world
        self._gateway = gateway
        self._clock = clock
        self._reads = reads

    def names_taken(self, key: ObjectKey) -> int:
        """The highest number that a CA of the issuer has, or seems to have: by the name of a Secret, whoever made it, or as
        it is published, though its Secret is gone; or 0.
        """
        secrets = self._world.secrets.lookup("ca", key)
        ours = max((number for number, _ in _numbered_names(s for s in secrets if is_ours(s, "ca"))), default=0)
        # A name far above is nobody's but a stranger's, who would use up the numbers.
        named = {number for number, _ in _numbered_names(secrets) if number <= ours + NEAR}
        body = self._world.configmaps.get(ObjectKey(key.namespace, crl_configmap_name(key.name)))
        published = crl_configmap.parse_configmap(body).generations.keys() if body is not None else set()
        return max(named | published, default=0)

    def _ca_secrets(self, found: IssuerObject, key: ObjectKey) -> list[tuple[int, ObjectKey]]:
        """The Secrets of the CA generations, oldest first; a person's own has no number yet.

        What is not ours is passed over, unless it stands where the only one should.
        """
        if found.own_ca is not None:
            return [(0, found.own_ca)]
        named = self._world.secrets.lookup("ca", key)
        ours = [metadata for metadata in named if is_ours(metadata, "ca")]
        first = [metadata for metadata in named if key_of(metadata).name == ca_secret_name(key.name, 1)]
        return sorted(_numbered_names(ours or first))

    def newest(self, found: IssuerObject, key: ObjectKey) -> tuple[int, ObjectKey]:
        """Number and Secret of the newest generation; 0 and where it should be, if there is none."""
        at = self._ca_secrets(found, key)
        return at[-1] if at else (0, ObjectKey(key.namespace, ca_secret_name(key.name, 1)))

    async def generations(
        self, found: IssuerObject, key: ObjectKey
    ) -> tuple[Authority | Condition | Unseen, tuple[Authority, ...]]:
        """The newest CA generation, or what is wrong with its Secret; and those before it that can be used."""
        world = self._world
        newest = self.newest(found, key)
        seen = self._reads.secret_metadata(newest[1])
        if isinstance(seen, Unseen):
            if seen is not Unseen.UNKNOWN:
                world.authorities.pop(key, None)
            return seen, ()
        views = [(generation, await self._ca(found, generation, at)) for generation, at in self._ca_secrets(found, key)]
        if any(isinstance(view, Unseen) for _, view in views):
            return next(view for _, view in views if isinstance(view, Unseen)), ()
        if found.own_ca is not None:
            views = [self._numbered(key, view) for _, view in views]
        usable = {generation: view for generation, view in views if isinstance(view, LoadedCa)}
        if usable:
            world.authorities[key] = usable
        else:
            world.authorities.pop(key, None)
        last = views[-1][1] if views else Unseen.ABSENT
        older = tuple(loaded.authority for _, loaded in sorted(usable.items()) if loaded is not last)
        return (last.authority if isinstance(last, LoadedCa) else last), older

    async def _ca(self, found: IssuerObject, generation: int, at: ObjectKey) -> LoadedCa | Condition | Unseen:
        world = self._world
        metadata = self._reads.secret_metadata(at)
        if isinstance(metadata, Unseen):
            return metadata
        known = world.ca_views.get(at)
        version, now = version_of(metadata), self._clock.now()
        generated = found.own_ca is None
        if isinstance(known, LoadedCa) and known.is_good(version, now, generated=generated):
            return known
        if isinstance(known, tuple) and known[0] == version and known[1].reason.name == "CaExpired":
            return known[1]
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return body
        loaded = await asyncio.to_thread(
            authorities.load, body, generation=generation, generated=generated, name=at.name, now=now
        )
        world.ca_views[at] = loaded if isinstance(loaded, LoadedCa) else (version_of(body), loaded)
        return loaded

    def _numbered(
        self, key: ObjectKey, view: LoadedCa | Condition | Unseen
    ) -> tuple[int, LoadedCa | Condition | Unseen]:
        """A person's own CA, as the generation that its key is published as, or is to be."""
        if not isinstance(view, LoadedCa):
            return 0, view
        body = self._world.configmaps.get(ObjectKey(key.namespace, crl_configmap_name(key.name)))
        bundle = crl_configmap.parse_configmap(body) if body is not None else None
        number = authorities.number_of(view.authority.public_key_sha256, bundle, self._world.recorded(key))
        return number, replace(view, authority=replace(view.authority, generation=number))

    async def is_clusters_own(
        self, authority: Authority | Condition | Unseen, committed: Committed | Condition | Unseen
    ) -> bool:
        """Whether the cluster itself lets in whoever this CA vouches for; only asked of a person's own."""
        if not isinstance(authority, Authority) or authority.generated:
            return False
        if self._world.cluster_ca is None:
            try:
                self._world.cluster_ca = await self._cluster_cas()
            except (Forbidden, NotFound):
                published = committed.published if isinstance(committed, Committed) else None
                if not isinstance(published, PublishedTrust) or authority.generation not in published.anchors:
                    raise
                return False  # it was found to be none when it was published first, and cut-offs must go on
        return authority.public_key_sha256 in self._world.cluster_ca

    async def _cluster_cas(self) -> tuple[str, ...]:
        """SHA-256 of the public keys of the cluster's own client CAs."""
        body = await self._gateway.get(CONFIG_MAP, "kube-system", "extension-apiserver-authentication")
        data = body.get("data") or {}
        pems = [data.get("client-ca-file"), data.get("requestheader-client-ca-file")]
        found = [c for pem in pems if pem for c in load_certificates(pem.encode())]
        return tuple(public_key_sha256(c.public_key()) for c in found)


def _numbered_names(secrets: Iterable[Object]) -> Iterator[tuple[int, ObjectKey]]:
    """The generations that the names of these Secrets stand for."""
    for metadata in secrets:
        if (parsed := issuer_of_ca_secret(key_of(metadata))) is not None:
            yield parsed[1], key_of(metadata)
