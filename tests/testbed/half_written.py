"""Finds reloads that nginx gave up because ingress-nginx was just writing one of the files.

ingress-nginx writes the CA file of a host again, in place, whenever an Ingress that uses it changes. A reload that reads it in these
microseconds fails in nginx, and the controller does not hear of that: it holds the new configuration for loaded until something
changes. Seen on a busy machine, with ten hosts of one CA that are created at once.
"""

import re
import threading
from pathlib import Path

_FAILED = re.compile(r"\[emerg\] (\d+)#\d+: .*\(\"(/etc/ingress-controller/ssl/[^\"]+)\"\) failed")
_WHOLE = re.compile(r"-----BEGIN .*-----END [A-Z0-9 ]+-----\s*", re.DOTALL)


class Reloads:
    """Those of the nginx in a root folder. `log`: what it and the controller print."""

    def __init__(self, root: Path, log: Path) -> None:
        self._root = root
        self._log = log
        self._read = 0
        self._named: set[Path] = set()
        self._one_at_a_time = threading.Lock()

    def failed(self) -> set[str]:
        """The files over which reloads failed, and which are whole now; each once. One that is half-written still is named later.

        A configuration that the controller only tested is not meant: it tests that again by itself. Those who ask side by side
        are not told of the same failure.
        """
        with self._one_at_a_time:
            self._named |= self._failed_since()
            whole = {file for file in self._named if _is_whole(self._root / file.relative_to("/"))}
            self._named = {file for file in self._named - whole if (self._root / file.relative_to("/")).exists()}
        return {file.name for file in whole}

    def _failed_since(self) -> set[Path]:
        """What the log names since it was read last."""
        if not self._log.exists() or self._log.stat().st_size == self._read:
            return set()
        with self._log.open("rb") as log:
            log.seek(self._read)
            lines = log.read().rpartition(b"\n")[0]
        self._read += len(lines)
        master = self._master()
        failed = _FAILED.finditer(lines.decode(errors="replace"))
        return {Path(file) for pid, file in (match.groups() for match in failed) if pid == master}

    def _master(self) -> str:
        """The process id of nginx, as it is seen inside."""
        file = self._root / "tmp/nginx/nginx.pid"
        return file.read_text().strip() if file.exists() else ""


def _is_whole(file: Path) -> bool:
    return file.exists() and _WHOLE.fullmatch(file.read_text(errors="replace")) is not None
