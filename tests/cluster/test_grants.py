"""As narrow as can be: every right in deploy/manifests was used by this suite. It comes last, and only where all ran."""

from collections.abc import Iterator
from itertools import product

import pytest

from tests.support.audit import Audit, resource
from tests.support.installation import ACCOUNT
from tests.testbed.controlplane import Cluster

from .test_policies_manifests import objects

Grant = tuple[str, str, str]
"""API group, resource, verb."""


def granted() -> Iterator[Grant]:
    """What every role of the operator's allows; those for people are none of it."""
    roles = [body for kind in ("Role", "ClusterRole") for body in objects(kind)]
    bound = {body["roleRef"]["name"] for kind in ("RoleBinding", "ClusterRoleBinding") for body in objects(kind)}
    for role in roles:
        if role["metadata"]["name"] in bound | {f"{ACCOUNT}-secrets"}:
            for rule in role["rules"]:
                yield from product(rule["apiGroups"], rule["resources"], rule["verbs"])


def _allowed(code: int) -> bool:
    """Who may not look is not told that there is nothing."""
    return code < 400 or code == 404


@pytest.mark.last
def test_no_right_of_the_operator_was_left_unused(cluster: Cluster):
    used = {
        (event["objectRef"].get("apiGroup", ""), resource(event["objectRef"]), event["verb"])
        for event in Audit(cluster).events()
        if "objectRef" in event and _allowed(event["responseStatus"]["code"])  # Kopf asks for the server's version too
    }
    assert set(granted()) - used == set()
