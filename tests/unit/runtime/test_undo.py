"""A deletion that is undone: its serials are good again, in whichever order; and nothing else brings one back."""

import io

import pytest

from doorward.cli import restore
from doorward.cli.deletions import Wanted
from doorward.cli.main import main
from doorward.cluster.errors import Conflict, Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUED_CERTIFICATE, ISSUER, NAMESPACE, SECRET
from doorward.objects.meta import ObjectKey
from tests.support import promises
from tests.support.operator_bed import ISSUER_AT
from tests.unit.given import DAY, NOW
from tests.unit.runtime.looks import live, person_writes, record, said, serial
from tests.unit.runtime.test_suspension import refusals_end

ALL = Wanted(issuer=ISSUER_AT)
BOTH = Wanted(issuer=ISSUER_AT, names=frozenset({"alice", "bob"}))


def undo(bed, wanted=ALL, *, dry_run=False, agreed=None):
    """`doorward restore`; its exit status."""
    return bed.with_gateway(
        lambda gateway: restore.restore(gateway, wanted, bed.cluster.now(), dry_run=dry_run, agreed=agreed)
    )


@pytest.fixture
def pruned(served):
    """Alice and bob are deleted; their serials."""
    numbers = {serial(served, "alice"), serial(served, "bob")}
    for name in ("alice", "bob"):
        served.delete(CLIENT_CERTIFICATE, name)
    served.settle()
    assert live(served) == set()
    return numbers


def apply_again(bed):
    for name in ("alice", "bob"):
        bed.apply(name)
    bed.settle()


# Both orders, and neither


def test_what_is_created_again_and_then_restored_gets_in_with_old_and_new_certificates(served, pruned):
    apply_again(served)
    assert undo(served, BOTH) == 0
    served.settle()
    assert live(served) == pruned | {serial(served, "alice"), serial(served, "bob")}
    assert promises.gate_crls(served.cluster) == {"edge": set()}


def test_what_is_restored_and_then_created_again_does_too(served, pruned):
    assert undo(served) == 0
    served.settle()
    apply_again(served)
    assert live(served) == pruned | {serial(served, "alice"), serial(served, "bob")}


def test_a_name_that_is_created_again_restores_nothing_by_itself(served, pruned):
    apply_again(served)
    assert not live(served) & pruned


def test_what_is_restored_and_not_created_again_is_held_after_ten_minutes(served, pruned):
    assert undo(served) == 0
    served.settle()
    assert live(served) == pruned
    served.jump(minutes=11)
    served.settle()
    assert live(served) == set()
    assert all("finalAt" in record(served, number)["spec"]["revocation"] for number in pruned)


def test_a_client_that_was_restored_is_cut_off_by_its_next_deletion(served, pruned):
    apply_again(served)
    undo(served, BOTH)
    served.settle()
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.settle()
    assert live(served) == set()
    assert promises.newest_crl(served.cluster) >= pruned


@pytest.mark.promise(1)
def test_a_client_that_is_created_again_suspended_is_restored_without_an_open_moment(served):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.apply("alice", suspended=True)
    served.settle()
    since = served.cluster.version
    served.gateway.latency = 0.05
    undo(served, BOTH)
    served.settle()
    assert refusals_end(served, number, since) == []
    served.apply("alice", suspended=False)
    served.settle()
    assert number in live(served)


@pytest.mark.parametrize("how", ["doorward restore", "by hand"])
def test_a_persons_hold_after_a_deletion_was_undone_does_not_become_final(served, pruned, how):
    number = min(pruned)
    if how == "by hand":
        person_writes(served, number, lifted=True)
    else:
        undo(served, BOTH)
    apply_again(served)
    served.jump(hours=25)
    person_writes(served, number, lifted=False)
    said = record(served, number)["spec"]["revocation"]
    assert (said["reason"], said.get("finalAt")) == ("certificateHold", None)


# Whose deletions are undone


def test_of_a_dry_run_all_is_shown_and_nothing_written(served, pruned, capsys):
    assert undo(served, dry_run=True) == 0
    said = capsys.readouterr().out
    assert said.count("would be restored") == len(pruned)
    assert "2 have no ClientCertificate" in said
    assert live(served) == set()


def test_a_hold_that_became_final_is_not_restored(served, pruned, capsys):
    served.jump(hours=25)
    served.settle()
    assert undo(served) == 0
    assert "no deletion to undo" in capsys.readouterr().out
    assert not live(served) & pruned


