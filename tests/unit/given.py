"""Worlds for rules to look at: sane defaults, any of them overridden by keyword; impossible worlds are refused.

The default world is settled: Alice's certificate is issued, recorded and in its Secret, her issuer signs, and an empty CRL
is published. Keys are derived from small numbers, so equal calls give equal bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from doorward.api.conditions import Condition
from doorward.api.issuer_gates import IngressSettings
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.objects.client_secret import Broken, ClientSecret, Foreign
from doorward.objects.ledger_record import Record, Revocation, record_name, record_of
from doorward.objects.meta import ObjectKey, ca_secret_name
from doorward.objects.trust_bundle import Anchor, PublishedTrust
from doorward.pki.ca_identity import identity
from doorward.pki.certificates import CertificateAuthority, Leaf, LeafTemplate, build_ca, build_leaf, describe
from doorward.pki.crls import CrlEntry, PublishedCrl
from doorward.pki.keys import PrivateKey, kind_of, public_key_sha256
from doorward.pki.pem import certificate_pem, fingerprint_sha256
from doorward.pki.requests import ClientRequest, read_request
from doorward.pki.signers import KeySigner
from doorward.pki.subjects import Subject
from doorward.planning.gate import GateObserved
from doorward.planning.observed import (
    Authority,
    CertificateObserved,
    Gate,
    GateState,
    Issuer,
    IssuerObserved,
    Pending,
    Unseen,
)
from doorward.planning.terms import alt_names_of, subject_of

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)

ISSUER = ObjectKey("issuers", "partners")
ALICE = ObjectKey("issuers", "alice")
UID = "11111111-2222-3333-4444-555555555555"
SECRET = "alice-mtls"
ACCOUNT = "doorward-system:doorward"
CA_BORN = NOW - 30 * DAY
CA_ENDS = NOW + 335 * DAY

REASONS = {flag.value: flag for flag in x509.ReasonFlags}


class ImpossibleWorld(ValueError):
    """No cluster can show this to a rule; the test asks for something else than it says."""


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise ImpossibleWorld(why)


# Keys, the CA, certificates


@lru_cache
def key(number: int = 1, algorithm: str = "ECDSA", size: int = 256) -> PrivateKey:
    """The same key for the same number (RSA: for the life of the process)."""
    if algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=size)
    if algorithm == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([number])).digest())
    return ec.derive_private_key(1_000 + number, {256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}[size]())


@lru_cache
def ca(number: int = 100, name: str = "Partners CA") -> CertificateAuthority:
    """A generated CA that can sign."""
    private_key = key(number)
    certificate = build_ca(
        subject=Subject(common_name=name), key=private_key, serial=number, not_before=CA_BORN, not_after=CA_ENDS
    )
    return CertificateAuthority(certificate=certificate, chain=(), anchor=certificate, signer=KeySigner(private_key))


def authority(**override: Any) -> Authority:
    """The CA as rules see it."""
    certificate = ca().certificate
    pem = certificate_pem(certificate)
    made = Authority(
        generation=1,
        subject="CN=Partners CA",
        serial=certificate.serial_number,
        sha256=fingerprint_sha256(certificate),
        public_key_sha256=public_key_sha256(certificate.public_key()),
        identity=identity(certificate),
        not_before=CA_BORN,
        not_after=CA_ENDS,
        anchor_pem=pem,
        chain_pem=pem,
        key_kind=kind_of(certificate.public_key()),
        generated=True,
    )
    return replace(made, **override)


def spec(**override: Any) -> ClientCertificateSpec:
    """Alice's spec; fields as Python or YAML spells them."""
    return ClientCertificateSpec.model_validate(
        {"issuerRef": {"name": ISSUER.name, "namespace": ISSUER.namespace}, "commonName": "alice"} | override
    )


def issuer_spec(**override: Any) -> MTLSIssuerSpec:
    """The smallest issuer."""
    return MTLSIssuerSpec.model_validate({"ca": {"generate": {"commonName": "Partners CA"}}} | override)


@lru_cache
def _leaf(
    text: str, *, serial: int, not_before: datetime, not_after: datetime, private_key: PrivateKey, signer: int
) -> Leaf:
    said = ClientCertificateSpec.model_validate_json(text)
    template = LeafTemplate(
        subject=subject_of(said),
        alt_names=alt_names_of(said),
        public_key=private_key.public_key(),
        serial=serial,
        not_before=not_before,
        not_after=not_after,
    )
    return describe(build_leaf(template, ca(signer)))


