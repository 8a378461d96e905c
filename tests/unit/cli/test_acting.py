"""`doorward revoke`, `suspend`, `resume` and `reissue`: one field each, and the operator does the rest."""

from functools import partial

import pytest
import yaml

from doorward.cli.acting import act, check_output
from doorward.cli.errors import UserError
from doorward.cli.main import main
from doorward.cluster.gateway import CLIENT_CERTIFICATE
from doorward.objects.meta import ObjectKey
from doorward.planning import acts
from tests.unit.runtime.looks import live, record, serial


@pytest.fixture
def does(person):
    """Do it to alice, and let the operator work."""

    def run(change, *, name="alice", dry_run=False) -> int:
        status = person.asks(lambda reader: act(reader, name, lambda spec, _: change(spec), dry_run=dry_run))
        person.bed.settle()
        return status

    return run


revoke = partial(acts.revoke, reason="keyCompromise")


def test_a_suspended_client_is_refused_until_it_is_resumed_with_the_same_certificate(bed, does):
    before = serial(bed, "alice")
    does(acts.suspend)
    assert before not in live(bed)
    does(acts.resume)
    assert before in live(bed)
    assert serial(bed, "alice") == before


def test_a_revoked_client_is_refused_for_good_with_the_reason_that_was_given(bed, does):
    before, other = serial(bed, "alice"), serial(bed, "bob")
    does(revoke)
    assert live(bed) == {other}
    assert record(bed, before)["spec"]["revocation"]["reason"] == "keyCompromise"
    with pytest.raises(UserError, match="edge/alice: it is revoked for good") as refused:
        does(acts.resume)
    assert "another name" in refused.value.hint
    assert live(bed) == {other}


def test_a_reissue_gives_another_certificate(bed, does, capsys):
    before = serial(bed, "alice")
    assert does(partial(acts.reissue, token="now")) == 0
    assert serial(bed, "alice") != before
    assert "spec.reissue: now on ClientCertificate edge/alice of MTLSIssuer edge/partners" in capsys.readouterr().out


@pytest.mark.parametrize("change", [acts.suspend, revoke, partial(acts.reissue, token="now")])
def test_a_dry_run_prints_what_git_is_to_say_and_writes_nothing(bed, does, capsys, change):
    before = bed.find(CLIENT_CERTIFICATE, "alice")
    assert does(change, dry_run=True) == 0
    assert bed.find(CLIENT_CERTIFICATE, "alice") == before
    said = yaml.safe_load(capsys.readouterr().out)
    assert said == {
        "apiVersion": before["apiVersion"],
        "kind": "ClientCertificate",
        "metadata": {"name": "alice", "namespace": "edge"},
        "spec": {**before["spec"], **change(before["spec"])},
    }


def test_what_is_so_already_is_not_written_again(bed, does, capsys):
    does(acts.suspend)
    before = bed.find(CLIENT_CERTIFICATE, "alice")
    assert does(acts.suspend) == 0
    assert bed.find(CLIENT_CERTIFICATE, "alice") == before
    assert "unchanged" in capsys.readouterr().out


def test_a_client_that_a_tool_applies_is_to_be_changed_in_its_file_too(bed, does, capsys):
    label = {"kustomize.toolkit.fluxcd.io/name": "clients"}
    at = ObjectKey("edge", "alice")
    bed.cluster.merge_patch(CLIENT_CERTIFICATE, at, {"metadata": {"labels": label}}, "flux", "")
    does(acts.suspend)
    assert "note: Flux applies ClientCertificate edge/alice" in capsys.readouterr().err


def test_a_client_that_is_not_there_is_told_in_one_line(does):
    with pytest.raises(UserError, match="there is no ClientCertificate edge/nobody"):
        does(acts.suspend, name="nobody")


def test_yaml_is_only_printed_of_a_dry_run(capsys):
    assert main(["suspend", "alice", "-o", "yaml"]) == 2
    assert "add --dry-run=client" in capsys.readouterr().err
    assert check_output("client", "yaml") is True
    assert check_output("none", None) is False


def test_a_reason_that_no_rfc_knows_is_refused(capsys):
    assert main(["revoke", "alice", "--reason", "boredom"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
