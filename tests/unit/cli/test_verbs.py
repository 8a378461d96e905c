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
        "NotPermitted (Ready=False): The namespace has not consented: the RoleBinding for Secrets is missing.\n"
        "  mended by: a cluster administrator\n"
    )


def test_explain_without_a_name_says_all_in_order(capsys):
    assert main(["explain"]) == 0
    named = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()[::2]]
    assert named == sorted(REASONS)


def test_explain_of_a_name_that_is_none_says_so_and_fails(capsys):
    assert main(["explain", "Whatever"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "there is no reason Whatever; `doorward explain` lists them\n")


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
        pytest.param([], "the following arguments are required: verb", id="no verb"),
        pytest.param(["fly"], "invalid choice: 'fly'", id="a verb that is none"),
        pytest.param(["explain", "--colour"], "unrecognized arguments: --colour", id="an option that is none"),
        pytest.param(["run", "--health-port", "x"], "invalid int value: 'x'", id="a port that is no number"),
    ],
)
def test_the_command_is_refused_with_usage_for(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_the_version_is_that_of_the_project_and_of_its_chart(capsys):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "charts" / "doorward" / "Chart.yaml").read_text())
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"doorward {version} (Python {platform.python_version()})\n"
    assert (chart["version"], chart["appVersion"]) == (version, version)