def leaf(
    serial: int = 0xA1,
    *,
    says: ClientCertificateSpec | None = None,
    issued: datetime = NOW - DAY,
    lasts: timedelta = 90 * DAY,
    private_key: PrivateKey | None = None,
    signer: int = 100,
) -> Leaf:
    """A real certificate, signed at `issued` for what `says` asks, notBefore an hour back as the operator makes it."""
    _refuse(lasts <= timedelta(0), "a certificate that ends before it begins")
    text = (says or spec()).model_dump_json(by_alias=True, exclude_none=True)
    return _leaf(
        text,
        serial=serial,
        not_before=issued - HOUR,
        not_after=issued + lasts,
        private_key=private_key or key(),
        signer=signer,
    )


@lru_cache
def csr(number: int = 7) -> str:
    """A client's own CSR, PEM; the names in it count for nothing."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "whatever I like")])
    request = x509.CertificateSigningRequestBuilder(subject_name=name).sign(key(number), hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def request(number: int = 7) -> ClientRequest:
    """What counts of that CSR."""
    return read_request(csr(number).encode())


# The ledger and the CRL


def revocation(reason: str = "superseded", **override: Any) -> Revocation:
    """A revocation an hour ago."""
    made = replace(Revocation(reason=reason, time=NOW - HOUR), **override)
    _refuse(made.lifted and not made.is_hold, "only a hold can be lifted")
    return made


def hold(**override: Any) -> Revocation:
    """A deleted client's, since an hour ago, final 23 hours from now."""
    return revocation("certificateHold", **{"final_at": NOW + 23 * HOUR, "held_by": "Deletion"} | override)


def suspension(**override: Any) -> Revocation:
    """A suspended client's hold, since an hour ago."""
    return revocation("certificateHold", **{"held_by": "Suspension"} | override)


def own_hold(**override: Any) -> Revocation:
    """A hold that a person put, an hour ago."""
    return revocation("certificateHold", **override)


def record(serial: int = 0xA1, **override: Any) -> Record:
    """The ledger record of a serial that was signed a day ago for 90 days; `of`: of that leaf."""
    of: Leaf | None = override.pop("of", None)
    known = leaf_facts(of) if of is not None else {"serial": serial}
    issued = override.get("issued_at", known.get("not_before", NOW - DAY - HOUR) + HOUR)
    made = record_of(
        **{
            "key": ObjectKey(ISSUER.namespace, record_name(ISSUER.name, 1, known["serial"])),
            "issuer": ISSUER,
            "generation": 1,
            "subject": "CN=alice",
            "not_before": issued - HOUR,
            "not_after": issued + 90 * DAY,
            "sha256": hashlib.sha256(b"certificate %x" % serial).hexdigest(),
            "sha1": hashlib.sha256(b"certificate %x" % serial).hexdigest()[:40],
            "public_key_sha256": hashlib.sha256(b"key %x" % serial).hexdigest(),
            "holder": ALICE,
            "holder_uid": UID,
            "issued_at": issued,
        }
        | known
        | override
    )
    _refuse(made.serial <= 0, "a serial is positive")
    _refuse(made.not_after <= made.not_before, "a record of a certificate that ends before it begins")
    _refuse(made.key.name != record_name(made.issuer.name, made.generation, made.serial), "a record under another name")
    return made


def expired(serial: int = 0xA1, *, since: timedelta, **override: Any) -> Record:
    """The record of a serial whose 90 days ended `since` ago."""
    return record(serial, **{"issued_at": NOW - since - 90 * DAY} | override)


def leaf_facts(of: Leaf) -> dict[str, Any]:
    """What a record repeats of a certificate."""
    names = ("serial", "not_before", "not_after", "sha256", "sha1", "public_key_sha256")
    return {name: getattr(of, name) for name in names}


def entry(serial: int = 0xA1, reason: str | None = "superseded", at: datetime = NOW - HOUR) -> CrlEntry:
    """One line of a CRL."""
    _refuse(reason == "unspecified", "a CRL of ours leaves `unspecified` out: reason None")
    return CrlEntry(serial=serial, revoked_at=at, reason=REASONS[reason] if reason else None)


