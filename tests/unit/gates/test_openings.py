"""What leaves the hosts of an Ingress open though its annotations are right: by the rules of the controller's own code."""

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from doorward.gates.ingress_nginx import openings
from doorward.gates.ingress_nginx.openings import ACME, Settings, settings_of
from doorward.gates.ingress_nginx.shape import shape_of
from doorward.objects.meta import ObjectKey
from tests.support.ingress_shapes import NGINX, SERVICE, changed, path, rules, setting, spec

RULE = {"host": "app.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": SERVICE}]}}
BODY = {
    "metadata": {"namespace": "edge", "name": "app", "annotations": {"doorward.io/issuer": "partners"}},
    "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["app.example"]}], "rules": [RULE]},
}
TRUE, FALSE = ("1", "t", "T", "true", "True", "TRUE"), ("0", "f", "F", "false", "False", "FALSE")
"""As ingress-nginx reads them."""
NO_TLS = spec(tls=None)
DEFAULTS = Settings()


def shaped(*changes):
    body = BODY
    for change in changes:
        body = changed(body, change)
    return shape_of(body)


def is_plain(*changes, sharing=(), settings=DEFAULTS):
    return openings.plain(shaped(*changes), sharing, settings) != ""


# --- plain HTTP


@pytest.mark.promise(3)
@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        pytest.param([NO_TLS], "add spec.tls", id="no TLS section"),
        pytest.param([spec(tls=[])], "add spec.tls", id="an empty TLS section"),
        pytest.param([NO_TLS, setting("ssl-redirect", "true")], "add spec.tls", id="a redirect, and no TLS section"),
        pytest.param([NO_TLS, setting("force-ssl-redirect", "yes")], "add spec.tls", id="a value that is not read"),
        *(
            pytest.param([setting("ssl-redirect", no)], f"remove the annotation {NGINX}ssl-redirect", id=f"no: {no}")
            for no in FALSE
        ),
        pytest.param([setting("server-alias", "a.example")], f"set the annotation {NGINX}force-ssl", id="an alias"),
    ],
)
def test_a_host_answers_over_plain_http_with(changes, fix):
    assert openings.plain(shaped(*changes), (), DEFAULTS).startswith(fix)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([], id="a TLS section"),
        pytest.param([spec(tls=[{"hosts": ["other.example"]}])], id="one with another host"),
        *(pytest.param([NO_TLS, setting("force-ssl-redirect", yes)], id=f"forced: {yes}") for yes in TRUE),
        pytest.param([setting("ssl-redirect", "0"), setting("force-ssl-redirect", "true")], id="forced all the same"),
        pytest.param(
            [setting("server-alias", "a.example"), setting("force-ssl-redirect", "true")], id="an alias, forced"
        ),
        pytest.param([setting("server-alias", "app.example")], id="an alias that is the host"),
    ],
)
def test_a_host_is_redirected_to_https_with(changes):
    assert not is_plain(*changes)


OTHER = {"metadata": {"namespace": "other", "name": "other"}, "spec": BODY["spec"]}


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        pytest.param(lambda _: None, False, id="has the host"),
        pytest.param(rules(lambda rule: [rule | {"host": "b.example"}]), True, id="has another host"),
        pytest.param(
            lambda body: [
                rules(lambda rule: [rule | {"host": "b.example"}])(body),
                setting("server-alias", "app.example")(body),
            ],
            True,
            id="has the host as an alias",
        ),
        pytest.param(spec(ingressClassName="traefik"), True, id="is another controller's"),
        pytest.param(spec(ingressClassName=None), True, id="has no class"),
        pytest.param(setting("server-snippet", "x"), True, id="may be passed over by the controller"),
        pytest.param(spec(tls=None), True, id="has none either"),
    ],
)
def test_the_tls_section_of_another_ingress_counts_if_it(change, plain):
    assert is_plain(NO_TLS, sharing=[shape_of(changed(OTHER, change))]) is plain


# --- the controller's ConfigMap


