"""A client's certificate and key as files for browsers, phones and programs, from its Secret."""

import plistlib
import uuid
from enum import StrEnum

from doorward.objects import client_secret
from doorward.objects.ca_secret import decode
from doorward.objects.client_secret import KEYSTORE, ClientSecret, Foreign
from doorward.objects.meta import Object, ObjectKey
from doorward.pki.certificates import chain_pem
from doorward.pki.keys import SecretBytes, load_private_key, private_key_pem
from doorward.pki.pem import PkiError, load_certificates

PROFILE = "io.doorward.client"


class Form(StrEnum):
    """As what a client is exported; the end of the file's name."""

    P12 = "p12"
    PEM = "pem"
    MOBILECONFIG = "mobileconfig"


class NotExportable(ValueError):
    """The Secret holds no such file; says why."""


def export(secret: Object, *, client: ObjectKey, uid: str, form: Form) -> SecretBytes:
    """The file. What a stranger may have put into the Secret is read before it is passed on."""
    found = client_secret.parse(secret, certificate=client.name, password=None)
    if isinstance(found, Foreign):
        raise NotExportable(f"it is not the Secret of ClientCertificate {client}")
    if not isinstance(found, ClientSecret):
        raise NotExportable(f"its certificate cannot be read: {found.why}")
    if not found.has_key:
        raise NotExportable(
            "it holds no private key of its certificate: with spec.request, the client has the key itself"
        )
    data = secret["data"]
    if form is Form.PEM:
        return _pem(decode(data["tls.key"]), decode(data["tls.crt"]))
    keystore = decode(data.get(KEYSTORE) or "")
    if not keystore:
        raise NotExportable(f"it has no {KEYSTORE}")
    if form is Form.P12:
        return SecretBytes(keystore)
    return SecretBytes(mobileconfig(keystore, client=client, uid=uid, serial=found.leaf.serial))


def _pem(key: bytes, certificates: bytes) -> SecretBytes:
    try:
        return SecretBytes(private_key_pem(load_private_key(key)).reveal() + chain_pem(load_certificates(certificates)))
    except PkiError as error:
        raise NotExportable(str(error)) from None


def mobileconfig(keystore: bytes, *, client: ObjectKey, uid: str, serial: int) -> bytes:
    """A configuration profile for iOS and macOS. It does not hold the password, which the device asks for.

    A renewed certificate has the same identifiers, so that it takes the place of the old one, under another UUID.
    """
    name = f"{PROFILE}.{client.namespace}.{client.name}"
    outer, inner = (
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}/{uid}/{serial:x}/{part}")) for part in ("profile", "p12")
    )
    payload = {
        "PayloadType": "com.apple.security.pkcs12",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{name}.p12",
        "PayloadUUID": inner,
        "PayloadDisplayName": f"Client certificate {client}",
        "PayloadCertificateFileName": f"{client.name}.p12",
        "PayloadContent": keystore,
    }
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": name,
            "PayloadUUID": outer,
            "PayloadDisplayName": f"Client certificate {client}",
            "PayloadContent": [payload],
        }
    )
