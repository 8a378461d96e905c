"""Files that strangers wrote: whatever stands in them, it is objects, or one line with file and place."""

import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward.cli import manifests
from doorward.cli.errors import UserError
from doorward.cli.main import main
from doorward.cli.manifests import Mistakes, read_files, read_kustomization
from doorward.objects.meta import ObjectKey

ALICE = """\
apiVersion: doorward.io/v1alpha1
kind: ClientCertificate
metadata: {name: alice}
spec: {issuerRef: {name: partners}, commonName: alice}
"""
HEAD = "apiVersion: doorward.io/v1alpha1\nkind: ClientCertificate\n"


@pytest.fixture
def read(tmp_path):
    def of(text: str | bytes, *, namespace: str = "edge", required: bool = False):
        path = tmp_path / "x.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_files([str(path)], namespace, required=required)

    return of


def named(files) -> list[str]:
    return [str(each) for each in files.manifests]


def test_documents_lists_and_separators_are_all_read_with_their_lines(read):
    bob = ALICE.replace("alice", "bob").rstrip().replace("\n", "\n  ")
    parts = [
        f"# a comment\n---\n---\n{ALICE}",
        f"apiVersion: v1\nkind: List\nitems:\n- {bob}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
        "apiVersion: v1\nkind: List\nitems:\n",
    ]
    text = "---\n".join(parts)
    files = read(text)
    assert named(files) == ["ClientCertificate edge/alice", "ClientCertificate edge/bob"]
    assert files.ignored == 1
    assert [each.place.rpartition(":")[2] for each in files.manifests] == ["4", "9"]


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "---\n---\n...\n"])
def test_a_file_may_hold_nothing(read, text):
    assert read(text).manifests == ()


def test_json_is_read_with_tabs_and_escapes_too(read):
    body = yaml.safe_load(ALICE)
    body["metadata"]["annotations"] = {"x": "\U0001f600/"}
    text = json.dumps(body, indent="\t").replace("/", "\\/")
    (found,) = read(text).manifests
    assert found.body["metadata"]["annotations"] == {"x": "\U0001f600/"}


def test_the_namespace_is_what_kubectl_would_set(read):
    other = ALICE.replace("{name: alice}", "{name: alice, namespace: other}")
    assert read(ALICE).manifests[0].key == ObjectKey("edge", "alice")
    assert read(other).manifests[0].key == ObjectKey("other", "alice")
    with pytest.raises(Mistakes, match=r"x\.yaml:1: metadata\.namespace is other, and --namespace is edge"):
        read(other, required=True)


def test_directories_are_read_with_all_that_is_below_them_in_order(tmp_path):
    for name in ("b/deep/er/1.yaml", "b/2.yml", "a.json", "notes.txt", "c.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        body = yaml.safe_load(ALICE)
        body["metadata"]["name"] = name.replace("/", "-").replace("_", "-")
        path.write_text("{" if name == "notes.txt" else json.dumps(body))
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "b" / "again").symlink_to(tmp_path)
    files = read_files([str(tmp_path)], "edge", required=False)
    assert [each.key.name for each in files.manifests] == ["a.json", "c.yaml", "b-2.yml", "b-deep-er-1.yaml"]


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(ALICE.encode())))
    (found,) = read_files(["-"], "edge", required=False).manifests
    assert found.place == "standard input:1"


