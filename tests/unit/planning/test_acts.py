"""What is asked of a client in a word, as the change of its spec, and the same for a file in Git."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from doorward.planning import acts
from doorward.planning.acts import Refused

OPEN, HELD, ENDED = {}, {"suspended": True}, {"revoked": True, "revocationReason": "superseded"}


@pytest.mark.parametrize(
    ("spec", "reason", "change"),
    [
        (OPEN, None, {"revoked": True}),
        (HELD, "keyCompromise", {"revoked": True, "revocationReason": "keyCompromise"}),
        (ENDED, None, {}),
        (ENDED, "superseded", {}),
        (ENDED, "keyCompromise", {"revocationReason": "keyCompromise"}),
    ],
)
def test_a_revocation_says_what_is_not_so_yet(spec, reason, change):
    assert acts.revoke(spec, reason) == change


def test_a_suspension_begins_and_ends():
    assert acts.suspend(OPEN) == {"suspended": True}
    assert acts.suspend(HELD) == {}
    assert acts.resume(HELD) == {"suspended": False}
    assert acts.resume(OPEN) == acts.resume({"suspended": False}) == {}


def test_a_reissue_asks_by_a_text_that_is_new():
    assert acts.reissue({"reissue": "1"}, "2") == {"reissue": "2"}
    assert acts.reissue({"reissue": "2"}, "2") == {}


@pytest.mark.parametrize("also", [{}, {"suspended": True}])
def test_whoever_is_revoked_is_told_that_nothing_brings_him_back(also):
    for found in (acts.suspend(ENDED | also), acts.resume(ENDED | also), acts.reissue(ENDED | also, "2")):
        assert isinstance(found, Refused)
        assert "for good" in found.why


MARKS = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4)


@given(labels=MARKS, annotations=MARKS, name=st.text(min_size=1, max_size=20))
def test_a_file_says_what_people_said_and_the_change_whatever_the_object_holds(labels, annotations, name):
    body = {
        "apiVersion": "doorward.io/v1alpha1",
        "kind": "ClientCertificate",
        "metadata": {
            "name": name,
            "namespace": "edge",
            "uid": "1",
            "resourceVersion": "7",
            "finalizers": ["doorward.io/cut-off"],
            "managedFields": [{}],
            "labels": labels,
            "annotations": annotations | {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {"commonName": name, "suspended": True},
        "status": {"serialNumber": "1"},
    }
    found = yaml.safe_load(yaml.safe_dump(acts.for_git(body, {"suspended": False})))
    assert set(found) == {"apiVersion", "kind", "metadata", "spec"}
    assert found["spec"] == {"commonName": name, "suspended": False}
    assert found["metadata"] == {"name": name, "namespace": "edge"} | ({"labels": labels} if labels else {}) | (
        {"annotations": annotations} if annotations else {}
    )


@pytest.mark.parametrize("where", ["labels", "annotations"])
@pytest.mark.parametrize(("mark", "tool"), acts.APPLIERS.items())
def test_the_tool_that_would_undo_a_change_is_known_by_its_mark(where, mark, tool):
    assert acts.applier_of({"metadata": {where: {mark: "x"}}}) == tool
    assert acts.applier_of({"metadata": {where: {"team": "x"}}}) is None
