"""One namespace with a gate and its people, in which one action is disturbed once; and what must hold of it in the end."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from doorward.clock import SystemClock
from tests.gate.doors import IN, NO_CERTIFICATE, NOBODY, REFUSED, Door, Files, Street
from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, CONFIGMAPS, INGRESSES, ISSUERS, SECRETS, Object, Person, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.ingress_nginx import IngressNginx

Serial = str


@dataclass(frozen=True)
class Scene:
    """An issuer `partners`, its host, and clients; `files` are what they got, by name, kept as they keep them."""

    home: Home
    door: Door
    openssl: OpenSsl
    files: dict[str, Files] = field(default_factory=dict)

    @classmethod
    def build(cls, admin: Person, folder: Path, ingress: IngressNginx, openssl: OpenSsl, prefix: str) -> "Scene":
        """A namespace with a host, and nothing behind its gate yet."""
        home = Home.found(admin, folder, prefix=prefix)
        return cls(home, Street.build(ingress, home).door("shop"), openssl)

    def people(self, *names: str) -> None:
        """The issuer and these clients, as they are applied."""
        self.home.make(ISSUERS, issuer())
        for name in names:
            self.home.make(CERTIFICATES, client(name))

    def settled(self, *names: str) -> None:
        """Wait until all of them are served and the host is told, and keep their files."""
        for name in names:
            self.home.issued(name)
            self.keep(name)
        eventually(self._told, "the Ingress is told")

    def _told(self) -> bool:
        said = self.home.body(INGRESSES, "shop")["metadata"]["annotations"]
        return str(said.get("doorward.io/gate", "")).startswith("Protected")

    def keep(self, name: str) -> None:
        """What is in the client's Secret now, as its owner has it from now on."""
        self.files[name] = self.home.files(name)

    def comes_right(self, entitled: Mapping[str, int], out: set[str]) -> None:
        """Wait until every promise holds: `entitled` says how many serials of a client are good, `out` whose are not."""
        seen: list[str] = []

        def right() -> bool:
            seen[:] = broken(self, entitled, out)
            return not seen

        try:
            eventually(right, "all is as promised", pause=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; but {'; '.join(seen)}") from None

    def answers(self, entitled: Mapping[str, int], out: set[str]) -> Iterator[tuple[Files, str]]:
        """What the real host must tell each client: whoever is entitled gets in, and nobody else."""
        yield from ((self.home.files(name), IN) for name in entitled)
        yield from ((self.files[name], REFUSED) for name in out)
        yield NOBODY, NO_CERTIFICATE

    def comes_to_tell(self, entitled: Mapping[str, int], out: set[str]) -> None:
        """Wait until the host tells all of them what it should: nginx loads what the API has some time after."""
        for files, wanted in self.answers(entitled, out):
            self.door.comes_to_tell(files, wanted)

    def mistold(self, entitled: Mapping[str, int], out: set[str]) -> list[str]:
        """What the host tells that it should not."""
        told = [(self.door.tells(files), wanted) for files, wanted in self.answers(entitled, out)]
        return [f"the host tells {said!r}, not {wanted!r}" for said, wanted in told if said != wanted]


def broken(scene: Scene, entitled: Mapping[str, int], out: set[str]) -> list[str]:
    """What is not as promised: first by the API's objects, and when they are right by openssl."""
    records = scene.home.records()
    revoked = {serial(record) for record in records if record["spec"].get("revocation")}
    return (
        [*_ledger(scene.home, records, entitled), *_objects(scene.home, entitled, out)]
        or [*_crl(scene, scene.home.crl().read_bytes(), revoked), *_crl(scene, _gate(scene.home)["ca.crl"], revoked)]
        or [*_verdicts(scene, entitled, out)]
    )


def serial(record: Object) -> Serial:
    """As the ledger writes it."""
    return str(record["spec"]["serialNumber"])


def _gate(home: Home) -> dict[str, bytes]:
    return home.data(home.gate)


def _ledger(home: Home, records: list[Object], entitled: Mapping[str, int]) -> Iterator[str]:
    """Exactly the entitled have live serials, and show one of them; what no Secret ever held runs out, and is not counted."""
    live: dict[str, list[Serial]] = {}
    for record in records:
        undelivered = "doorward.io/secret-missing-since" in (record["metadata"].get("annotations") or {})
        if not record["spec"].get("revocation") and not undelivered:
            live.setdefault(record["spec"]["clientCertificate"]["name"], []).append(serial(record))
    if {name: len(serials) for name, serials in live.items()} != dict(entitled):
        yield f"live are {live}"
    for name in entitled:
        shown = home.get(CERTIFICATES, name).body.get("status", {}).get("serialNumber")
        if shown not in live.get(name, ()):
            yield f"{name} shows {shown}"


def _objects(home: Home, entitled: Mapping[str, int], out: set[str]) -> Iterator[str]:
    """What was deleted is gone; whoever is entitled has a Secret; CRL and gate are there."""
    wanted = [(SECRETS, f"{name}-mtls") for name in entitled]
    wanted += [(SECRETS, home.gate), (CONFIGMAPS, "partners-crl")]
    for kind, name in wanted:
        if not home.get(kind, name).ok:
            yield f"there is no {kind.plural}/{name}"
    for name in out:
        found = home.get(CERTIFICATES, name)
        if found.ok and "deletionTimestamp" in found.body["metadata"]:
            yield f"{name} does not go"


def _crl(scene: Scene, bundle: bytes, revoked: set[Serial]) -> Iterator[str]:
    """The CRLs of all generations name exactly these serials, and each is signed by an anchor of the gate."""
    anchors = [scene.openssl.file(pem) for pem in blocks(_gate(scene.home)["ca.crt"], b"CERTIFICATE")]
    named: set[Serial] = set()
    for crl in blocks(bundle, b"X509 CRL"):
        said = [scene.openssl.run("crl", "-noout", "-text", "-CAfile", anchor, stdin=crl) for anchor in anchors]
        named |= set(re.findall(r"serial number: (\w+)", said[0].stdout.decode().lower()))
        if not any(b"verify OK" in answer.stderr for answer in said):
            yield f"openssl says of a CRL: {said[0].stderr.decode()}"
    if named != {number.zfill(len(number) + len(number) % 2) for number in revoked}:
        yield f"the CRLs name {named}, revoked are {revoked}"


def blocks(bundle: bytes, label: bytes) -> list[bytes]:
    """Each PEM block by itself."""
    return re.findall(b"-----BEGIN %b-----.*?-----END %b-----\n?" % (label, label), bundle, re.DOTALL)


def _verdicts(scene: Scene, entitled: Mapping[str, int], out: set[str]) -> Iterator[str]:
    """What openssl makes of each client's certificate, with what the gate holds and nothing else."""
    gate = _gate(scene.home)
    certificates = {name: (scene.home.data(f"{name}-mtls")["tls.crt"], "OK") for name in entitled}
    kept = {name: files["tls.crt"].read_bytes() for name, files in scene.files.items()}
    certificates |= {name: (kept[name], "certificate revoked") for name in out & kept.keys()}
    for name, (pem, wanted) in certificates.items():
        said = scene.openssl.verdict(pem, anchor=gate["ca.crt"], crl=gate["ca.crl"], at=SystemClock().now())
        if said != wanted:
            yield f"openssl says of {name}: {said}"