LAUGHS = "a: &a [x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 40)}]\n" for n in range(12)
)
MERGES = "a: &a {x: y}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join([f'*{chr(97 + n)}'] * 40)}]}}\n" for n in range(12)
)
HOSTILE = {
    "text": ("just words", "1: it is no object"),
    "a number": ("5", "1: it is no object"),
    "a list": ("- a\n- b\n", "1: it is no object"),
    "no kind": ("apiVersion: v1\n", "1: the object has no kind"),
    "no apiVersion": ("kind: Ingress\n", "1: the object has no apiVersion"),
    "a kind that is a list": ("apiVersion: v1\nkind: [a]\n", "1: the object has no kind"),
    "no metadata": (HEAD, "1: the object has no metadata"),
    "metadata that is text": (HEAD + "metadata: alice\n", "the object has no metadata"),
    "no name": (HEAD + "metadata: {}\n", "the object has no metadata.name"),
    "only a prefix": (HEAD + "metadata: {generateName: a-}\n", "the object has no metadata.name"),
    "a name that is a number": (HEAD + "metadata: {name: 5}\n", "metadata.name 5 is no name"),
    "a name with a bell": (HEAD + 'metadata: {name: "a\\a"}\n', "is no name"),
    "a namespace that is none": (HEAD + "metadata: {name: a, namespace: A_B}\n", "is no name of a namespace"),
    "labels that are a list": (HEAD + "metadata: {name: a, labels: [x]}\n", "metadata.labels is no mapping"),
    "a label that is a number": (HEAD + "metadata: {name: a, labels: {x: 1}}\n", "the value of 'x' is no text"),
    "an annotation that is yes": (HEAD + "metadata: {name: a, annotations: {x: yes}}\n", "the value of 'x' is no text"),
    "no spec": (HEAD + "metadata: {name: a}\n", "spec is no mapping"),
    "a spec that is text": (HEAD + "metadata: {name: a}\nspec: x\n", "spec is no mapping"),
    "another version": (ALICE.replace("v1alpha1", "v1beta9"), "is not known: write doorward.io/v1alpha1"),
    "an issuer with dots": (
        ALICE.replace("ClientCertificate", "MTLSIssuer").replace("alice}", "a.b}", 1),
        "without dots",
    ),
    "the same twice": (f"{ALICE}---\n{ALICE}", "6: ClientCertificate edge/alice is there twice, the first time at"),
    "a key twice": (ALICE.replace("kind:", "kind: Ingress\nkind:"), "3: the key 'kind' is there twice"),
    "a key that is a list": ("? [a]\n: b\n", "1: "),
    "a tag of Python": (ALICE + "x: !!python/object:os.system {}\n", "5: "),
    "binary": (ALICE + "x: !!binary aGk=\n", "5: "),
    "a number that is none": (ALICE + "x: !!int abc\n", "1: it holds what JSON cannot say"),
    "not a number": (ALICE + "x: .nan\n", "1: it holds what JSON cannot say"),
    "a set": (ALICE + "x: !!set {a, b}\n", "1: it holds what JSON cannot say"),
    "a number of many digits": (ALICE + "x: " + "9" * 5000 + "\n", "1: it holds what JSON cannot say"),
    "half of it": (ALICE + "x: {a: \n", ":"),
    "a tab": (ALICE + "\tx: y\n", "5: "),
    "an alias of nothing": (ALICE + "x: *y\n", "5: "),
    "an alias in itself": (ALICE + "x: &a [*a]\n", "5: an alias contains itself"),
    "laughs": (LAUGHS, "its aliases stand for too much"),
    "merges": (MERGES, "its aliases stand for too much"),
    "a long text many times": ("a: &a " + "x" * 100_000 + "\nb: [" + ", ".join(["*a"] * 2000) + "]\n", "too much"),
    "deep in brackets": ("[" * 20_000, "nest"),
    "deep in lines": ("- " * 20_000 + "x", "nested too deeply"),
    "deep in JSON": ('{"a":' * 20_000 + "1" + "}" * 20_000, "nested too deeply"),
    "not UTF-8": (b"\xff\xfe\x00", "1: it is not text in UTF-8"),
    "a NUL": (ALICE + "x: \0\n", "1: "),
    "an object in a list that is none": ("kind: List\napiVersion: v1\nitems: [5]\n", "1: it is no object"),
    "items that are text": ("kind: List\napiVersion: v1\nitems: x\n", "1: the object has no metadata"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_mistake_is_one_line_with_its_place(read, name):
    text, said = HOSTILE[name]
    with pytest.raises(Mistakes) as told:
        read(text)
    assert said in str(told.value)
    assert "x.yaml:" in str(told.value)
    assert all(len(line) < 2000 for line in [str(told.value), *told.value.others])


def test_every_file_with_a_mistake_is_named_and_not_too_many(tmp_path):
    for number in range(30):
        (tmp_path / f"{number:02d}.yaml").write_text("kind: x\n")
    with pytest.raises(Mistakes) as told:
        read_files([str(tmp_path)], "edge", required=False)
    assert "00.yaml:1" in str(told.value)
    assert len(told.value.others) == 19
    assert told.value.untold == 10


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.sampled_from(["doorward.io/v1alpha1", "networking.k8s.io/v1", "v1"]) | json_values,
        "kind": st.sampled_from(["ClientCertificate", "MTLSIssuer", "Ingress", "Namespace", "List"]) | json_values,
        "metadata": json_values
        | st.fixed_dictionaries(
            {"name": st.just("a") | json_values}, optional={"namespace": json_values, "labels": json_values}
        ),
        "spec": json_values,
        "items": json_values,
    },
)


@given(body=objects, as_json=st.booleans())
@settings(deadline=None, max_examples=200)
def test_no_object_brings_a_traceback(tmp_path_factory, body, as_json):
    path = tmp_path_factory.mktemp("files") / "x.yaml"
    path.write_bytes((json.dumps(body) if as_json else yaml.safe_dump(body)).encode(errors="surrogatepass"))
    _only_mistakes(path)


