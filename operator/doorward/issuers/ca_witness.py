"""The last word on which CA generations are an issuer's, where CRL ConfigMap and ledger are both lost: what its gates trust.

Nobody but the operator writes a gate (fence-gates.yaml). Without this, an issuer that lost both would make another CA, and every
client would need a new certificate.
"""

from collections.abc import Iterator, Mapping

from doorward.cluster.errors import Forbidden, NotFound
from doorward.cluster.gateway import SECRET, Gateway
from doorward.objects import ca_proof, ca_secret, crl_configmap
from doorward.objects.meta import ObjectKey, gate_secret_name, is_ours, issuer_of_ca_secret, key_of
from doorward.planning.observed import Unseen
from doorward.view.reads import Reads
from doorward.view.stores import View

MOST = 16
"""Secrets that are looked into, the newest first: a stranger may have made any number of them."""


class CaWitness:
    """Reads CA Secrets and gates. It keeps nothing."""

    def __init__(self, view: View, gateway: Gateway, reads: Reads) -> None:
        self._view = view
        self._gateway = gateway
        self._reads = reads

    async def numbers(self, issuer: ObjectKey) -> Mapping[int, str] | Unseen:
        """By number, the SHA-256 of the public key of each labelled CA Secret whose key a gate trusts; UNKNOWN while gates
        were not heard of. Raises ApiError where a gate cannot be read for now.
        """
        labelled = sorted(self._labelled(issuer), reverse=True)[:MOST]
        if not labelled:
            return {}
        if not self._heard(issuer):
            return Unseen.UNKNOWN
        trusted = await self._trusted(issuer)
        found: dict[int, str] = {}
        for number, at in labelled if trusted else ():
            key = await self._public_key(at)
            if key in trusted:
                found[number] = key
        return found

    def _labelled(self, issuer: ObjectKey) -> Iterator[tuple[int, ObjectKey]]:
        for metadata in self._view.secrets.lookup("ca", issuer):
            at = key_of(metadata)
            if is_ours(metadata, "ca") and (parsed := issuer_of_ca_secret(at)) is not None:
                yield parsed[1], at

    def _heard(self, issuer: ObjectKey) -> bool:
        """Whether it is known where the issuer has gates; a namespace whose lists fail for a while is not waited for."""
        view = self._view
        failing = {source.namespace for source in view.unsynced() if source.reported}
        asked = {body["metadata"]["namespace"] for _, body in view.targets_of(issuer)} - failing
        return view.targets_synced() and all(view.opted_in.get(namespace) is not None for namespace in asked)

    async def _trusted(self, issuer: ObjectKey) -> frozenset[str]:
        """The public keys of all anchors in its gates; a namespace that withholds its gate has no say."""
        keys: set[str] = set()
        for metadata in self._view.secrets.lookup("gate", issuer):
            try:
                body = await self._gateway.get(SECRET, metadata["metadata"]["namespace"], gate_secret_name(issuer))
                keys |= ca_proof.keys_of(crl_configmap.parse_gate(body))
            except (NotFound, Forbidden, ValueError):
                continue
        return frozenset(keys)

    async def _public_key(self, at: ObjectKey) -> str:
        """Of the certificate in a CA Secret; empty: it has none."""
        body = await self._reads.secret(at)
        if isinstance(body, Unseen):
            return ""
        try:
            return ca_proof.key_of_certificate(ca_secret.parse(body).certificate)
        except ca_secret.NotACaSecret:
            return ""