def crl(*entries: CrlEntry, signed: datetime = NOW - HOUR, **override: Any) -> PublishedCrl:
    """A CRL as it was read back and verified, signed an hour ago for a week."""
    by_serial = {line.serial: line for line in entries}
    _refuse(len(by_serial) != len(entries), "a serial stands twice in a CRL")
    made = PublishedCrl(
        number=int(signed.timestamp() * 1000),
        this_update=signed - HOUR,
        next_update=signed + 7 * DAY,
        entries=by_serial,
        pem=b"",
    )
    return replace(made, **override)


def anchor(of: Authority | None = None, **override: Any) -> Anchor:
    """A trusted CA generation."""
    known = of or authority()
    made = Anchor(
        pem=known.anchor_pem,
        public_key_sha256=known.public_key_sha256,
        identity=known.identity,
        subject=known.subject,
        not_after=known.not_after,
    )
    return replace(made, **override)


def published(*entries: CrlEntry, signed: datetime = NOW - HOUR, **override: Any) -> PublishedTrust:
    """The bundle of one CA generation; what is overridden is its CRL's."""
    return trust({1: (authority(), crl(*entries, signed=signed, **override))})


def trust(generations: Mapping[int, tuple[Authority, PublishedCrl]], **override: Any) -> PublishedTrust:
    """The bundle of these generations."""
    made = PublishedTrust(
        anchors={number: anchor(of) for number, (of, _) in generations.items()},
        crls={number: each for number, (_, each) in generations.items()},
        size=sum(each.size for _, each in generations.values()),
    )
    return replace(made, **override)


# What a ClientCertificate's rules see


def issuer(**override: Any) -> Issuer:
    """An issuer that signs."""
    given = {"authority": authority()} | override
    made = Issuer(
        **{
            "key": ISSUER,
            "spec": issuer_spec(),
            "problem": "" if given["authority"] else "its CA Secret is missing",
            "published": published(),
            "crowded": False,
            "gates_behind": False,
            "barred_keys": frozenset(),
            "namespace_labels": {},
            "unexpired": 1,
            "unexpired_of_authority": 1,
            "unexpired_of_namespace": 1,
        }
        | given
    )
    _refuse((made.authority is None) != bool(made.problem), "an issuer signs, or says why not")
    return made


def secret(of: Leaf | None = None, **override: Any) -> ClientSecret:
    """Alice's Secret, complete."""
    held = {"has_key": True} | override
    made = ClientSecret(
        **{
            "leaf": of or leaf(),
            "ca": authority().chain_pem,
            "any_key": held["has_key"],
            "keystore_profile": "Modern2023",
            "own_password": True,
            "owners": frozenset({UID}),
            "labels": {},
            "annotations": {},
            "version": "7",
        }
        | held
    )
    _refuse(made.has_key and not made.any_key, "a key that fits is a key")
    return made


def certificate(**override: Any) -> CertificateObserved:
    """A ClientCertificate and all it hangs on. Records follow from the Secret unless they are given."""
    given = {"spec": spec(), "secret": secret(), "issuer": issuer()} | override
    held = given["secret"]
    settled = isinstance(held, ClientSecret)
    csr_given = isinstance(given["spec"], ClientCertificateSpec) and given["spec"].request is not None
    made = CertificateObserved(
        **{
            "account": ACCOUNT,
            "body": {"metadata": {"namespace": ALICE.namespace, "name": ALICE.name, "uid": UID}},
            "key": ALICE,
            "generation": 1,
            "deleting_since": None,
            "has_finalizer": True,
            "status": {},
            "request": read_request(given["spec"].request.encode()) if csr_given else None,
            "issuer_key": ISSUER,
            "records": (record(of=held.leaf),) if settled else (),
            "unexpired_in_namespace": 1,
            "secret_name": SECRET,
            "rival": None,
            "password": None,
            "leaf_is_ours": True if settled else None,
            "pending": None,
            "skew": timedelta(0),
        }
        | given
    )
    _check_certificate(made)
    return made


def _check_certificate(o: CertificateObserved) -> None:
    if not isinstance(o.records, Unseen):
        serials = [line.serial for line in o.records]
        _refuse(len(set(serials)) != len(serials), "a serial is recorded twice")
        _refuse(any(line.issuer != o.issuer_key for line in o.records), "records of another issuer")
        _refuse(any(line.holder != o.key for line in o.records), "records of another client")
    _refuse(o.secret is Unseen.DENIED and o.password is not None, "a password is not read without consent")
    _refuse(
        o.leaf_is_ours is not None and not isinstance(o.secret, ClientSecret), "a verdict on a leaf nobody has seen"
    )
    _refuse(isinstance(o.issuer, Issuer) and o.issuer.key != o.issuer_key, "an issuer that it does not name")
    _refuse(isinstance(o.spec, str) and o.request is not None, "a request in a spec that cannot be read")


