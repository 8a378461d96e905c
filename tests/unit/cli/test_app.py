"""What all verbs share: help, completion, one line for an error, and a start of the services that does not pay for any of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from doorward.cli import app, errors, services, text
from doorward.cli.main import main
from doorward.cluster.errors import from_answer

BIN = Path(sys.executable).parent
OF_PEOPLE = {"typer", "rich", "pygments", "shellingham", "markdown_it"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: PLW1510 - each test says what it expects
        [*arguments], capture_output=True, text=True, env=os.environ | environment, timeout=90
    )


@pytest.mark.parametrize("verb", services.HELP)
def test_a_service_starts_without_what_the_commands_of_people_need(verb):
    found = run(sys.executable, "-X", "importtime", "-m", "doorward.cli.main", verb, "--help")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in found.stderr.splitlines()}
    assert "argparse" in imported
    assert imported & OF_PEOPLE == set()
    assert "doorward.cli.restore" not in found.stderr


@pytest.mark.parametrize("verb", ["", *app.VERBS, *services.HELP])
def test_help_is_for_eyes_and_pipes_alike(verb, capsys):
    try:
        status = main([verb, "--help"] if verb else ["--help"])
    except SystemExit as left:  # argparse leaves
        status = left.code
    out = capsys.readouterr().out
    assert (status, "\x1b" in out) == (0, False)
    assert out.lower().startswith(f"usage: doorward {verb}".strip())


def test_every_verb_and_option_is_explained(capsys):
    for verb in app.VERBS:
        main([verb, "--help"])
        out = capsys.readouterr().out
        assert re.search(r"^  \S.*\.$", out, re.MULTILINE), verb
        assert not re.search("^  -.*<(str|list|path|int)", out, re.MULTILINE), f"{verb}: name what is expected"


def test_kubectl_finds_it_as_a_plugin():
    found = run(str(BIN / "kubectl-doorward"), "fly")
    assert (found.returncode, found.stderr) == (
        2,
        "error: No such command 'fly'. (hint: kubectl doorward --help)\n",
    )


def test_a_reader_that_ends_early_is_no_error():
    script = f"set -o pipefail; {BIN}/doorward explain --markdown | head -1"
    found = run("bash", "-c", script)
    assert found.stdout.count("\n") == 1
    assert found.stderr == ""


@pytest.mark.parametrize("verb", ["version", "crds"])
def test_whatever_is_written_to_a_closed_pipe_is_no_error(verb):
    """Little is written when the command ends, and much before."""
    read, write = os.pipe()
    os.close(read)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(  # noqa: PLW1510 - that it fails is the point
        [str(BIN / "doorward"), verb], stdout=write, stderr=subprocess.PIPE, text=True, timeout=90, env=buffered
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (app.PIPE_ENDED, "")


def test_an_interrupted_command_says_nothing(monkeypatch, capsys):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("doorward.cli.crds.files", interrupted)
    assert main(["crds"]) == app.INTERRUPTED
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell):
    found = run(str(BIN / "doorward"), _DOORWARD_COMPLETE=f"source_{shell}")
    assert "_DOORWARD_COMPLETE=complete_" in found.stdout


def test_completion_names_the_verbs():
    words = {"COMP_WORDS": "doorward re", "COMP_CWORD": "1"}
    found = run(str(BIN / "doorward"), _DOORWARD_COMPLETE="complete_bash", **words)
    assert {"restore", "records"} <= set(found.stdout.split())
    assert "crds" not in found.stdout


FORBIDDEN = 'is forbidden: User "eve" cannot list resource "{}" in API group "{}"{}'


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            FORBIDDEN.format("mtlsissuers", "doorward.io", ' in the namespace "edge"'),
            "you have no right to list mtlsissuers.doorward.io in namespace edge",
        ),
        (
            FORBIDDEN.format("mtlsissuers", "doorward.io", " at the cluster scope"),
            "you have no right to list mtlsissuers.doorward.io in all namespaces",
        ),
        (FORBIDDEN.format("secrets", "", ' in the namespace "a"'), "you have no right to list secrets in namespace a"),
        ("denied by policy x: set y", "denied by policy x: set y"),
    ],
)
def test_a_missing_right_is_named_in_one_line(message, said):
    told = errors.of_api(from_answer(403, "Forbidden", message))
    assert str(told) == said
    assert bool(told.hint) is said.startswith("you have")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("Zoë [bold]x[/] Ω", "Zoë [bold]x[/] Ω"),
        ("two\nlines\tand more", "two\\nlines\\tand more"),
    ],
)
def test_nothing_from_a_cluster_moves_the_cursor_or_hides(hostile, shown):
    assert text.plain(hostile) == shown
    assert text.one_line(f" {hostile}\r\n") == " ".join(shown.replace("\\n", " ").replace("\\t", " ").split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([""], {"status", "who", "why", "restore"}),
        (["sta"], {"status"}),
        (["status", "--out"], {"--output"}),
        (["status", "-o", "j"], {"json"}),
    ],
)
def test_kubectl_is_told_what_could_follow(words, offered):
    found = run(str(BIN / "kubectl_complete-doorward"), *words)
    *lines, last = found.stdout.splitlines()
    assert (found.returncode, last) == (0, ":4")
    assert offered <= set(lines)


def test_a_terminal_gets_colours_and_no_markup_from_strangers_and_a_dumb_one_none():
    script = (
        "from doorward.cli.printed import Table, show;"
        "show({}, [Table(title='[red]t[/]', head=('A',), rows=[('\\x1b[31mx[bold]y',)])], None)"
    )
    for term, coloured in (("xterm-256color", True), ("dumb", False)):
        read, write = os.openpty()
        ended = subprocess.run(  # noqa: PLW1510 - it is looked at
            [sys.executable, "-c", script], stdout=write, env=os.environ | {"TERM": term}, timeout=90
        )
        os.close(write)
        shown = os.read(read, 65536).decode()
        os.close(read)
        assert ended.returncode == 0
        assert ("\x1b[" in shown) is coloured
        assert "[red]t[/]" in shown
        assert "\\x1b[31mx[bold]y" in shown
