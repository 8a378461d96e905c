"""YAML and JSON that strangers wrote, as the objects in it and where each begins: bounded, and never an exception of a parser.

As strict as kubectl: a key that is there twice is an error, and YAML's own types that JSON has not are none.
"""

import json
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, NamedTuple

import yaml

LARGEST = 64 * 1024 * 1024
"""Characters and values of a document, an alias counted as all that it stands for: what a few lines of YAML can say is exponential."""
DEEPEST = 64
"""Levels of a document: an object of the Kubernetes API has some twenty."""
_TIMESTAMP, _BINARY = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary"


class Unreadable(ValueError):
    """Why it cannot be read, and in which line."""

    def __init__(self, why: str, line: int) -> None:
        super().__init__(why)
        self.line = line


class Document(NamedTuple):
    """One document, and the line where it begins."""

    line: int
    value: Any


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C library is several times as fast
    """Keys are texts, each there once; instants stay the text that they are in the API."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: ARG002 - PyYAML's own signature
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: maker for tag, maker in yaml.SafeLoader.yaml_constructors.items() if tag not in (_TIMESTAMP, _BINARY)
}


def documents(text: str) -> Iterator[Document]:
    """The documents that are not empty. Raises Unreadable."""
    line = 1
    if (found := _as_json(text)) is not None:
        yield Document(line, found)
        return
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                line = node.start_mark.line + 1
                _check_size(node)
                value = loader.construct_document(node)
                if value is not None:
                    json.dumps(value, allow_nan=False)
                    yield Document(line, value)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(error.problem or str(error), mark.line + 1 if mark else line) from error
    except yaml.YAMLError as error:
        raise Unreadable(str(error), line) from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply", line) from error
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"it holds what JSON cannot say: {error}", line) from error


def _as_json(text: str) -> Any:
    """The one object of a text that is JSON; None: it is none, or one that YAML's checks are to name the fault of."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    level = [found]
    for _ in range(DEEPEST):
        level = [child for each in level if isinstance(each, dict | list) for child in _children(each)]
    return None if level else found


def _children(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _check_depth(text: str) -> None:
    """Before anything is composed: the library does that by recursion, in C."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                line = event.start_mark.line if event.start_mark is not None else 0
                raise Unreadable("it is nested too deeply", line + 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_size(root: yaml.Node) -> None:
    """Aliases counted as what they stand for; one that stands for itself is refused."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        line = node.start_mark.line + 1
        if depth > DEEPEST:
            raise Unreadable("it is nested too deeply", line)
        if id(node) in sizes:
            if not sizes[id(node)]:
                raise Unreadable("an alias contains itself", line)
            return sizes[id(node)]
        sizes[id(node)] = 0
        children = node.value if not isinstance(node, yaml.ScalarNode) else ()
        if isinstance(node, yaml.MappingNode):
            children = [each for pair in node.value for each in pair]
        own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        found = 1 + own + sum(size(child, depth + 1) for child in children)
        if found > LARGEST:
            raise Unreadable("its aliases stand for too much", line)
        sizes[id(node)] = found
        return found

    size(root, 0)


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise Unreadable("a key is no text", line)
        if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
            raise Unreadable(f"the key {key.value[:80]!a} is there twice", line)
        seen.add(key.value)
