"""The files of `doorward plan`: found, bounded, and read into the objects that it compares, each with its place."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doorward.cli.errors import UserError
from doorward.cli.manifest_yaml import Unreadable, documents
from doorward.objects import manifest
from doorward.objects.manifest import Manifest, Mistake

LARGEST_FILE = 16 * 1024 * 1024
"""Bytes of one file, of standard input, or of what kustomize prints: some ten thousand ClientCertificates are 3 MiB."""
LARGEST = 64 * 1024 * 1024
"""Bytes of all files."""
MOST_FILES = 10_000
MOST_SHOWN = 20
"""Mistakes that are told of one run."""
ENDS = (".yaml", ".yml", ".json")
"""Of the files in a directory that are read, as kubectl has it."""
STDIN = "-"
SECONDS = 120
"""So long kustomize may take."""
BUILDERS = (("kubectl", "kustomize"), ("kustomize", "build"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is in the files."""

    manifests: Sequence[Manifest]
    ignored: int
    """Objects of other kinds."""


class Mistakes(UserError):
    """What is wrong in the files: the first, and the others."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__(mistakes[0])
        self.others = mistakes[1:MOST_SHOWN]
        self.untold = max(0, len(mistakes) - MOST_SHOWN)


def read_files(paths: Iterable[str], namespace: str, *, required: bool) -> Files:
    """Of files, directories with all that is below them, and `-`. Raises Mistakes, or UserError.

    `namespace` is that of the objects that name none; `required`: the others must name it, too.
    """
    total, found = 0, []
    for path in _expanded(paths):
        content = _stdin() if path == STDIN else _content(path)
        total += len(content)
        if total > LARGEST:
            raise UserError(f"the files have more than {LARGEST >> 20} MiB together", "plan a part of them at a time")
        found.append(("standard input" if path == STDIN else path, content))
    return _parsed(found, namespace, required=required)


def read_kustomization(directory: str, namespace: str, *, required: bool) -> Files:
    """Of what kustomize makes of a directory."""
    return _parsed([(f"kustomize {directory}", _built(directory))], namespace, required=required)


def _parsed(contents: Iterable[tuple[str, bytes]], namespace: str, *, required: bool) -> Files:
    found: dict[tuple[str, Any], Manifest] = {}
    mistakes: list[str] = []
    ignored = 0
    for source, content in contents:
        for line, item in _items(source, content, mistakes):
            place = f"{source}:{line}"
            try:
                read = manifest.read(item, place, namespace, required=required)
            except Mistake as error:
                mistakes.append(f"{place}: {error}")
                continue
            if read is None:
                ignored += 1
                continue
            first = found.setdefault((read.kind, read.key), read)
            if first is not read:
                mistakes.append(f"{place}: {read} is there twice, the first time at {first.place}")
    if mistakes:
        raise Mistakes(mistakes)
    return Files(manifests=tuple(found.values()), ignored=ignored)


def _items(source: str, content: bytes, mistakes: list[str]) -> Iterator[tuple[int, Any]]:
    """Each object, a list taken apart, with the line where its document begins."""
    try:
        for line, document in documents(content.decode("utf-8-sig")):
            for item in manifest.items_of(document):
                yield line, item
    except UnicodeDecodeError:
        mistakes.append(f"{source}:1: it is not text in UTF-8")
    except Unreadable as error:
        mistakes.append(f"{source}:{error.line}: {error}")


def _expanded(paths: Iterable[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        if path != STDIN and Path(path).is_dir():
            found += _below(path)
        else:
            found.append(path)
        if len(found) > MOST_FILES:
            raise UserError(f"there are more than {MOST_FILES} files", "plan a part of them at a time")
    if found.count(STDIN) > 1:
        raise UserError("standard input (-) is named twice")
    return found


def _below(directory: str) -> Iterator[str]:
    """The files of a directory and of those in it, in the order of their names. Links to directories are not followed."""
    for folder, folders, names in os.walk(directory, onerror=_unreadable):
        folders.sort()
        yield from (str(Path(folder) / n) for n in sorted(names) if n.endswith(ENDS) and (Path(folder) / n).is_file())


def _unreadable(error: OSError) -> None:
    raise UserError(f"cannot read {error.filename}: {error.strerror}") from None


def _content(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and os.fstat(file.fileno()).st_size > LARGEST_FILE:
                raise _too_large(path)
            return _bounded(file.read(LARGEST_FILE + 1), path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _stdin() -> bytes:
    return _bounded(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")


def _bounded(content: bytes, source: str) -> bytes:
    if len(content) > LARGEST_FILE:
        raise _too_large(source)
    return content


def _too_large(source: str) -> UserError:
    return UserError(f"{source} has more than {LARGEST_FILE >> 20} MiB", "plan a part of it at a time")


def _built(directory: str) -> bytes:
    """What `kubectl kustomize` prints of a directory, or `kustomize build`."""
    where = directory if not directory.startswith("-") else f"./{directory}"
    for command in BUILDERS:
        try:
            return _printed([*command, where])
        except FileNotFoundError:
            continue
    raise UserError(
        "neither kubectl nor kustomize is in $PATH", "build it elsewhere, and give it to: doorward plan -f -"
    )


def _printed(command: Sequence[str]) -> bytes:
    told = " ".join(command)
    with subprocess.Popen(  # noqa: S603 - what is called is named above
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise UserError(f"`{told}` took longer than {SECONDS} s") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        said = err[-4096:].decode(errors="replace").strip() or f"exit status {process.returncode}"
        raise UserError(f"`{told}` failed: {said}")
    return _bounded(out, f"what `{told}` prints")
