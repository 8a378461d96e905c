"""`make up`: a cluster with ingress-nginx and Doorward that stays; says where it is. `make -s env`: the same for a shell."""

import sys
from pathlib import Path

from tests.support import shell_env
from tests.testbed import background

WITH = ("tests.support.installation:with_application",)
"""What runs in the cluster."""


def main(arguments: list[str]) -> int:
    """Start it, or find what runs already; with `env`, print what a shell needs, and start nothing."""
    if arguments == ["env"]:
        return _env()
    state = background.up(companions=WITH)
    print(f"kubeconfig  {state.kubeconfig}")
    print(f"https       {state.address}:{state.https_port}")
    print(f"http        {state.address}:{state.http_port}")
    print(f"logs        {state.run_dir}")
    print("\nA Service `app` runs in namespace `edge`. Next, in a shell:\n")
    print('    eval "$(make -s env)"\n')
    print("and then what README.md has under `Five minutes`. `make down` ends the cluster.")
    return 0


def _env() -> int:
    try:
        state = background.find()
    except background.NotRunning as problem:
        print(f"{problem}. Run `make up` first.", file=sys.stderr)
        return 1
    folder = shell_env.programs(Path(state.run_dir) / "bin")
    values = shell_env.variables(state.kubeconfig, f"{state.address}:{state.https_port}")
    print(shell_env.exports(values, folder), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
