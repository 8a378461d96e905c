"""Every known way around client authentication: with ingress-nginx's defaults, with settings that help, with the gate service."""

import json
import os
from collections.abc import Iterator

import pytest

from tests.gate.doors import Street
from tests.support.home import Home
from tests.support.installation import OperatorProcess
from tests.support.kube import Person
from tests.testbed import binaries, debian
from tests.testbed.ingress_nginx import IngressNginx

from .attacks import ROWS
from .scene import GATE_SERVICE, HANDSHAKE, SETTINGS, Scene, configured
from .table import COLUMNS, OBSERVED, RECORD, SUCCEEDED, observed

Told = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def scene(
    admin: Person,
    ingress_nginx: IngressNginx,
    running_operator: OperatorProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("attacks")
    home, away = Home.found(admin, folder), Home.found(admin, folder, prefix="away-")
    yield Scene.build(Street.build(ingress_nginx, home), Street.build(ingress_nginx, away), running_operator, folder)
    home.abandon()
    away.abandon()


@pytest.fixture(scope="module")
def told(scene: Scene) -> Told:
    """What each attack is told, by row and column."""
    plain = scene.run(1, patience=0.5)
    with configured(scene.street.ingress, SETTINGS):
        set_ = scene.run(2, patience=15.0)
    runs = {"defaults": (plain, HANDSHAKE), "settings": (set_, HANDSHAKE)}
    runs |= {"gate-service": (plain, GATE_SERVICE), "both": (set_, GATE_SERVICE)}
    told = {row: {column: runs[column][0][row][runs[column][1]] for column in COLUMNS} for row in ROWS}
    if os.environ.get(RECORD):
        seen = {"nginx": nginx(), "controller": binaries.module_version("ingress-nginx"), "told": told}
        OBSERVED.write_text(json.dumps(seen, indent=1) + "\n")
    return told


def nginx() -> str:
    """The version of the one that runs."""
    return ".".join(map(str, debian.nginx().version))


@pytest.mark.parametrize("row", [name for name, row in ROWS.items() if not row.stays])
def test_no_attack_succeeds_with_the_gate_service(told: Told, row: str):
    assert {column: told[row][column] for column in ("gate-service", "both") if told[row][column] in SUCCEEDED} == {}


@pytest.mark.parametrize("row", ROWS)
def test_an_attack_is_told_what_the_page_says(told: Told, row: str):
    """Of other versions of nginx the page says nothing."""
    seen = observed()
    assert nginx() != seen["nginx"] or told[row] == seen["told"][row]


def test_attacks_succeed_with_the_defaults_or_this_would_show_nothing(told: Told):
    succeeded = [row for row in ROWS if told[row]["defaults"] in SUCCEEDED]
    assert len(succeeded) > len(ROWS) / 2