@pytest.mark.promise(3)
@pytest.mark.parametrize("no", [*FALSE, ""])
def test_the_controllers_configmap_switches_the_redirect_off(no):
    settings = settings_of({"ssl-redirect": no}, "ingress-nginx/ingress-nginx-controller")
    fix = openings.plain(shaped(), (), settings)
    assert 'set ssl-redirect to "true" in ConfigMap ingress-nginx/ingress-nginx-controller' in fix
    assert not is_plain(setting("ssl-redirect", "true"), settings=settings)
    assert not is_plain(setting("force-ssl-redirect", "true"), settings=settings)


@pytest.mark.parametrize("yes", TRUE)
def test_the_controllers_configmap_forces_the_redirect(yes):
    settings = settings_of({"force-ssl-redirect": yes, "ssl-redirect": "false"}, "")
    assert not is_plain(NO_TLS, settings=settings)
    assert is_plain(NO_TLS, setting("force-ssl-redirect", "false"), settings=settings)


@given_that(st.text(max_size=8).filter(lambda text: text not in (*TRUE, *FALSE, "")))
def test_a_value_that_the_controller_cannot_read_leaves_its_default(text):
    settings = settings_of({"ssl-redirect": text, "force-ssl-redirect": text}, "")
    assert (settings.redirects, settings.forced) == (True, False)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        pytest.param(None, (ACME,), id="nothing"),
        pytest.param("", (), id="an empty list"),
        pytest.param(" /a , /b,,", ("/a", "/b"), id="spaces and empty items"),
        pytest.param("/", ("/",), id="every path"),
    ],
)
def test_the_lists_of_paths_are_read(text, items):
    data = {} if text is None else {"no-auth-locations": text, "no-tls-redirect-locations": text}
    settings = settings_of(data, "")
    assert (settings.unasked, settings.unredirected) == (items, items)


def test_the_settings_that_are_kept_of_the_configmap_are_those_that_are_read():
    asked = set()

    class Data(dict):
        def get(self, name, default=None):
            asked.add(name)
            return default

    settings_of(Data(), "")
    assert asked == openings.READ


@given_that(st.dictionaries(st.sampled_from(["ssl-redirect", "no-auth-locations"]), st.text(max_size=50_000)))
def test_whatever_is_in_the_configmap_is_read_in_bounds(data):
    settings = settings_of(data, "")
    assert len(settings.unasked) <= openings.MOST_ITEMS
    assert all(len(item) <= openings.LONGEST_ITEM for item in settings.unasked)


# --- paths


@pytest.mark.promise(3)
@pytest.mark.parametrize("kind", ["Exact", "Prefix", "ImplementationSpecific"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ACME, True),
        (f"{ACME}/token", True),
        (f"{ACME}x", True),
        ("/", False),
        ("/.well-known", False),
        ("/app/.well-known/acme-challenge", False),
    ],
)
def test_a_path_is_passed_over(kind, text, found):
    shape = shaped(path(text, kind))
    assert (openings.unasked_path(shape, DEFAULTS) != "") is found
    assert (openings.plain_path(shape, DEFAULTS) != "") is found


def test_with_a_list_of_every_path_each_is_passed_over_and_with_an_empty_one_none():
    for items, found in ((("/",), "/"), ((), "")):
        settings = Settings(unasked=items, unredirected=items)
        assert openings.unasked_path(shaped(), settings) == found
        assert openings.plain_path(shaped(), settings) == found


# --- classes

CLASSES = {"nginx": "k8s.io/ingress-nginx", "inner": "example.com/inner", "traefik": "traefik.io/ingress-controller"}
FIX = "set spec.ingressClassName to an IngressClass of ingress-nginx"


def old_class(value):
    return lambda body: body["metadata"]["annotations"].update({"kubernetes.io/ingress.class": value})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param([], "", id="a class of ingress-nginx"),
        pytest.param(
            [spec(ingressClassName="traefik")], "IngressClass traefik is served by traefik.io/", id="Traefik's"
        ),
        pytest.param([spec(ingressClassName="inner")], "IngressClass inner is served by example.com/", id="another's"),
        pytest.param([spec(ingressClassName="ngnix")], "there is no IngressClass ngnix", id="nobody's"),
        pytest.param([spec(ingressClassName="NGINX")], "there is no IngressClass NGINX", id="with capitals"),
        pytest.param([spec(ingressClassName=None)], "it has no Ingress class", id="none"),
        pytest.param([spec(ingressClassName=None), old_class("nginx")], "", id="by the old annotation"),
        pytest.param(
            [spec(ingressClassName=None), old_class("traefik")], "IngressClass traefik", id="Traefik's, by it"
        ),
        pytest.param([spec(ingressClassName=None), old_class("x")], "there is no IngressClass x", id="nobody's, by it"),
        pytest.param([old_class("traefik")], "", id="the old annotation beside a class"),
        pytest.param(
            [spec(ingressClassName="x"), old_class("nginx")], "there is no", id="nobody's, and the old annotation"
        ),
    ],
)
def test_the_class_of_an_ingress_is(changes, why):
    found = openings.unserved(shaped(*changes), CLASSES)
    assert found.startswith(why) if why else found == ""
    assert found == "" or found.endswith(FIX)


