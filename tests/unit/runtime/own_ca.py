"""An issuer with a person's own CA in a bed, and what the person puts into its Secret."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509

from doorward.cluster.gateway import CONFIG_MAP, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from doorward.pki.keys import private_key_pem
from doorward.pki.pem import certificate_pem
from tests.support.operator_bed import ISSUER_AT, OperatorBed
from tests.unit import given

MINE = ObjectKey(ISSUER_AT.namespace, "mine")
_CLUSTER_CAS = {"metadata": {"name": "extension-apiserver-authentication"}, "data": {}}


def put(bed: OperatorBed, **files: bytes) -> None:
    """The Secret holds these files and nothing else: `tls_crt` is tls.crt."""
    data = {name.replace("_", "."): base64.b64encode(content).decode() for name, content in files.items()}
    found = bed.cluster.find(SECRET, MINE)
    if found is None:
        body = {"metadata": {"name": MINE.name}, "type": "Opaque", "data": data}
        bed.cluster.create(SECRET, MINE.namespace, body, "kubectl")
    else:
        bed.cluster.replace(SECRET, MINE, {**found, "data": data}, "kubectl")


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(map(certificate_pem, certificates))


def key_pem(number: int) -> bytes:
    return private_key_pem(given.key(number)).reveal()


def files(number: int, name: str = "Mine") -> dict[str, bytes]:
    """A self-signed CA's, as they should be."""
    return {"tls_crt": pem(given.ca(number, name).certificate), "tls_key": key_pem(number)}


@contextmanager
def running(number: int = 201) -> Iterator[OperatorBed]:
    """An issuer that signs with a person's own CA, an Ingress, and the clients alice and bob."""
    with OperatorBed(given.NOW, finalizer_at_creation=True) as bed:
        bed.cluster.create(NAMESPACE, "", {"metadata": {"name": "kube-system"}}, "kube-apiserver")
        bed.cluster.create(CONFIG_MAP, "kube-system", _CLUSTER_CAS, "kube-apiserver")
        put(bed, **files(number))
        bed.issuer(ca={"secretRef": {"name": MINE.name}})
        bed.ingress()
        bed.apply("alice")
        bed.apply("bob")
        bed.settle()
        yield bed
