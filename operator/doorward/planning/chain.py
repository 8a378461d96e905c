"""Chains of rules: the first violation decides an action; of what a person wrote, all are reported."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
V = TypeVar("V")


def first(rules: Iterable[Callable[[T], V | None]], given: T) -> V | None:
    """What the first rule that is violated says; None where none is."""
    return next((found for rule in rules if (found := rule(given)) is not None), None)
