"""What GitOps tools make of the statuses that the operator writes: kstatus (Flux) and the health checks for Argo CD."""

import json

import pytest

from doorward.cluster.errors import Forbidden
from doorward.cluster.gateway import CLIENT_CERTIFICATE, CONFIG_MAP, ISSUER, SECRET
from tests.support import argocd, kstatus, promises
from tests.support.operator_bed import ISSUER_AT, NAMESPACE_NAME, PEOPLE, OperatorBed
from tests.unit.given import NOW


def of(bed: OperatorBed, name: str = "alice") -> tuple[str, str]:
    """What kstatus and Argo CD say of a client."""
    body = bed.find(CLIENT_CERTIFICATE, name)
    return kstatus.computed(body), argocd.health(body).status


def without_crls(bed: OperatorBed) -> None:
    bed.gateway.refuse = lambda write: Forbidden("no") if write.kind == CONFIG_MAP.name else None


def suspended(bed: OperatorBed) -> None:
    bed.apply("alice", suspended=True)
    bed.settle()


def revoked(bed: OperatorBed) -> None:
    bed.apply("alice", revoked=True)
    bed.settle()


def revoked_without_a_crl(bed: OperatorBed) -> None:
    without_crls(bed)
    bed.apply("alice", revoked=True)
    bed.advance(60)


def released_without_a_crl(bed: OperatorBed) -> None:
    suspended(bed)
    without_crls(bed)
    bed.apply("alice", suspended=False)
    bed.advance(60)


def deleted_without_a_crl(bed: OperatorBed) -> None:
    without_crls(bed)
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.advance(60)


def edited_while_the_operator_is_down(bed: OperatorBed) -> None:
    bed.kill()
    bed.apply("alice", revoked=True)


def made_while_the_operator_is_down(bed: OperatorBed) -> None:
    bed.kill()
    bed.delete(CLIENT_CERTIFICATE, "alice")
    bed.edit(CLIENT_CERTIFICATE, "alice", {"metadata": {"finalizers": None}})
    bed.apply("alice")


def asks_for_too_long(bed: OperatorBed) -> None:
    bed.apply("alice", duration="90000h")
    bed.settle()


def loses_its_secret(bed: OperatorBed) -> None:
    bed.delete(SECRET, "alice-mtls")
    bed.advance(1)


def loses_its_issuer(bed: OperatorBed) -> None:
    bed.delete(ISSUER, ISSUER_AT.name)
    bed.settle()


@pytest.mark.parametrize(
    ("happens", "flux", "argo"),
    [
        pytest.param(lambda _: None, "Current", "Healthy", id="has its certificate"),
        pytest.param(suspended, "Current", "Suspended", id="is suspended"),
        pytest.param(revoked, "Current", "Healthy", id="is revoked"),
        pytest.param(revoked_without_a_crl, "InProgress", "Progressing", id="is revoked and no CRL can say so"),
        pytest.param(released_without_a_crl, "InProgress", "Progressing", id="is released and no CRL can say so"),
        pytest.param(deleted_without_a_crl, "Terminating", "Progressing", id="is deleted and no CRL can say so"),
        pytest.param(edited_while_the_operator_is_down, "InProgress", "Progressing", id="was edited, unseen"),
        pytest.param(made_while_the_operator_is_down, "InProgress", "Progressing", id="is new and unseen"),
        pytest.param(asks_for_too_long, "InProgress", "Degraded", id="asks for what its issuer does not allow"),
        pytest.param(loses_its_secret, "InProgress", "Progressing", id="lost its Secret a moment ago"),
        pytest.param(loses_its_issuer, "InProgress", "Progressing", id="lost its issuer"),
    ],
)
def test_of_a_client_that(served: OperatorBed, happens, flux: str, argo: str):
    happens(served)
    assert of(served) == (flux, argo)


def test_a_client_whose_secret_is_in_the_way_needs_a_person(bed: OperatorBed):
    bed.cluster.create(SECRET, NAMESPACE_NAME, {"metadata": {"name": "alice-mtls"}, "data": {}}, PEOPLE)
    bed.apply("alice")
    bed.settle()
    assert of(bed) == ("InProgress", "Degraded")


def test_an_issuer_is_current_and_healthy_when_it_signs_and_not_before():
    with OperatorBed(NOW) as bed:
        bed.issuer()
        new = bed.find(ISSUER, ISSUER_AT.name)
        bed.settle()
        signing = bed.find(ISSUER, ISSUER_AT.name)
    assert (kstatus.computed(new), argocd.health(new).status) == ("InProgress", "Progressing")
    assert (kstatus.computed(signing), argocd.health(signing).status) == ("Current", "Healthy")


def test_current_is_never_said_before_it_is_so(served: OperatorBed):
    """Of every version that every client ever had: who is Current has the certificate of its status, or a CRL refuses it."""
    for spec in ({"suspended": True}, {"suspended": False}, {"revoked": True}, {"revoked": False}, {"reissue": "now"}):
        served.apply("alice", **spec)
        served.settle()
    served.jump(days=61)
    served.settle()
    served.apply("carol")
    served.delete(SECRET, "bob-mtls")
    served.settle()

    now, current = {}, []
    for change in served.cluster.history:
        now[change.kind, change.at.name] = change.becomes
        body = change.becomes
        if change.kind == CLIENT_CERTIFICATE and body is not None and kstatus.computed(body) == "Current":
            spec = body["spec"]
            serial = int(body["status"]["serialNumber"], 16)
            if spec.get("revoked") or spec.get("suspended"):
                assert serial in promises.of_configmap(now[CONFIG_MAP, f"{ISSUER_AT.name}-crl"]).serials
            else:
                assert promises.held_serial(now[SECRET, body["status"]["secretName"]]) == serial
            current.append((change.at.name, json.dumps(spec, sort_keys=True)))
    assert {name for name, _ in current} == {"alice", "bob", "carol"}
    assert len(set(current)) >= 7
