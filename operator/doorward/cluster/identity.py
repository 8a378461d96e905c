"""As whom this process speaks to the API server: one set of credentials, for its own client and for Kopf, kept fresh.

Configuration and exec plugins are read by the `kubernetes` package alone, so that no two readers of a kubeconfig can differ.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kubernetes.aio import client, config
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import KubeConfigMerger

from doorward.clock import Clock

logger = logging.getLogger(__name__)
BEFORE_EXPIRY = timedelta(minutes=1)
EVERY = timedelta(minutes=10)
"""A token that says no expiry may be in a file that somebody rewrites: it is read again, as kubectl does."""
HANDED_ON = timedelta(minutes=30)
"""For so long another client may use a token that says no expiry; kubelets replace theirs after 48 minutes."""
PAUSE = timedelta(seconds=10)
"""Between two readings, whatever is answered: an exec plugin may ask a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client needs to speak as this process; never logged."""

    server: str
    ca_file: str | None
    verify: bool
    proxy: str | None
    certificate_file: str | None
    key_file: str | None
    authorization: str | None = field(repr=False)
    """The header's value; None: the client certificate says it all."""
    expires: datetime | None
    """When they are to be asked for again; None: never."""


class Identity:
    """The credentials of one kubeconfig (None: of the Pod's service account). Used from the operator's own loop only."""

    def __init__(self, kubeconfig: str | None, clock: Clock, context: str | None = None) -> None:
        """`context`: of the kubeconfig; None: its current one."""
        self._kubeconfig = kubeconfig
        self._context = context
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token_expires: datetime | None = None
        """None: the token does not say."""
        self._read_again_at: datetime | None = None
        """None: another takes care of it."""
        self._refused = False
        self._read_at = 0.0
        self.configuration = client.Configuration()
        """Of this process's own client; its token is kept fresh."""

    async def load(self) -> None:
        """Read it for the first time; ConfigException where it cannot be read."""
        if self._kubeconfig is None:
            # It reads the token's file again every minute by itself.
            config.load_incluster_config(client_configuration=self.configuration)  # type: ignore[no-untyped-call]  # kubernetes.aio has no types
            return
        _refuse_impersonation(self._kubeconfig, self._context)
        await self._read(self.configuration)
        self.configuration.refresh_api_key_hook = self._refresh  # type: ignore[assignment]  # kubernetes.aio has no types

    def refused(self) -> None:
        """The API server did not know us (401): the token is read again before the next request."""
        self._refused = True

    async def credentials(self) -> Credentials:
        """As they are now."""
        own = self.configuration
        authorization = await own.get_api_key_with_prefix("BearerToken")
        now = self._clock.now()
        expires = now + HANDED_ON if self._token_expires is None else self._token_expires
        return Credentials(
            server=own.host,
            ca_file=own.ssl_ca_cert,
            verify=bool(own.verify_ssl),
            proxy=own.proxy,
            certificate_file=own.cert_file,
            key_file=own.key_file,
            authorization=authorization,
            expires=max(expires, now + PAUSE) if authorization else None,
        )

    async def _read(self, into: client.Configuration) -> None:
        loader = await config.load_kube_config(  # type: ignore[no-untyped-call]  # kubernetes.aio has no types
            config_file=self._kubeconfig, context=self._context, client_configuration=into, persist_config=False
        )
        self._read_at, self._refused = self._clock.monotonic(), False
        if "BearerToken" in into.api_key:
            said: datetime | None = getattr(loader, "exec_plugin_expiry", None)
            self._token_expires = None if said is None else said - BEFORE_EXPIRY
            self._read_again_at = self._token_expires or self._clock.now() + EVERY

    def _due(self) -> bool:
        due = self._read_again_at is not None and self._clock.now() >= self._read_again_at
        return (due or self._refused) and self._clock.monotonic() >= self._read_at + PAUSE.total_seconds()

    async def _refresh(self, own: client.Configuration) -> None:
        """Asked before every request."""
        if not self._due():
            return
        async with self._lock:
            if not self._due():
                return
            fresh: Any = client.Configuration()
            try:
                await self._read(fresh)
            except Exception as error:  # noqa: BLE001 - whatever a plugin does: the old token is tried on
                self._read_at = self._clock.monotonic()
                logger.warning("credentials were not read again: %s", error)
                return
            if "BearerToken" in fresh.api_key:
                own.api_key["BearerToken"] = fresh.api_key["BearerToken"]


def _refuse_impersonation(kubeconfig: str, named: str | None) -> None:
    """The client does not know `as:` of a user, and would silently act with the rights of the one behind it (measured)."""
    merged = KubeConfigMerger(kubeconfig).config  # type: ignore[no-untyped-call]  # kubernetes.aio has no types
    if merged is None or not (named or "current-context" in merged):
        return
    context = merged["contexts"].get_with_name(named or merged["current-context"])["context"]
    user = merged["users"].get_with_name(context["user"], safe=True) if "user" in context else None
    if user is not None and "as" in user["user"]:
        raise ConfigException(
            f"{kubeconfig}: user {user['name']} has `as:`, which doorward cannot do: use their own token"
        )
