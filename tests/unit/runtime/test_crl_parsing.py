"""A full CRL takes 60 ms to parse: it is parsed once, and never on the event loop."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509

from doorward.cluster.gateway import CONFIG_MAP
from tests.support import promises, virtual_loop
from tests.unit.runtime.looks import serial


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each CRL that was parsed, whether that was in a thread."""
    found: list[bool] = []
    in_threads = [0]

    def counted(parse: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any) -> Any:
            found.append(in_threads[0] > 0)
            return parse(*args)

        return count

    submit = virtual_loop._OnTheSpot.submit

    def marked(self: Any, *args: Any, **kwargs: Any) -> Any:
        in_threads[0] += 1
        try:
            return submit(self, *args, **kwargs)
        finally:
            in_threads[0] -= 1

    monkeypatch.setattr(virtual_loop._OnTheSpot, "submit", marked)
    for name in ("load_pem_x509_crl", "load_der_x509_crl"):
        monkeypatch.setattr(x509, name, counted(getattr(x509, name)))
    return found


def test_a_commit_reads_back_what_it_made_and_parses_nothing_else(served, parsed):
    parsed.clear()
    served.apply("alice", suspended=True)
    served.settle()
    assert parsed == [True]
    assert promises.newest_crl(served.cluster) == {serial(served, "alice")}


def test_a_crl_that_another_process_published_is_parsed_in_a_thread(served, parsed):
    served.apply("alice", suspended=True)
    served.settle()
    published = served.find(CONFIG_MAP, "partners-crl")["data"]["ca.crl"]
    served.apply("alice", suspended=False)
    served.settle()
    parsed.clear()
    served.edit(CONFIG_MAP, "partners-crl", {"data": {"ca.crl": published}})
    served.apply("bob", suspended=True)
    served.settle()
    assert parsed
    assert all(parsed)
