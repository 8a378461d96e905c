"""What a reader's shell needs to follow README: where the cluster is, and the programs by their names."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from tests.support.installation import DOORWARD
from tests.testbed import binaries

ORDINARY = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
"""The PATH that Debian gives to everybody but root: without the folders of an administrator's programs."""
OURS = ("doorward", "kubectl-doorward", "kubectl_complete-doorward")
"""What the package installs: the command, the same as a plugin of kubectl, and what kubectl completes it with."""


def programs(folder: Path) -> Path:
    """The folder, with `kubectl` and OURS in it, and nothing that hides another program of the reader's."""
    folder.mkdir(exist_ok=True)
    found = {"kubectl": binaries.resolve("kubectl")} | {name: DOORWARD.with_name(name) for name in OURS}
    for name, program in found.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(program)
    return folder


def variables(kubeconfig: Path | str, https: str) -> dict[str, str]:
    """The variables besides PATH; `https` is host and port of ingress-nginx."""
    return {"KUBECONFIG": str(kubeconfig), "DOORWARD_HTTPS": https}


def exports(values: Mapping[str, str], folder: Path) -> str:
    """Lines for a shell's `eval`."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join([*lines, f"export PATH={shlex.quote(str(folder))}:$PATH", ""])
