"""The operator names the Services behind its gates to the admission policy, and the issuer tells of exceptions."""

from collections.abc import Mapping

import pytest

from doorward.objects.guarded_services import NAME, ROLE
from tests.support.home import Home
from tests.support.kube import CONFIGMAPS, INGRESSES, ISSUERS, bind, eventually

from .policies_support import ISSUER, OURS
from .test_guarded import WHY, another, to


def data(home: Home) -> Mapping[str, str] | None:
    """What the ConfigMap says; None: there is none."""
    answer = home.admin.get(CONFIGMAPS, home.namespace, NAME)
    return answer.body["data"] if answer.ok else None


@pytest.mark.promise(3)
def test_the_operator_guards_what_is_behind_its_gates(home: Home):
    home.partners("alice")
    erin = home.admin.alias(f"erin.{home.namespace}")
    bind(home.admin, home.namespace, erin.name, "edit")
    eventually(lambda: erin.may("create", INGRESSES, home.namespace), "edit is bound")
    web = another(home.namespace, to("app", "assets", **{ISSUER: "partners"}), "web")
    assert erin.create(INGRESSES, web).ok
    eventually(lambda: data(home) == {"app": "web", "assets": "web"}, "its Services are named")
    labels = home.body(CONFIGMAPS, NAME)["metadata"]["labels"]
    assert labels == OURS | {"doorward.io/role": ROLE}
    sneaky = another(home.namespace, to("assets"))
    eventually(lambda: erin.create(INGRESSES, sneaky, dry_run=True).status == 403, "another way to them is refused")
    exempt = another(home.namespace, to("assets", **{WHY: "pictures for the press"}))
    assert erin.create(INGRESSES, exempt).ok
    home.says(ISSUERS, "partners", "ServicesGuarded", "ServicesUnprotected")
    [told] = [c for c in home.body(ISSUERS, "partners")["status"]["conditions"] if c["type"] == "ServicesGuarded"]
    assert f'Ingress {home.namespace}/open serves Service assets ("pictures for the press")' in told["message"]
    assert erin.delete(INGRESSES, web).ok
    eventually(lambda: data(home) is None, "the ConfigMap goes with the last gate")
    assert erin.delete(INGRESSES, exempt).ok
    eventually(lambda: erin.create(INGRESSES, sneaky, dry_run=True).ok, "the Services are free again")
