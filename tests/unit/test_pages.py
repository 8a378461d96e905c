"""The commands that pages show: which are run, which are not and why, and that none is overlooked."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support import pages
from tests.support.shell_env import exports

ROOT = Path(__file__).parents[2]
NOT_RUN = {"README.md": 2, "docs/install.md": 4, "docs/how-to/gitops.md": 1}
"""How many blocks have a reason not to be run; every other one of these pages is typed by the tests that pages.py names."""
ONE, ANOTHER = pages.Step("one", "1"), pages.Step("two \\\n  more", "")


@pytest.mark.parametrize("page", pages.FOLLOWED, ids=pages.name_of)
def test_every_fence_of_a_shell_is_found(page):
    text = page.read_text()
    assert len(re.findall(r"(?m)^ *```(?:sh|console|bash|shell)", text)) == len(pages.blocks(text))


def test_what_is_not_run_is_counted():
    not_run = Counter(pages.name_of(page) for page in pages.FOLLOWED for block in pages.read(page) if block.reason)
    assert dict(not_run) == NOT_RUN


def test_pages_with_needs_of_their_own_are_followed():
    assert {*pages.ASKED, *pages.WAITING, *pages.OTHER_CAS} <= {*pages.FOLLOWED}


@pytest.mark.parametrize("page", pages.FOLLOWED, ids=pages.name_of)
def test_no_command_hides_outside_of_a_fence_of_a_shell(page):
    rest = re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
    assert re.findall(r"(?m)^(?: {4}|\t)(?:kubectl|doorward|make|helm|curl|openssl) .*", rest) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("```sh\none\ntwo\n```\n", [("sh", "", (pages.Step("one\ntwo\n"),))], id="a script"),
        pytest.param("```console\n$ one\n1\n$ two \\\n  more\n```\n", [("console", "", (ONE, ANOTHER))], id="prompts"),
        pytest.param(
            "<!-- not run: no phone -->\n```sh\nx\n```\n", [("sh", "no phone", (pages.Step("x\n"),))], id="not run"
        ),
        pytest.param("<!-- another comment -->\n```sh\nx\n```\n", [("sh", "", (pages.Step("x\n"),))], id="no reason"),
        pytest.param("```yaml\nx: 1\n```\n", [], id="no commands"),
    ],
)
def test_blocks_are_found_in(text, found):
    assert [(block.language, block.reason, block.steps) for block in pages.blocks(text)] == found


def test_a_console_block_begins_with_a_prompt():
    (block,) = pages.blocks("```console\nsaid\n$ one\n```\n")
    with pytest.raises(ValueError, match="begins with an answer"):
        block.steps  # noqa: B018 - it is what raises


@pytest.mark.parametrize(
    ("expected", "said", "same"),
    [
        ("200", "200\n", True),
        ("200", "2000", False),
        ("", "warning", False),
        ("NAME…\nalice…True", "NAME  READY\nalice  True", True),
        ("NAME…\nalice…True", "NAME  READY\nbob  True", False),
        ("a.c", "abc", False),
    ],
)
def test_answers_are_compared(expected, said, same):
    assert pages.answers(expected, said) is same


@pytest.mark.parametrize(
    ("command", "asks"),
    [
        ("door", True),
        ("door --cert alice.crt", True),
        ("kubectl -n edge get secret x", True),
        ("kubectl -n edge auth can-i get secrets", True),
        ("kubectl -n edge delete secret x", False),
        ("kubectl -n get delete secret x", False),
        ("doorward why app.example.com --cert alice.crt", True),
        ("doorward restore --all", False),
    ],
)
def test_only_what_changes_nothing_is_asked_again(command, asks):
    assert pages.only_asks(command) is asks


def test_a_shell_takes_the_variables_and_keeps_its_path(tmp_path):
    lines = exports({"KUBECONFIG": "/a folder/$HOME"}, tmp_path)
    said = subprocess.run(["bash", "-c", f"{lines}printf '%s\n' \"$KUBECONFIG\" \"$PATH\""], capture_output=True, text=True,
                          check=True, env={"PATH": "/usr/bin:/bin"})  # fmt: skip
    assert said.stdout.splitlines() == ["/a folder/$HOME", f"{tmp_path}:/usr/bin:/bin"]


def test_a_reader_of_the_front_page_who_pastes_all_at_once_sees_what_it_shows():
    """ingress-nginx takes some seconds to load a change: each request after one is repeated until the answer is there."""
    steps = [step.command for block in pages.read(ROOT / "README.md") if not block.reason for step in block.steps]
    waits = re.compile(r"until door( .*)? \| grep [0-9]{3}; do sleep 1; done")
    changed, early = True, []
    for command in steps:
        if re.match(r"kubectl .*\b(apply|create|patch|delete)\b", command):
            changed = True
        elif waits.fullmatch(command):
            changed = False
        elif changed and re.match(r"door( |$)", command):
            early.append(command)
    assert early == []
    assert sum(waits.fullmatch(command) is not None for command in steps) >= 4
