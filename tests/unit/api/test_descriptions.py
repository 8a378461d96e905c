"""What `kubectl explain` says of each field: a sentence that names default, unit and limits, as the schema has them."""

import json
import re

import pytest

from tests.support import crd_fields
from tests.support.crd_fields import CrdField

SPEC = crd_fields.every("spec")
ALL = crd_fields.every("spec", "status")
FEWEST_WORDS = 6
WIDEST = 120_000
"""Bytes of a CRD: `kubectl apply` without `--server-side` keeps it in an annotation, of which there may be 262,144 in all."""
UNITS = {"bytes": "bytes", "seconds": "seconds", "size": "bits"}
"""Fields whose values are numbers of something, by name."""
OLD_WORDS = re.compile(
    r"\b(mint|mend|anew|meanwhile|consent|cut off at once|gets? in|lets? in|good again|stands? in|when it is good)\b"
    r"|^(true|false|absent|set): |\babsent: ",
    re.IGNORECASE,
)
"""Of ../shared/language.md, and values with a colon in place of a sentence."""


def named(fields: list[tuple[str, CrdField]]) -> list[object]:
    return [pytest.param(field, id=f"{kind}.{field.path}") for kind, field in fields]


def chosen(fields: list[tuple[str, CrdField]], **wanted: bool) -> list[tuple[str, CrdField]]:
    return [(k, f) for k, f in fields if all(getattr(f, name) is value for name, value in wanted.items())]


def says(field: CrdField, text: object) -> bool:
    """Whether the description has the word or number, and not only as a part of another one."""
    return re.search(rf"(?<![\w.]){re.escape(str(text))}(?!\w)", field.description) is not None


def of_value(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("field", named(ALL))
def test_a_description_is_a_whole_sentence(field):
    text = field.description
    assert re.match(r"[A-Z`]", text) is not None
    assert text.endswith(".")
    assert not text.endswith("..")
    assert len(text.split()) >= FEWEST_WORDS
    assert OLD_WORDS.search(text) is None
    assert text.count("`") % 2 == 0


@pytest.mark.parametrize("field", named([(k, f) for k, f in SPEC if f.is_scalar and "default" in f.schema]))
def test_the_default_is_named(field):
    assert f"Defaults to {of_value(field.schema['default'])}" in field.description


@pytest.mark.parametrize(
    "field", named([(k, f) for k, f in SPEC if f.is_scalar and not f.required and "default" not in f.schema])
)
def test_it_is_said_what_happens_without_a_value(field):
    assert re.search(r"Defaults to|[Ii]f not set", field.description)


@pytest.mark.parametrize("field", named(chosen(SPEC, is_duration=True)))
def test_a_duration_shows_how_it_is_written(field):
    assert re.search(r"\b[0-9]+[hm]\b", field.description)


@pytest.mark.parametrize("field", named([(k, f) for k, f in ALL if f.schema.get("format") == "date-time"]))
def test_a_time_says_its_format(field):
    assert "RFC 3339" in field.description


@pytest.mark.parametrize("field", named([(k, f) for k, f in ALL if f.path.rpartition(".")[2] in UNITS]))
def test_a_number_says_its_unit(field):
    assert UNITS[field.path.rpartition(".")[2]] in field.description.lower()


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        pytest.param(field, field.schema[bound], id=f"{kind}.{field.path}")
        for kind, field in SPEC
        for bound in ("maxItems", "maxProperties", "maxLength", "minimum", "maximum")
        if bound in field.schema and "enum" not in field.schema
        if not field.is_duration and "format" not in field.schema
    ],
)
def test_the_limits_are_named(field, limit):
    assert says(field, limit)


def _limits_of_durations() -> list[object]:
    """Each limit in a rule, with the fields that the rule reads: one of them must name it."""
    found = []
    for kind, field in [(k, f) for k, f in SPEC] + [
        (k, top) for k in crd_fields.CRDS if (top := crd_fields.part(k, "spec"))
    ]:
        children = {f.path.rpartition(".")[2]: f for f in crd_fields.below(field)}
        for rule in field.rules:
            read = [children[name] for name in set(re.findall(r"duration\(self\.(\w+)\)", rule))] or [field]
            found += [
                pytest.param(read, limit, id=f"{kind}.{field.path}: {limit}")
                for limit in re.findall(r"duration\('(\w+)'\)", rule)
                if limit != "1s"
            ]
    return found


@pytest.mark.parametrize(("fields", "limit"), _limits_of_durations())
def test_the_limits_of_durations_are_named(fields, limit):
    assert any(says(field, limit) for field in fields)


@pytest.mark.parametrize(
    "field",
    named([(k, f) for k, f in SPEC if f.schema["type"] == "string" and len(f.schema.get("enum", ())) in (2, 3)]),
)
def test_the_values_of_a_choice_are_explained(field):
    assert [value for value in field.schema["enum"] if not says(field, value)] == []


@pytest.mark.parametrize(
    "field", named([(k, f) for k, f in SPEC if f.schema["type"] == "array" and "default" in f.schema])
)
def test_the_default_of_a_list_is_named(field):
    assert [value for value in field.schema["default"] if not says(field, value)] == []


@pytest.mark.parametrize("kind", crd_fields.CRDS)
def test_what_cannot_change_says_so(kind):
    spec = crd_fields.part(kind, "spec")
    assert spec is not None
    fields = {field.path.removeprefix("spec."): field for field in crd_fields.below(spec)}
    frozen = {name for rule in spec.rules for name in re.findall(r"self\.(\w+) == oldSelf\.\1\b", rule)}
    assert {name for name, field in fields.items() if "Immutable." in field.description} == frozen


def test_every_kind_says_what_it_is_for():
    assert [kind for kind in crd_fields.CRDS if len(crd_fields.schema_of(kind)["description"].split()) < 15] == []


def test_a_crd_fits_into_the_annotation_of_kubectl_apply():
    assert [kind for kind, crd in crd_fields.CRDS.items() if len(json.dumps(crd)) > WIDEST] == []


@pytest.mark.parametrize("kind", crd_fields.CRDS)
def test_columns_are_described_by_sentences(kind):
    (version,) = crd_fields.CRDS[kind]["spec"]["versions"]
    texts = [column["description"] for column in version["additionalPrinterColumns"]]
    assert [text for text in texts if not re.fullmatch(r"[A-Z].+[.]", text)] == []
