"""A backup that is adopted with new UIDs: the same certificates are served, and nobody is revoked, whoever brought it back."""

import pytest

from doorward.cli import adopt
from doorward.cli.main import main
from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUED_CERTIFICATE, ISSUER, SECRET
from doorward.objects import backup
from tests.support import promises
from tests.support.memory_cluster import MemoryCluster
from tests.support.operator_bed import NAMESPACE_NAME, OperatorBed
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
    assert {write.kind for write in bed.gateway.writes if not write.subresource} == {"ClientCertificate"}  # finalizers


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


def test_of_a_dry_run_nothing_is_written(moved, capsys):
    bodies, bed = moved
    version = bed.cluster.version
    assert taken_over(bed, bodies, dry_run=True) == 0
    assert bed.cluster.version == version
    assert "would be created" in capsys.readouterr().out


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


@pytest.mark.parametrize("text", ['"no"', "{}", "[1]", "no", '{"items": [1]}'])
def test_a_file_that_is_no_backup_is_refused(tmp_path, capsys, text):
    path = tmp_path / "backup.json"
    path.write_text(text)
    assert main(["adopt", str(path)]) == 1
    assert capsys.readouterr().err.startswith("this is no backup")
