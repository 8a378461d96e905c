"""The Kubernetes objects of the test cluster: what the ingress controller needs, and what backs a protected host."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

NAMESPACE = "ingress-nginx"
POD = "ingress-nginx-controller-0"
CONFIGMAP = "ingress-nginx-controller"
# An EndpointSlice may hold no loopback address; this one is reserved for documentation, and never asked.
NOWHERE = "192.0.2.1"
# Loopback alone; and the risk that ingress-nginx takes since 1.12, where the default of the version that is built here is Critical.
SETTINGS = {
    "bind-address": "127.0.0.1",
    "disable-ipv6": "true",
    "worker-processes": "2",
    "annotations-risk-level": "High",
}


def controller(ingress_class: str, settings: Mapping[str, str]) -> list[Object]:
    """Namespace, IngressClass, settings, and the Pod that the controller believes to be; no kubelet ever sees it."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAMESPACE, "namespace": NAMESPACE}},
        class_of_nginx(ingress_class),
        configuration(settings),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": "ingress-nginx"}},
            "spec": {
                "serviceAccountName": NAMESPACE,
                "automountServiceAccountToken": False,
                "containers": [{"name": "controller", "image": "runs-as-a-process-of-the-testbed"}],
            },
        },
    ]


def class_of_nginx(name: str) -> Object:
    """An IngressClass that ingress-nginx serves."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    }


def configuration(settings: Mapping[str, str]) -> Object:
    """The controller's ConfigMap: its own settings, and those that keep it on loopback."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIGMAP, "namespace": NAMESPACE},
        "data": SETTINGS | dict(settings),
    }


def backing(
    namespace: str,
    host: str,
    *,
    name: str = "app",
    path: str = "/",
    ingress_class: str = "nginx",
    annotations: Mapping[str, str] | None = None,
) -> list[Object]:
    """A Service with an endpoint, and an Ingress to it for one host; the application answers for any such Service."""
    return [
        *service(namespace, name),
        _ingress(namespace, host, name, path=path, ingress_class=ingress_class, annotations=annotations),
    ]


def service(namespace: str, name: str) -> list[Object]:
    """A Service with an endpoint: without one, the controller answers 503."""
    metadata = {"name": name, "namespace": namespace}
    port = {"name": "http", "port": 80, "protocol": "TCP"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [port]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NOWHERE], "conditions": {"ready": True}}],
            "ports": [port],
        },
    ]


def _ingress(
    namespace: str,
    host: str,
    service_name: str,
    *,
    path: str,
    ingress_class: str,
    annotations: Mapping[str, str] | None,
) -> Object:
    """An Ingress with TLS for one host."""
    backend = {"service": {"name": service_name, "port": {"name": "http"}}}
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": service_name, "namespace": namespace, "annotations": dict(annotations or {})},
        "spec": {"ingressClassName": ingress_class, "tls": [{"hosts": [host]}], "rules": [rule]},
    }
