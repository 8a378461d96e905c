"""`doorward` and `kubectl doorward`: a module for each verb."""

import sys
from collections.abc import Sequence

from doorward.cli import services


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in services.HELP:
        return services.serve(given[0], given[1:])
    from doorward.cli import app

    return app.run(given)


if __name__ == "__main__":
    sys.exit(main())
