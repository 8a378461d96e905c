"""The fields of the three kinds as their CRDs describe them, one after the other, as `kubectl explain` would show them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from doorward.api import crds

CRDS: dict[str, dict[str, Any]] = {
    crd["spec"]["names"]["kind"]: crd for crd in map(yaml.safe_load, crds.files().values())
}


@dataclass(frozen=True)
class CrdField:
    """One named field; `path` is as in `kubectl explain`, with [] behind a list and {} behind a map."""

    path: str
    schema: dict[str, Any]
    required: bool

    @property
    def description(self) -> str:
        return str(self.schema.get("description", ""))

    @property
    def rules(self) -> tuple[str, ...]:
        """The CEL rules that the API server checks on it."""
        return tuple(each["rule"] for each in self.schema.get("x-kubernetes-validations", ()))

    @property
    def is_duration(self) -> bool:
        return any("duration(self)" in each for each in self.rules)

    @property
    def is_map(self) -> bool:
        return "additionalProperties" in self.schema

    @property
    def is_scalar(self) -> bool:
        return self.schema["type"] not in ("object", "array")


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of the only version of a kind."""
    (version,) = CRDS[kind]["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def part(kind: str, name: str) -> CrdField | None:
    """`spec` or `status`; None: the kind has none."""
    found = schema_of(kind)["properties"].get(name)
    return CrdField(path=name, schema=found, required=name == "spec") if found is not None else None


def below(parent: CrdField) -> Iterator[CrdField]:
    """Every named field below, a parent before its children, at whatever depth."""
    required = parent.schema.get("required", ())
    for name, child in parent.schema.get("properties", {}).items():
        found = CrdField(path=f"{parent.path}.{name}", schema=child, required=name in required)
        yield found
        yield from below(found)
    for inner, step in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(parent.schema.get(inner), dict):
            yield from below(CrdField(path=parent.path + step, schema=parent.schema[inner], required=True))


def every(*parts: str) -> list[tuple[str, CrdField]]:
    """Kind and field of all named fields in these parts of all kinds."""
    tops = ((kind, part(kind, name)) for kind in CRDS for name in parts)
    return [(kind, found) for kind, top in tops if top is not None for found in below(top)]
