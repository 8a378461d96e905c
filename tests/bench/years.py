"""Three years of clients with 720h certificates: what ledger and archive take in etcd, and what the operator takes to start on them.

Time is not simulated: the cluster is brought to where it is after three years. The clients of today are issued by the operator. The
records of the 127 days before (30 of validity, 7 of the CRL, 90 of retention) are put into etcd as the API server stores one of them,
since it takes an hour to create them. The archives of the rest are written as the operator would write them.

Two issuers share the clients: of 10,000 with 720h each 15,000 certificates are unexpired at a time, and one CA signs no more than
its CRL could list. Their CAs are a person's own, and older than all records: a generated one that is younger was not restored.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.serialization import Encoding
from kubernetes import config

from doorward.api.conditions import instant
from doorward.clock import SystemClock
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, Gateway
from doorward.cluster.live import LiveGateway, connect
from doorward.objects import archive, archive_index, ledger_record
from doorward.objects.archive import ArchivedRecord, archived
from doorward.objects.archive_index import NO_ARCHIVE, ArchiveIndex, Part
from doorward.objects.ledger_record import Record, record_name
from doorward.objects.meta import ObjectKey
from doorward.pki import keys
from doorward.pki.certificates import build_ca
from doorward.pki.subjects import Subject
from tests.bench.figures import Cost, show
from tests.bench.storm import BLOCK, create_all, longest_callback
from tests.support import installation, planted
from tests.support.home import Home, client, issuer
from tests.support.kube import ISSUERS, Person
from tests.testbed.controlplane import Cluster

LIFETIME, EVERY = timedelta(hours=720), timedelta(hours=480)
"""Of a certificate, and how often it is renewed: at two thirds."""
KEPT = LIFETIME + timedelta(days=97)
YEARS = 3
DOMAINS = 2
"""Issuers that the clients are shared by."""
MOST_MEMORY, MOST_ETCD, LONGEST_START = 300.0, 150.0, 30.0
PATIENCE = 1800.0
SETTLES = 30.0


def run(folder: Path, clients: int) -> bool:
    """Measure and print; whether every limit is kept."""
    print(f"\nYears: {YEARS} of {clients} clients with certificates of 720h\n")
    with Cluster.start(folder, unsafe_no_fsync=True) as cluster:
        installation.install(cluster)
        operator = installation.OperatorProcess(cluster)
        try:
            admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
            home = Home.found(admin, folder)
            operator.start()
            _issuers(home)
            uids = asyncio.run(_issue(cluster, operator, home.namespace, clients))
            operator.stop()
            kept = _ledger_and_archive(cluster, home.namespace, uids)
            kept &= _start(cluster, operator, home.namespace)
        finally:
            operator.close()
        return _longest_step(cluster, folder / "longest-callback") and kept


def _issuers(home: Home) -> None:
    now = SystemClock().now()
    for number in range(DOMAINS):
        name, key = _issuer(number), keys.generate(keys.KeyKind(algorithm=keys.KeyAlgorithm.ECDSA, size=256))
        begin, end = now - timedelta(days=365 * (YEARS + 1)), now + timedelta(days=3650)
        ca = build_ca(subject=Subject(common_name=name), key=key, serial=number + 1, not_before=begin, not_after=end)
        pair = {"ca.crt": ca.public_bytes(Encoding.PEM), "ca.key": keys.private_key_pem(key).reveal()}
        home.secret(f"{name}-pair", pair)
        home.make(ISSUERS, issuer(name, ca={"secretRef": {"name": f"{name}-pair"}}))
        home.signing(name)


def _issuer(number: int) -> str:
    """The name of the issuer of this client."""
    return f"partners-{number % DOMAINS}"


@asynccontextmanager
async def _gateway(cluster: Cluster) -> AsyncIterator[LiveGateway]:
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    try:
        yield gateway
    finally:
        await gateway.close()


async def _issue(
    cluster: Cluster, operator: installation.OperatorProcess, namespace: str, clients: int
) -> Sequence[str]:
    """Today's certificates, by the operator itself; the UIDs of the clients."""
    async with _gateway(cluster) as gateway:
        bodies = (client(_name(number), issuer=_issuer(number), duration="720h") for number in range(clients))
        await create_all(gateway, CLIENT_CERTIFICATE, namespace, bodies)
        async with asyncio.timeout(PATIENCE):
            # Of the operator's own figures: a list of all is work for an API server that is to issue.
            while (await asyncio.to_thread(_statuses, operator)) < clients:
                await asyncio.sleep(2)
            while len(uids := await _ready(gateway, namespace)) < clients:
                await asyncio.sleep(2)
    return [uids[_name(number)] for number in range(clients)]


