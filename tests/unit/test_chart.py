"""The chart by itself, rendered by Helm without a cluster: its values, and what each of them does."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from tests.support import monitoring
from tests.support.chart_templates import CHART, ROOT, TEMPLATES, made

Object = dict[str, Any]
NAMESPACE = "access"
NOTES = "doorward/templates/NOTES.txt"


@cache
def chart() -> helm_python.Chart:
    return helm_python.Chart.load(CHART)


def texts(values: Object) -> dict[str, str]:
    chart().validate_schema(chart().merge_values(values))
    return chart().render(values, namespace=NAMESPACE)


def rendered(**values: Any) -> dict[tuple[str, str], Object]:
    """Kind and name, or kind and namespace/name outside of the release's namespace, to the object."""
    found = {}
    for path, text in texts(values).items():
        for body in yaml.safe_load_all(text) if path != NOTES else ():
            if body:
                metadata = body["metadata"]
                namespace = metadata.get("namespace", NAMESPACE)
                name = metadata["name"] if namespace == NAMESPACE else f"{namespace}/{metadata['name']}"
                assert (body["kind"], name) not in found
                found[body["kind"], name] = body
    return found


def pod(objects: dict[tuple[str, str], Object], deployment: str) -> Object:
    return objects["Deployment", deployment]["spec"]["template"]["spec"]


def container(objects: dict[tuple[str, str], Object], deployment: str) -> Object:
    [only] = pod(objects, deployment)["containers"]
    return only


def test_the_made_templates_are_what_deploy_says_now():
    folders = {path.parts[0] for path in made()}
    there = {path.relative_to(TEMPLATES): path.read_text() for name in folders for path in (TEMPLATES / name).iterdir()}
    assert there == made(), "run make chart"


def test_helm_lints_it_without_a_warning():
    for values in ({}, {"gate": {"enabled": True}, "networkPolicy": {"enabled": True}}):
        report = helm_python.lint(CHART, values, strict=True)
        assert [each for each in report["messages"] if each["severity"] > 1] == report["errors"] == []


# Values that are refused


