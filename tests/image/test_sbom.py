"""`make sbom` lists what the lock file of the operator lists, with its hashes."""

import json
import re

from tests.support.chart_templates import ROOT


def test_the_list_has_every_locked_package():
    made = json.loads((ROOT / "build" / "doorward.cdx.json").read_text())
    assert made["bomFormat"] == "CycloneDX"
    assert made["metadata"]["component"]["name"] == "doorward"
    listed = {f"{each['name']}=={each['version']}" for each in made["components"]}
    locked = re.findall(
        r"(?m)^([^ \\;\[]+)(?:\[[^\]]*\])?==([^ \\;]+)", (ROOT / "requirements" / "run.txt").read_text()
    )
    assert listed == {f"{name}=={version}" for name, version in locked}
    assert all(each["externalReferences"][0]["hashes"] for each in made["components"])
