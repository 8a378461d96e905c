"""What became of a write: where an answer of the API server is not what was asked for, and who changed it."""

from collections.abc import Iterator, Mapping
from typing import Any

from doorward.objects.meta import Object

_SERVERS_OWN = ("resourceVersion", "managedFields", "uid", "creationTimestamp", "generation")
Path = tuple[str, ...]


def differences(asked: Mapping[str, Any], answered: Mapping[str, Any]) -> Iterator[Path]:
    """Paths of the fields that were asked for and are not there as asked; what was not asked for may be anything."""
    for name, value in asked.items():
        if name in _SERVERS_OWN:
            continue
        found = answered.get(name)
        if isinstance(value, Mapping):
            inner = found if isinstance(found, Mapping) else {}
            yield from ((name, *path) for path in differences(value, inner))
        elif value != found:
            yield (name,)


def managers_of(body: Object, path: Path, *, but: str) -> list[str]:
    """The field managers that own the field at `path` or something in it, other than `but`."""
    found = []
    for entry in (body.get("metadata") or {}).get("managedFields") or ():
        fields = entry.get("fieldsV1")
        for name in path:
            fields = fields.get(f"f:{name}") if isinstance(fields, Mapping) else None
        if fields is not None and entry.get("manager") != but:
            found.append(str(entry.get("manager")))
    return sorted(set(found))


def unlike(asked: Mapping[str, Any], answered: Object, *, me: str) -> str:
    """In words, the first field of an answer that is not as it was asked for, and who may have changed it; empty: none is."""
    path = next(differences(asked, answered), None)
    if path is None:
        return ""
    others = managers_of(answered, path, but=me)
    who = f'the field manager "{others[0]}"' if others else "an admission policy, a webhook or another controller"
    return f"{'.'.join(path)[:200]} is changed by {who}"
