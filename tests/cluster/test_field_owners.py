"""An annotation of ours that somebody keeps in Git with another value: it is told, on both objects, and left alone."""

from tests.support.home import Home
from tests.support.kube import INGRESSES, ISSUERS, MERGE, eventually

from .policies_support import ISSUER, NGINX, host_of, ingress

DEPTH = f"{NGINX}auth-tls-verify-depth"
GATE = "doorward.io/gate"
ROUNDS = 3


def annotations(home: Home) -> dict[str, str]:
    return dict(home.body(INGRESSES, "app")["metadata"].get("annotations") or {})


def test_a_depth_in_git_is_told_and_not_fought_over(home: Home):
    home.partners()
    body = ingress(home.namespace, {ISSUER: "partners", DEPTH: "2"})
    body["spec"]["tls"] = [{"hosts": [host_of(home.namespace)]}]
    home.make(INGRESSES, body)
    eventually(
        lambda: annotations(home).get(GATE, "").startswith(f"FieldConflict: {DEPTH} is 2, set by "), "it is told"
    )
    home.says(ISSUERS, "partners", "HostsProtected", "SomeNotProtected")
    version = home.body(INGRESSES, "app")["metadata"]["resourceVersion"]
    for _ in range(ROUNDS):
        again = home.change(INGRESSES, "app", {"metadata": {"annotations": {DEPTH: "2"}}}, content=MERGE)
        assert again["metadata"]["resourceVersion"] == version, "nobody wrote in between"
    home.respec(ISSUERS, "partners", ingress={"verifyDepth": 2})
    eventually(lambda: annotations(home)[GATE].startswith("Protected: "), "both agree")
    assert annotations(home)[DEPTH] == "2"