def pending(serial: int = 0xB2, **override: Any) -> Pending:
    """A certificate that is signed and recorded, and not delivered."""
    return replace(Pending(serial=serial, wanted="a digest"), **override)


def foreign(**override: Any) -> Foreign:
    return Foreign(**override)


def broken(**override: Any) -> Broken:
    return replace(Broken(why="tls.crt holds no PEM block", version="7"), **override)


# What an issuer's rules see


def gate(namespace: str = "edge", **override: Any) -> Gate:
    """A gate that has held the published CRL for an hour, for one Ingress."""
    holds = override.get("state", GateState.CURRENT) is GateState.CURRENT
    made = Gate(
        namespace=namespace,
        targets=("shop",),
        allowed=True,
        state=GateState.CURRENT,
        anchors_taken=NOW - HOUR if holds else None,
    )
    return replace(made, **override)


def trust_domain(**override: Any) -> IssuerObserved:
    """An MTLSIssuer that signs, its CRL published an hour ago for what its records say."""
    given = {"records": (), "spec": issuer_spec(), "authority": authority()} | override
    if "published" not in given:
        given["published"] = published(*_entries(given["records"]))
    said = given["published"]
    numbers = {g: each.number for g, each in said.crls.items()} if isinstance(said, PublishedTrust) else {}
    newest = given["authority"]
    made = IssuerObserved(
        **{
            "account": ACCOUNT,
            "key": ISSUER,
            "generation": 1,
            "status": {},
            "ca_secret": ca_secret_name(ISSUER.name, newest.generation if isinstance(newest, Authority) else 1),
            "ca_generation": newest.generation if isinstance(newest, Authority) else int(isinstance(newest, Condition)),
            "older": (),
            "ca_names_taken": frozenset(range(1, (newest.generation if isinstance(newest, Authority) else 0) + 1)),
            "rival": None,
            "is_cluster_ca": False,
            "replaced": "",
            "newest_numbers": numbers,
            "kept_out": frozenset(),
            "gates": (),
            "counts_due": NOW - HOUR,
            "skew": timedelta(0),
        }
        | given
    )
    _check_trust_domain(made)
    return made


def _entries(records: Iterable[Record] | Unseen) -> list[CrlEntry]:
    if isinstance(records, Unseen):
        return []
    return [
        CrlEntry(
            serial=line.serial,
            revoked_at=line.revocation.time,
            reason=None if line.revocation.reason == "unspecified" else REASONS[line.revocation.reason],
        )
        for line in records
        if line.revocation is not None and not line.revocation.lifted
    ]


def _check_trust_domain(o: IssuerObserved) -> None:
    _refuse(o.rival == o.key, "an issuer that is its own rival")
    _refuse(o.is_cluster_ca and not isinstance(o.authority, Authority), "a verdict on a CA nobody has seen")
    if not isinstance(o.records, Unseen):
        serials = [line.serial for line in o.records]
        _refuse(len(set(serials)) != len(serials), "a serial is recorded twice")
        _refuse(any(line.issuer != o.key for line in o.records), "records of another issuer")
    namespaces = [each.namespace for each in o.gates]
    _refuse(len(set(namespaces)) != len(namespaces), "a namespace has one gate of an issuer")


# What an Ingress's rules see


def target(**override: Any) -> GateObserved:
    """An Ingress that names its neighbour, the issuer."""
    made = GateObserved(
        account=ACCOUNT,
        key=ObjectKey("edge", "shop"),
        reference=str(ISSUER),
        wants_optional=False,
        other_secret=False,
        issuer=issuer_spec(),
        allowed=True,
        made_at=NOW - DAY,
        gate=NOW - HOUR,
    )
    made = replace(made, **override)
    _refuse(
        made.reference is None and made.other_secret, "nobody asks for the Secret of an Ingress that did not opt in"
    )
    return made


def settings(**override: Any) -> IngressSettings:
    """What ingress-nginx is told."""
    return IngressSettings.model_validate(override)


# Reading plans


def names(actions: Iterable[object]) -> list[str]:
    """The actions' kinds, in their order."""
    return [type(action).__name__ for action in actions]


def reasons(status: Mapping[str, Any]) -> dict[str, str]:
    """Reasons by condition type, as a status carries them."""
    return {item["type"]: item["reason"] for item in status["conditions"]}
