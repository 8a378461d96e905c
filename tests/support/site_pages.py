"""The documentation as a web site: which page of it a file of the repository is, and links and navigation rewritten to that.

README.md is its front page, docs/ its pages. What these link to elsewhere, such as a test, an example or a whole folder, is copied
below `repository/`, so that no link leaves the site. mkdocs.yml names the hooks that do it, in site_hooks.py; nothing here needs MkDocs.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ELSEWHERE = "repository"
STEP = 4
"""Spaces by which MkDocs' Markdown indents what belongs to an item of a list; CommonMark takes as many as the item's mark is wide."""
_ITEM = re.compile(r"(?:[-*]|[0-9]+[.]) +")
_FENCE = re.compile(r"```|~~~")
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#]+)(?=(?:#[^)\s]*)?\))")
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?P<source>(?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?![^>]*\brel=["']?(?:canonical|next|prev)\b)[^>]*\bhref=["']?(?P<link>(?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
)


def uri_of(path: str) -> str:
    """The file of the site for a file or folder of the repository; both are paths with slashes."""
    if path == "README.md":
        return "index.md"
    uri = path.removeprefix("docs/") if path.startswith("docs/") else f"{ELSEWHERE}/{path}"
    return f"{uri}/index.md" if (ROOT / path).is_dir() else uri


def path_of(uri: str) -> str:
    """The file of the repository for a page of the site."""
    if uri == "index.md":
        return "README.md"
    return uri.removeprefix(f"{ELSEWHERE}/") if uri.startswith(f"{ELSEWHERE}/") else f"docs/{uri}"


def targets(text: str, path: str) -> Iterator[str]:
    """Files and folders of the repository to which a page, by its path, links."""
    for found in _LINK.finditer(text):
        if (target := _target(found["target"], path)) is not None:
            yield target


def _target(link: str, path: str) -> str | None:
    """None: the link leads to a host, or to no file."""
    if ":" in link or link.startswith("/"):
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return target if not target.startswith("..") and (ROOT / target).exists() else None


def rewritten(text: str, path: str) -> str:
    """The page with links to pages of the site in place of files of the repository; dead links stay, and MkDocs reports them."""
    here = posixpath.dirname(uri_of(path))

    def link(found: re.Match[str]) -> str:
        target = _target(found["target"], path)
        return found["target"] if target is None else posixpath.relpath(uri_of(target), here or ".")

    return _LINK.sub(link, text)


def indented(text: str) -> str:
    """The page with what belongs to an item of a list indented as MkDocs wants it: paragraphs, code and lists within."""
    lines, width, fenced = [], 0, False
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        if _FENCE.match(line):
            fenced, width = not fenced, 0
        elif not fenced and (item := _ITEM.match(line)):
            width = item.end()
        elif line and indent == 0 and lines and not lines[-1]:
            width = 0
        belongs = width and line and indent >= width
        lines.append(" " * max(STEP - width, 0) + line if belongs else line)
    return "\n".join(lines)


def added(pages: dict[str, str]) -> dict[str, str | None]:
    """What the pages link to outside of docs/, and what that links to: path to text, or None for a file that is copied as it is."""
    found: dict[str, str | None] = {}
    waiting = list(pages.items())
    while waiting:
        path, text = waiting.pop()
        for target in targets(text, path):
            if target in found or target in pages or (target.startswith("docs/") and (ROOT / target).is_file()):
                continue
            found[target] = content = _content(target)
            if content is not None:
                waiting.append((target, content))
    return found


def _content(path: str) -> str | None:
    if (ROOT / path).is_dir():
        return listing(path)
    return (ROOT / path).read_text() if path.endswith(".md") else None


def listing(path: str) -> str:
    """A page in place of a folder: links to its Markdown files, and the text of all others."""
    files = sorted(file for file in (ROOT / path).rglob("*") if file.is_file())
    text = f"# {path}\n\n"
    for file in files:
        name = file.relative_to(ROOT / path).as_posix()
        if file.suffix == ".md":
            text += f"- [{_title(file)}]({posixpath.basename(path)}/{name})\n"
        else:
            text += f"\n## {name}\n\n```{file.suffix.removeprefix('.')}\n{file.read_text().rstrip()}\n```\n"
    return text


def _title(page: Path) -> str:
    return page.read_text().partition("\n")[0].removeprefix("# ")


def expanded(nav: list[object]) -> list[object]:
    """The navigation with all pages of a folder in place of `folder/*`, but for those that it names itself."""
    named = {entry for entry in _leaves(nav) if not entry.endswith("/*")}
    return _expanded(nav, named)


def _expanded(nav: list[object], named: set[str]) -> list[object]:
    entries: list[object] = []
    for entry in nav:
        if isinstance(entry, dict):
            entries += [{t: _expanded(v, named) if isinstance(v, list) else v} for t, v in entry.items()]
        elif isinstance(entry, str) and entry.endswith("/*"):
            folder = ROOT / "docs" / entry.removesuffix("/*")
            uris = (page.relative_to(ROOT / "docs").as_posix() for page in sorted(folder.glob("*.md")))
            entries += [uri for uri in uris if uri not in named]
        else:
            entries.append(entry)
    return entries


def _leaves(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, list):
        for entry in nav:
            yield from _leaves(entry)
    elif isinstance(nav, dict):
        for entry in nav.values():
            yield from _leaves(entry)


def leaves(nav: list[object]) -> list[str]:
    """Every page that a navigation names."""
    return list(_leaves(nav))


def loaded_from_hosts(html: str) -> list[str]:
    """Addresses of other hosts that a browser would ask to show the page; links for people are none."""
    return [found["source"] or found["link"] for found in _LOADED.finditer(html)]
