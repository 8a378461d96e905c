"""What kubectl prints before something is done that is lawful, and hardly what was meant."""

import json

from tests.support.home import API, Home, issuer
from tests.testbed.controlplane import Cluster


def says(cluster: Cluster, home: Home, distrust: str) -> str:
    """What kubectl prints on standard error when these generations are distrusted, and nothing is stored."""
    patch = f'{{"spec":{{"ca":{{"distrust":{distrust}}}}}}}'
    options = ("--type=merge", "--dry-run=server", f"--patch={patch}")
    return cluster.kubectl("-n", home.namespace, "patch", "mtlsissuer", "partners", *options).stderr


def test_whoever_distrusts_a_ca_generation_that_there_is_not_is_told(home: Home, cluster: Cluster):
    home.partners()
    said = says(cluster, home, "[1,7,8]")
    expected = f"names CA generation 7, 8, which MTLSIssuer {home.namespace}/partners does not have (it has 1)"
    assert expected in said


def test_whoever_distrusts_one_that_there_is_is_not_bothered(home: Home, cluster: Cluster):
    home.partners()
    assert "Warning" not in says(cluster, home, "[1]")


def test_a_number_that_stands_there_already_is_not_told_again(home: Home, cluster: Cluster):
    home.partners(ca={"generate": {"commonName": "partners"}, "distrust": [7]})
    assert "Warning" not in says(cluster, home, "[7,1]")
    assert "generation 8" in says(cluster, home, "[7,8]")


def test_whoever_creates_an_issuer_that_distrusts_is_told_that_it_has_none_yet(home: Home, cluster: Cluster):
    body = home.folder / "issuer.json"
    ca = {"generate": {"commonName": "partners"}, "distrust": [1]}
    body.write_text(json.dumps(home.here(issuer(ca=ca) | {"apiVersion": API, "kind": "MTLSIssuer"})))
    done = cluster.kubectl("create", "--dry-run=server", "--filename", str(body))
    assert "does not have (it has none yet)" in done.stderr
