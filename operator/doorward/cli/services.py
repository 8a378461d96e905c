"""`doorward run` and `doorward gate`, which run in Pods until they are stopped. They are parsed by the standard library alone, so
that neither takes longer to start, or more memory, for the commands of people.
"""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module

HELP: Mapping[str, str] = {"run": "Run the operator.", "gate": "Run the gate service."}
"""By name, as `doorward --help` says it."""


def parser(name: str) -> argparse.ArgumentParser:
    """The options of one of them."""
    made = argparse.ArgumentParser(prog=f"doorward {name}", description=HELP[name])
    import_module(f"doorward.cli.{name}").add_options(made)
    return made


def serve(name: str, arguments: Sequence[str]) -> int:
    """Run it until SIGTERM; its exit status."""
    chosen = parser(name).parse_args(arguments)
    status: int = import_module(f"doorward.cli.{name}").run(chosen)
    return status
