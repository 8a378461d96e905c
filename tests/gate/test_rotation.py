"""One CA after the other at real hosts: who should get in does at every moment, and who should not never."""

import itertools
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from kubernetes import config

from doorward.planning.timing import BACKDATE
from tests.support.bystander import Bystander
from tests.support.home import Home, client, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, CONFIGMAPS, ISSUERS, RECORDS, Person, eventually
from tests.support.openssl import LEAF_EXTENSIONS, Issued, OpenSsl
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, MOST_BROKEN, REFUSED, Door, Files, Knocks, Street, admitted, knocking

SECONDS = 180
"""The next CA stands in the gates for 30 s before it signs; the CRL of `brief` is renewed each minute."""
HOSTS = {"made": "partners", "own": "staff"}


def kept(files: Files) -> Files:
    """The files as they are now, whatever the Secret holds later."""
    folder = files["tls.crt"].parent.with_suffix(".kept")
    shutil.copytree(files["tls.crt"].parent, folder)
    return {name: folder / name for name in files}


def generation(home: Home, name: str) -> int:
    return int(home.body(CERTIFICATES, name)["status"]["issuerGeneration"])


@dataclass(frozen=True)
class Crl:
    """A CRL that was published, and when."""

    number: int
    signed: datetime
    next_update: datetime


def crls(openssl: OpenSsl, bystander: Bystander) -> list[Crl]:
    """All that the issuer `brief` has published so far, as openssl reads their heads, in order."""
    found = {}
    for body in bystander.seen():
        if body["metadata"]["name"] == "brief-crl":
            options = ("-crlnumber", "-lastupdate", "-nextupdate", "-dateopt", "iso_8601")
            said = openssl.says("crl", "-noout", *options, stdin=body["data"]["ca.crl"].encode())
            number, since, until = re.findall(r"=(?:0x)?(.+)", said)
            signed = datetime.fromisoformat(since) + BACKDATE
            found[number] = Crl(int(number, 16), signed, datetime.fromisoformat(until))
    return list(found.values())


@dataclass(frozen=True)
class Rotated:
    """Two issuers whose CA changed, one made by Doorward and one a person's own; what their clients were told meanwhile."""

    home: Home
    doors: Mapping[str, Door]
    old: Mapping[str, Files]
    """Of clients who are in, as they got them first."""
    revoked: Mapping[str, Files]
    lost: Files
    """Of one more client of `made`, as it got them first."""
    knocks: Mapping[str, Knocks]
    crls: list[Crl]
    """Of an issuer that renews its CRL each minute, and where nothing happens."""


@pytest.fixture(scope="module")
def rotated(
    cluster: Cluster,
    admin: Person,
    running_operator: OperatorProcess,
    ingress_nginx: IngressNginx,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Rotated]:
    del running_operator  # it runs
    home = Home.found(admin, tmp_path_factory.mktemp("rotated"))
    openssl = OpenSsl(tmp_path_factory.mktemp("openssl"))
    street = Street.build(ingress_nginx, home)
    home.make(ISSUERS, issuer("brief", crl={"validity": "2m", "renewEvery": "1m"}))
    home.signing("brief")
    bystander = Bystander(
        config.new_client_from_config(config_file=str(cluster.kubeconfig)), home.namespace, [CONFIGMAPS]
    )
    first, second = openssl.ca("Staff CA"), openssl.ca("Staff CA")
    home.put_secret("mine", {"tls.crt": first.certificate, "tls.key": first.key})
    home.partners()
    home.make(ISSUERS, issuer("staff", ca={"secretRef": {"name": "mine"}}))
    home.signing("staff")
    doors = {which: street.door(which, issuer=name) for which, name in HOSTS.items()}
    old = {which: kept(admitted(home, doors[which], f"{which}-in", issuer=HOSTS[which])) for which in HOSTS}
    revoked = {which: admitted(home, doors[which], f"{which}-out", issuer=HOSTS[which]) for which in HOSTS}
    lost = kept(admitted(home, doors["made"], "made-lost"))
    for which in HOSTS:
        home.respec(CERTIFICATES, f"{which}-out", revoked=True)
        doors[which].comes_to_tell(revoked[which], REFUSED)
    made, own = (doors[which] for which in HOSTS)
    with (
        bystander.watching(),
        knocking(ingress_nginx, [made.host], old["made"]) as made_in,
        knocking(ingress_nginx, [own.host], old["own"]) as own_in,
        knocking(ingress_nginx, [made.host], revoked["made"]) as made_out,
        knocking(ingress_nginx, [own.host], revoked["own"]) as own_out,
    ):
        home.respec(ISSUERS, "partners", ca={"generate": {"rotate": "today"}})
        home.put_secret("mine", {"tls.crt": second.certificate, "tls.key": second.key})
        for which in HOSTS:
            eventually(
                lambda which=which: generation(home, f"{which}-in") == 2, f"{which}: a new certificate", seconds=SECONDS
            )
        eventually(lambda: generation(home, "made-lost") == 2, "made-lost: a new certificate", seconds=SECONDS)
        for knocks in (made_in, own_in, made_out, own_out):
            knocks.once_more()
        eventually(lambda: len(crls(openssl, bystander)) > 1, "a second CRL", seconds=SECONDS, pause=0.5)
        knocks = {"made in": made_in, "own in": own_in, "made out": made_out, "own out": own_out}
        yield Rotated(home, doors, old, revoked, lost, knocks, crls(openssl, bystander))
    home.abandon()


