"""The commands that act, at the real API server, with the rights of an editor and of somebody who may only read."""

import pytest
import yaml

from doorward.cli.acting import FIELD_MANAGER
from doorward.cli.main import main
from tests.support.home import Home, client, issuer
from tests.support.kube import CERTIFICATES, ISSUERS, bind, eventually


@pytest.fixture
def place(home: Home) -> Home:
    """An issuer and alice."""
    home.make(ISSUERS, issuer())
    home.make(CERTIFICATES, client())
    home.issued("alice")
    return home


def alice(home: Home) -> dict:
    return home.admin.ask("GET", CERTIFICATES.path(home.namespace, "alice")).body


def test_an_editor_acts_under_a_name_of_his_own_and_a_viewer_is_told_which_right_is_missing(place, cluster, capsys):
    editor, viewer = f"editor.{place.namespace}", f"viewer.{place.namespace}"
    for person, role in ((editor, "edit"), (viewer, "view")):
        bind(place.admin, place.namespace, person, role)
    eventually(lambda: place.admin.alias(editor).may("patch", CERTIFICATES, place.namespace), "edit includes it")
    eventually(lambda: place.admin.alias(viewer).may("get", CERTIFICATES, place.namespace), "view includes it")

    def run(person: str, *arguments: str) -> tuple[int, str, str]:
        where = ["-n", place.namespace, "--kubeconfig", str(cluster.kubeconfig_for(person))]
        status = main([*arguments, *where])
        return status, *capsys.readouterr()

    status, out, err = run(viewer, "suspend", "alice")
    assert (status, out) == (1, "")
    assert "you have no right to patch clientcertificates.doorward.io" in err
    assert alice(place)["spec"].get("suspended") in (False, None)

    assert run(editor, "suspend", "alice")[0] == 0
    assert alice(place)["spec"]["suspended"] is True
    assert FIELD_MANAGER in {entry["manager"] for entry in alice(place)["metadata"]["managedFields"]}
    admin = ["-n", place.namespace, "--kubeconfig", str(cluster.kubeconfig)]
    status, (_, err) = main(["resume", "alice", *admin]), capsys.readouterr()
    assert (status, err) == (0, "")
    assert alice(place)["spec"]["suspended"] is False

    status, out, _ = run(viewer, "revoke", "alice", "--reason", "superseded", "--dry-run=client", "-o", "yaml")
    said = yaml.safe_load(out)
    assert (status, said["spec"]["revoked"], said["spec"]["revocationReason"]) == (0, True, "superseded")
    assert alice(place)["spec"].get("revoked") in (False, None)

    assert run(editor, "revoke", "alice", "--reason", "superseded")[0] == 0
    assert alice(place)["spec"]["revoked"] is True
    status, _, err = run(editor, "resume", "alice")
    assert (status, err.count("\n")) == (1, 1)
