"""200 broken clients beside 50 good ones: the good ones are served, and each broken one is told what is wrong with it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.faulty import FaultyOperator
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, Object, Person, eventually
from tests.support.openssl import OpenSsl

GOOD, BROKEN = 50, 200
PATIENCE = 240.0
MISTAKES: dict[str, dict[str, Any]] = {
    "IssuerNotFound": {"issuerRef": {"name": "nobody"}},
    "InvalidRequest": {"request": "I would like a certificate please. " * 3},
    "PasswordMissing": {"keystores": {"pkcs12": {"passwordSecretRef": {"name": "none", "key": "password"}}}},
    "SecretUnmanaged": {},
    "SecretNameTaken": {"secretName": "shared"},
}
"""By the reason that its Ready gives."""


def reason(number: int) -> str:
    return list(MISTAKES)[number % len(MISTAKES)]


def broken_one(home: Home, number: int) -> Object:
    spec = MISTAKES[reason(number)]
    if reason(number) == "SecretUnmanaged":
        spec = {"secretName": f"theirs-{number}"}
        home.secret(f"theirs-{number}", {"key": b"value"})
    return client(f"broken-{number}", **spec)


@pytest.fixture(scope="module")
def crowd(
    admin: Person,
    operator: FaultyOperator,  # noqa: ARG001 - it runs
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Home]:
    """Four broken ones before each good one, all made while the operator works."""
    home = Home.found(admin, tmp_path_factory.mktemp("crowd"))
    home.partners()
    home.make(CERTIFICATES, client("owner", secretName="shared"))
    home.issued("owner")
    for number in range(BROKEN):
        home.make(CERTIFICATES, broken_one(home, number))
        if number % (BROKEN // GOOD) == 0:
            home.make(CERTIFICATES, client(f"good-{number}"))
    yield home
    home.abandon()


def reasons(home: Home, prefix: str) -> dict[str, str]:
    """What Ready says of each client of that name."""
    items = home.admin.ask("GET", CERTIFICATES.path(home.namespace)).body["items"]
    named = [item for item in items if item["metadata"]["name"].startswith(prefix)]
    return {
        item["metadata"]["name"]: condition["reason"]
        for item in named
        for condition in item.get("status", {}).get("conditions", ())
        if condition["type"] == "Ready"
    }


@pytest.mark.promise(7)
def test_every_good_one_is_served(crowd: Home):
    served = {f"good-{number}": "Issued" for number in range(0, BROKEN, BROKEN // GOOD)}
    eventually(lambda: reasons(crowd, "good-") == served, "all of them are in", seconds=PATIENCE)
    assert len(served) == GOOD


@pytest.mark.promise(7)
def test_every_broken_one_is_told_why(crowd: Home):
    eventually(lambda: len(reasons(crowd, "broken-")) == BROKEN, "all of them are told", seconds=PATIENCE)
    assert reasons(crowd, "broken-") == {f"broken-{number}": reason(number) for number in range(BROKEN)}


def test_a_good_one_is_cut_off_all_the_same(crowd: Home, openssl: OpenSsl):
    serial = crowd.issued("owner")["status"]["serialNumber"]
    crowd.respec(CERTIFICATES, "owner", revoked=True)
    eventually(lambda: serial in openssl.crl_text(crowd.crl().read_bytes()).lower(), "it is on the CRL")


def test_the_broken_ones_leave_the_operator_at_rest(crowd: Home, operator: FaultyOperator):
    eventually(lambda: len(reasons(crowd, "")) > BROKEN + GOOD, "all were looked at", seconds=PATIENCE)
    operator.rest()
    assert len(operator.pids) == 1