def test_a_suspension_and_a_persons_own_hold_are_not_restored(served):
    served.apply("alice", suspended=True)
    before = live(served)
    name = f"{ISSUER_AT.name}.1.{serial(served, 'bob'):x}"
    served.edit(ISSUED_CERTIFICATE, name, {"spec": {"revocation": {"reason": "certificateHold"}}})
    served.settle()
    undo(served)
    served.settle()
    assert not live(served) & before


@pytest.mark.parametrize(
    ("options", "who"),
    [
        pytest.param({"names": frozenset({"alice"})}, {"alice"}, id="one name"),
        pytest.param({"namespace": "edge"}, {"alice", "bob"}, id="their namespace"),
        pytest.param({"namespace": "elsewhere"}, set(), id="another namespace"),
        pytest.param({"issuer": ISSUER_AT._replace(name="others")}, set(), id="another issuer"),
    ],
)
@pytest.mark.usefixtures("pruned")
def test_only_those_are_restored_who_are_asked_for_by(served, options, who):
    undo(served, Wanted(**{"issuer": ISSUER_AT} | options))
    served.settle()
    assert holders(served) == who


def test_only_those_are_restored_who_were_deleted_since(served):
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.jump(hours=1)
    since = served.cluster.now()
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.settle()
    undo(served, Wanted(issuer=ISSUER_AT, since=since.replace(microsecond=0)))
    served.settle()
    assert holders(served) == {"bob"}


def holders(bed):
    """Whose serials are live."""
    numbers = (record(bed, number) for number in live(bed))
    return {body["spec"]["clientCertificate"]["name"] for body in numbers}


# A client that was created again may have been deleted because its file was stolen


def again(bed, name="alice"):
    """Deleted, and created again: the serial of the stolen file."""
    stolen = serial(bed, name)
    bed.delete(CLIENT_CERTIFICATE, name)
    bed.settle()
    bed.jump(minutes=1)
    bed.apply(name)
    bed.settle()
    return stolen


WITHOUT_A_NAME = {
    "everything": {},
    "its namespace": {"namespace": "edge"},
    "a time": {"since": NOW - DAY},
    "another's name": {"names": frozenset({"bob"})},
}


@pytest.mark.promise(1)
@pytest.mark.parametrize("options", WITHOUT_A_NAME.values(), ids=WITHOUT_A_NAME)
def test_the_stolen_file_of_a_client_that_was_created_again_stays_out(served, options, capsys):
    stolen = again(served)
    served.delete(CLIENT_CERTIFICATE, "bob")
    served.settle()
    undo(served, Wanted(issuer=ISSUER_AT, **options))
    served.settle()
    assert stolen not in live(served)
    assert holders(served) == {"alice", "bob"}
    if "names" not in options:
        told = capsys.readouterr().out
        assert f"left alone: the client has newer certificate {serial(served, 'alice'):x}" in told
        assert "1 were left alone" in told


@pytest.mark.promise(1)
def test_it_stays_out_before_the_next_certificate_is_issued(served, capsys):
    stolen = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.apply("alice", commonName="system:masters")
    served.settle()
    assert undo(served) == 1
    assert "left alone: the client was created again" in capsys.readouterr().out
    served.settle()
    assert stolen not in live(served)


@pytest.mark.parametrize("how", ["its name", "its serial"])
def test_it_comes_back_to_whoever_names(served, how):
    stolen = again(served)
    named = {"names": frozenset({"alice"})} if how == "its name" else {"serials": frozenset({stolen})}
    assert undo(served, Wanted(issuer=ISSUER_AT, **named)) == 0
    served.settle()
    assert stolen in live(served)


@pytest.mark.promise(1)
@pytest.mark.parametrize("names", [frozenset(), frozenset({"alice"})], ids=["nobody is named", "the client is named"])
def test_a_wrong_prune_is_undone_and_not_the_deletion_before_it(served, names):
    stolen = again(served)
    pruned = serial(served, "alice")
    served.jump(minutes=1)
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    for _ in range(2):
        assert undo(served, Wanted(issuer=ISSUER_AT, namespace="edge", names=names)) == 1
        served.settle()
        assert (pruned in live(served), stolen in live(served)) == (True, False)
        served.apply("alice")
        served.settle()
    undo(served, Wanted(issuer=ISSUER_AT, serials=frozenset({stolen})))
    served.settle()
    assert stolen in live(served)


def test_a_client_that_is_created_again_between_list_and_write_is_left_alone(served):
    stolen = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()

    async def late(gateway):
        found = await restore.find(gateway, ALL, served.cluster.now())
        served.apply("alice")
        return await restore.lift(gateway, found)

    assert served.with_gateway(late) == ["changed in the meantime: run it again"]
    served.settle()
    assert stolen not in live(served)


