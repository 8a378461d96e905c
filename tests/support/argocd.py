"""What Argo CD makes of an object, with the health checks of examples/gitops/argocd: Lua 5.1 and no more than Argo CD gives it.

Argo CD runs GopherLua, which is Lua 5.1, with the basic functions and the library `table`; other libraries are off by default.
"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml
from lupa import lua51

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "examples" / "gitops" / "argocd" / "argocd-cm.yaml"
SETTINGS: dict[str, str] = yaml.safe_load(CONFIG.read_text())["data"]
HEALTH = "resource.customizations.health.doorward.io_"
STATUSES = ("Healthy", "Suspended", "Progressing", "Degraded")
"""What a health check may say, from best to worst."""
_GIVEN = frozenset(
    {
        "_G",
        "_VERSION",
        "assert",
        "error",
        "ipairs",
        "next",
        "pairs",
        "pcall",
        "select",
        "table",
        "tonumber",
        "tostring",
        "type",
    }
)


class Health(NamedTuple):
    """What Argo CD shows of an object."""

    status: str
    message: str


def sandbox() -> Any:
    """Lua without the libraries that Argo CD switches off; not even texts have methods."""
    runtime = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    runtime.execute("getmetatable('').__index = nil")
    names = runtime.globals()
    for name in set(names.keys()) - _GIVEN:
        names[name] = None
    return runtime


def health(body: dict[str, Any]) -> Health:
    """Of an object as the API server answers it."""
    runtime = sandbox()
    runtime.globals().obj = _table(runtime, body)
    said = runtime.execute(SETTINGS[HEALTH + body["kind"]])
    return Health(said["status"], said["message"])


def _table(runtime: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return runtime.table_from({name: _table(runtime, inner) for name, inner in value.items()})
    if isinstance(value, (list, tuple)):
        return runtime.table_from([_table(runtime, inner) for inner in value])
    return value
