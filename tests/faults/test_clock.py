"""The operator's clock ten minutes wrong, and set while it runs: nothing is signed meanwhile, it says so, and goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faulty import FaultyOperator
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, CONFIGMAPS, ISSUERS, Person
from tests.support.openssl import OpenSsl

FAST, SLOW = 600.0, -600.0


@pytest.fixture
def home(admin: Person, operator: FaultyOperator, tmp_path: Path) -> Iterator[Home]:
    """Alice and bob are in, and the clock is right; it is in the end, too."""
    home = Home.found(admin, tmp_path)
    home.partners("alice", "bob")
    operator.rest()
    yield home
    operator.set_clock(0)
    home.abandon()


def serial_of(home: Home, name: str) -> str:
    return str(home.issued(name)["status"]["serialNumber"])


def crl(home: Home) -> str:
    return str(home.body(CONFIGMAPS, "partners-crl")["data"]["ca.crl"])


def ask_for_signatures(home: Home) -> None:
    """A new client, and one to be put on the CRL; wait until both issuer and client were told why not."""
    home.make(CERTIFICATES, client("carol"))
    home.respec(CERTIFICATES, "alice", revoked=True)
    assert "clock" in home.says(ISSUERS, "partners", "Ready", "ClockSkewed")
    home.says(CERTIFICATES, "carol", "Ready", "ClockSkewed")


wrong = pytest.mark.parametrize("seconds", [FAST, SLOW], ids=["fast", "slow"])


@wrong
def test_while_the_clock_is_wrong_nothing_is_signed(home: Home, operator: FaultyOperator, seconds: float):
    before = crl(home)
    operator.set_clock(seconds)
    ask_for_signatures(home)
    operator.rest()
    assert (crl(home), len(home.records())) == (before, 2)


@wrong
def test_when_the_clock_is_right_again_all_goes_on(
    home: Home, operator: FaultyOperator, openssl: OpenSsl, seconds: float
):
    serial = serial_of(home, "alice")
    operator.set_clock(seconds)
    ask_for_signatures(home)
    operator.set_clock(0)
    home.issued("carol")
    home.says(CERTIFICATES, "alice", "Admitted", "Revoked")
    assert serial in openssl.crl_text(home.crl().read_bytes()).lower()


@wrong
def test_an_operator_that_starts_with_a_wrong_clock_cuts_nobody_off(
    home: Home, operator: FaultyOperator, seconds: float
):
    before = crl(home), serial_of(home, "alice"), serial_of(home, "bob")
    operator.set_clock(seconds)
    operator.restart()
    home.says(ISSUERS, "partners", "Ready", "ClockSkewed")
    operator.set_clock(0)
    home.signing()
    assert (crl(home), serial_of(home, "alice"), serial_of(home, "bob")) == before


def test_a_clock_that_is_set_again_and_again_cuts_nobody_off(home: Home, operator: FaultyOperator):
    before = [record["spec"] for name in ("alice", "bob") for record in home.records(name)]
    lives = operator.pids
    for number, seconds in enumerate((FAST, 0.0, SLOW, FAST, 0.0)):
        operator.set_clock(seconds)
        home.make(CERTIFICATES, client(f"carol-{number}"))
        home.says(CERTIFICATES, f"carol-{number}", "Ready", "ClockSkewed" if seconds else "Issued")
    kept = [record["spec"] for name in ("alice", "bob") for record in home.records(name)]
    assert (kept, operator.pids) == (before, lives)