def _statuses(operator: installation.OperatorProcess) -> float:
    return operator.metrics().total("doorward_writes_total", kind="ClientCertificate", subresource="status")


def _name(number: int) -> str:
    return f"client-{number:05d}"


async def _ready(gateway: Gateway, namespace: str) -> dict[str, str]:
    """The UIDs of the clients that have a certificate, by name."""
    items, _ = await gateway.list(CLIENT_CERTIFICATE, namespace)
    return {body["metadata"]["name"]: body["metadata"]["uid"] for body in items if _is_ready(body)}


def _is_ready(body: dict[str, Any]) -> bool:
    conditions = body.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _records(namespace: str, uids: Sequence[str], seed: int, begin: datetime, end: datetime) -> Iterator[Record]:
    """What was issued in that time, each client at its own moment of each renewal period; one in fifty is revoked."""
    chance = random.Random(seed)
    for number, uid in enumerate(uids):
        issued = begin + EVERY * random.Random(number).random()
        while issued < end:
            yield _record(namespace, number, uid, chance, issued.replace(microsecond=0))
            issued += EVERY


def _record(namespace: str, number: int, uid: str, chance: random.Random, issued: datetime) -> Record:
    issuer = ObjectKey(namespace, _issuer(number))
    serial = chance.getrandbits(159)
    revoked = ledger_record.Revocation(reason="superseded", time=issued + timedelta(days=21))
    return ledger_record.record_of(
        key=ObjectKey(issuer.namespace, record_name(issuer.name, 1, serial)),
        issuer=issuer,
        generation=1,
        serial=serial,
        subject=f"CN={_name(number)}.example",
        not_before=issued - timedelta(hours=1),
        not_after=issued + LIFETIME,
        sha256=chance.randbytes(32).hex(),
        sha1=chance.randbytes(20).hex(),
        public_key_sha256=chance.randbytes(32).hex(),
        holder=ObjectKey(issuer.namespace, _name(number)),
        holder_uid=uid,
        issued_at=issued,
        revocation=revoked if chance.random() < 0.02 else None,
    )


def _ledger_and_archive(cluster: Cluster, namespace: str, uids: Sequence[str]) -> bool:
    now = SystemClock().now()
    begin, window, today = now - timedelta(days=365 * YEARS), now - KEPT, now - EVERY / 2
    before = _etcd(cluster)
    show("etcd with today's clients, Secrets and records, MB", f"{before:.1f}")
    count = _plant_ledger(cluster, _records(namespace, uids, 1, window, today))
    with_ledger = _etcd(cluster)
    show("older records in the ledger; etcd bytes of each", f"{count}, {(with_ledger - before) * 1e6 / count:.0f}")
    found = _fullest_months(_records(namespace, uids, 2, window - timedelta(days=90), window))
    months = sorted({archive.month_of(begin + timedelta(days=day)) for day in range((window - begin).days + 1)})
    planted = sum(asyncio.run(_plant_archive(cluster, key, packed, months)).records for key, packed in found.items())
    after = _etcd(cluster)
    size = (after - with_ledger) * 1e6 / planted
    show("archived records; etcd bytes of each", f"{planted}, {size:.0f}")
    ledger = (with_ledger - before) * (count + len(uids)) / count
    taken = ledger + after - with_ledger
    kept = show(
        "etcd: ledger and archive, MB", f"{taken:.1f}", limit=f"at most {MOST_ETCD:.0f}", kept=taken <= MOST_ETCD
    )
    show("    with clients, their Secrets and all else, MB", f"{after:.1f}")
    return kept


def _plant_ledger(cluster: Cluster, records: Iterator[Record]) -> int:
    """Into etcd, each as the API server stored the first one; how many."""
    first = next(records)
    asyncio.run(_create(cluster, ledger_record.render_again(first)))
    stored = planted.stored(cluster, ISSUED_CERTIFICATE, first.key)
    return 1 + planted.plant(cluster, ISSUED_CERTIFICATE, (_as(stored, record) for record in records))


def _as(stored: dict[str, Any], record: Record) -> dict[str, Any]:
    wanted = ledger_record.render_again(record)
    own = {"name": record.key.name, "uid": str(uuid4()), "creationTimestamp": instant(record.issued_at)}
    return stored | {"metadata": stored["metadata"] | own, "spec": wanted["spec"]}


