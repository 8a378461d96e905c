"""`doorward uninstall`: prepare the removal of Doorward, so that nothing is left waiting for an operator that is gone.

Helm runs it as its pre-delete hook. The policies go first: they keep everybody from removing finalizers. Then the operator is
stopped, and the finalizer is removed from every ClientCertificate. It revokes nobody and touches no Secret.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from kubernetes.aio.config import ConfigException

from doorward.cli import lease_check
from doorward.cli.errors import UserError, of_api
from doorward.cli.options import Context
from doorward.clock import SystemClock
from doorward.cluster.errors import ApiError, NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, Gateway, Kind, Object, get_if_there
from doorward.cluster.live import LiveGateway, connect
from doorward.objects.meta import FINALIZER, ObjectKey, key_of

_ADMISSION = "admissionregistration.k8s.io/v1"
POLICIES = (
    Kind(_ADMISSION, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", namespaced=False),
    Kind(_ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False),
    Kind(_ADMISSION, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", namespaced=False),
    Kind(_ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False),
)
"""In the order in which they are deleted. A policy without its binding does nothing."""
OURS = ("app.kubernetes.io/name=doorward", "app.kubernetes.io/name=doorward-gate")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
NAME = "doorward"
"""Of the operator's Deployment and of its Lease."""
PAUSE = 0.5
DELETIONS = 60.0
"""Seconds that the operator gets to finish the deletions that have begun."""
UNFINISHED = "clientcertificate {key}: its deletion has begun and the operator did not finish it. Its certificates may still be admitted."
HOLDS = "the operator {holder} still holds the Lease {lease}. Stop it: kubectl -n {namespace} scale deployment doorward --replicas=0"
LEFT = "{count} ClientCertificates still have the finalizer {finalizer}. The last error: {error}"


class NotPrepared(Exception):
    """It could not be done in the time that was given."""


class Uninstall:
    """The steps, in one cluster, until a deadline."""

    def __init__(self, gateway: Gateway, namespace: str, seconds: float) -> None:
        self._gateway = gateway
        self._lease = ObjectKey(namespace, NAME)
        self._deadline = _now() + seconds

    async def run(self) -> None:
        """All of them. Raises NotPrepared, or ApiError where a right is missing."""
        await self.delete_policies()
        for key in await self.await_deletions():
            print(UNFINISHED.format(key=key), file=sys.stderr)
        await self.stop_operator()
        await self.remove_finalizers()

    async def delete_policies(self) -> None:
        """Delete Doorward's admission policies, and their bindings first."""
        for kind in POLICIES:
            for selector in OURS:
                for body in await self._listed(kind, selector):
                    await _if_there(self._gateway.delete(kind, "", key_of(body).name))
                    print(f"{kind.plural} {key_of(body).name} deleted")

    async def await_deletions(self) -> Sequence[ObjectKey]:
        """Let the operator finish the deletions that have begun; those that it did not."""
        until = min(_now() + DELETIONS, self._deadline)
        while True:
            pending = [key_of(body) for body in await self._held() if body["metadata"].get("deletionTimestamp")]
            if not pending or not await self._operator_runs() or _now() > until:
                return pending
            await asyncio.sleep(PAUSE)

    async def stop_operator(self) -> None:
        """Scale its Deployment to none, and wait until nobody holds the Lease."""
        at = self._lease
        await _if_there(self._gateway.patch(DEPLOYMENT, at.namespace, at.name, {"spec": {"replicas": 0}}))
        while holder := await lease_check.holder(self._gateway, at):
            if _now() > self._deadline:
                raise NotPrepared(HOLDS.format(holder=holder, lease=at, namespace=at.namespace))
            await asyncio.sleep(PAUSE)
        print("operator stopped")

    async def remove_finalizers(self) -> None:
        """From every ClientCertificate. A policy is in force for a moment after it was deleted: until then the API server refuses."""
        error, removed = "none", 0
        while held := await self._held():
            if _now() > self._deadline:
                raise NotPrepared(LEFT.format(count=len(held), finalizer=FINALIZER, error=error))
            for body in held:
                try:
                    removed += await self._remove_finalizer(body)
                except ApiError as refused:
                    error = str(refused)
            await asyncio.sleep(PAUSE)
        print(f"finalizers removed: {removed}")

    async def _remove_finalizer(self, body: Object) -> bool:
        metadata, key = body["metadata"], key_of(body)
        kept = [name for name in metadata["finalizers"] if name != FINALIZER]
        patch = {"metadata": {"finalizers": kept, "resourceVersion": metadata["resourceVersion"]}}
        try:
            answer = await self._gateway.patch(CLIENT_CERTIFICATE, key.namespace, key.name, patch)
        except NotFound:
            return False
        return not _has_finalizer(answer)

    async def _held(self) -> list[Object]:
        """The ClientCertificates with the finalizer."""
        return [body for body in await self._listed(CLIENT_CERTIFICATE) if _has_finalizer(body)]

    async def _listed(self, kind: Kind, selector: str = "") -> list[Object]:
        """All objects of a kind; none where the cluster does not serve it."""
        try:
            found, _ = await self._gateway.list(kind, None, selector=selector, metadata_only=True)
        except NotFound:
            return []
        return found

    async def _operator_runs(self) -> bool:
        at = self._lease
        body = await get_if_there(self._gateway, DEPLOYMENT, at)
        return body is not None and body["spec"].get("replicas", 1) > 0


def _now() -> float:
    return asyncio.get_running_loop().time()


def _has_finalizer(body: Object) -> bool:
    return FINALIZER in (body["metadata"].get("finalizers") or ())


async def _if_there(request: Any) -> None:
    """What is gone already needs nothing."""
    try:
        await request
    except NotFound:
        return


def command(
    *,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Namespace of the operator.")
    ] = "doorward-system",
    seconds: Annotated[float, typer.Option("--seconds", help="Seconds after which the command gives up.")] = 240.0,
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            "--kubeconfig", metavar="PATH", help="Path. Defaults to $KUBECONFIG, else to the Pod's service account."
        ),
    ] = None,
    context: Context = None,
) -> int:
    """Prepare the removal of Doorward: delete its policies, stop it, remove finalizers."""

    async def session() -> None:
        gateway = LiveGateway(await connect(kubeconfig or os.environ.get("KUBECONFIG"), context), SystemClock())
        try:
            await Uninstall(gateway, namespace, seconds).run()
        finally:
            await gateway.close()

    try:
        asyncio.run(session())
    except ApiError as error:
        raise of_api(error) from error
    except (NotPrepared, ConfigException) as error:
        raise UserError(str(error)) from error
    return 0
