"""A proxy and the clients that come to it."""

import itertools
from dataclasses import dataclass
from typing import Any

from tests.gate.doors import IN, Door, Files
from tests.support.home import Home, client
from tests.support.kube import CERTIFICATES, eventually
from tests.testbed import proxies

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class House:
    """Its doors: `required` demands a certificate in the handshake, at `optional` there may be none."""

    home: Home
    proxy: proxies.Proxy

    @property
    def required(self) -> Door:
        return Door(self.proxy, proxies.REQUIRED)  # type: ignore[arg-type]

    @property
    def optional(self) -> Door:
        return Door(self.proxy, proxies.OPTIONAL)  # type: ignore[arg-type]

    def admitted(self, who: str) -> tuple[str, Files]:
        """A new client, once it gets in: its name and files."""
        name = f"{who}-{next(_NUMBERS)}"
        self.home.make(CERTIFICATES, client(name))
        self.home.issued(name)
        files = self.home.files(name)
        eventually(lambda: self.required.tells(files) == IN, f"{name} gets in")
        return name, files

    def respec(self, name: str, **spec: Any) -> None:
        """Change a client."""
        self.home.respec(CERTIFICATES, name, **spec)
