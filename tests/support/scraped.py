"""What `/metrics` showed, parsed by Prometheus' own client."""

from prometheus_client.parser import text_string_to_metric_families

from doorward.runtime.metric_names import DEFINITIONS, Definition

SUFFIXES = {"counter": {""}, "gauge": {""}, "histogram": {"_bucket", "_sum", "_count"}}
"""Of the names of the series, by type; a counter's `_total` is part of the name that it is documented with."""


class Scraped:
    """One answer."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series; None: there is none."""
        return self._values.get((name, frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of the name that have these labels, and others."""
        wanted = labels.items()
        return sum(value for (found, has), value in self._values.items() if found == name and wanted <= has)

    def within(self, name: str, bound: float, **labels: str) -> tuple[float, float]:
        """How many observations of a histogram were at most `bound`, which must be one of its buckets; and how many there were."""
        counted = self.value(f"{name}_bucket", le=str(bound), **labels)
        assert counted is not None, f"{name} has no bucket {bound}"
        return counted, self.total(f"{name}_count", **labels)

    def labels(self, name: str) -> set[str]:
        """All values that a label of the series of that name has."""
        return {value for found, has in self._values if found == name for _, value in has}

    def undocumented(self) -> list[str]:
        """What is not as the table says: names, types, labels, and help."""
        by_name = {definition.name.removesuffix("_total"): definition for definition in DEFINITIONS}
        return [
            f"{name}: {mistake}"
            for name, family in self.families.items()
            if not name.startswith("process_")
            for mistake in _mistakes(family, by_name.get(name))
        ]


def _mistakes(family: object, documented: Definition | None) -> list[str]:
    if documented is None:
        return ["is not documented"]
    found = []
    if (family.type, family.documentation) != (documented.type, documented.help):  # type: ignore[attr-defined]
        found.append(f"is another {family.type}")  # type: ignore[attr-defined]
    allowed = {documented.name + suffix for suffix in SUFFIXES[documented.type]}
    odd = (
        str(sample)
        for sample in family.samples  # type: ignore[attr-defined]
        if sample.name not in allowed or set(sample.labels) - {"le"} != set(documented.labels)
    )
    return [*found, *odd]
