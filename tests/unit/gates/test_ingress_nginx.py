"""What an Ingress says to Doorward, what ingress-nginx is told on it, and what is taken off again."""

import pytest

from doorward.api.conditions import said
from doorward.api.issuer_gates import IngressSettings
from doorward.gates.ingress_nginx import annotations as ingress_nginx
from doorward.objects.meta import ObjectKey
from doorward.planning.gate import Decision, Protection

NGINX = "nginx.ingress.kubernetes.io/"
SECRET = f"{NGINX}auth-tls-secret"
VERIFY = f"{NGINX}auth-tls-verify-client"
DEPTH = f"{NGINX}auth-tls-verify-depth"
ERROR_PAGE = f"{NGINX}auth-tls-error-page"
PASS = f"{NGINX}auth-tls-pass-certificate-to-upstream"
ISSUER = "doorward.io/issuer"
GATE = "doorward.io/gate"
OPTIONAL = "doorward.io/verify-client"

PARTNERS = ObjectKey("issuers", "partners")
OURS = "edge/doorward.issuers.partners"
PROTECTED = "Protected: clients of issuers/partners have access"
SETTLED = {SECRET: OURS, VERIFY: "on", DEPTH: "1", GATE: PROTECTED}


def ingress(annotations=None, *, owned=(), manager="doorward", operation="Apply"):
    """An Ingress of namespace edge; `owned`: the annotations that `manager` set by that operation."""
    fields = {"f:metadata": {"f:annotations": {f"f:{name}": {} for name in owned}}}
    managed = [
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}},
        {"manager": manager, "operation": operation, "fieldsV1": fields},
    ]
    metadata = {"namespace": "edge", "name": "app", "annotations": annotations, "managedFields": managed}
    return {"metadata": metadata, "spec": {}}


def decision(*, optional=False, reason="Protected", **settings):
    protection = Protection(issuer=PARTNERS, settings=IngressSettings.model_validate(settings), optional=optional)
    return Decision(protection=protection, said=said(reason, issuer=PARTNERS, namespace="edge"))


def settled(*without, **more):
    annotations = {name: value for name, value in SETTLED.items() if name not in without} | more
    return ingress({ISSUER: "issuers/partners"} | annotations, owned=SETTLED)


@pytest.mark.parametrize(
    ("annotations", "reference", "other_secret"),
    [
        pytest.param(None, None, False, id="no annotations"),
        pytest.param({"a": "b"}, None, False, id="annotations of others"),
        pytest.param({ISSUER: "partners"}, "partners", False, id="an issuer of its own namespace"),
        pytest.param({ISSUER: "issuers/partners"}, "issuers/partners", False, id="an issuer of another"),
        pytest.param({ISSUER: ""}, "", False, id="an empty reference, which is an opt-in all the same"),
        pytest.param({ISSUER: "issuers/partners", SECRET: OURS}, "issuers/partners", False, id="the issuer's own gate"),
        pytest.param(
            {ISSUER: "issuers/partners", SECRET: "edge/doorward.issuers.staff"},
            "issuers/partners",
            False,
            id="the gate of the issuer that it named before",
        ),
        pytest.param({ISSUER: "partners", SECRET: "edge/own-ca"}, "partners", True, id="a Secret that a person made"),
        pytest.param({ISSUER: "partners", SECRET: ""}, "partners", True, id="an empty Secret"),
        pytest.param(
            {ISSUER: "partners", SECRET: "shop/doorward.edge.partners"},
            "partners",
            True,
            id="a gate in a namespace that is not its own",
        ),
        pytest.param(
            {ISSUER: "partners", SECRET: "edge/my-doorward.x"}, "partners", True, id="a name that looks like ours"
        ),
        pytest.param({SECRET: "edge/own-ca"}, None, True, id="a Secret that a person made, without an opt-in"),
    ],
)
def test_an_ingress_is_read_with(annotations, reference, other_secret):
    target = ingress_nginx.read(ingress(annotations))
    assert (target.key, target.reference, target.other_secret) == (ObjectKey("edge", "app"), reference, other_secret)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        pytest.param("optional", True, id="optional"),
        pytest.param("on", False, id="on"),
        pytest.param("off", False, id="off, which nobody can choose"),
        pytest.param("optional_no_ca", False, id="optional_no_ca, which would let everyone in"),
        pytest.param("OPTIONAL", False, id="capitals"),
    ],
)
@pytest.mark.promise(3)
def test_optional_is_wanted_by_one_word_alone(value, wanted):
    assert ingress_nginx.read(ingress({ISSUER: "partners", OPTIONAL: value})).wants_optional is wanted


