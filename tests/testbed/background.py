"""A cluster with its ingress controller that stays when the command ends: one process in the background holds them all."""

import contextlib
import fcntl
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from tests.testbed import binaries, debian
from tests.testbed.controlplane import Cluster
from tests.testbed.ingress_nginx import SYNC_RATE_LIMIT, IngressNginx

ROOT = Path(__file__).parents[2]
DEFAULT_RUN_DIR = ROOT / ".run" / "testbed"
_PATIENCE = 60.0

# What else should run with the cluster, such as the operator: entered once both are up, left before they end.
Companion = Callable[[Cluster, IngressNginx], AbstractContextManager[object]]


class NotRunning(RuntimeError):
    """Nothing was started in that folder, or it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a running test cluster is."""

    pid: int
    run_dir: str
    kubeconfig: str
    kubectl: str
    ingress_class: str
    address: str
    http_port: int
    https_port: int


def build() -> dict[str, Path]:
    """Every binary, built where need be."""
    return {name: binaries.resolve(name) for name in binaries.RECIPES} | {"nginx": debian.nginx().binary}


def up(
    run_dir: Path = DEFAULT_RUN_DIR,
    *,
    unsafe_no_fsync: bool = False,
    sync_rate_limit: float = SYNC_RATE_LIMIT,
    companions: Sequence[str] = (),
) -> State:
    """Start in the background, or find what runs already; a companion is named `module:function`. Raises NotRunning."""
    with contextlib.suppress(NotRunning):
        return find(run_dir)
    build()
    _make_room(run_dir)
    command = [
        sys.executable,
        "-m",
        "tests.testbed",
        "serve",
        f"--run-dir={run_dir}",
        f"--sync-rate-limit={sync_rate_limit}",
    ]
    command += ["--unsafe-no-fsync"] if unsafe_no_fsync else []
    command += [f"--with={companion}" for companion in companions]
    with (run_dir / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        return _wait_for(server, run_dir)
    except BaseException:
        server.terminate()
        server.wait(_PATIENCE)
        raise


def _wait_for(server: subprocess.Popen[bytes], run_dir: Path) -> State:
    while server.poll() is None:
        with contextlib.suppress(NotRunning):
            return find(run_dir)
        time.sleep(0.1)
    raise NotRunning(f"it ended; {run_dir / 'serve.log'} says:\n{(run_dir / 'serve.log').read_text()}")


def find(run_dir: Path = DEFAULT_RUN_DIR) -> State:
    """What runs in that folder. Raises NotRunning."""
    try:
        state = State(**json.loads(_state_file(run_dir).read_text()))
    except FileNotFoundError:
        raise NotRunning(f"nothing was started in {run_dir}") from None
    with _lock_file(run_dir).open("r") as lock:
        if _lock(lock):
            raise NotRunning(f"what was started in {run_dir} has ended")
    return state


def down(run_dir: Path = DEFAULT_RUN_DIR) -> None:
    """End what runs there; its logs stay until the next start."""
    try:
        state = find(run_dir)
    except NotRunning:
        return
    deadline = time.monotonic() + _PATIENCE
    os.kill(state.pid, signal.SIGTERM)
    with _lock_file(run_dir).open("r") as lock:
        while not _lock(lock):
            if time.monotonic() > deadline:
                # Its children go with it.
                os.kill(state.pid, signal.SIGKILL)
            time.sleep(0.05)
    _state_file(run_dir).unlink(missing_ok=True)


def serve(run_dir: Path, *, unsafe_no_fsync: bool, sync_rate_limit: float, companions: Sequence[str]) -> None:
    """Hold a cluster until somebody ends us; the process that `up` leaves in the background."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    with ExitStack() as stack:
        lock = stack.enter_context(_lock_file(run_dir).open("w"))
        if not _lock(lock):
            raise RuntimeError(f"{run_dir} is in use")
        cluster = stack.enter_context(Cluster.start(run_dir, unsafe_no_fsync=unsafe_no_fsync))
        ingress = stack.enter_context(IngressNginx.start(cluster, sync_rate_limit=sync_rate_limit))
        for name in companions:
            stack.enter_context(_companion(name)(cluster, ingress))
        _write_state(run_dir, cluster, ingress)
        stack.callback(_state_file(run_dir).unlink, missing_ok=True)
        while True:
            signal.pause()


def _leave(_number: int, _frame: object) -> None:
    # A second signal would interrupt the tidying up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)


def _companion(name: str) -> Companion:
    module, _, function = name.partition(":")
    companion: Companion = getattr(importlib.import_module(module), function)
    return companion


def _write_state(run_dir: Path, cluster: Cluster, ingress: IngressNginx) -> None:
    state = State(
        pid=os.getpid(),
        run_dir=str(run_dir),
        kubeconfig=str(cluster.kubeconfig),
        kubectl=str(binaries.resolve("kubectl")),
        ingress_class=ingress.ingress_class,
        address=ingress.address,
        http_port=ingress.http_port,
        https_port=ingress.https_port,
    )
    unfinished = run_dir / ".state"
    unfinished.write_text(json.dumps(asdict(state), indent=1))
    unfinished.rename(_state_file(run_dir))


def _make_room(run_dir: Path) -> None:
    """An empty folder; one with other people's files in it is refused."""
    if run_dir.exists() and any(run_dir.iterdir()):
        if not _lock_file(run_dir).exists():
            raise FileExistsError(f"{run_dir} is not empty, and not of an earlier start")
        shutil.rmtree(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    _lock_file(run_dir).touch()


def _lock(file: IO[Any]) -> bool:
    """Whether we got the lock, which a running one holds: a process id alone may be another's by now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(run_dir: Path) -> Path:
    return run_dir / "testbed.lock"


def _state_file(run_dir: Path) -> Path:
    return run_dir / "state.json"
