"""Who owns which annotation, as server-side apply has it: an Apply entry or an Update entry for each manager."""

from collections.abc import Mapping

from doorward.cluster.errors import Conflict
from doorward.cluster.gateway import Object

Owner = tuple[str, str]
"""Manager and operation."""


def _annotations(body: Object | None) -> dict[str, str]:
    return dict((body or {"metadata": {}})["metadata"].get("annotations") or {})


def _owners(body: Object | None) -> dict[Owner, set[str]]:
    """The annotations that each owner has."""
    found: dict[Owner, set[str]] = {}
    for entry in (body or {"metadata": {}})["metadata"].get("managedFields") or ():
        fields = entry["fieldsV1"].get("f:metadata", {}).get("f:annotations", {})
        found[entry["manager"], entry["operation"]] = {name.removeprefix("f:") for name in fields if name != "."}
    return found


def _written(body: Object, owners: Mapping[Owner, set[str]], annotations: Mapping[str, str]) -> Object:
    metadata = {k: v for k, v in body["metadata"].items() if k not in ("annotations", "managedFields")}
    if annotations:
        metadata["annotations"] = dict(annotations)
    entries = [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": body["apiVersion"],
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{name}": {} for name in sorted(names)}}},
        }
        for (manager, operation), names in sorted(owners.items())
        if names
    ]
    if entries:
        metadata["managedFields"] = entries
    return body | {"metadata": metadata}


def updated(before: Object | None, after: Object, manager: str) -> Object:
    """After a create, PUT or merge patch: whoever changed an annotation owns it alone, and what is gone has no owner."""
    owners, was, now = _owners(before), _annotations(before), _annotations(after)
    changed = {name for name, value in now.items() if was.get(name) != value}
    for names in owners.values():
        names.difference_update(changed, was.keys() - now.keys())
    owners.setdefault((manager, "Update"), set()).update(changed)
    return _written(after, owners, now)


def apply(before: Object, wanted: Mapping[str, str], manager: str, *, force: bool) -> Object:
    """Apply exactly these annotations: what the manager applied before and left out now goes, unless others own it too."""
    owners, annotations = _owners(before), _annotations(before)
    mine = (manager, "Apply")
    rivals = {owner: names for owner, names in owners.items() if owner != mine}
    contested = {name for name, value in wanted.items() if annotations.get(name) != value}
    held = {name for names in rivals.values() for name in names & contested}
    if held and not force:
        raise Conflict(f"Apply failed with {len(held)} conflicts: {sorted(held)}", status=409)
    for names in rivals.values():
        names.difference_update(contested)
    left_out = owners.get(mine, set()) - wanted.keys()
    for name in left_out - {name for names in rivals.values() for name in names}:
        annotations.pop(name, None)
    owners[mine] = set(wanted)
    return _written(before, owners, annotations | dict(wanted))