def test_the_old_annotation_is_served_without_an_ingressclass_of_its_name():
    shape = shaped(spec(ingressClassName=None), old_class("nginx"))
    assert openings.unserved(shape, {}) == ""
    assert openings.unserved(shaped(), {}) != ""


def test_the_old_annotation_is_served_by_nobody_where_the_ingressclass_of_its_name_is_anothers():
    shape = shaped(spec(ingressClassName=None), old_class("nginx"))
    assert openings.unserved(shape, {"nginx": "nginx.org/ingress-controller"}).startswith(
        "IngressClass nginx is served"
    )


def test_other_names_of_ingress_nginx_are_known_by_a_flag():
    shape = shaped(spec(ingressClassName="inner"))
    assert openings.unserved(shape, CLASSES, ("example.com/inner",)) == ""
    assert openings.unserved(shaped(), CLASSES, ("example.com/inner",)) != ""


# --- who is served at a path


def placed(name, *changes, made_at="2026-09-01T12:00:00Z", admits="partners"):
    shape = shape_of(changed(BODY, lambda body: [change(body) for change in changes]))
    return openings.Placed(key=ObjectKey("edge", name), shape=shape, made_at=made_at, admits=admits)


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        pytest.param(placed("other", admits="staff"), True, id="as old, and of another issuer"),
        pytest.param(placed("other", admits="staff", made_at="2026-09-01T11:59:59Z"), True, id="older"),
        pytest.param(placed("other", admits="staff", made_at="2026-09-01T12:00:01Z"), False, id="younger"),
        pytest.param(placed("other"), False, id="deciding alike"),
        pytest.param(placed("other", path("/a"), admits="staff"), False, id="at another path"),
        pytest.param(placed("other", path("/", "Exact"), admits="staff"), False, id="at that very path only"),
        pytest.param(
            placed("other", rules(lambda rule: [rule | {"host": "b.example"}]), admits="staff"),
            False,
            id="at another host",
        ),
        pytest.param(
            placed("other", spec(ingressClassName="inner"), admits="staff"), False, id="of another controller"
        ),
    ],
)
def test_a_path_is_served_from_another_ingress_that_is(other, taken):
    mine = placed("mine")
    assert openings.taken(mine, [other]) == (("app.example/", other.key) if taken else None)
    assert openings.taken(mine, [placed("a"), other, placed("b")]) == openings.taken(mine, [other])


def test_of_several_paths_that_are_served_from_another_the_first_is_named():
    paths = [{"path": text, "pathType": "Prefix", "backend": SERVICE} for text in ("/b", "/a", "/c")]
    several = rules(lambda rule: [rule | {"http": {"paths": paths}}])
    found = openings.taken(placed("mine", several), [placed("other", several, admits="staff")])
    assert found == ("app.example/a", ObjectKey("edge", "other"))


# --- what is kept


@pytest.mark.parametrize("alias", ["SHOP.example", "a.example,Shop.Example ", f"{'x.example,' * 900}shop.example"])
def test_an_alias_is_a_host_as_nginx_compares_it(alias):
    assert "shop.example" in shaped(setting("server-alias", alias)).hosts


def test_all_services_are_known():
    other = {"service": {"name": "other", "port": {"number": 80}}}
    shape = shaped(
        rules(lambda rule: [rule, {"host": "b.example", "http": {"paths": [{"path": "/", "backend": other}]}}]),
        spec(defaultBackend={"service": {"name": "fallback"}}),
        setting("default-backend", "late"),
    )
    assert shape.services == ("app", "fallback", "late", "other")
