"""`doorward doctor`: every hazard in the cluster that can be seen, with what to do."""

from collections.abc import Iterator

from doorward.cli.ages import instant_or_none
from doorward.cli.options import Context, Kubeconfig, Namespace, OperatorLease, Output
from doorward.cli.printed import Format, Table, note, show
from doorward.cli.reading import Reader, Where
from doorward.cli.session import LEASE as DEFAULT_LEASE
from doorward.cli.status_view import Heartbeat, dictionary, listed
from doorward.cluster.errors import NoSuchKind
from doorward.cluster.gateway import CLIENT_CERTIFICATE, ISSUER, LEASE, Kind, Object
from doorward.gates.interface import Target, issuer_of
from doorward.gates.registry import PLANES
from doorward.objects.crl_configmap import MAX_BYTES
from doorward.objects.meta import GATE_ANNOTATION, ObjectKey, key_of
from doorward.planning import hazards
from doorward.planning.hazards import Hazard, Severity
from doorward.planning.timing import BACKDATE

HEAD = ("SEVERITY", "OBJECT", "REASON", "WHAT IS WRONG, AND WHAT TO DO", "BY")
NONE = "no hazards found"
POLICY = Kind(
    "admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False
)
BINDING = Kind(
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    namespaced=False,
)
POLICIES = (
    *("fence-ca.doorward.io", "fence-clients.doorward.io", "fence-crl.doorward.io", "fence-gates.doorward.io"),
    *("fence-guarded.doorward.io", "fence-ledger.doorward.io", "fence-operator-ingresses.doorward.io"),
    *(
        "fence-operator-objects.doorward.io",
        "fence-operator-optional.doorward.io",
        "fence-operator-records.doorward.io",
    ),
    *("fence-operator-writes.doorward.io", "guarded.doorward.io", "ingress.doorward.io", "minting.doorward.io"),
)
"""Those of deploy/manifests that deny; a test compares them."""


async def doctor(reader: Reader, lease: ObjectKey, output: Format) -> int:
    """Look, and print; 1 where there is a problem."""
    found = [
        *await _operator(reader, lease),
        *await _policies(reader),
        *(each for body in await _everywhere(reader, ISSUER) for each in of_issuer(body, reader)),
        *(
            each
            for body in await _everywhere(reader, CLIENT_CERTIFICATE)
            for each in _conditions(body, CLIENT_CERTIFICATE)
        ),
        *await _targets(reader),
    ]
    ordered = hazards.in_order(found)
    rows = [(each.severity.value, each.of, each.reason, each.what, each.by) for each in ordered]
    data = [dict(zip(("severity", "object", "reason", "what", "by"), row, strict=True)) for row in rows]
    empty = f"{NONE} in what could be looked at" if reader.notes else NONE
    show(data, [Table(head=HEAD, rows=rows, empty=empty)], output)
    for each in reader.notes:
        note(each)
    return 1 if any(each.severity is Severity.PROBLEM for each in ordered) else 0


async def _everywhere(reader: Reader, kind: Kind) -> list[Object]:
    """All there are, unless the user named a namespace; those of his own where the others may not be listed."""
    found = await reader.list(kind, None if reader.is_default else reader.namespace)
    if found is None and reader.is_default:
        found = await reader.list(kind, reader.namespace)
    return found or []


async def _operator(reader: Reader, lease: ObjectKey) -> Iterator[Hazard]:
    body = await reader.get(LEASE, lease)
    if reader.was_denied(LEASE, lease.namespace):
        return iter(())
    working = Heartbeat(lease=lease, body=body, unread="").data(reader.now)["working"]
    return hazards.of_operator(str(lease), working=working)


async def _policies(reader: Reader) -> Iterator[Hazard]:
    try:
        policies, bindings = await reader.list(POLICY, None), await reader.list(BINDING, None)
    except NoSuchKind:
        policies, bindings = [], []
    if policies is None or bindings is None:
        return iter(())
    specs = [dictionary(each.get("spec")) for each in bindings]
    denying = {str(spec.get("policyName")) for spec in specs if "Deny" in listed(spec.get("validationActions"))}
    names = [key_of(each).name for each in policies]
    return hazards.of_policies(POLICIES, {name: name in denying for name in names})


def of_issuer(body: Object, reader: Reader) -> Iterator[Hazard]:
    """By its status."""
    yield from _conditions(body, ISSUER)
    of, now = f"{ISSUER.name} {key_of(body)}", reader.now
    status = dictionary(body.get("status"))
    crl = dictionary(status.get("crl"))
    made, ends = (instant_or_none(crl.get(name)) for name in ("thisUpdate", "nextUpdate"))
    if made is not None and ends is not None:
        size = crl.get("bytes")
        filled = size / MAX_BYTES if isinstance(size, int) else 0.0
        yield from hazards.of_crl(of, made + BACKDATE, ends, filled, now)
    generations = [dictionary(each) for each in listed(status.get("generations"))]
    signing = [each for each in generations if each.get("state") in ("Signing", "Next")]
    last = (instant_or_none(each.get("notAfter")) for each in (*signing, dictionary(status.get("ca"))))
    yield from hazards.of_generations(of, [each for each in last if each is not None], now)


def _conditions(body: Object, kind: Kind) -> Iterator[Hazard]:
    for each in listed(dictionary(body.get("status")).get("conditions")):
        if (hazard := hazards.of_condition(f"{kind.name} {key_of(body)}", dictionary(each))) is not None:
            yield hazard


async def _targets(reader: Reader) -> list[Hazard]:
    """Of Ingresses: what the operator says of those that opted in, and of others at their hosts."""
    found = []
    for plane in PLANES:
        bodies = await _everywhere(reader, plane.kind)
        targets = [(plane.read(body), body) for body in bodies]
        guarded: dict[str, Target] = {}
        for target, body in targets:
            if target.reference is None:
                continue
            text = str((body["metadata"].get("annotations") or {}).get(GATE_ANNOTATION, ""))
            told, _, message = text.partition(": ")
            if (hazard := hazards.of_target(f"{plane.kind.name} {target.key}", told, message)) is not None:
                found.append(hazard)
            if any(issuer_of(target)):
                guarded |= dict.fromkeys(target.hosts, target)
        found += [_beside(plane.kind, target, guarded) for target, _ in targets if _is_beside(target, guarded)]
    return found


def _is_beside(target: Target, guarded: dict[str, Target]) -> bool:
    return target.reference is None and any(host in guarded for host in target.hosts)


def _beside(kind: Kind, target: Target, guarded: dict[str, Target]) -> Hazard:
    host = next(host for host in target.hosts if host in guarded)
    what = (
        f"it shares the host {host} with {guarded[host].key} and names no MTLSIssuer: at its paths the TLS handshake alone decides."
        " If they are not meant to be public, give it the annotation doorward.io/issuer, too"
    )
    return Hazard(
        severity=Severity.WARNING,
        of=f"{kind.name} {target.key}",
        reason="NotOptedIn",
        what=what,
        by="the owner of the object",
    )


def command(
    *,
    lease: OperatorLease = DEFAULT_LEASE,  # type: ignore[assignment]  # it is parsed, too
    namespace: Namespace = None,
    output: Output = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """List every problem that Doorward can see in the cluster, what to do, and who can do it. Looks in all namespaces, or in --namespace.

    It looks at the operator, the admission policies, and all MTLSIssuers, ClientCertificates and Ingresses. The exit status is 1 if
    there is a problem.
    """
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: doctor(reader, lease, output))