@pytest.mark.parametrize(
    ("decided", "annotations"),
    [
        pytest.param(decision(), SETTLED, id="on, unless the issuer says otherwise"),
        pytest.param(decision(optional=True), SETTLED | {VERIFY: "optional"}, id="optional, where it is allowed"),
        pytest.param(decision(verifyClient="optional"), SETTLED, id="on, where the issuer's optional is not allowed"),
        pytest.param(decision(verifyDepth=3), SETTLED | {DEPTH: "3"}, id="the depth of the issuer"),
        pytest.param(
            decision(errorPage="https://sorry.example/"),
            SETTLED | {ERROR_PAGE: "https://sorry.example/"},
            id="the error page of the issuer",
        ),
        pytest.param(
            decision(errorPage="https://sorry.example/a/b?c"), SETTLED, id="no error page that ingress-nginx may refuse"
        ),
        pytest.param(
            decision(passCertificateToUpstream=True), SETTLED | {PASS: "true"}, id="to pass the certificate on"
        ),
        pytest.param(
            decision(reason="NoSuchIssuer"),
            SETTLED | {GATE: "NoSuchIssuer: closed: there is no MTLSIssuer issuers/partners"},
            id="the gate of an issuer that is not there, which is closed",
        ),
        pytest.param(
            Decision(protection=None, said=said("OtherSecret")),
            {GATE: "OtherSecret: not protected by Doorward: auth-tls-secret was set to another Secret, remove it"},
            id="nothing but what is wrong, where a person set another Secret",
        ),
    ],
)
@pytest.mark.promise(3)
def test_an_ingress_that_opted_in_is_told(decided, annotations):
    assert ingress_nginx.changes(ingress({ISSUER: "issuers/partners"}), decided) == annotations


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(settled(VERIFY), id="one of ours was taken off by hand"),
        pytest.param(settled(**{VERIFY: "off"}), id="one of ours was changed by hand"),
        pytest.param(settled(**{SECRET: "edge/doorward.issuers.staff"}), id="the gate is that of another issuer"),
        pytest.param(settled(**{GATE: "Protected: so it was"}), id="what is said is another thing"),
        pytest.param(ingress(SETTLED, owned=[SECRET]), id="we own but one of them"),
        pytest.param(ingress(SETTLED, owned=SETTLED, manager="kubectl"), id="somebody else owns them"),
        pytest.param(ingress(SETTLED, owned=SETTLED, operation="Update"), id="they were not applied"),
        pytest.param(ingress(SETTLED | {PASS: "true"}, owned=[*SETTLED, PASS]), id="one of ours is left over"),
    ],
)
def test_all_of_ours_are_applied_again_when(body):
    assert ingress_nginx.changes(body, decision()) == SETTLED


def test_the_map_of_annotations_is_no_annotation():
    """Who sets the first annotation by server-side apply owns the map, which managedFields has as a dot."""
    body = settled()
    body["metadata"]["managedFields"][1]["fieldsV1"]["f:metadata"]["f:annotations"]["."] = {}
    assert ingress_nginx.changes(body, decision()) is None


def test_before_anything_is_to_be_said_an_ingress_is_closed_once():
    waiting = Decision(protection=decision().protection, said=None)
    closed = {name: value for name, value in SETTLED.items() if name != GATE}
    assert ingress_nginx.changes(ingress({ISSUER: "issuers/partners"}), waiting) == closed
    assert ingress_nginx.changes(ingress({ISSUER: "issuers/partners", SECRET: OURS}), waiting) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(settled(), id="all is as it should be"),
        pytest.param(settled(**{PASS: "true"}), id="a person set what the issuer does not name"),
        pytest.param(settled(**{f"{NGINX}rewrite-target": "/"}), id="there are annotations of others"),
    ],
)
def test_nothing_is_written_when(body):
    assert ingress_nginx.changes(body, decision()) is None


@pytest.mark.promise(3)
def test_a_slip_in_the_reference_does_not_open_a_door_that_was_closed():
    body = ingress({ISSUER: "a/b/c"} | SETTLED, owned=SETTLED)
    wrong = Decision(protection=None, said=said("BadReference"))
    changed = ingress_nginx.changes(body, wrong)
    assert {name: changed[name] for name in (SECRET, VERIFY, DEPTH)} == {SECRET: OURS, VERIFY: "on", DEPTH: "1"}
    assert ingress_nginx.changes(ingress({ISSUER: "a/b/c"} | changed, owned=changed), wrong) is None


