"""The pages docs/reference/KIND.md: every field of each kind, with type, default, limits and description, from its CRD.

`python -m tests.support.kind_pages` writes them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from doorward.api import reference
from tests.support import crd_fields
from tests.support.crd_fields import CrdField

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_HEAD = """\
# {kind}

Made from `operator/doorward/api/` by `make docs`; do not edit. `kubectl explain {singular}.spec` prints the same fields.

{description}

API version `{group}/{version}`, namespaced. `kubectl get {singular}` lists them; short name `{short}`. The name of the object has at most
{longest} characters.
"""
_TABLE = """
| field | type | default | limits | description |
| --- | --- | --- | --- | --- |
"""
_COLUMNS = """
## What kubectl get prints

| column | meaning |
| --- | --- |
"""
_CONDITIONS = """
## Conditions

The conditions in the status, with all of their reasons. `doorward explain REASON` prints one of them.

| condition | asks |
| --- | --- |
"""


def pages() -> dict[Path, str]:
    """Every page, by its path."""
    return {FOLDER / f"{kind.lower()}.md": page(kind) for kind in crd_fields.CRDS}


def page(kind: str) -> str:
    """The page of one kind."""
    return "".join((_head(kind), *_sections(kind), *_conditions(kind), *_columns(kind)))


def _head(kind: str) -> str:
    spec = crd_fields.CRDS[kind]["spec"]
    (version,) = spec["versions"]
    schema = crd_fields.schema_of(kind)
    rules = (each["rule"] for each in schema["x-kubernetes-validations"])
    longest = next(rule.rpartition(" ")[2] for rule in rules if rule.startswith("size(self.metadata.name) <="))
    return _HEAD.format(
        kind=kind,
        description=schema["description"],
        singular=spec["names"]["singular"],
        short=spec["names"]["shortNames"][0],
        group=spec["group"],
        version=version["name"],
        longest=longest,
    )


def _sections(kind: str) -> Iterator[str]:
    for name in ("spec", "status"):
        top = crd_fields.part(kind, name)
        if top is None:
            continue
        for field in (top, *crd_fields.below(top)):
            if children := _children(field):
                yield _section(field, children)


def _children(field: CrdField) -> list[CrdField]:
    """The fields right below, through a list or a map."""
    inner = _inner(field.schema) or field.schema
    required = inner.get("required", ())
    path = field.path + _step(field.schema)
    return [
        CrdField(path=f"{path}.{name}", schema=child, required=name in required)
        for name, child in inner.get("properties", {}).items()
    ]


def _inner(schema: dict[str, Any]) -> dict[str, Any] | None:
    inner = schema.get("items", schema.get("additionalProperties"))
    return inner if isinstance(inner, dict) else None


def _step(schema: dict[str, Any]) -> str:
    return "[]" if "items" in schema else ""


def _section(field: CrdField, children: list[CrdField]) -> str:
    level = "##" if "." not in field.path else "###"
    text = f"\n{level} {field.path}{_step(field.schema)}\n"
    if field.path != "spec":  # which is the kind itself
        text += f"\n{field.description}\n"
    text += _TABLE
    text += "".join(map(_row, children))
    rules = (_inner(field.schema) or field.schema).get("x-kubernetes-validations", ())
    if rules:
        text += "\nWhat the API server says when it refuses the object:\n\n"
        text += "".join(f"- {each['message']}\n" for each in rules)
    return text


def _row(field: CrdField) -> str:
    name = field.path.rpartition(".")[2]
    shown = f"[`{name}`](#{_anchor(field)})" if _children(field) else f"`{name}`"
    description = field.description.replace("|", "\\|")
    return f"| {shown} | {_type(field.schema)} | {_default(field)} | {_limits(field.schema)} | {description} |\n"


def _anchor(field: CrdField) -> str:
    """Of the section, as MkDocs and GitHub both make it of the heading."""
    return "".join(c for c in (field.path + _step(field.schema)).lower() if c.isalnum() or c in "-_")


def _type(schema: dict[str, Any]) -> str:
    if "items" in schema:
        return f"list of {_type(schema['items'])}s"
    if "additionalProperties" in schema:
        return "map of strings"
    if schema.get("format") == "date-time":
        return "time"
    is_duration = CrdField(path="", schema=schema, required=False).is_duration
    return "duration" if is_duration else str(schema["type"])


def _default(field: CrdField) -> str:
    default = field.schema.get("default")
    if default is None or isinstance(default, dict):
        return "required" if field.required else ""
    return f"`{json.dumps(default) if not isinstance(default, str) else default}`"


def _limits(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if CrdField(path="", schema=schema, required=False).is_duration or "format" in schema:
        return ""
    parts = [
        _range(schema, "minimum", "maximum", ""),
        _range(schema, "minLength", "maxLength", " characters"),
        _range(schema, "minItems", "maxItems", " entries"),
        _range(schema, "minProperties", "maxProperties", " entries"),
    ]
    return ", ".join(part for part in parts if part)


def _range(schema: dict[str, Any], low: str, high: str, what: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if most is None:
        return f"{least} or more{what}" if least else ""
    return f"{least} to {most}{what}" if least else f"at most {most}{what}"


def _conditions(kind: str) -> Iterator[str]:
    rows = [f"| [{name}](reasons.md#{name.lower()}) | {asks} |\n" for name, asks in reference.conditions_of(kind)]
    if rows:
        yield _CONDITIONS
        yield from rows


def _columns(kind: str) -> Iterator[str]:
    (version,) = crd_fields.CRDS[kind]["spec"]["versions"]
    yield _COLUMNS
    for column in version["additionalPrinterColumns"]:
        wide = " With `-o wide`." if column.get("priority") else ""
        yield f"| {column['name'].upper()} | {column['description']}{wide} |\n"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
