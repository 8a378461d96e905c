"""Helm itself in a test cluster: its SDK as a wheel, which is the Go code of the command `helm`."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import helm_python
from helm_python import _native

from tests.testbed.controlplane import Cluster

RELEASE = "doorward"


class Helm:
    """The release `doorward` in one namespace of a cluster."""

    def __init__(self, connection: helm_python.Config, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    def install(self, chart: Path, values: Mapping[str, Any], **options: Any) -> str:
        """`helm install`; `options` are flags of the command: take_ownership, force_conflicts. The manifest."""
        return self._write("helm_install", chart, values, options)

    def upgrade(self, chart: Path, values: Mapping[str, Any], **options: Any) -> str:
        """`helm upgrade`, likewise."""
        return self._write("helm_upgrade", chart, values, options)

    def uninstall(self, *, timeout: int) -> None:
        """`helm uninstall`."""
        self._connection.uninstall(RELEASE, timeout=timeout)

    def test(self, *, timeout: int) -> None:
        """`helm test`."""
        self._connection.test(RELEASE, timeout=timeout)

    def _write(self, function: str, chart: Path, values: Mapping[str, Any], options: Mapping[str, Any]) -> str:
        # The wheel's Python part does not know every flag that its library takes.
        settings = json.dumps({"namespace": self.namespace, **options})
        with helm_python.Chart.load(chart) as loaded:
            arguments = (loaded._raw(), None, RELEASE, json.dumps(values), settings)
            answer = _native.call_string(function, self._connection._raw(), _native.HANDLE(0), *arguments)
        return str(json.loads(answer)["manifest"])


@contextmanager
def connected(cluster: Cluster, namespace: str) -> Iterator[Helm]:
    """Helm, as the administrator of the cluster."""
    with helm_python.Config(kubeconfig_path=os.fspath(cluster.kubeconfig), namespace=namespace) as connection:
        yield Helm(connection, namespace)


def rendered(chart: Path, values: Mapping[str, Any], namespace: str) -> dict[str, str]:
    """`helm template`: each template by its path."""
    with helm_python.Chart.load(chart) as loaded:
        return dict(loaded.render(dict(values), namespace=namespace))
