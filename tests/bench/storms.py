"""Ten storms of other tenants, and how long a cut-off takes beside each: from the API server's answer to the published CRL."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from kubernetes import config

from doorward.clock import SystemClock
from doorward.cluster.errors import ApiError
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    INGRESS,
    ISSUED_CERTIFICATE,
    ISSUER,
    NAMESPACE,
    ROLE_BINDING,
    SECRET,
    Gateway,
    Kind,
)
from doorward.cluster.live import LiveGateway, connect
from tests.bench.figures import Cost, Since, machine, percentile, show
from tests.bench.storm import create_all
from tests.support import installation
from tests.support.home import Home, client, issuer
from tests.support.kube import ISSUERS, Person
from tests.testbed.controlplane import Cluster

LIMIT = 1.0
PATIENCE = 60.0
Storm = Callable[["Weather"], Awaitable[None]]


class Weather:
    """Two tenants with an issuer each: `stormy` makes the storm, `calm` cuts clients off."""

    def __init__(self, gateway: Gateway, stormy: str, calm: str, size: int) -> None:
        self.gateway = gateway
        self.stormy = stormy
        self.calm = calm
        self.size = size

    async def all(self, kind: Kind, bodies: Iterable[dict[str, Any]]) -> None:
        await create_all(self.gateway, kind, self.stormy, bodies)

    async def each(self, act: Callable[[int], Awaitable[object]], count: int | None = None) -> None:
        """Twenty at a time, whatever becomes of each."""
        numbers = iter(range(count or self.size))

        async def some() -> None:
            for number in numbers:
                with suppress(ApiError):
                    await act(number)

        await asyncio.gather(*(some() for _ in range(20)))

    async def edit(self, kind: Kind, name: str, patch: dict[str, Any]) -> None:
        await self.gateway.patch(kind, self.stormy, name, patch)


async def many_clients(w: Weather) -> None:
    await w.all(CLIENT_CERTIFICATE, (client(f"new{number}") for number in range(w.size)))


async def many_issuers_with_rsa(w: Weather) -> None:
    ca = {"generate": {"commonName": "big", "privateKey": {"algorithm": "RSA", "size": 4096}}}
    await w.all(ISSUER, (issuer(f"big{number}", ca=ca) for number in range(200)))


async def mass_revocation(w: Weather) -> None:
    await w.each(lambda n: w.edit(CLIENT_CERTIFICATE, f"c{n}", {"spec": {"revoked": True}}))


async def mass_deletion(w: Weather) -> None:
    await w.each(lambda n: w.gateway.delete(CLIENT_CERTIFICATE, w.stormy, f"d{n}"))


async def suspend_and_lift(w: Weather) -> None:
    for suspended in (True, False):
        await w.each(lambda n, s=suspended: w.edit(CLIENT_CERTIFICATE, f"e{n}", {"spec": {"suspended": s}}))  # type: ignore[misc]


async def rotation(w: Weather) -> None:
    await w.edit(ISSUER, "partners", {"spec": {"ca": {"generate": {"rotate": "bench"}}}})


async def broken_specs(w: Weather) -> None:
    await w.all(CLIENT_CERTIFICATE, (client(f"bad{n}", issuer="nobody") for n in range(w.size)))
    await w.each(lambda n: w.edit(CLIENT_CERTIFICATE, f"bad{n}", {"metadata": {"labels": {"turn": "2"}}}))


def ingress(issuer_of: str) -> dict[str, Any]:
    """One that lets in the clients of an issuer; nothing stands behind it."""
    backend = {"service": {"name": "app", "port": {"number": 80}}}
    return {
        "metadata": {"name": "app", "annotations": {"doorward.io/issuer": issuer_of}},
        "spec": {"defaultBackend": backend},
    }


async def many_namespaces(w: Weather) -> None:
    async def join(number: int) -> None:
        name = f"{w.stormy}-{number}"
        await w.gateway.create(NAMESPACE, "", {"metadata": {"name": name}})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "doorward-secrets"}
        account = {"kind": "ServiceAccount", "namespace": installation.NAMESPACE, "name": installation.ACCOUNT}
        binding = {"metadata": {"name": "doorward-secrets"}, "roleRef": role, "subjects": [account]}
        await w.gateway.create(ROLE_BINDING, name, binding)
        await w.gateway.create(INGRESS, name, ingress(f"{w.stormy}/partners"))

    await w.each(join, 100)


async def edits_of_secrets(w: Weather) -> None:
    for turn in range(5):
        await w.each(lambda n, t=turn: w.edit(SECRET, f"e{n}-mtls", {"metadata": {"labels": {"turn": str(t)}}}))  # type: ignore[misc]


async def lost_secrets(w: Weather) -> None:
    await w.each(lambda n: w.gateway.delete(SECRET, w.stormy, f"e{n}-mtls"))


STORMS: dict[str, Storm] = {
    "a new client each, by the hundred": many_clients,
    "200 issuers with RSA-4096": many_issuers_with_rsa,
    "a mass revocation": mass_revocation,
    "a mass deletion": mass_deletion,
    "suspended and lifted": suspend_and_lift,
    "a rotation of the CA": rotation,
    "broken specs, edited": broken_specs,
    "100 namespaces with a gate": many_namespaces,
    "another controller edits Secrets": edits_of_secrets,
    "lost Secrets": lost_secrets,
}


def chosen(words: Sequence[str]) -> dict[str, Storm]:
    """The storms with one of these words in their name; all where there are no words. Raises ValueError where there is none."""
    found = {name: storm for name, storm in STORMS.items() if not words or any(word in name for word in words)}
    if not found:
        raise ValueError(f"no storm is called so: {', '.join(words)}. There are: {', '.join(STORMS)}")
    return found


def run(folder: Path, size: int, cut_offs: int, words: Sequence[str] = ()) -> bool:
    """Measure and print; whether the limit is kept in each storm."""
    some = chosen(words)
    print(f"\nStorms: {size} objects of one tenant each, and {cut_offs} cut-offs of another beside each\n")
    with Cluster.start(folder) as cluster, installation.running(cluster) as operator:
        admin = Person(config.new_client_from_config(config_file=str(cluster.kubeconfig)))
        stormy, calm = (Home.found(admin, folder, prefix=prefix) for prefix in ("stormy-", "calm-"))
        everywhere = {"gates": {"allowedNamespaces": {"from": "All"}}}
        stormy.make(ISSUERS, issuer(**everywhere))
        calm.make(ISSUERS, issuer())
        for home in (stormy, calm):
            home.signing()
        seen = Seen(operator, {"operator": operator.pid, **cluster.control_plane.pids, "this bench": os.getpid()})
        return asyncio.run(_measure(cluster, seen, stormy.namespace, calm.namespace, size, cut_offs, some))


class Seen:
    """What the operator counts, and what each process has used of the two cores."""

    def __init__(self, operator: installation.OperatorProcess, pids: dict[str, int]) -> None:
        self._operator = operator
        self._pids = pids
        self._before = operator.metrics()
        self._begun = time.perf_counter()
        self._cpu = self._spent()

    def again(self) -> "Seen":
        """From now on."""
        return Seen(self._operator, self._pids)

    def show(self) -> None:
        """What came since then: the stages of a cut-off in the mean, those of the storm among them, and who had the cores."""
        took = time.perf_counter() - self._begun
        spent = {name: cpu - self._cpu[name] for name, cpu in self._spent().items()}
        since = Since(self._before, self._operator.metrics())
        show("    ledger + CRL + gates in the mean, the storm's too", since.stages())
        show("    cores in use", ", ".join(f"{name} {cpu / took:.2f}" for name, cpu in spent.items()))

    def _spent(self) -> dict[str, float]:
        """Seconds of CPU so far; `machine` tells of work that is none of ours, and that a figure suffers from."""
        return {name: Cost.of(pid).cpu for name, pid in self._pids.items()} | {"the whole machine": machine()}


async def _measure(
    cluster: Cluster, seen: Seen, stormy: str, calm: str, size: int, cut_offs: int, some: dict[str, Storm]
) -> bool:
    gateway = LiveGateway(await connect(str(cluster.kubeconfig)), SystemClock())
    weather = Weather(gateway, stormy, calm, size)
    kept = True
    try:
        for prefix in ("c", "d", "e"):
            await weather.all(CLIENT_CERTIFICATE, (client(f"{prefix}{number}") for number in range(size)))
        names = [f"out{number}" for number in range(cut_offs * len(some))]
        await create_all(gateway, CLIENT_CERTIFICATE, calm, (client(name) for name in names))
        serials = await _issued(gateway, calm, len(names))
        await _issued(gateway, stormy, 3 * size)
        for number, (name, storm) in enumerate(some.items()):
            out = names[number * cut_offs : (number + 1) * cut_offs]
            kept &= await _beside(weather, seen, name, storm, {n: serials[n] for n in out})
    finally:
        await gateway.close()
    return kept


async def _issued(gateway: Gateway, namespace: str, count: int) -> dict[str, int]:
    """Wait until all have a certificate; serial numbers by client."""
    async with asyncio.timeout(600):
        while True:
            items, _ = await gateway.list(ISSUED_CERTIFICATE, namespace)
            found = {r["spec"]["clientCertificate"]["name"]: int(r["spec"]["serialNumber"], 16) for r in items}
            if len(found) >= count:
                return found
            await asyncio.sleep(1)


async def _beside(weather: Weather, seen: Seen, name: str, storm: Storm, clients: dict[str, int]) -> bool:
    seen = seen.again()
    raging = asyncio.create_task(storm(weather))
    await asyncio.sleep(0.5)
    took, asked = [], []
    for client_name, serial in clients.items():
        begun = time.perf_counter()
        took.append(await _cut_off(weather, client_name, serial))
        asked.append(time.perf_counter() - begun - took[-1])
    await raging
    slowest = percentile(took, 0.99)
    value = f"{percentile(took, 0.5):.2f} / {slowest:.2f} s"
    kept = show(f"{name}: p50 / p99", value, limit=f"p99 at most {LIMIT:.0f} s", kept=slowest <= LIMIT)
    show("    each", " ".join(f"{seconds:.2f}" for seconds in took))
    bare = f"{percentile(asked, 0.5):.2f} / {percentile(asked, 0.99):.2f} s"
    show("    the API server's answer to the one write before: p50 / p99", bare)
    seen.show()
    return kept


async def _cut_off(weather: Weather, name: str, serial: int) -> float:
    """Seconds from the API server's answer until the published CRL names the serial."""
    await weather.gateway.patch(CLIENT_CERTIFICATE, weather.calm, name, {"spec": {"revoked": True}})
    begun = time.perf_counter()
    while time.perf_counter() < begun + PATIENCE:
        body = await weather.gateway.get(CONFIG_MAP, weather.calm, "partners-crl")
        crl = x509.load_pem_x509_crl(body["data"]["ca.crl"].encode())
        if crl.get_revoked_certificate_by_serial_number(serial) is not None:
            return time.perf_counter() - begun
        await asyncio.sleep(0.02)
    return PATIENCE
