"""What a reader sees in a browser, without a certificate, with an imported .p12 file, and after it was revoked.

With DOORWARD_RECORD_PICTURES=1, Chromium's pages are put into docs/pictures.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.gate.doors import IN, NO_CERTIFICATE, REFUSED
from tests.support.home import Home
from tests.support.installation import ROOT
from tests.testbed.application import PAGE
from tests.testbed.controlplane import Cluster

from . import site as sites
from .browsers import BROWSERS, Shown
from .site import HOLDERS, UNTOUCHED, Exported, Site

PICTURES = ROOT / "docs" / "pictures"
READERS: Mapping[str, Any] = {f"reader-{name}": HOLDERS[name] for name in ("p256-modern2023", "rsa2048-legacydes")}
"""Clients who use nothing but browsers, so that nobody else waits for them to be revoked."""


class Visit(NamedTuple):
    """Who looks with what, by the client's name."""

    browser: str
    reader: str = ""

    def __str__(self) -> str:
        return ", ".join(self)


Seen = Mapping[Visit, Shown]
NOBODY = [Visit(browser) for browser in BROWSERS]
VISITS = [Visit(browser, reader) for browser in BROWSERS for reader in READERS]
OTHERS = [Visit(browser, UNTOUCHED) for browser in BROWSERS]


def verdict(shown: Shown) -> str:
    """The page, in the words of tests/gate; anything else as it is."""
    for mark, word in {
        PAGE.partition("<p>")[2].partition("</p>")[0]: IN,
        "No required SSL certificate was sent": NO_CERTIFICATE,
        "The SSL certificate error": REFUSED,
    }.items():
        if mark in shown.text:
            return word
    return shown.text


@pytest.fixture(scope="module")
def readers(cluster: Cluster, town: Home, exported: Mapping[str, Exported], folder: Path) -> Mapping[str, Exported]:
    return {**sites.exported(town, cluster.kubeconfig, folder, READERS), UNTOUCHED: exported[UNTOUCHED]}


def visited(site: Site, readers: Mapping[str, Exported], visits: list[Visit], folder: Path) -> Seen:
    seen: dict[Visit, Shown] = {}
    for number, visit in enumerate(visits):
        (own := folder / str(number)).mkdir()
        seen[visit] = BROWSERS[visit.browser](site, readers.get(visit.reader), own)
    return seen


@pytest.fixture(scope="module")
def before(site: Site, readers: Mapping[str, Exported], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return visited(site, readers, [*NOBODY, *VISITS], tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def after(
    before: Seen,  # noqa: ARG001 - looked first
    town: Home,
    site: Site,
    readers: Mapping[str, Exported],
    tmp_path_factory: pytest.TempPathFactory,
) -> Seen:
    sites.revoke(town, site, readers, list(READERS))
    return visited(site, readers, [*VISITS, *OTHERS], tmp_path_factory.mktemp("after"))


@pytest.mark.parametrize("visit", NOBODY, ids=str)
def test_a_reader_without_a_certificate_is_told_that_it_is_missing(visit: Visit, before: Seen):
    assert verdict(before[visit]) == NO_CERTIFICATE


@pytest.mark.parametrize("visit", VISITS, ids=str)
def test_a_reader_who_imported_the_file_sees_the_page(visit: Visit, before: Seen):
    assert verdict(before[visit]) == IN


@pytest.mark.parametrize("visit", VISITS, ids=str)
def test_a_reader_who_was_revoked_is_refused(visit: Visit, after: Seen):
    assert verdict(after[visit]) == REFUSED


@pytest.mark.parametrize("visit", OTHERS, ids=str)
def test_a_reader_who_was_not_revoked_goes_on_seeing_the_page(visit: Visit, after: Seen):
    assert verdict(after[visit]) == IN


def test_each_page_has_a_picture(before: Seen, after: Seen):
    visit = VISITS[0]
    pictures = {"without": before[NOBODY[0]], "with": before[visit], "revoked": after[visit]}
    assert all(shown.picture.startswith(b"\x89PNG") for shown in (*before.values(), *after.values()))
    assert len({shown.picture for shown in pictures.values()}) == len(pictures)
    if os.environ.get("DOORWARD_RECORD_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        for name, shown in pictures.items():
            (PICTURES / f"{visit.browser.lower()}-{name}.png").write_bytes(shown.picture)
