"""The web site of the documentation: every page is in its navigation once, and links lead to pages of the site."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.support import site_pages

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def test_every_page_is_in_the_navigation_once():
    named = Counter(site_pages.leaves(site_pages.expanded(CONFIG["nav"])))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert {uri for uri in named if not uri.startswith("repository/")} == pages | {"index.md"}
    assert set(named.values()) == {1}


def test_no_text_of_the_site_asks_another_host():
    assert CONFIG["theme"]["font"] is False
    assert re.findall(r"//", re.sub(r"(?m)#.*$", "", (ROOT / "mkdocs.yml").read_text())) == []


def test_what_is_refused_in_strict_mode_is_asked_for():
    levels = [level for group in CONFIG["validation"].values() for level in group.values()]
    assert set(levels) == {"warn"}
    assert re.search(r"(?m)mkdocs build --strict$", (ROOT / "Makefile").read_text())  # with --quiet it sees no warnings


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("README.md", "index.md"),
        ("docs/install.md", "install.md"),
        ("docs/how-to/clients.md", "how-to/clients.md"),
        ("docs/decisions", "decisions/index.md"),
        ("examples", "repository/examples/index.md"),
        ("CONTRIBUTING.md", "repository/CONTRIBUTING.md"),
        ("tests/unit/test_site.py", "repository/tests/unit/test_site.py"),
    ],
)
def test_a_file_of_the_repository_is_a_page_of_the_site(path, uri):
    assert site_pages.uri_of(path) == uri
    assert site_pages.path_of(uri).removesuffix("/index.md") == path


@pytest.mark.parametrize(
    ("path", "link", "rewritten"),
    [
        pytest.param("README.md", "docs/install.md", "install.md", id="from the front page"),
        pytest.param(
            "docs/install.md", "../README.md#five-minutes", "index.md#five-minutes", id="to it, with an anchor"
        ),
        pytest.param("docs/how-to/clients.md", "../install.md", "../install.md", id="between pages"),
        pytest.param("docs/kinds.md", "../examples/", "repository/examples/index.md", id="to a folder"),
        pytest.param("README.md", "docs/decisions/", "decisions/index.md", id="to a folder of pages"),
        pytest.param(
            "docs/how-to/gitops.md", "../../examples/client.yaml", "../repository/examples/client.yaml", id="to a file"
        ),
        pytest.param("CONTRIBUTING.md", "docs/architecture.md", "../architecture.md", id="from a page elsewhere"),
        pytest.param("docs/install.md", "nothing.md", "nothing.md", id="to nothing, which MkDocs reports"),
        pytest.param("docs/install.md", "../../outside", "../../outside", id="out of the repository"),
        pytest.param("docs/install.md", "https://example.com/", "https://example.com/", id="to a host"),
        pytest.param("docs/install.md", "#upgrade", "#upgrade", id="within the page"),
    ],
)
def test_a_link_is_rewritten(path, link, rewritten):
    assert site_pages.rewritten(f"see [this]({link}).", path) == f"see [this]({rewritten})."


@pytest.mark.parametrize(
    ("text", "indented"),
    [
        pytest.param("1. a\n\n   b\n\n       code\n\n2. c", "1. a\n\n    b\n\n        code\n\n2. c", id="numbers"),
        pytest.param("- a\n  b\n  - c\n\nd", "- a\n    b\n    - c\n\nd", id="a list in a list"),
        pytest.param("10. a\n\n    b", "10. a\n\n    b", id="a wide mark"),
        pytest.param("- a\n\nb\n\n    code", "- a\n\nb\n\n    code", id="after the list"),
        pytest.param("```sh\n- a\n  b\n```\n  c", "```sh\n- a\n  b\n```\n  c", id="no list"),
    ],
)
def test_what_belongs_to_an_item_is_indented_as_mkdocs_reads_it(text, indented):
    assert site_pages.indented(text) == indented


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_list_begins_behind_an_empty_line(page):
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text())
    item = re.compile(r"(?:[-*]|[0-9]+[.]) ")
    blocks = [block.split("\n") for block in re.split(r"\n\n+", text)]
    joined = [line for first, *rest in blocks if not item.match(first) for line in rest if item.match(line)]
    assert joined == []  # MkDocs would read it as part of the paragraph


def test_what_pages_link_to_elsewhere_is_added_with_what_that_links_to():
    added = site_pages.added({"docs/a.md": "[x](../examples) [y](../CONTRIBUTING.md) [z](install.md) [d](decisions)"})
    assert "kind: MTLSIssuer" in added["examples"]
    assert added["CONTRIBUTING.md"] == (ROOT / "CONTRIBUTING.md").read_text()
    assert "](decisions/0001-" in added["docs/decisions"]
    assert "docs/install.md" not in added


def test_a_file_that_is_no_page_is_copied():
    assert site_pages.added({"docs/a.md": "[x](../examples/client.yaml)"}) == {"examples/client.yaml": None}


def test_a_folder_stands_for_the_pages_that_are_not_named():
    nav = [
        {
            "Security": [
                "security-model.md",
                {"Decisions": ["decisions/0001-crl-configmap-is-the-commit-point.md", "decisions/*"]},
            ]
        }
    ]
    leaves = site_pages.leaves(site_pages.expanded(nav))
    assert len(leaves) == 1 + len(list((ROOT / "docs/decisions").glob("*.md")))
    assert len(leaves) == len(set(leaves))


@pytest.mark.parametrize(
    "html",
    [
        '<link rel="stylesheet" href="https://fonts.example/css">',
        "<link href=//cdn.example/x.css rel=stylesheet>",
        '<script src="http://cdn.example/x.js"></script>',
        "<script async src=https://cdn.example/x.js></script>",
        '<img alt="x" src="//img.example/x.svg">',
        '<IFRAME SRC="https://example.com"></IFRAME>',
    ],
)
def test_what_a_browser_would_load_from_a_host_is_found(html):
    assert len(site_pages.loaded_from_hosts(f"<p>{html}</p>")) == 1


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.com/">a link for people</a>',
        '<script src="assets/bundle.js"></script>',
        '<link rel="stylesheet" href="assets/main.css">',
        '<link rel="canonical" href="https://docs.example/">',
        '<a href="x" data-src="https://example.com">x</a>',
    ],
)
def test_what_a_browser_does_not_load_is_none(html):
    assert site_pages.loaded_from_hosts(html) == []
