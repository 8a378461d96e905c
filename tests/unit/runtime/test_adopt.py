"""A backup that is adopted with new UIDs: the same certificates are served, and nobody is revoked, whoever brought it back."""

import re

import pytest
import yaml

from doorward.cli import adopt, backup_files
from doorward.cli.main import main
from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import (
    CLIENT_CERTIFICATE,
    CONFIG_MAP,
    ISSUED_CERTIFICATE,
    ISSUER,
    LEASE,
    NAMESPACE,
    SECRET,
)
from doorward.objects import backup
from doorward.objects.crl_configmap import CRL_ROLE
from doorward.objects.meta import ObjectKey, labels
from tests.support import promises
from tests.support.memory_cluster import MemoryCluster
from tests.support.operator_bed import LEASE_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW
from tests.unit.runtime.looks import serial

KINDS = (ISSUED_CERTIFICATE, CONFIG_MAP, SECRET, ISSUER, CLIENT_CERTIFICATE)


def saved(cluster: MemoryCluster):
    """All there is of these kinds, as kubectl gives it."""
    return [body | {"kind": kind.name} for kind in KINDS for body in cluster.all(kind)]


@pytest.fixture
def moved(served):
    """What was there, and another cluster without an operator."""
    served.apply("bob", revoked=True)
    served.settle()
    with OperatorBed(served.cluster.now(), finalizer_at_creation=True) as bed:
        bed.kill()
        bed.jump(minutes=5)
        yield saved(served.cluster), bed


def taken_over(bed, bodies, *, dry_run=False):
    return bed.with_gateway(lambda gateway: adopt.adopt(gateway, bodies, [NAMESPACE_NAME], dry_run=dry_run))


def same(bed, served):
    assert serial(bed, "alice") == serial(served, "alice")
    live = promises.live_serials(bed.cluster, bed.cluster.now())
    assert live == promises.live_serials(served.cluster, served.cluster.now()) == {serial(bed, "alice")}
    assert promises.newest_crl(bed.cluster) == promises.newest_crl(served.cluster)


def test_the_operator_goes_on_with_what_was_adopted(served, moved):
    bodies, bed = moved
    assert taken_over(bed, bodies) == 0
    bed.start()
    bed.settle()
    same(bed, served)
    assert {write.kind for write in bed.gateway.writes if not write.subresource} == {"ClientCertificate", "Event"}


def test_it_also_goes_on_with_what_another_tool_brought_back_without_owners(served, moved):
    bodies, bed = moved
    for body in (body for body in bodies if not backup.why_left(body)):
        bed.cluster.create(adopt.KINDS[body["kind"]], NAMESPACE_NAME, backup.fresh(body), "velero")
    assert taken_over(bed, []) == 0
    bed.start()
    bed.settle()
    same(bed, served)
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.settle()
    assert bed.find(SECRET, "alice-mtls") is None


def test_even_with_an_operator_at_work_nobody_is_revoked(served, moved):
    bodies, bed = moved
    bed.start()
    bed.settle()
    assert taken_over(bed, bodies) == 0
    bed.settle()
    same(bed, served)


def rows(capsys):
    """What was printed, without the words that only a dry run says."""
    lines = capsys.readouterr().out.replace("would be created", "created").replace("would be given", "given")
    return sorted(" ".join(line.split()) for line in lines.splitlines())


@pytest.mark.parametrize("there", [(), ("ConfigMap",), ("Secret",), ("ClientCertificate",), KINDS], ids=str)
def test_a_dry_run_writes_nothing_and_says_what_the_run_then_does(moved, capsys, there):
    bodies, bed = moved
    names = {getattr(kind, "name", kind) for kind in there}
    for body in (body for body in bodies if body["kind"] in names and not backup.why_left(body)):
        bed.cluster.create(adopt.KINDS[body["kind"]], NAMESPACE_NAME, backup.fresh(body), "velero")
    version = bed.cluster.version
    assert taken_over(bed, bodies, dry_run=True) == 0
    assert bed.cluster.version == version
    said = rows(capsys)
    assert any("given to its ClientCertificate" in row for row in said)
    assert taken_over(bed, bodies) == 0
    assert rows(capsys) == said


