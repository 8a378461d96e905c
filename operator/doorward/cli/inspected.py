"""What is in a file: certificates, requests, CRLs and keystores, in PEM or DER, as facts. A private key is named and never shown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from doorward.api.conditions import instant
from doorward.cli.ages import relative
from doorward.pki.keys import kind_of, public_key_sha256
from doorward.pki.pem import PkiError, fingerprint_sha1, fingerprint_sha256, parsing
from doorward.pki.subjects import display

MOST = 64 * 1024 * 1024
"""Bytes of a file that are read: a CRL may be large."""
MOST_BLOCKS = 64
MOST_ENTRIES = 10
"""Entries of a CRL that people see; programs get all."""
_BEGIN, _END = b"-----BEGIN ", b"-----END "
_USAGES = {ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth", ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth"}


class NeedsPassword(ValueError):
    """A keystore is encrypted, and the password is missing or wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing in a file."""

    kind: str
    facts: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """For programs."""
        return {"kind": self.kind} | self.facts


def read(content: bytes, password: bytes | None, now: datetime) -> Iterator[Found]:
    """All that is in a file. Raises PkiError where nothing can be read, and NeedsPassword."""
    if _BEGIN in content:
        for label, block in _blocks(content):
            yield _of_block(label, block, now)
        return
    yield from _of_der(content, password, now)


def _blocks(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Label and text of each PEM block."""
    rest = content
    for _ in range(MOST_BLOCKS):
        at = rest.find(_BEGIN)
        if at < 0:
            return
        label, dashes, _ = rest[at + len(_BEGIN) :].partition(b"-----")
        close = _END + label + b"-----"
        end = rest.find(close, at)
        if not dashes or end < 0 or len(label) > MOST_BLOCKS:
            raise PkiError("a PEM block has no end")
        yield label.decode("ascii", errors="replace"), rest[at : end + len(close)] + b"\n"
        rest = rest[end + len(close) :]


def _of_block(label: str, block: bytes, now: datetime) -> Found:
    if label == "X509 CRL":
        with parsing("the CRL"):
            return _crl(x509.load_pem_x509_crl(block), now)
    if label in ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"):
        with parsing("the certificate"):
            return _certificate(x509.load_pem_x509_certificate(block), now)
    if label in ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"):
        with parsing("the certificate request"):
            return _request(x509.load_pem_x509_csr(block))
    if label.endswith("PRIVATE KEY"):
        return Found(kind="private key", facts={"note": "not shown: whoever has it and its certificate has access"})
    return Found(kind=label.lower(), facts={"note": "not read"})


def _of_der(content: bytes, password: bytes | None, now: datetime) -> Iterator[Found]:
    """The first form that the bytes have."""
    forms: tuple[Callable[[], Found], ...] = (
        lambda: _certificate(x509.load_der_x509_certificate(content), now),
        lambda: _crl(x509.load_der_x509_crl(content), now),
        lambda: _request(x509.load_der_x509_csr(content)),
    )
    for form in forms:
        try:
            with parsing("the file"):
                found = form()
        except PkiError:
            continue
        yield found
        return
    yield from _keystore(content, password, now)


def _keystore(content: bytes, password: bytes | None, now: datetime) -> Iterator[Found]:
    try:
        with parsing("the file"):
            store = pkcs12.load_pkcs12(content, password)
    except PkiError as error:
        if "password" in str(error.__cause__).lower():
            raise NeedsPassword from error
        raise PkiError(
            "the file is no certificate, CRL, certificate request or PKCS#12 keystore that can be read"
        ) from error
    yield Found(
        kind="PKCS#12 keystore",
        facts={
            "privateKey": "yes, not shown" if store.key is not None else "none",
            "others": len(store.additional_certs),
        },
    )
    for each in filter(None, (store.cert, *store.additional_certs)):
        name = each.friendly_name
        found = _certificate(each.certificate, now)
        yield Found(kind=found.kind, facts=({"name": name.decode(errors="replace")} if name else {}) | found.facts)


def _certificate(certificate: x509.Certificate, now: datetime) -> Found:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    state = "not valid yet" if now < begins else "expired" if now >= ends else "valid"
    facts = {
        "subject": display(certificate.subject),
        "issuer": display(certificate.issuer),
        "serial": f"{certificate.serial_number:x}",
        "notBefore": instant(begins),
        "notAfter": instant(ends),
        "state": f"{state}, expires {relative(ends, now)}" if state == "valid" else state,
        "key": _key(certificate),
        "use": _use(certificate.extensions),
        "names": _names(certificate.extensions),
        "sha256": fingerprint_sha256(certificate),
        "sha1": fingerprint_sha1(certificate),
    }
    return Found(kind="certificate", facts=facts)


def _request(request: x509.CertificateSigningRequest) -> Found:
    facts = {
        "subject": display(request.subject),
        "key": _key(request),
        "names": _names(request.extensions),
        "signature": "good" if request.is_signature_valid else "BAD: the request was not signed with its own key",
        "publicKeySHA256": public_key_sha256(request.public_key()),
    }
    return Found(kind="certificate request", facts=facts)


def _crl(crl: x509.CertificateRevocationList, now: datetime) -> Found:
    ends = crl.next_update_utc
    state = (
        "no nextUpdate" if ends is None else "EXPIRED" if now >= ends else f"current, nextUpdate {relative(ends, now)}"
    )
    entries = [_entry(each) for each in crl]
    facts = {
        "issuer": display(crl.issuer),
        "number": _number(crl),
        "thisUpdate": instant(crl.last_update_utc),
        "nextUpdate": instant(ends) if ends is not None else None,
        "state": state,
        "revoked": entries,
    }
    return Found(kind="CRL", facts=facts)


def _entry(entry: x509.RevokedCertificate) -> dict[str, str]:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except x509.ExtensionNotFound:
        reason = "unspecified"
    return {"serial": f"{entry.serial_number:x}", "time": instant(entry.revocation_date_utc), "reason": reason}


def _number(crl: x509.CertificateRevocationList) -> int | None:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def _key(of: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """Algorithm and size; of what Doorward does not use, that."""
    try:
        kind = kind_of(of.public_key())
    except PkiError as error:
        return f"not usable: {error}"
    return f"{kind.algorithm} {kind.size or ''}".strip()


def _use(extensions: x509.Extensions) -> str:
    found = []
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            found.append("CA")
        if isinstance(value, x509.ExtendedKeyUsage):
            found += [_USAGES.get(each, each.dotted_string) for each in value]
    return ", ".join(found)


def _names(extensions: x509.Extensions) -> str:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return ", ".join(str(getattr(each.value, "rdns", each.value)) for each in names)
