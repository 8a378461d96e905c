"""A person's own CA at real hosts: renewed over the same key under another name or identifier, and with bad files in its Secret."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.support.home import Home, issuer
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, ISSUERS, RECORDS, SECRETS, Person, eventually
from tests.support.openssl import CA_EXTENSIONS, EC_KEY, Issued, OpenSsl
from tests.testbed.ingress_nginx import IngressNginx

from .doors import IN, MOST_BROKEN, REFUSED, Door, Files, Street, admitted, knocking
from .test_rotation import SECONDS, generation, kept

KEY_USAGES = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
RENEWED = {
    "identifier": ("Corp CA", f"{KEY_USAGES}subjectKeyIdentifier=AABBCCDDEEFF00112233445566778899AABBCCDD\n"),
    "name": ("Corp CA 2", CA_EXTENSIONS),
}
"""By what is another: name and extensions of the CA that follows `Corp CA` over its key."""
WHICH = pytest.mark.parametrize("which", RENEWED, ids=[f"another {part}" for part in RENEWED])


def files_of(ca: Issued, **more: bytes) -> Mapping[str, bytes]:
    return {"tls.crt": ca.certificate, "tls.key": ca.key} | {
        name.replace("_", "."): text for name, text in more.items()
    }


@dataclass(frozen=True)
class Renewed:
    """Two issuers whose CAs were renewed, each with a host; by issuer, what clients held before and were told meanwhile."""

    home: Home
    doors: Mapping[str, Door]
    old: Mapping[str, Files]
    """By client, as it got them first."""
    told: Mapping[str, set[int]]
    """By client, all statuses that it got with them while the CA was renewed."""


@pytest.fixture(scope="module")
def renewed(
    admin: Person,
    running_operator: OperatorProcess,
    ingress_nginx: IngressNginx,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Renewed]:
    del running_operator  # it runs
    home = Home.found(admin, tmp_path_factory.mktemp("renewed"))
    openssl = OpenSsl(tmp_path_factory.mktemp("openssl"))
    street = Street.build(ingress_nginx, home)
    keys = {which: openssl.makes(*EC_KEY) for which in RENEWED}
    for which, key in keys.items():
        home.put_secret(f"{which}-own", files_of(openssl.ca("Corp CA", key=key)))
        home.make(ISSUERS, issuer(which, ca={"secretRef": {"name": f"{which}-own"}}))
        home.signing(which)
    doors = {which: street.door(f"to-{which}", issuer=which) for which in RENEWED}
    old = {
        f"{which}-{name}": kept(admitted(home, doors[which], f"{which}-{name}", issuer=which))
        for which in RENEWED
        for name in ("alice", "bob", "out")
    }
    for which, door in doors.items():
        home.respec(CERTIFICATES, f"{which}-out", revoked=True)
        door.comes_to_tell(old[f"{which}-out"], REFUSED)
    watched = {f"{which}-{name}": doors[which].host for which in RENEWED for name in ("alice", "out")}
    with contextlib.ExitStack() as stack:
        knocks = {
            client: stack.enter_context(knocking(ingress_nginx, [host], old[client]))
            for client, host in watched.items()
        }
        for which, (name, extensions) in RENEWED.items():
            after = openssl.ca(name, extensions=extensions, key=keys[which])
            home.put_secret(f"{which}-own", files_of(after))
        for client in (f"{which}-{name}" for which in RENEWED for name in ("alice", "bob")):
            eventually(lambda client=client: generation(home, client) == 2, f"{client}: a new one", seconds=SECONDS)
        for client, each in knocks.items():
            each.once_more()
            assert each.broken(watched[client]) <= MOST_BROKEN
    yield Renewed(home, doors, old, {client: each.statuses(watched[client]) for client, each in knocks.items()})
    home.abandon()


@pytest.mark.promise(3)
@WHICH
def test_a_client_gets_in_at_every_moment_while_its_ca_is_renewed(renewed: Renewed, which: str):
    assert renewed.told[f"{which}-alice"] == {200}


@pytest.mark.promise(1)
@WHICH
def test_a_revoked_client_is_refused_at_every_moment_while_its_ca_is_renewed(renewed: Renewed, which: str):
    assert renewed.told[f"{which}-out"] == {400}


@WHICH
def test_old_and_new_certificates_over_one_key_get_in_side_by_side(renewed: Renewed, which: str):
    new, old, door = renewed.home.files(f"{which}-alice"), renewed.old[f"{which}-alice"], renewed.doors[which]
    assert new["tls.crt"].read_bytes() != old["tls.crt"].read_bytes()
    assert (door.tells(new), door.tells(old)) == (IN, IN)
    assert renewed.home.condition(ISSUERS, which, "Ready")["reason"] == "Signing"


@pytest.mark.promise(1)
@WHICH
def test_each_of_two_crls_over_one_key_refuses_its_own_serials(renewed: Renewed, which: str):
    home, door = renewed.home, renewed.doors[which]
    new, old = home.files(f"{which}-bob"), renewed.old[f"{which}-bob"]
    record = next(r for r in home.records(f"{which}-bob") if r["spec"]["generation"] == 1)
    home.change(RECORDS, record["metadata"]["name"], {"spec": {"revocation": {"reason": "superseded"}}})
    door.comes_to_tell(old, REFUSED)
    assert door.tells(new) == IN
    home.respec(CERTIFICATES, f"{which}-bob", revoked=True)
    door.comes_to_tell(new, REFUSED)
    assert door.tells(old) == REFUSED
    assert {door.tells(files) for files in (renewed.old[f"{which}-alice"], home.files(f"{which}-alice"))} == {IN}


def bad_files(openssl: OpenSsl, ours: Issued) -> Iterator[tuple[Mapping[str, bytes] | None, str]]:
    """What somebody puts into the Secret of a running CA, and the condition that tells of it. None: the Secret is deleted."""
    other, root = openssl.ca("Corp CA"), openssl.ca("Another root")
    locked = openssl.makes("pkcs8", "-topk8", "-passout", "pass:secret", stdin=ours.key)
    yield files_of(ours, ca_crt=ours.certificate + other.certificate), "CAFilesUsed"
    yield files_of(ours) | {"tls.crt": root.certificate + ours.certificate}, "CAFilesUsed"
    yield files_of(ours) | {"tls.crt": b"\x00garbage" + ours.certificate}, "CAFilesUsed"
    yield {"tls.crt": b"garbage", "tls.key": b"garbage"}, "CAKeyHeld"
    yield files_of(ours) | {"tls.key": locked}, "CAKeyHeld"
    yield files_of(ours) | {"tls.crt": other.certificate}, "CAKeyHeld"
    yield {}, "CAKeyHeld"
    yield None, "CAKeyHeld"


@pytest.mark.promise(1)
def test_a_bad_file_in_the_secret_of_a_running_ca_keeps_nobody_from_being_refused(
    home: Home, shop: Door, openssl: OpenSsl
):
    ours = openssl.ca("Corp CA")
    home.secret("own-ca", files_of(ours))
    home.make(ISSUERS, issuer(ca={"secretRef": {"name": "own-ca"}}))
    home.signing()
    alice, bob = (kept(admitted(home, shop, name)) for name in ("alice", "bob"))
    for number, (files, condition) in enumerate(bad_files(openssl, ours)):
        if files is None:
            home.remove(SECRETS, "own-ca")
        else:
            home.put_secret("own-ca", files)
        eventually(lambda condition=condition: home.condition(ISSUERS, "partners", condition), f"{condition}, {number}")
        suspended = number % 2 == 0  # each change of a client's must pass under each file
        home.respec(CERTIFICATES, "alice", suspended=suspended)
        shop.comes_to_tell(alice, REFUSED if suspended else IN)
        assert shop.tells(bob) == IN
    home.put_secret("own-ca", files_of(ours))
    home.signing()
    home.respec(CERTIFICATES, "alice", suspended=True)
    shop.comes_to_tell(alice, REFUSED)


@pytest.mark.promise(1)
def test_new_and_old_ca_in_one_file_are_a_rotation_in_which_a_suspended_client_is_refused(
    home: Home, shop: Door, openssl: OpenSsl
):
    before, after = openssl.ca("Corp CA"), openssl.ca("Corp CA")
    home.secret("own-ca", files_of(before))
    home.make(ISSUERS, issuer(ca={"secretRef": {"name": "own-ca"}}))
    home.signing()
    alice = kept(admitted(home, shop, "alice"))
    home.put_secret("own-ca", files_of(after) | {"tls.crt": after.certificate + before.certificate})
    home.says(ISSUERS, "partners", "CAFilesUsed", "CaFilesUnused")
    home.respec(CERTIFICATES, "alice", suspended=True)
    shop.comes_to_tell(alice, REFUSED)
