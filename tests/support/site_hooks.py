"""Hooks of MkDocs for the web site: see site_pages.py. `make site` runs them with the packages of requirements/docs.txt alone."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tests.support import site_pages
from tests.support.site_pages import ROOT


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation names whole folders."""
    config.nav = site_pages.expanded(config.nav or [])
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """README.md, and what pages link to outside of docs/."""
    pages = {site_pages.path_of(file.src_uri): file.content_string for file in files.documentation_pages()}
    pages["README.md"] = (ROOT / "README.md").read_text()
    files.append(File.generated(config, "index.md", content=pages["README.md"]))
    for path, text in site_pages.added(pages).items():
        uri = site_pages.uri_of(path)
        files.append(
            File.generated(config, uri, abs_src_path=str(ROOT / path))
            if text is None
            else File.generated(config, uri, content=text)
        )
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs names them
    """Links lead to pages of the site, and lists are read as in the repository."""
    path = site_pages.path_of(page.file.src_uri)
    return site_pages.indented(site_pages.rewritten(markdown, path.removesuffix("/index.md")))


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - MkDocs names them
    """Nothing is loaded from another host: a browser without the internet shows the same."""
    if hosts := site_pages.loaded_from_hosts(output):
        raise PluginError(f"{page.file.src_uri} would load {', '.join(hosts)}")
    return output