@given(
    content=st.binary(max_size=200) | st.text(alphabet="[]{}&*a:-,?!|>'\"#%@` \n\t<=0~.", max_size=80).map(str.encode)
)
@settings(deadline=None, max_examples=300)
def test_no_bytes_bring_a_traceback(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("files") / "x.yaml"
    path.write_bytes(content)
    _only_mistakes(path)


def _only_mistakes(path: Path) -> None:
    try:
        read_files([str(path)], "edge", required=False)
    except Mistakes as error:
        assert str(path) in str(error)  # noqa: PT017 - that it may be raised is the point


@pytest.mark.parametrize("name", ["nowhere.yaml", "a\0b"])
def test_a_file_that_is_not_there_is_one_line(tmp_path, name):
    with pytest.raises(UserError, match="cannot read"):
        read_files([str(tmp_path / name)], "edge", required=False)


@pytest.mark.parametrize("special", ["/dev/zero", "regular"])
def test_what_has_no_end_is_not_read_to_its_end(tmp_path, monkeypatch, special):
    monkeypatch.setattr(manifests, "LARGEST_FILE", 1000)
    path = Path(special)
    if special == "regular":
        path = tmp_path / "x.yaml"
        path.write_text("#" * 1001)
    with pytest.raises(UserError, match="has more than"):
        read_files([str(path)], "edge", required=False)


def test_all_files_together_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(manifests, "LARGEST", 2 * len(ALICE))
    monkeypatch.setattr(manifests, "MOST_FILES", 3)
    for number in range(3):
        (tmp_path / f"{number}.yaml").write_text(ALICE)
    with pytest.raises(UserError, match="together"):
        read_files([str(tmp_path)], "edge", required=False)
    (tmp_path / "4.yaml").write_text("")
    with pytest.raises(UserError, match="more than 3 files"):
        read_files([str(tmp_path)], "edge", required=False)
    with pytest.raises(UserError, match="twice"):
        read_files(["-", "-"], "edge", required=False)


@pytest.fixture
def builder(tmp_path, monkeypatch):
    """A `kubectl` or `kustomize` that does what a script says."""

    def make(name: str, script: str) -> None:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    return make


def test_kustomize_is_called_and_what_it_prints_is_read(builder, tmp_path):
    (tmp_path / "out").write_text(ALICE)
    script = f'test "$*" = "{{}}" && while read -r line; do echo "$line"; done < {tmp_path}/out'
    builder("kustomize", script.format("build ./-base"))
    (found,) = read_kustomization("-base", "edge", required=False).manifests
    assert found.place == "kustomize -base:1"
    builder("kubectl", script.format("kustomize base"))
    assert read_kustomization("base", "edge", required=False).manifests


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'error: no kustomization' >&2; exit 1", "`kubectl kustomize x` failed: error: no kustomization"),
        ("exit 3", "failed: exit status 3"),
        ("echo '{'", "kustomize x:"),
    ],
)
def test_kustomize_that_fails_is_one_line(builder, script, said):
    builder("kubectl", script)
    with pytest.raises(UserError) as told:
        read_kustomization("x", "edge", required=False)
    assert said in str(told.value)


def test_kustomize_that_never_ends_is_ended(builder, monkeypatch):
    monkeypatch.setattr(manifests, "SECONDS", 0.2)
    builder("kubectl", "while :; do :; done")
    with pytest.raises(UserError, match="took longer"):
        read_kustomization("x", "edge", required=False)


def test_without_kustomize_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="neither kubectl nor kustomize"):
        read_kustomization("x", "edge", required=False)


CONFIG = {"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": [], "current-context": ""}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name either files with -f or a kustomization with -k"),
        (["-f", "x", "-k", "y"], "name either files"),
        (["--colour"], "No such option"),
        (["-f", "x", "--all"], "add --prune"),
        (["-f", "x", "-l", "a=b"], "add --prune"),
        (["-f", "x", "--prune"], "say what is pruned"),
        (["-f", "x", "--prune", "--all", "-l", "a"], "say what is pruned"),
        (["-f", "nowhere"], "cannot read nowhere"),
        (["-f", "{empty}"], "there are no objects in the files"),
        (["-f", "{wrong}"], "wrong.yaml:1: the object has no apiVersion"),
    ],
)
def test_what_is_wrong_with_the_call_ends_with_one(tmp_path, capsys, arguments, said):
    config = tmp_path / "config"
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    cluster, user = {"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}, {"name": "x", "user": {}}
    content = CONFIG | {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    config.write_text(json.dumps(content))
    (tmp_path / "empty").mkdir()
    (tmp_path / "wrong.yaml").write_text("kind: x\n---\nkind: y\n")
    given = [each.format(empty=tmp_path / "empty", wrong=tmp_path / "wrong.yaml") for each in arguments]
    assert main(["plan", *given, "--kubeconfig", str(config)]) == 1
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""
    assert "Traceback" not in err
    assert all(line.startswith("error: ") for line in err.splitlines())
