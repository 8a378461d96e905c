"""A real nginx that asks for client certificates, and to which it is any time we say (libfaketime)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.support.openssl import OpenSsl
from tests.testbed import asking, debian, ports
from tests.testbed.process import Process

CONFIG = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.crt;
    ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/ca.crt;
    ssl_crl {folder}/ca.crl;
    ssl_verify_client on;
    ssl_verify_depth 1;
    return 200;
  }}
}}
"""


HOST = "turned.example"


@dataclass(frozen=True, slots=True)
class Pair:
    """A client's certificate and key, PEM."""

    certificate: bytes
    key: bytes


class TurnedNginx:
    """One server; each question is a start of it, at the time that the question names."""

    def __init__(self, folder: Path, openssl: OpenSsl) -> None:
        self._folder = folder
        (port,) = self._ports = ports.lease(1)
        self._hosts = asking.Hosts("127.0.0.1", port)
        self._nginx = debian.nginx()
        self._fake = debian.library("libfaketime.so.1", package="libfaketime")
        server = openssl.ca("server", extensions="basicConstraints=critical,CA:FALSE\n")
        self._put({"server.crt": server.certificate, "server.key": server.key})
        self._put({"nginx.conf": CONFIG.format(folder=folder, port=port).encode()})

    def close(self) -> None:
        """Give the port back."""
        ports.give_back(self._ports)

    def _put(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            (self._folder / name).write_bytes(content)

    def answers(self, clients: Mapping[str, Pair], *, anchors: bytes, crl: bytes, at: datetime) -> dict[str, int]:
        """The HTTP status that each client gets from a host with that trust bundle at that instant."""
        self._put({"ca.crt": anchors, "ca.crl": crl})
        libraries = {"LD_LIBRARY_PATH": str(self._nginx.libraries)} if self._nginx.libraries else {}
        env = {"LD_PRELOAD": str(self._fake), "TZ": "UTC", "FAKETIME": f"@{at:%Y-%m-%d %H:%M:%S}"} | libraries
        command = [self._nginx.binary, "-p", self._folder, "-c", self._folder / "nginx.conf"]
        server = Process("nginx", command, self._folder / "nginx.log", env=env)
        server.start()
        try:
            server.wait_until(lambda: self._hosts.try_once(HOST) is not None)
            return {name: self._ask(pair) for name, pair in clients.items()}
        finally:
            server.stop()

    def _ask(self, client: Pair) -> int:
        self._put({"client.crt": client.certificate, "client.key": client.key})
        files = {"cert": self._folder / "client.crt", "key": self._folder / "client.key"}
        return self._hosts.ask(HOST, **files).status
