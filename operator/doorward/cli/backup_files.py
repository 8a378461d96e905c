"""Backups as files: objects in JSON or YAML, one or many, as `kubectl get -o json` and `-o yaml` and other tools write them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from doorward.cluster.gateway import Object

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class NotABackup(ValueError):
    """The text holds no objects."""


class _Loader(yaml.SafeLoader):
    """Instants stay the text that they are in the API, also where a tool did not quote them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: str) -> list[Object]:
    """The objects in a file, `-` for standard input. Raises OSError or NotABackup."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
        return list(_objects(text))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, NotABackup) as error:
        raise NotABackup(f"{path} holds no objects in JSON or YAML: {error}") from error


def _objects(text: str) -> Iterator[Object]:
    found = 0
    for document in _documents(text):
        if document is None:
            continue  # what is between two lines of dashes
        items = document.get("items", [document]) if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise NotABackup("a document is neither an object nor a List")
        for item in items:
            found += 1
            yield _checked(item)
    if not found:
        raise NotABackup("there is none")


def _documents(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except ValueError:
        yield from yaml.load_all(text, Loader=_Loader)


def _checked(item: Any) -> Object:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise NotABackup("an object has no metadata.name")
    try:
        json.dumps(item)
    except (TypeError, ValueError) as error:  # YAML says more than the API can: bytes, dates, what contains itself
        raise NotABackup(f"{metadata['name']} holds what JSON cannot say: {error}") from error
    return item  # type: ignore[no-any-return] # it is a dict
