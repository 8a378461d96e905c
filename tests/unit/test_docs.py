"""What the documentation says of the tree is so: rooms, paths, links and make targets."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator" / "doorward"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MADE = {"build"}
"""What make targets leave, and git ignores."""
TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - MADE
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def paths_named(text: str) -> set[str]:
    """What looks like a path of the tree: in backticks from one of its top folders, or a module in one of the rooms."""
    spans = re.findall(r"`([^`\s]+)`", text)
    indented = [word for line in re.findall(r"(?m)^    (?:kubectl|make) .*$", text) for word in line.split()]
    return {span for span in spans + indented if "/" in span and is_of_the_tree(span)}


def is_of_the_tree(span: str) -> bool:
    first, _, rest = span.partition("/")
    return first in TOP or (first in ROOMS and (rest == "" or rest.endswith(".py")))


def links(text: str) -> set[str]:
    """Relative targets of Markdown links, without their anchors."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return {target.split("#")[0] for target in targets if ":" not in target} - {""}


def found(path: str) -> bool:
    """Whether the path, or something that its * stands for, is there."""
    return any(any(base.glob(path.rstrip("/"))) for base in (ROOT, PACKAGE))


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_path_that_a_page_names_is_there(page):
    assert [path for path in sorted(paths_named(page.read_text())) if not found(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_of_a_page_leads_somewhere(page):
    assert [target for target in sorted(links(page.read_text())) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_target_that_a_page_names_is_in_the_makefile(page):
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    text = page.read_text()
    named = set(re.findall(r"`make ([a-z]+)`", text)) | set(re.findall(r"(?m)^    make ([a-z]+)", text))
    assert named - targets == set()


def sentences(module: Path) -> set[str]:
    """The tests of a module, as pages call them."""
    return {name.replace("_", " ") for name in re.findall(r"(?m)^(?:async )?def test_(\w+)\(", module.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_test_that_a_page_names_is_there(page):
    named = re.findall(r"\[([^\]]+)\]\((?:\.\./)*(tests/[^)\s]+[.]py)\)", page.read_text())
    assert [(text, path) for text, path in named if text not in sentences(ROOT / path)] == []


def test_the_room_table_says_what_the_packages_say_of_themselves():
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = dict(re.findall(r"(?m)^\| `([a-z_]+)` \| (.+) \|$", page))
    said = {room: (importlib.import_module(f"doorward.{room}").__doc__ or "").strip() for room in ROOMS}
    assert table == said


def test_every_decision_has_a_number_of_its_own():
    names = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    numbers = sorted(int(name[:4]) for name in names)
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param("see `operator/doorward/nothing.py`", {"operator/doorward/nothing.py"}, id="a file"),
        pytest.param("see `planning/nothing.py`", {"planning/nothing.py"}, id="a module in a room"),
        pytest.param("    kubectl apply -f examples/x.yaml", {"examples/x.yaml"}, id="a file in a command"),
        pytest.param("the label `app.kubernetes.io/managed-by`", set(), id="a label, which is no path"),
        pytest.param("run `make test` and/or not", set(), id="prose"),
    ],
)
def test_paths_are_found_in(text, paths):
    assert paths_named(text) == paths
