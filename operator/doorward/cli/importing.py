"""`doorward import`: serial numbers that another CA tool revoked stay revoked under Doorward.

With the rights of whoever runs it: the API server asks for the verb `restore` on IssuedCertificates, as for a backup.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from cryptography import x509

from doorward.cli.acting import DryRun, Yaml, check_output
from doorward.cli.errors import UserError
from doorward.cli.ledgers import read as read_record
from doorward.cli.options import Context, Kubeconfig
from doorward.cli.printed import Facts, note, show
from doorward.cli.reading import Reader, Where
from doorward.cli.session import AT_ONCE, issuer_key
from doorward.cluster.errors import AlreadyExists, ApiError, Forbidden, NotFound
from doorward.cluster.gateway import CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, Object
from doorward.objects import imported_record
from doorward.objects.crl_configmap import parse_configmap
from doorward.objects.ledger_record import Record
from doorward.objects.meta import ObjectKey, crl_configmap_name
from doorward.pki import foreign_ledgers
from doorward.pki.foreign_ledgers import ForeignLedger, Revoked
from doorward.pki.pem import PkiError
from doorward.planning import imports
from doorward.planning.handshake import Trust, trust_of

RIGHT = "it takes the verb restore on issuedcertificates.doorward.io in namespace {namespace}"
NOT_PUBLISHED = "MTLSIssuer {issuer} has published no CRL yet"
RECORDED, REVOKED, FAILED = "recorded as revoked", "revoked in their records", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file, read."""

    ledger: ForeignLedger
    generation: int
    ca: x509.Certificate


async def bring_in(reader: Reader, path: str, issuer: ObjectKey, generation: int | None, *, dry_run: bool) -> int:
    """Record what is revoked, or print it; the exit status."""
    content = read_content(path)
    records = await _records(reader, issuer)
    trust = await _trust(reader, issuer, records)
    source = read_source(path, content, trust, await _signing(reader, issuer), generation)
    expires = source.ca.not_valid_after_utc
    known = {record.serial: record for record in records}
    sorted_out = imports.sort_out(source.ledger.revoked, known, source.generation, reader.now)
    if sorted_out.too_many:
        raise UserError(sorted_out.too_many, "use a new CA for Doorward, and let the old one expire")
    counts: Counter[str] = Counter(sorted_out.left)
    counts["left: not revoked"] += source.ledger.good
    bodies = [
        imported_record.render(each, issuer=issuer, generation=source.generation, expires=expires)
        for each in sorted_out.new
    ]
    if dry_run:
        yaml.safe_dump_all(bodies, sys.stdout, sort_keys=False)
        counts |= {f"would be {RECORDED}": len(bodies), f"would be {REVOKED}": len(sorted_out.again)}
        for name, count in counts.items():
            if count:
                note(f"{count} {name}")
        return 0
    results = await _write(reader, issuer, bodies, sorted_out.again)
    counts.update(results.values())
    show({}, [Facts(title=f"MTLSIssuer {issuer}", rows=[(name, count or "") for name, count in counts.items()])], None)
    return 1 if counts[FAILED] else 0


def read_content(path: str) -> bytes:
    """The file, `-` for standard input; UserError where it cannot be read."""
    most = foreign_ledgers.MAX_BYTES + 1
    try:
        if path == "-":
            return sys.stdin.buffer.read(most)
        with Path(path).open("rb") as file:
            return file.read(most)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def read_source(path: str, content: bytes, trust: Trust, signing: int, generation: int | None) -> Source:
    """What the file says, and of which CA generation; UserError where it cannot be read."""
    if generation is not None and generation not in trust.anchors:
        named = ", ".join(map(str, sorted(trust.anchors)))
        raise UserError(f"the gates trust no CA generation {generation}", f"the issuer publishes: {named}", status=2)
    try:
        if not foreign_ledgers.is_crl(content):
            chosen = generation or (signing if signing in trust.anchors else max(trust.anchors))
            return Source(ledger=foreign_ledgers.read_index(content), generation=chosen, ca=trust.anchors[chosen])
        cas = {number: ca for number, ca in trust.anchors.items() if generation in (None, number)}
        ledger, signer = foreign_ledgers.read_foreign_crl(content, cas.values())
    except PkiError as error:
        raise UserError(
            f"{path}: {error}", "give an index.txt of openssl or easy-rsa, or a CRL in PEM or DER"
        ) from error
    return Source(ledger=ledger, generation=next(n for n, ca in cas.items() if ca is signer), ca=signer)