def with_unknown_keys(schema: Object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of an unknown key in each object of which the schema knows keys."""
    found = [(*path, "unknown")] if "properties" in schema else []
    for name, inner in schema.get("properties", {}).items():
        if inner.get("type") == "object":
            found += with_unknown_keys(inner, (*path, name))
    return found


SCHEMA = json.loads((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize("path", with_unknown_keys(SCHEMA), ids=".".join)
def test_an_unknown_key_is_refused(path: tuple[str, ...]):
    values: Any = 1
    for name in reversed(path):
        values = {name: values}
    with pytest.raises(helm_python.HelmValuesError, match="unknown"):
        texts(values)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"image": "registry.example/doorward:1"}, id="the image as the chart before had it"),
        pytest.param({"replicaCount": 3}, id="another chart's name for replicas"),
        pytest.param({"replicas": "3"}, id="a number as a text"),
        pytest.param({"image": {"repository": ""}}, id="no repository"),
        pytest.param({"image": {"digest": "0" * 64}}, id="a digest without its algorithm"),
        pytest.param({"logLevel": "trace"}, id="a level that there is not"),
        pytest.param({"optIn": {"namespaces": ["Edge"]}}, id="no name of a namespace"),
        pytest.param({"optIn": {"namespaces": ["edge", "edge"]}}, id="the same namespace twice"),
        pytest.param({"extraArgs": ["namespace"]}, id="an argument that is none"),
        pytest.param({"clusterDomain": "a' + 'b"}, id="a domain that would end a text of a policy"),
        pytest.param({"probes": {"controller": "nginx"}}, id="a controller without its namespace"),
        pytest.param({"probes": {"controller": "", "bind": True}}, id="a right for no controller"),
        pytest.param({"prometheusRule": {"enabled": "yes"}}, id="a text where yes or no is asked"),
        pytest.param({"prometheusRule": {"labels": {"release": 1}}}, id="a label that is no text"),
        pytest.param({"networkPolicy": {"askers": []}}, id="nobody may ask the gate service"),
    ],
)
def test_is_refused(values: Object):
    with pytest.raises(helm_python.HelmValuesError):
        texts(values)


def test_the_schema_knows_every_value_and_no_other():
    def keys(schema: Object) -> Object:
        inner = schema.get("properties", {})
        return {name: keys(each) for name, each in inner.items() if name != "global"}

    def there(values: Any, known: Object) -> Any:
        return {name: there(each, known[name]) if known.get(name) else {} for name, each in values.items()}

    known = keys(SCHEMA)
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    resources = known["resources"].pop("claims"), known["gate"]["resources"].pop("claims")
    assert resources == ({}, {})
    assert there(values, known) == known


# What each value does

PLACED: Object = {
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "control-plane", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}],
    "priorityClassName": "system-cluster-critical",
}
SHAPED: Object = {
    **PLACED,
    "replicas": 3,
    "resources": {"limits": {"memory": "1Gi"}},
    "podAnnotations": {"example.com/a": "b"},
    "extraArgs": ["--log-format=text"],
    "serviceAccount": {"annotations": {"example.com/role": "arn"}},
}


@pytest.mark.parametrize("name", ["doorward", "doorward-gate"])
def test_the_pods_are_as_the_values_say(name: str):
    operators = SHAPED if name == "doorward" else {}
    gates = {"enabled": True} | (SHAPED if name == "doorward-gate" else {})
    made = rendered(**operators, gate=gates, imagePullSecrets=[{"name": "registry"}], logLevel="debug")
    spec = made["Deployment", name]["spec"]
    assert spec["replicas"] == 3
    assert spec["template"]["metadata"]["annotations"] == SHAPED["podAnnotations"]
    for field in ("nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName"):
        assert spec["template"]["spec"][field] == PLACED[field]
    assert PLACED["affinity"].items() <= spec["template"]["spec"]["affinity"].items()
    assert spec["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert container(made, name)["resources"]["limits"] == {"memory": "1Gi"}
    assert {"--verbose", "--log-format=text"} <= set(container(made, name)["args"])
    assert made["ServiceAccount", name]["metadata"]["annotations"] == {"example.com/role": "arn"}
    other = made["Deployment", "doorward-gate" if name == "doorward" else "doorward"]["spec"]
    assert other["replicas"] == 2
    assert "priorityClassName" not in other["template"]["spec"]


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ({}, "doorward:0.1.0"),
        ({"repository": "registry.example:5000/a/doorward"}, "registry.example:5000/a/doorward:0.1.0"),
        ({"tag": "1.2"}, "doorward:1.2"),
        ({"tag": "1.2", "digest": "sha256:" + "a" * 64}, "doorward@sha256:" + "a" * 64),
    ],
    ids=["as it is", "another registry", "a tag", "a digest beats the tag"],
)
def test_every_container_has_the_image(image: Object, shown: str):
    texts_ = texts({"image": image, "gate": {"enabled": True}})
    images = re.findall(r"(?m)^ *image: (.*)$", "\n".join(texts_.values()))
    assert len(images) >= 3
    assert set(images) == {f'"{shown}"'}


def test_the_release_opts_namespaces_in():
    made = rendered(optIn={"namespaces": ["edge", "shop"]})
    for namespace in ("edge", "shop"):
        binding = made["RoleBinding", f"{namespace}/doorward-secrets"]
        assert binding["roleRef"]["name"] == "doorward-secrets"
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "doorward", "namespace": NAMESPACE}]
    assert not [name for _, name in rendered() if name.endswith("/doorward-secrets")]


def test_the_chart_lets_the_operator_find_the_replicas_of_the_ingress_controller_where_it_is_asked_for():
    made = rendered(probes={"controller": "edge/nginx", "bind": True})
    assert container(made, "doorward")["args"] == ["run", "--account=access:doorward", "--controller=edge/nginx"]
    binding = made["RoleBinding", "edge/doorward-probes"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "doorward", "namespace": "access"}]
    assert ("ClusterRole", binding["roleRef"]["name"]) in made
    assert not [name for _, name in rendered() if name.endswith("/doorward-probes")]


def test_probes_are_off_where_there_is_no_controller():
    assert "--controller=" in container(rendered(probes={"controller": ""}), "doorward")["args"]


def test_the_chart_brings_the_gate_service_where_it_is_asked_for():
    without, with_it = rendered(), rendered(gate={"enabled": True}, clusterDomain="example.internal")
    new = set(with_it) - set(without)
    assert {("Deployment", "doorward-gate"), ("Service", "doorward-gate"), ("ClusterRole", "doorward-gate")} < new
    assert all("gate" in name for _, name in new)
    at = "http://doorward-gate.access.svc.example.internal"
    assert container(with_it, "doorward")["args"] == ["run", "--account=access:doorward", f"--gate-service={at}"]
    text = str(with_it)
    assert at in text
    assert "cluster.local" not in text
    assert "doorward-system" not in text


def test_the_crds_are_kept_unless_they_are_not_to_be():
    def crds(**values: Any) -> list[Object]:
        return [body for (kind, _), body in rendered(**values).items() if kind == "CustomResourceDefinition"]

    keep = {"helm.sh/resource-policy": "keep"}
    assert [body["metadata"]["annotations"] for body in crds()] == [keep] * 3
    assert ["annotations" in body["metadata"] for body in crds(crds={"keep": False})] == [False] * 3
    assert crds(crds={"enabled": False}) == []


def test_prometheus_finds_every_metrics_port():
    made = rendered(gate={"enabled": True}, metrics={"serviceMonitor": {"enabled": True, "labels": {"release": "p"}}})
    monitor = made["ServiceMonitor", "doorward"]
    assert monitor["metadata"]["labels"]["release"] == "p"
    [values] = [each["values"] for each in monitor["spec"]["selector"]["matchExpressions"]]
    [endpoint] = monitor["spec"]["endpoints"]
    scraped = {
        service["spec"]["selector"]["app.kubernetes.io/name"]: port["targetPort"]
        for (kind, _), service in made.items()
        if kind == "Service" and service["metadata"]["labels"]["app.kubernetes.io/name"] in values
        for port in service["spec"]["ports"]
        if port["name"] == endpoint["port"]
    }
    assert scraped == {"doorward": "http", "doorward-gate": "health"}
    for name, port in scraped.items():
        assert port in {each["name"] for each in container(made, name)["ports"]}
    assert not [kind for kind, _ in rendered() if kind == "ServiceMonitor"]


def test_the_alerts_are_those_of_the_plain_manifest_where_they_are_asked_for():
    plain = yaml.safe_load(monitoring.MANIFEST.read_text())
    plain["metadata"]["namespace"] = NAMESPACE
    plain["metadata"]["labels"]["release"] = "p"
    assert rendered(prometheusRule={"enabled": True, "labels": {"release": "p"}})["PrometheusRule", "doorward"] == plain
    assert len(plain["spec"]["groups"][0]["rules"]) == len(monitoring.alerts()) > 10
    assert not [kind for kind, _ in rendered() if kind == "PrometheusRule"]


def test_network_policies_are_there_where_they_are_asked_for():
    made = rendered(networkPolicy={"enabled": True, "apiServerPorts": [8443]}, gate={"enabled": True})
    for name in ("doorward", "doorward-gate"):
        spec = made["NetworkPolicy", name]["spec"]
        labels = made["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        assert spec["podSelector"]["matchLabels"] == labels
        ports = {port["name"] for port in container(made, name)["ports"]}
        assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} == ports
        assert {"protocol": "TCP", "port": 8443} in [port for rule in spec["egress"] for port in rule.get("ports", ())]
    assert not [kind for kind, _ in rendered() if kind == "NetworkPolicy"]


def test_the_notes_tell_the_command_that_opts_a_namespace_in():
    command = (
        "kubectl -n NAMESPACE create rolebinding doorward-secrets --clusterrole=doorward-secrets"
        f" --serviceaccount={NAMESPACE}:doorward"
    )
    assert command in texts({})[NOTES]


def test_what_helm_test_asks_is_there():
    made = rendered(gate={"enabled": True})
    [asking] = made["Pod", "doorward-test"]["spec"]["containers"]
    asked = re.findall(r"http://([a-z-]+)\.access\.svc\.cluster\.local:(\d+)/readyz", str(asking["args"]))
    services = {
        (name, str(port["port"]))
        for (kind, name), body in made.items()
        if kind == "Service"
        for port in body["spec"]["ports"]
    }
    assert len(asked) == 2
    assert set(asked) <= services


def test_the_packed_chart_is_the_same(tmp_path: Path):
    with helm_python.Chart.load(Path(chart().save(tmp_path))) as packed:
        assert packed.render({}, namespace=NAMESPACE) == texts({})


def test_the_values_that_the_page_on_helm_names_are_those_of_the_chart():
    page = (ROOT / "docs" / "runbooks" / "helm.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    named = set(re.findall(r"`([a-zA-Z]+(?:\.[a-zA-Z]+)*)(?:: (?:true|false))?`", page))
    paths = {name for name in named if name.partition(".")[0] in values}
    assert {
        "gate.enabled",
        "image.digest",
        "networkPolicy.enabled",
        "extraArgs",
        "probes.controller",
        "crds.keep",
    } <= paths
    for path in paths:
        at = values
        for step in path.split("."):
            assert step in at, path
            at = at[step]