WHICH = pytest.mark.parametrize("which", HOSTS, ids=["a CA of Doorward's", "a person's own, of the same name"])


def answers(rotated: Rotated, which: str, who: str) -> set[int]:
    """The statuses that a client was told all through the rotation."""
    knocks, host = rotated.knocks[f"{which} {who}"], rotated.doors[which].host
    assert knocks.broken(host) <= MOST_BROKEN
    return knocks.statuses(host)


@pytest.mark.promise(3)
@WHICH
def test_a_client_gets_in_at_every_moment_of_a_rotation(rotated: Rotated, which: str):
    assert answers(rotated, which, "in") == {200}


@pytest.mark.promise(1)
@WHICH
def test_a_revoked_client_is_refused_at_every_moment_of_a_rotation(rotated: Rotated, which: str):
    assert answers(rotated, which, "out") == {400}


@WHICH
def test_the_new_certificate_gets_in_beside_the_old_one(rotated: Rotated, which: str):
    new = rotated.home.files(f"{which}-in")
    assert new["tls.crt"].read_bytes() != rotated.old[which]["tls.crt"].read_bytes()
    door = rotated.doors[which]
    assert (door.tells(new), door.tells(rotated.old[which])) == (IN, IN)


@pytest.mark.promise(4)
def test_a_crl_is_renewed_before_it_lapses_though_nothing_happens(rotated: Rotated):
    for crl, following in itertools.pairwise(rotated.crls):
        assert crl.number < following.number
        assert following.signed < crl.next_update < following.next_update


def test_an_old_certificate_is_refused_alone_when_it_is_revoked_after_the_rotation(rotated: Rotated):
    home, door = rotated.home, rotated.doors["made"]
    record = next(r for r in home.records("made-lost") if r["spec"]["generation"] == 1)
    revocation = {"spec": {"revocation": {"reason": "keyCompromise"}}}
    home.change(RECORDS, record["metadata"]["name"], revocation)
    door.comes_to_tell(rotated.lost, REFUSED)
    assert door.tells(home.files("made-lost")) == IN


@pytest.mark.promise(1)
def test_a_stolen_ca_lets_nobody_in_once_it_is_distrusted_and_its_clients_get_new_certificates(
    home: Home, shop: Door, tmp_path: Path
):
    home.partners()
    alice = kept(admitted(home, shop, "alice"))
    thief = minted(OpenSsl(tmp_path), home)
    shop.comes_to_tell(thief, IN)
    home.respec(ISSUERS, "partners", ca={"distrust": [1]})
    for stolen in (alice, thief):
        shop.comes_to_tell(stolen, REFUSED)
    eventually(lambda: generation(home, "alice") == 2, "a new certificate")
    shop.comes_to_tell(home.files("alice"), IN)


def minted(openssl: OpenSsl, home: Home) -> Files:
    """What a thief makes with the CA's key."""
    ca = home.data("partners-ca-1")
    made = openssl.issue("thief", Issued(certificate=ca["tls.crt"], key=ca["tls.key"]), extensions=LEAF_EXTENSIONS)
    return {"tls.crt": openssl.file(made.certificate), "tls.key": openssl.file(made.key)}


def test_a_client_made_during_a_rotation_gets_in(home: Home, shop: Door):
    home.partners()
    home.respec(ISSUERS, "partners", ca={"generate": {"rotate": "today"}})
    home.says(ISSUERS, "partners", "CASettled", "NextCaShown")
    home.make(CERTIFICATES, client("alice"))
    home.issued("alice")
    shop.comes_to_tell(home.files("alice"), IN)
