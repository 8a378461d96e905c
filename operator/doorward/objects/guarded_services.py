"""The ConfigMap that names the Services of a namespace behind protected targets: what the admission policy reads.

Each key is a Service; its value names one or two of the targets in front of it, so that the policy can tell the only one from the
others. The policy is in deploy/manifests/validating-guarded.yaml.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from doorward.objects.meta import Object, labels

NAME = "doorward-guarded"
ROLE = "guarded"
ALL = "_all"
"""The key that stands for every Service; no Service has such a name."""
MOST_BYTES = 900 * 1024
"""A ConfigMap takes 1 MiB."""
MOST_TARGETS = 2
"""Of a Service that are named; a third one changes nothing for the policy."""


def data_of(guarded: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The data of the ConfigMap: `guarded` are the targets of each Service, by name.

    Where that does not fit, no targets are named, and each is taken for another's; and where that does not fit, every Service of the
    namespace counts as guarded: too many are denied, never too few.
    """
    named = {service: ",".join(sorted(guarded[service])[:MOST_TARGETS]) for service in sorted(guarded)}
    if _size(named) <= MOST_BYTES:
        return named
    bare = dict.fromkeys(named, "")
    return bare if _size(bare) <= MOST_BYTES else {ALL: ""}


def _size(data: Mapping[str, str]) -> int:
    """Bytes, as a ConfigMap counts them; names of Services and Ingresses are ASCII."""
    return sum(len(key) + len(value) for key, value in data.items())


def render(namespace: str, data: Mapping[str, str], *, version: str | None) -> dict[str, Any]:
    """The ConfigMap; `version` is the resourceVersion that the write is based on, None to create."""
    metadata = {"namespace": namespace, "name": NAME, "labels": labels(ROLE)}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata | ({"resourceVersion": version} if version else {}),
        "data": dict(data),
    }


def parse(body: Object) -> Mapping[str, str] | None:
    """Its data; None: it is not as the operator writes it, whatever its data are."""
    if body.get("binaryData") or body.get("immutable"):
        return None
    return body.get("data") or {}