def test_a_record_that_changes_between_list_and_write_is_left_alone(served):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()

    async def late(gateway):
        found = await restore.find(gateway, ALL, served.cluster.now())
        revoked = {"spec": {"revocation": {"reason": "keyCompromise"}}}
        served.edit(ISSUED_CERTIFICATE, f"{ISSUER_AT.name}.1.{number:x}", revoked)
        return await restore.lift(gateway, found)

    assert served.with_gateway(late) == ["changed in the meantime: run it again"]


def test_a_name_in_two_namespaces_is_not_guessed(served, pruned, capsys):
    number = min(pruned)
    body = record(served, number)
    spec = body["spec"] | {
        "serialNumber": "abc",
        "clientCertificate": {"namespace": "other", "name": "alice", "uid": "u"},
    }
    copy = {"metadata": {"name": f"{ISSUER_AT.name}.1.abc"}, "spec": spec}
    served.cluster.create(ISSUED_CERTIFICATE, ISSUER_AT.namespace, copy, "kubectl")
    named = {"issuer": ISSUER_AT, "names": frozenset({"alice"})}
    assert undo(served, Wanted(**named)) == 1
    assert "several namespaces (edge, other): add --namespace" in capsys.readouterr().out
    served.settle()
    assert live(served) == set()
    assert undo(served, Wanted(**named, namespace="edge")) == 0


# All of them


@pytest.mark.parametrize("agrees", [True, False])
def test_all_are_listed_and_restored_only_by_a_yes(served, pruned, capsys, agrees):
    asked = []

    def agreed(count):
        asked.append((count, capsys.readouterr().out.count("would be restored"), live(served)))
        return agrees

    assert undo(served, agreed=agreed) == (0 if agrees else 1)
    served.settle()
    assert asked == [(2, 2, set())]
    assert live(served) == (pruned if agrees else set())


REFUSED = {
    "nothing": ([], "say whose deletions are to be undone"),
    "a dry run of nothing": (["--dry-run"], "say whose deletions are to be undone"),
    "a yes to nothing": (["--yes"], "say whose deletions are to be undone"),
    "an empty namespace": (["--namespace", ""], "say whose deletions are to be undone"),
    "all, with nobody to ask": (["--all"], "add --yes"),
    "all of a namespace, with nobody to ask": (["--all", "-n", "edge"], "add --yes"),
}


@pytest.mark.parametrize(("options", "says"), REFUSED.values(), ids=REFUSED)
def test_the_command_refuses_before_it_reads_anything(options, says, capsys, tmp_path):
    nowhere = ["--issuer", str(ISSUER_AT), "--kubeconfig", str(tmp_path / "none")]
    assert main(["restore", *nowhere, *options]) == 2
    assert says in capsys.readouterr().err


TAKEN = [
    ["--all", "--yes"],
    ["--all", "--dry-run"],
    ["-n", "edge"],
    ["--name", "alice"],
    ["--since", "30m"],
    ["--serial", "A1"],
]


@pytest.mark.parametrize("options", TAKEN, ids=" ".join)
def test_the_command_goes_to_the_cluster_with(options, capsys, tmp_path):
    nowhere = ["--issuer", str(ISSUER_AT), "--kubeconfig", str(tmp_path / "none")]
    assert main(["restore", *nowhere, *options]) == 1
    assert "there is no kubeconfig" in capsys.readouterr().err


@pytest.mark.parametrize(("line", "yes"), [("yes\n", True), ("y\n", False), ("\n", False), ("", False)])
def test_only_the_whole_word_is_a_yes(line, yes, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(line))
    assert restore._agreed(3) is yes


# What can go wrong


def test_an_issuer_that_is_not_there_is_said_and_fails(served, capsys):
    assert undo(served, Wanted(issuer=ISSUER_AT._replace(name="others"))) == 1
    assert f"there is no MTLSIssuer {ISSUER_AT.namespace}/others" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(Conflict("it changed", status=409), "run it again", id="a record changed meanwhile"),
        pytest.param(Forbidden("not yours", status=403), "not yours", id="a right is missing"),
    ],
)
@pytest.mark.usefixtures("pruned")
def test_it_fails_and_says_so_where(served, capsys, error, told):
    async def refused(gateway):
        gateway.refuse = lambda _: error
        return await restore.restore(gateway, ALL, served.cluster.now(), dry_run=False)

    assert served.with_gateway(refused) == 1
    said = capsys.readouterr().out
    assert (told in said, "have no ClientCertificate" in said) == (True, False)


