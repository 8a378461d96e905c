"""Whatever people do in whatever order, with a crash in between: on the real API server exactly the entitled get in, by openssl."""

import base64
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from doorward.clock import SystemClock
from tests.support.home import Home, client
from tests.support.installation import OperatorProcess
from tests.support.kube import CERTIFICATES, CONFIGMAPS, ISSUERS, SECRETS, Person, eventually
from tests.support.openssl import OpenSsl
from tests.testbed.controlplane import Cluster

NAMES = st.sampled_from(["alice", "bob", "carol"])
YES_OR_NO = st.booleans()
STEP = st.one_of(
    st.tuples(st.just("apply"), NAMES),
    st.tuples(st.just("revoke"), NAMES, YES_OR_NO),
    st.tuples(st.just("suspend"), NAMES, YES_OR_NO),
    st.tuples(st.just("reissue"), NAMES, st.sampled_from(["today", "tomorrow"])),
    st.tuples(st.just("lose_secret"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("rotate"), st.sampled_from(["spring", "autumn"])),
    st.tuples(st.just("crash")),
)
END = "-----END X509 CRL-----\n"


class History:
    """A namespace, what people did in it, and who is to get in."""

    def __init__(self, home: Home, operator: OperatorProcess, openssl: OpenSsl) -> None:
        self.home = home
        self._operator = operator
        self._openssl = openssl
        self.out: dict[str, set[str]] = {}
        """By client that is there, the fields of its spec that keep it out."""
        home.partners()

    def apply(self, name: str) -> None:
        if name not in self.out:
            self.home.gone(CERTIFICATES, name)
            self.home.make(CERTIFICATES, client(name))
            self.out[name] = set()

    def _set(self, name: str, field: str, value: Any) -> None:
        self.apply(name)
        self.home.respec(CERTIFICATES, name, **{field: value})

    def revoke(self, name: str, to: bool) -> None:
        self._set(name, "revoked", to)
        self.out[name] = self.out[name] | {"revoked"} if to else self.out[name] - {"revoked"}

    def suspend(self, name: str, to: bool) -> None:
        self._set(name, "suspended", to)
        self.out[name] = self.out[name] | {"suspended"} if to else self.out[name] - {"suspended"}

    def reissue(self, name: str, text: str) -> None:
        self._set(name, "reissue", text)

    def lose_secret(self, name: str) -> None:
        self.home.admin.delete(SECRETS, self.home.here({"metadata": {"name": f"{name}-mtls"}}))

    def delete(self, name: str) -> None:
        if self.out.pop(name, None) is not None:
            self.home.remove(CERTIFICATES, name)

    def rotate(self, text: str) -> None:
        self.home.respec(ISSUERS, "partners", ca={"generate": {"rotate": text}})

    def crash(self) -> None:
        self._operator.restart(signal.SIGKILL)

    def entitled(self) -> set[str]:
        return {name for name, against in self.out.items() if not against}

    def admitted(self) -> dict[str, str]:
        """Of each entitled client, what openssl says of the certificate in its Secret; empty where it is not there yet."""
        bundle = self.home.get(CONFIGMAPS, "partners-crl").body.get("data") or {}
        verdicts = {}
        for name in self.entitled():
            secret = self.home.get(SECRETS, f"{name}-mtls")
            leaf = base64.b64decode(secret.body["data"]["tls.crt"]) if secret.ok else b""
            verdicts[name] = leaf and self._openssl.verdict(
                leaf, anchor=bundle["ca.crt"].encode(), crl=bundle["ca.crl"].encode(), at=SystemClock().now()
            )
        return verdicts

    def refused(self) -> set[str]:
        """The serials that the published CRLs name, as openssl reads them."""
        crls = self.home.body(CONFIGMAPS, "partners-crl")["data"]["ca.crl"].split(END)
        texts = [self._openssl.crl_text((part + END).encode()) for part in crls if part.strip()]
        return {serial for text in texts for serial in re.findall(r"Serial Number: (\w+)", text)}

    def trusted(self) -> set[int]:
        """The CA generations whose anchors are published."""
        metadata = self.home.body(CONFIGMAPS, "partners-crl")["metadata"]
        return {int(number) for number in json.loads(metadata["annotations"]["doorward.io/ca-generations"])}

    def let_in_wrongly(self) -> list[str]:
        """Serials of trusted CAs that are not refused though their client is out, or the ledger refuses them."""
        named, entitled, trusted = {int(serial, 16) for serial in self.refused()}, self.entitled(), self.trusted()
        wrong = []
        for record in self.home.records():
            revocation = record["spec"].get("revocation") or {"lifted": True}
            keeps_out = record["spec"]["clientCertificate"]["name"] not in entitled or not revocation.get("lifted")
            is_trusted = record["spec"]["generation"] in trusted
            if keeps_out and is_trusted and int(record["spec"]["serialNumber"], 16) not in named:
                wrong.append(record["metadata"]["name"])
        return wrong


@pytest.mark.promise(1)
@pytest.mark.promise(6)
@given(steps=st.lists(STEP, min_size=8, max_size=14))
@settings(
    max_examples=3,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_history_ends_with_exactly_the_entitled_getting_in(
    steps: list[tuple[Any, ...]], admin: Person, cluster: Cluster, running_operator: OperatorProcess, tmp_path: Path
):
    del cluster
    home = Home.found(admin, tmp_path)
    history = History(home, running_operator, OpenSsl(tmp_path))
    for act, *arguments in steps:
        getattr(history, act)(*arguments)
    eventually(lambda: set(history.admitted().values()) <= {"OK"}, f"the entitled get in after {steps}")
    eventually(lambda: history.let_in_wrongly() == [], f"nobody else gets in after {steps}")
    home.abandon()
