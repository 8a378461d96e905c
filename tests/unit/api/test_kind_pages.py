"""docs/reference has a page for each kind, with every field of its CRD, and every link in it leads somewhere."""

import re

import pytest

from doorward.api.reasons import BY_CONDITION
from doorward.api.reference import conditions_of, markdown
from tests.support import crd_fields, kind_pages

PAGES = kind_pages.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_page_is_what_the_crd_says(path):
    assert path.read_text() == PAGES[path], "run: make docs"


@pytest.mark.parametrize("kind", crd_fields.CRDS)
def test_every_field_has_a_row_with_its_description(kind):
    rows = re.findall(r"(?m)^\| \[?`(\w+)`.* \| (.*) \|$", kind_pages.page(kind))
    fields = [
        (field.path.rpartition(".")[2], field.description)
        for part in ("spec", "status")
        if (top := crd_fields.part(kind, part)) is not None
        for field in crd_fields.below(top)
    ]
    assert sorted(rows) == sorted(fields)


@pytest.mark.parametrize("kind", crd_fields.CRDS)
def test_a_field_with_fields_below_leads_to_their_section(kind):
    page = kind_pages.page(kind)
    headings = {re.sub(r"[^\w-]", "", heading.lower()) for heading in re.findall(r"(?m)^##+ (.+)$", page)}
    targets = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert targets - headings == set()
    assert len(targets) == len(re.findall(r"(?m)^### ", page))


@pytest.mark.parametrize("kind", ["ClientCertificate", "MTLSIssuer"])
def test_every_condition_leads_to_its_reasons(kind):
    named = set(re.findall(r"\(reasons\.md#(\w+)\)", kind_pages.page(kind)))
    assert named == {name.lower() for name, _ in conditions_of(kind)}
    assert named <= {heading.lower() for heading in re.findall(r"(?m)^## (\w+)$", markdown())}


def test_every_condition_belongs_to_a_kind_but_that_of_ingresses():
    of_kinds = {name for kind in crd_fields.CRDS for name, _ in conditions_of(kind)}
    assert set(BY_CONDITION) - of_kinds == {"Gate"}


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("MTLSIssuer", "| `validity` | duration | `168h` |  |"),
        ("MTLSIssuer", "| `verifyDepth` | integer | `1` | 1 to 10 |"),
        ("MTLSIssuer", "| `allowOptional` | boolean | `false` |  |"),
        ("ClientCertificate", "| `commonName` | string | required | 1 to 64 characters |"),
        ("ClientCertificate", "| `dnsNames` | list of strings |  | at most 32 entries |"),
        ("ClientCertificate", "| `profile` | string | `Modern2023` | `Modern2023`, `LegacyDES` |"),
        ("IssuedCertificate", "| `time` | time |  |  |"),
    ],
)
def test_a_row_shows_type_default_and_limits(kind, row):
    assert row in kind_pages.page(kind)
