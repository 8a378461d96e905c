"""What a kubelet does for a release of Helm, in a cluster that has none: it runs the Jobs' containers as processes of their accounts,
and ends the operator when its Deployment is scaled to none."""

import subprocess
import threading
from datetime import datetime
from typing import Any, Self

from doorward.api.conditions import instant
from doorward.clock import SystemClock
from tests.support.installation import DOORWARD, OperatorProcess
from tests.support.kube import MERGE, Kind, Object, Person
from tests.testbed.controlplane import Cluster

JOBS = Kind("apis/batch/v1", "jobs")
DEPLOYMENTS = Kind("apis/apps/v1", "deployments")


class Kubelet:
    """For one namespace, in a thread, from `with` to its end. Unless it `works`, every container fails before it starts."""

    def __init__(
        self, cluster: Cluster, admin: Person, namespace: str, operator: OperatorProcess, *, works: bool = True
    ) -> None:
        self._cluster, self._admin, self._namespace, self._operator = cluster, admin, namespace, operator
        self._works = works
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.ran: list[subprocess.CompletedProcess[str]] = []
        """The containers, in their order."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        done: set[str] = set()
        stopping: threading.Thread | None = None
        running: list[threading.Thread] = []
        while not self._ended.wait(0.2):
            deployment = self._admin.get(DEPLOYMENTS, self._namespace, "doorward")
            if stopping is None and deployment.ok and deployment.body["spec"]["replicas"] == 0:
                stopping = threading.Thread(target=self._operator.stop)
                stopping.start()
            for job in self._admin.ask("GET", JOBS.path(self._namespace)).body["items"]:
                if job["metadata"]["uid"] not in done and not job.get("status", {}).get("conditions"):
                    done.add(job["metadata"]["uid"])
                    running.append(threading.Thread(target=self._run, args=(job,)))
                    running[-1].start()
        for thread in (*running, *([stopping] if stopping else ())):
            thread.join()

    def _run(self, job: Object) -> None:
        began = SystemClock().now()
        if not self._works:
            self._tell(job, began, "Failed")
            return
        spec = job["spec"]["template"]["spec"]
        [container] = spec["containers"]
        kubeconfig = self._cluster.kubeconfig_for_service_account(self._namespace, spec["serviceAccountName"])
        command = [DOORWARD, *container["args"], f"--kubeconfig={kubeconfig}"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        self.ran.append(ran)
        self._tell(job, began, "Complete" if ran.returncode == 0 else "Failed")

    def _tell(self, job: Object, began: datetime, how: str) -> None:
        path = JOBS.path(self._namespace, job["metadata"]["name"]) + "/status"
        self._admin.ask("PATCH", path, {"status": _ended(began, how)}, content=MERGE)


def _ended(began: datetime, how: str) -> dict[str, Any]:
    """The status of a Job that ended; the API server wants it whole."""
    now = instant(SystemClock().now())
    before = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[how]
    conditions = [{"type": name, "status": "True", "lastTransitionTime": now} for name in (before, how)]
    return {
        "startTime": instant(began),
        "conditions": conditions,
        **({"completionTime": now, "succeeded": 1} if how == "Complete" else {"failed": 1}),
    }