async def _records(reader: Reader, issuer: ObjectKey) -> list[Record]:
    items, _ = await reader.gateway.list(ISSUED_CERTIFICATE, issuer.namespace)
    return [record for body in items if (record := read_record(body)) is not None and record.issuer == issuer]


async def _trust(reader: Reader, issuer: ObjectKey, records: Sequence[Record]) -> Trust:
    """What the issuer publishes: the CAs that are meant."""
    try:
        body = await reader.gateway.get(CONFIG_MAP, issuer.namespace, crl_configmap_name(issuer.name))
    except NotFound:
        body = {}
    trust = trust_of(parse_configmap(body), {record.generation for record in records})
    if not trust.anchors:
        raise UserError(NOT_PUBLISHED.format(issuer=issuer), f"see: kubectl -n {issuer.namespace} get mtlsissuers")
    return trust


async def _signing(reader: Reader, issuer: ObjectKey) -> int:
    """The CA generation that signs, as the issuer says; 0: it does not say."""
    try:
        body = await reader.gateway.get(ISSUER, issuer.namespace, issuer.name)
    except NotFound:
        raise UserError(f"there is no MTLSIssuer {issuer}") from None
    number = ((body.get("status") or {}).get("ca") or {}).get("generation")
    return number if isinstance(number, int) else 0


async def _write(
    reader: Reader, issuer: ObjectKey, bodies: Sequence[Object], again: Mapping[ObjectKey, Revoked]
) -> dict[str, str]:
    """By record, what became of it."""
    room, results = asyncio.Semaphore(AT_ONCE), dict[str, str]()
    gateway = reader.gateway

    async def create(body: Object) -> str:
        try:
            await gateway.create(ISSUED_CERTIFICATE, issuer.namespace, body)
        except AlreadyExists:
            return imports.THERE
        return RECORDED

    async def revoke(at: ObjectKey, revoked: Revoked) -> str:
        patch = {"spec": {"revocation": imported_record.render_revocation(revoked)}}
        await gateway.patch(ISSUED_CERTIFICATE, at.namespace, at.name, patch)
        return REVOKED

    async def one(name: str, work: Coroutine[Any, Any, str]) -> None:
        async with room:
            try:
                results[name] = await work
            except Forbidden:
                raise
            except ApiError as error:
                note(f"IssuedCertificate {name}: {error}")
                results[name] = FAILED

    try:
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                group.create_task(one(body["metadata"]["name"], create(body)))
            for at, revoked in again.items():
                group.create_task(one(at.name, revoke(at, revoked)))
    except* Forbidden as refused:
        raise UserError(str(refused.exceptions[0]), RIGHT.format(namespace=issuer.namespace)) from None
    return results


def command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="An index.txt of openssl or easy-rsa, or a CRL in PEM or DER; - is standard input."
        ),
    ],
    *,
    issuer: Annotated[
        ObjectKey,
        typer.Option(
            "--issuer", parser=issuer_key, metavar="NAMESPACE/NAME", help="The MTLSIssuer that has the CA now."
        ),
    ],
    generation: Annotated[
        int | None,
        typer.Option(
            "--generation",
            metavar="NUMBER",
            min=1,
            help="CA generation that signed the certificates. Defaults to the one that signed the CRL, or that signs now.",
        ),
    ] = None,
    dry_run: DryRun = "none",
    output: Yaml = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Import the revoked certificates of a CA that another tool used before Doorward. They stay revoked.

    Each becomes an IssuedCertificate that is revoked, so the CRL of the issuer lists it. Expired certificates and those that are not
    revoked are left out. Running it again changes nothing.
    """
    dry = check_output(dry_run, output)
    where = Where(kubeconfig=kubeconfig, context=context, namespace=issuer.namespace)
    return where.read(lambda reader: bring_in(reader, file, issuer, generation, dry_run=dry))