def test_a_dry_run_says_what_the_api_server_would_refuse(moved, capsys):
    bodies, bed = moved
    bed.cluster.delete(NAMESPACE, ObjectKey("", NAMESPACE_NAME), PEOPLE)
    assert taken_over(bed, bodies, dry_run=True) == 1
    assert f'namespaces "{NAMESPACE_NAME}" not found' in capsys.readouterr().out


# While an operator works


@pytest.fixture
def elected():
    """A cluster with an operator that has the Lease."""
    with OperatorBed(NOW, elected=True) as bed:
        bed.settle()
        yield bed


def unless_at_work(bed, *, dry_run=False):
    bodies = [{"kind": "ConfigMap", "metadata": {"namespace": NAMESPACE_NAME, "name": "a", "labels": labels(CRL_ROLE)}}]
    return bed.with_gateway(lambda gateway: adopt.unless_at_work(gateway, bodies, (), LEASE_AT, dry_run=dry_run))


def test_nothing_is_adopted_while_an_operator_holds_the_lease(elected, capsys):
    assert unless_at_work(elected) == 1
    said = capsys.readouterr()
    assert (said.out, "process-1 holds Lease edge/doorward. Stop it first" in said.err) == ("", True)
    assert elected.find(CONFIG_MAP, "a") is None


def test_a_dry_run_is_shown_and_told_that_an_operator_is_in_the_way(elected, capsys):
    assert unless_at_work(elected, dry_run=True) == 1
    said = capsys.readouterr()
    assert ("would be created" in said.out, "without --dry-run nothing would be done" in said.err) == (True, True)


def test_a_lease_that_its_holder_left_behind_stops_nobody(elected):
    elected.kill()
    assert unless_at_work(elected) == 0
    assert elected.find(CONFIG_MAP, "a") is not None


def test_where_there_is_no_lease_no_operator_was_ever_elected(bed):
    assert unless_at_work(bed) == 0


def test_a_lease_that_cannot_be_read_is_told_with_what_to_do(elected, capsys):
    async def denied(gateway):
        gateway.refuse_reads = lambda kind, _: Forbidden("get leases", status=403) if kind == LEASE else None
        return await adopt.unless_at_work(gateway, (), (), LEASE_AT, dry_run=False)

    assert elected.with_gateway(denied) == 1
    assert "get leases. Stop it, and add --operator-is-stopped" in capsys.readouterr().err


# Files


def test_a_backup_in_yaml_is_the_same_as_one_in_json(served, tmp_path):
    bodies = saved(served.cluster)
    one, many, quoteless = (tmp_path / name for name in ("one.yaml", "many.yaml", "quoteless.yaml"))
    one.write_text(yaml.safe_dump({"kind": "List", "items": bodies}))
    many.write_text("---\n" + yaml.safe_dump_all(bodies) + "---\n")
    quoteless.write_text("\ufeff" + re.sub(r"'([0-9]{4}-[0-9TZ:-]+)'", r"\1", one.read_text()), encoding="utf-8")
    assert quoteless.read_text(encoding="utf-8-sig") != one.read_text()
    for path in (one, many, quoteless):
        assert backup_files.read(str(path)) == bodies


def test_what_is_there_already_is_left_as_it_is(moved, capsys):
    bodies, bed = moved
    taken_over(bed, bodies)
    capsys.readouterr()
    assert taken_over(bed, bodies) == 0
    assert "created" not in capsys.readouterr().out


def test_a_write_that_is_refused_is_told(moved, capsys):
    bodies, bed = moved

    async def refused(gateway):
        gateway.refuse = lambda write: Forbidden("get the verb restore", status=403) if write.verb == "create" else None
        return await adopt.adopt(gateway, bodies, (), dry_run=False)

    assert bed.with_gateway(refused) == 1
    assert "get the verb restore" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        *('"no"', "{}", "[1]", "no", '{"items": [1]}', "", "---\n---\n", "items: 7", "a: [", "a: &a [*a]"),
        *("metadata: {name: 7}", "metadata: {name: a}\ndata: !!binary YQ==", "metadata: &a {name: a, self: *a}"),
        *("[" * 9000, "a: !!python/object:os.system {}"),
    ],
)
def test_a_file_that_is_no_backup_is_refused(tmp_path, capsys, text):
    path = tmp_path / "backup.json"
    path.write_text(text)
    assert main(["adopt", str(path)]) == 1
    assert capsys.readouterr().err.startswith("error: this is no backup")
