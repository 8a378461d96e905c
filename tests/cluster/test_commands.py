"""The commands that read, at the real API server: as its administrator, as somebody with `view` in one namespace, and as nobody."""

import json
from collections.abc import Callable

import pytest

from doorward.cli.main import main
from tests.cluster.policies_support import ISSUER, ingress
from tests.support.chart_templates import ROOT
from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, INGRESSES, ISSUERS, RECORDS, bind, eventually

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys) -> Command:
    """Run it; its exit status, and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def place(home: Home) -> Home:
    """An issuer, alice, and an Ingress of which the operator has said what it is."""
    home.make(ISSUERS, issuer())
    home.make(CERTIFICATES, client())
    home.issued("alice")
    home.make(INGRESSES, ingress(home.namespace, {ISSUER: "partners"}))
    home.says(ISSUERS, "partners", "GatesCurrent", "AllCurrent")
    home.told()
    return home


def host(home: Home) -> str:
    (body,) = home.admin.ask("GET", INGRESSES.path(home.namespace)).body["items"]
    return str(body["spec"]["rules"][0]["host"])


def reading(home: Home) -> dict[str, list[str]]:
    """Every command that reads, of alice and her host."""
    return {
        "status": ["status", "partners"],
        "client": ["client", "alice"],
        "find": ["find", "alice"],
        "who": ["who", host(home)],
        "why": ["why", host(home), "--client", "alice"],
        "doctor": ["doctor"],
    }


def test_whoever_may_read_one_namespace_is_told_the_same_of_it_as_the_administrator(place, cluster, command):
    viewer = f"viewer.{place.namespace}"
    bind(place.admin, place.namespace, viewer, "view")
    eventually(lambda: place.admin.alias(viewer).may("list", RECORDS, place.namespace), "view includes doorward-viewer")
    where = ["-n", place.namespace, "-o", "json", "--kubeconfig"]
    (record,) = place.admin.ask("GET", RECORDS.path(place.namespace)).body["items"]
    for verb, arguments in reading(place).items():
        status, out, err = command(*arguments, *where, str(cluster.kubeconfig))
        assert "Traceback" not in err
        assert status == (1 if verb == "doctor" and '"problem"' in out else 0), (verb, err)
        said = json.loads(out)
        status, out, err = command(*arguments, *where, str(cluster.kubeconfig_for(viewer)))
        assert all(line.startswith("note: not looked at: you have no right to ") for line in err.splitlines()), err
        seen = json.loads(out)
        if verb in ("find", "client"):
            assert record["spec"]["serialNumber"] in out
            assert seen == said
        if verb == "who":
            assert [each["client"] for each in seen["admitted"]] == [each["client"] for each in said["admitted"]]
        if verb == "why":
            assert seen["answers"] == said["answers"]
            assert said["answers"][0]["serial"] == record["spec"]["serialNumber"]
        if verb == "status":
            assert [each["crl"]["number"] for each in seen["issuers"]] == [
                each["crl"]["number"] for each in said["issuers"]
            ]
            assert (seen["operator"]["working"], said["operator"]["working"]) == (None, None), (
                "this operator has no Lease"
            )


def test_whoever_may_not_read_the_lease_is_told_which_right_is_missing_until_the_example_gives_it(
    place, cluster, command
):
    viewer = f"lease.{place.namespace}"
    bind(place.admin, place.namespace, viewer, "view")
    eventually(lambda: place.admin.alias(viewer).may("list", RECORDS, place.namespace), "view includes doorward-viewer")
    arguments = [
        "status",
        "-n",
        place.namespace,
        "--kubeconfig",
        str(cluster.kubeconfig_for(viewer, ["platform-team"])),
    ]

    def first_words() -> str:
        return " ".join(command(*arguments)[1].split())

    assert "you have no right to get leases.coordination.k8s.io in namespace doorward-system" in first_words()
    example = str(ROOT / "examples" / "status-viewers.yaml")
    try:
        cluster.kubectl("-n", "doorward-system", "apply", "-f", example)
        eventually(lambda: "there is no Lease doorward-system/doorward" in first_words(), "the Lease may be read")
    finally:
        cluster.kubectl("-n", "doorward-system", "delete", "-f", example)


def test_whoever_may_read_nothing_is_told_in_one_line_which_right_is_missing(place, cluster, command):
    nobody = cluster.kubeconfig_for(f"nobody.{place.namespace}")
    for verb, arguments in reading(place).items():
        status, out, err = command(*arguments, "-n", place.namespace, "--kubeconfig", str(nobody))
        assert "no right to" in err, (verb, err)
        assert "Traceback" not in err
        if verb != "doctor":
            assert (status, out) == (1, ""), verb
            assert err.startswith("error: "), verb
            assert err.count("\n") == 1, verb