async def _create(cluster: Cluster, body: dict[str, Any]) -> None:
    async with _gateway(cluster) as gateway:
        await gateway.create(ISSUED_CERTIFICATE, body["metadata"]["namespace"], body)


def _fullest_months(records: Iterator[Record]) -> dict[ObjectKey, list[ArchivedRecord]]:
    """The fullest month of each issuer."""
    found: dict[ObjectKey, dict[str, list[ArchivedRecord]]] = {}
    for record in records:
        months = found.setdefault(record.issuer, {})
        months.setdefault(archive.month_of(record.not_after), []).append(archived(record))
    return {key: max(months.values(), key=len) for key, months in found.items()}


async def _plant_archive(
    cluster: Cluster, issuer: ObjectKey, month: list[ArchivedRecord], months: Sequence[str]
) -> ArchiveIndex:
    """One month is packed, which takes half a minute; all others are stored with its bytes, since they are as large."""
    parts = _parts(month)
    index = NO_ARCHIVE
    async with _gateway(cluster) as gateway:
        for name in months:
            for number, (held, packed) in enumerate(parts, start=1):
                body = archive.render(issuer, name, number, packed, version=None)
                await gateway.create(CONFIG_MAP, issuer.namespace, body)
                index = archive_index.with_part(index, name, number, Part(records=held, size=len(packed)))
        index = archive_index.ArchiveIndex(generations=frozenset({1}), months=index.months)
        await gateway.create(CONFIG_MAP, issuer.namespace, archive_index.render(issuer, index, version=None))
    return index


def _parts(records: list[ArchivedRecord]) -> list[tuple[int, bytes]]:
    """A month in as many parts as it takes."""
    records.sort(key=lambda record: record.not_after)
    size = len(records)
    for count in range(1, 100):
        step = -(-size // count)
        some = [archive.merged((), records[first : first + step]) for first in range(0, size, step)]
        packed = [(len(each), data) for each in some if (data := archive.pack(each)) is not None]
        if len(packed) == len(some):
            return packed
    raise AssertionError("a month does not fit")


def _etcd(cluster: Cluster) -> float:
    """MB in use, once history is compacted away."""
    revision = planted.asked(cluster, "maintenance/status")["header"]["revision"]
    planted.asked(cluster, "kv/compaction", revision=revision, physical=True)
    planted.asked(cluster, "maintenance/defragment")
    return int(planted.asked(cluster, "maintenance/status")["dbSizeInUse"]) / 1e6


def _start(cluster: Cluster, operator: installation.OperatorProcess, namespace: str) -> bool:
    """From the first instruction of the process to the first certificate that it issues."""
    begun = time.monotonic()
    operator.start()
    show("seconds until all is listed", f"{time.monotonic() - begun:.1f}")
    asyncio.run(_one_more(cluster, namespace))
    seconds = time.monotonic() - begun
    kept = show(
        "seconds until the first new certificate is issued",
        f"{seconds:.1f}",
        limit=f"at most {LONGEST_START:.0f}",
        kept=seconds <= LONGEST_START,
    )
    time.sleep(SETTLES)  # what it does behind that, it does within this
    show("writes since the start", f"{operator.metrics().total('doorward_writes_total'):.0f}")
    peak = Cost.of(operator.pid).memory
    kept &= show("operator: peak MB", f"{peak:.0f}", limit=f"at most {MOST_MEMORY:.0f}", kept=peak <= MOST_MEMORY)
    show("operator: CPU seconds", f"{Cost.of(operator.pid).cpu:.1f}")
    return kept


def _longest_step(cluster: Cluster, file: Path) -> bool:
    """Another start, with a stopwatch at each callback of the event loop, which takes a quarter of Kopf's time."""
    program = (sys.executable, "-m", "tests.bench.measured", file)
    operator = installation.OperatorProcess(cluster, program=program)
    try:
        operator.start()
        time.sleep(SETTLES)
        return longest_callback(operator.pid, file).show(cpu=BLOCK)
    finally:
        operator.close()


async def _one_more(cluster: Cluster, namespace: str) -> None:
    async with _gateway(cluster) as gateway:
        await gateway.create(CLIENT_CERTIFICATE, namespace, client("one-more", issuer=_issuer(0), duration="720h"))
        async with asyncio.timeout(PATIENCE):
            while True:
                body = await gateway.get(CLIENT_CERTIFICATE, namespace, "one-more")
                if _is_ready(body):
                    return
                await asyncio.sleep(0.2)