def test_a_slip_in_the_reference_keeps_nothing_beside_a_secret_that_a_person_made():
    body = ingress({ISSUER: "a/b/c", SECRET: "edge/own-ca", VERIFY: "on"}, owned=SETTLED)
    wrong = Decision(protection=None, said=said("BadReference"))
    assert set(ingress_nginx.changes(body, wrong)) == {GATE}


def test_what_another_manager_set_is_left_as_it_is_where_it_may_be():
    fields = {"f:metadata": {"f:annotations": {f"f:{DEPTH}": {}, f"f:{VERIFY}": {}}}}
    body = ingress({ISSUER: "issuers/partners", DEPTH: "2", VERIFY: "off"})
    body["metadata"]["managedFields"].append({"manager": "kubectl", "operation": "Update", "fieldsV1": fields})
    changed = ingress_nginx.changes(body, decision())
    assert DEPTH not in changed
    assert changed[VERIFY] == "on"
    assert ingress_nginx.changes(body, decision(verifyDepth=2))[DEPTH] == "2"


def test_an_ingress_that_did_not_opt_in_is_told_nothing():
    assert ingress_nginx.changes(ingress({"a": "b"}), Decision(protection=None, said=None)) is None


def test_an_ingress_whose_managed_fields_were_stripped_is_written_again():
    body = settled()
    del body["metadata"]["managedFields"]
    assert ingress_nginx.changes(body, decision()) == SETTLED


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param(ingress(None), (), id="no annotations"),
        pytest.param(ingress({"a": "b", ERROR_PAGE: "https://a/"}), (), id="only those of others"),
        pytest.param(ingress(SETTLED, owned=SETTLED), tuple(sorted(SETTLED)), id="all that we own"),
        pytest.param(ingress({"a": "b"}, owned=SETTLED), (), id="what we own and is gone already"),
        pytest.param(ingress({SECRET: OURS, GATE: PROTECTED}), (GATE, SECRET), id="the gate that only a policy wrote"),
        pytest.param(ingress({SECRET: OURS}), (), id="a gate that a person names without having opted in"),
        pytest.param(ingress({GATE: PROTECTED}), (GATE,), id="what we said and nobody owns"),
        pytest.param(ingress({SECRET: "edge/own-ca", VERIFY: "on"}), (), id="a Secret that a person made"),
        pytest.param(
            ingress(SETTLED | {ERROR_PAGE: "https://a/"}, owned=SETTLED),
            tuple(sorted(SETTLED)),
            id="what we own, and not what a person set beside it",
        ),
        pytest.param(ingress({VERIFY: "on"}, owned=[VERIFY], manager="kubectl"), (), id="what somebody else owns"),
        pytest.param(
            ingress({SECRET: "edge/own", VERIFY: "on"}, owned=[SECRET, VERIFY]),
            (),
            id="nothing that somebody applied under our name for a CA of his own",
        ),
        pytest.param(
            ingress({SECRET: "edge/own", VERIFY: "on", GATE: "x"}, owned=[VERIFY, GATE]),
            (GATE,),
            id="what is said of it alone, where its CA is another by now",
        ),
    ],
)
def test_taken_off_an_ingress_that_opted_out_are(body, names):
    assert ingress_nginx.leftovers(body) == names


def test_an_ingress_of_which_all_of_ours_was_taken_off_has_no_leftovers():
    body = ingress({ISSUER: "issuers/partners"} | SETTLED, owned=SETTLED)
    for name in ingress_nginx.leftovers(body):
        del body["metadata"]["annotations"][name]
    assert ingress_nginx.leftovers(body) == ()


def test_what_is_remembered_of_an_ingress_is_read_like_the_ingress_itself():
    fields = {"f:metadata": {"f:annotations": {"f:doorward.io/gate": {}}}}
    mine = {"manager": "doorward", "operation": "Apply", "fieldsV1": fields}
    others = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    annotations = {
        "doorward.io/issuer": "partners",
        "doorward.io/gate": "x",
        "kubectl.kubernetes.io/last-applied": "{}",
    }
    metadata = {"namespace": "edge", "name": "shop", "annotations": annotations, "managedFields": [others, mine]}
    rule = {"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix"}]}}
    whole = {"metadata": metadata, "spec": {"rules": [rule]}}
    remembered = ingress_nginx.kept(whole)
    assert ingress_nginx.read(remembered) == ingress_nginx.read(whole)
    assert ingress_nginx.leftovers(remembered) == ingress_nginx.leftovers(whole) == ("doorward.io/gate",)
    assert "Prefix" not in str(remembered)
    assert "last-applied" not in str(remembered)