@pytest.mark.usefixtures("pruned")
def test_without_the_right_to_see_clients_it_does_not_say_that_they_are_missing(served, capsys):
    async def blind(gateway):
        denied = Forbidden("no", status=403)
        gateway.refuse_reads = lambda kind, _: denied if kind == CLIENT_CERTIFICATE else None
        return await restore.restore(gateway, ALL, served.cluster.now(), dry_run=True)

    assert served.with_gateway(blind) == 0
    said = capsys.readouterr().out
    assert (said.count("unknown"), "have no ClientCertificate" in said) == (2, False)


# What it cannot do, and says


def told(bed, capsys, wanted=BOTH):
    undo(bed, wanted)
    return capsys.readouterr().out


@pytest.mark.usefixtures("pruned")
def test_it_says_that_nobody_has_access_while_the_issuer_is_missing(served, capsys):
    served.delete(ISSUER, ISSUER_AT.name)
    served.settle()
    assert f"MTLSIssuer {ISSUER_AT} does not exist" in told(served, capsys)


@pytest.mark.usefixtures("pruned")
def test_it_says_that_no_crl_can_be_published(served, capsys):
    served.kill()
    served.delete(SECRET, f"{ISSUER_AT.name}-ca-1")
    served.start()
    served.settle()
    assert "cannot publish a CRL now" in told(served, capsys)


def test_it_says_that_the_gates_do_not_trust_the_ca_of_a_certificate(served, pruned, capsys):
    served.edit(ISSUER, ISSUER_AT.name, {"spec": {"ca": {"distrust": [1]}}})
    served.settle()
    served.advance(60)
    printed = told(served, capsys)
    for number in pruned:
        assert f"serial {number:x} stays refused, the gates do not trust CA generation 1" in printed


def test_it_names_the_certificates_of_a_client_that_nothing_brings_back(served, capsys):
    number = serial(served, "alice")
    person_writes(served, number, reason="keyCompromise")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    line = f"edge/alice: serial {number:x} stays refused, it is revoked for good as keyCompromise"
    assert line in told(served, capsys, Wanted(issuer=ISSUER_AT, names=frozenset({"alice"})))


@pytest.mark.parametrize(
    ("spec", "says", "gets_in"),
    [
        pytest.param({"revoked": True}, "stays refused, it is revoked for good", False, id="is revoked"),
        pytest.param({"suspended": True}, "refused until spec.suspended is false", False, id="is suspended"),
        pytest.param({"issuerRef": {"name": "others"}}, "missing", False, id="names another issuer"),
        pytest.param({}, "restored", True, id="has access"),
    ],
)
def test_it_says_what_becomes_of_a_client_that_was_created_again_and(served, capsys, spec, says, gets_in):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.apply("alice", **spec)
    served.settle()
    assert says in told(served, capsys, Wanted(issuer=ISSUER_AT, names=frozenset({"alice"})))
    served.settle()
    served.jump(minutes=20)
    served.settle()
    assert (number in live(served)) is gets_in


def test_it_leaves_a_client_alone_that_is_about_to_be_revoked(served, capsys):
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    served.kill()
    served.apply("alice", revoked=True)
    assert "left alone: spec.revoked of its ClientCertificate is true" in told(served, capsys)


# Renaming a client: docs/runbooks/rename-a-client.md


@pytest.mark.parametrize("restored", ["first", "last"])
def test_a_client_that_is_renamed_as_the_runbook_says_keeps_its_file_and_its_secret_name(served, restored):
    number = serial(served, "alice")
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    alice = Wanted(issuer=ISSUER_AT, names=frozenset({"alice"}))
    if restored == "first":
        assert undo(served, alice) == 0
    served.apply("alice", secretName="alice-before-renaming")
    served.apply("alice-smith", secretName="alice-mtls")
    served.settle()
    if restored == "last":
        assert undo(served, alice) == 0
    served.jump(days=3)
    served.settle()
    again = serial(served, "alice")
    assert live(served) >= {number, again}
    assert said(served, "alice-smith") == {"Ready": "Issued", "Admitted": "Live"}
    served.delete(CLIENT_CERTIFICATE, "alice")
    served.settle()
    assert (number in live(served), again in live(served)) == (False, True)


def test_it_calls_a_client_missing_whose_namespace_is_being_deleted(served, capsys):
    at = ObjectKey("", served.find(CLIENT_CERTIFICATE, "alice")["metadata"]["namespace"])
    served.cluster.merge_patch(NAMESPACE, at, {"metadata": {"finalizers": ["tests/the-rest"]}}, "kubectl", "")
    served.cluster.delete(NAMESPACE, at, "kubectl")
    served.settle()
    assert "2 have no ClientCertificate" in told(served, capsys)
