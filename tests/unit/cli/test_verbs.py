"""The verbs that need no cluster: `explain`, `crds`, `version`, and how the command takes what it does not know."""

import platform
import tomllib
from pathlib import Path

import pytest
import yaml

from doorward.api.crds import files
from doorward.api.reasons import REASONS
from doorward.cli.main import main

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "reasons.md"


def test_explain_says_what_a_reason_means_and_who_can_mend_it(capsys):
    assert main(["explain", "NotPermitted"]) == 0
    assert capsys.readouterr().out == (
        "NotPermitted (Ready=False): The namespace has not opted in: the RoleBinding doorward-secrets is missing.\n"
        "  action required by: a cluster administrator\n"
    )


def test_explain_says_what_an_event_means_and_of_what_object_it_is(capsys):
    assert main(["explain", "CutOffComplete"]) == 0
    assert capsys.readouterr().out.startswith("CutOffComplete (Event of ClientCertificate): The published CRL lists")
    assert main(["explain", "Issued"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "Issued (Ready=True)",
        "  action required by",
        "Issued (Event of ClientCertificate)",
    ]


def test_explain_without_a_name_says_all_in_order(capsys):
    assert main(["explain"]) == 0
    named = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()[::2]]
    assert named == sorted(REASONS)


def test_explain_of_a_name_that_is_none_says_so_and_fails(capsys):
    assert main(["explain", "Whatever"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: there is no reason Whatever (hint: `doorward explain` lists them)\n")


def test_explain_prints_the_reference_page(capsys):
    assert main(["explain", "--markdown"]) == 0
    assert capsys.readouterr().out == PAGE.read_text()


def test_crds_are_printed_as_one_stream_that_kubectl_can_apply(capsys):
    assert main(["crds"]) == 0
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [document["kind"] for document in documents] == ["CustomResourceDefinition"] * 3


def test_crds_are_written_one_file_a_kind(tmp_path, capsys):
    assert main(["crds", "--directory", str(tmp_path)]) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "error: Missing command. (hint: doorward --help)\n", id="no verb"),
        pytest.param(["fly"], "error: No such command 'fly'. (hint: doorward --help)\n", id="a verb that is none"),
        pytest.param(
            ["explain", "--colour"],
            "error: No such option: --colour (hint: doorward explain --help)\n",
            id="an option that is none",
        ),
        pytest.param(
            ["restore", "--issuer", "a/b", "--serial", "x\x1b[2J"],
            "error: Invalid value for '--serial': write 'x\\x1b[2J' in hex, such as a1b2 (hint: doorward restore --help)\n",
            id="a serial that is none",
        ),
    ],
)
def test_the_command_is_refused_in_one_line_for(arguments, message, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err == message


def test_a_service_is_refused_with_its_usage_for_a_port_that_is_no_number(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["run", "--health-port", "x"])
    assert caught.value.code == 2
    assert "invalid int value: 'x'" in capsys.readouterr().err


def test_the_version_is_that_of_the_project_and_of_its_chart(capsys):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "charts" / "doorward" / "Chart.yaml").read_text())
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"doorward {version} (Python {platform.python_version()})\n"
    assert (chart["version"], chart["appVersion"]) == (version, version)
