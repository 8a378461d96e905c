"""Where a reading command looks: kubeconfig, context, namespace; and what its tables may say."""

import contextlib
import io
import json
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from doorward.cli.ages import span
from doorward.cli.errors import UserError
from doorward.cli.main import main
from doorward.cli.printed import Facts, Table, show
from doorward.cli.reading import Reader, Where
from doorward.cli.session import default_namespace
from doorward.objects.meta import ObjectKey
from tests.support.clock import FakeClock
from tests.support.memory_cluster import MemoryCluster
from tests.support.memory_gateway import MemoryGateway
from tests.unit.given import NOW


@pytest.fixture
def kubeconfig(tmp_path):
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "edge"}},
        {"name": "two", "context": {"cluster": "d", "user": "u"}},
        {"name": "acting", "context": {"cluster": "c", "user": "ann"}},
    ]
    clusters = [
        {"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}} for name, port in (("c", 9), ("d", 7))
    ]
    users = [{"name": "u", "user": {}}, {"name": "ann", "user": {"as": "bob"}}]
    said = {"current-context": "one", "contexts": contexts, "clusters": clusters, "users": users}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config"} | said))
    return str(path)


@pytest.mark.parametrize(("context", "namespace"), [(None, "edge"), ("one", "edge"), ("two", "default")])
def test_the_namespace_is_that_of_the_context(kubeconfig, context, namespace):
    assert default_namespace(kubeconfig, context) == namespace


def test_a_context_that_is_not_there_is_one_line(kubeconfig, capsys):
    assert main(["status", "--kubeconfig", kubeconfig, "--context", "three"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "three" in err


def test_a_user_who_acts_as_another_is_refused_in_whichever_context(kubeconfig, capsys):
    assert main(["status", "--kubeconfig", kubeconfig, "--context", "acting"]) == 1
    assert "has `as:`" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "port"), [((), 9), (("--context", "one"), 9), (("--context", "two"), 7)])
def test_a_cluster_that_does_not_answer_is_one_line(kubeconfig, capsys, options, port):
    assert main(["status", "--kubeconfig", kubeconfig, *options]) == 1
    err = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "kubectl version" in err


def test_a_namespace_and_all_of_them_contradict_each_other(kubeconfig, capsys):
    assert main(["status", "-A", "-n", "edge", "--kubeconfig", kubeconfig]) == 2
    assert "either --namespace or --all-namespaces" in capsys.readouterr().err


def test_where_says_all_namespaces_as_none(kubeconfig, monkeypatch):
    looked = []

    def in_cluster(_kubeconfig, _context, work):
        return work(None)

    monkeypatch.setattr("doorward.cli.reading.in_cluster", in_cluster)
    for options in ({"everywhere": True}, {"namespace": "x"}, {}):
        Where(kubeconfig=kubeconfig, context=None, **options).read(lambda reader: looked.append(reader.namespace))
    assert looked == [None, "x", "edge"]


@pytest.fixture
def reader():
    clock = FakeClock(NOW)
    return Reader(MemoryGateway(MemoryCluster(clock)), clock, "edge")


def test_a_name_is_in_the_namespace_to_look_in_or_says_its_own(reader):
    assert reader.named("alice") == ObjectKey("edge", "alice")
    assert reader.named("shop/alice") == ObjectKey("shop", "alice")


@pytest.mark.parametrize("text", ["", "/", "a/", "/a", "a/b/c"])
def test_what_is_no_name_is_refused(reader, text):
    with pytest.raises(UserError, match="write"):
        reader.named(text)


def test_a_bare_name_says_nothing_in_all_namespaces(reader):
    reader.namespace = None
    with pytest.raises(UserError, match="in which namespace"):
        reader.named("alice")


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        ({"seconds": -5}, "0s"),
        ({"seconds": 119}, "119s"),
        ({"minutes": 2}, "2m"),
        ({"minutes": 119}, "119m"),
        ({"hours": 2}, "2h"),
        ({"hours": 9, "minutes": 5}, "9h5m"),
        ({"hours": 47, "minutes": 59}, "47h"),
        ({"days": 2}, "2d"),
        ({"days": 6, "hours": 3}, "6d3h"),
        ({"days": 400, "hours": 3}, "400d"),
    ],
)
def test_a_span_is_its_largest_units(length, shown):
    assert span(timedelta(**length)) == shown


@given(st.lists(st.text(), min_size=2, max_size=2), st.text())
def test_whatever_a_cell_holds_a_row_is_one_line_of_seen_characters(cells, title):

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show(
            {}, [Table(head=("A", "B"), rows=[cells]), Facts(title=title, rows=[("x", cells[0]), ("y", "there")])], None
        )
    assert all(char.isprintable() or char == "\n" for char in out.getvalue())
    assert len(out.getvalue().splitlines()) <= 6


@pytest.mark.parametrize("output", ["json", "yaml"])
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_program_reads_back_what_was_there(output, text):

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show({"said": text}, [], output)
    said = out.getvalue()
    assert all(char.isprintable() or char == "\n" for char in said)
    assert (json.loads if output == "json" else yaml.safe_load)(said) == {"said": text}
