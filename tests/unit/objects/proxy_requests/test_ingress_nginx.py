"""What ingress-nginx asks is read; nothing else is."""

import re

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from doorward.gates.ingress_nginx.known import VALUES
from doorward.objects.meta import ObjectKey
from doorward.objects.proxy_requests import ingress_nginx
from doorward.objects.proxy_requests.ingress_nginx import LONGEST, parse, url
from doorward.objects.proxy_requests.question import Gate, Presented, Question

from .mutations import MILLION, mutated

BASE = "http://doorward-gate.doorward-system.svc.cluster.local"
PATH = "/ingress-nginx/shop/issuers/partners"
GATE = Gate("shop", ObjectKey("issuers", "partners"))
SHA1 = "0123456789abcdef0123456789abcdef01234567"

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


def filled(
    namespace: str, issuer: ObjectKey, verify: str, serial: str, fingerprint: str, ingress: str = "till"
) -> tuple[str, str]:
    """The annotation with nginx's variables filled in, as path and query."""
    said = url(BASE, namespace, issuer).removeprefix(BASE)
    for name, value in (("verify", verify), ("serial", serial), ("fingerprint", fingerprint)):
        said = said.replace(f"$ssl_client_{name}", value)
    said = said.replace("$ingress_name", ingress)
    path, _, query = said.partition("?")
    return path, query


def hex_of(serial: int) -> str:
    """As nginx writes a serial number: whole octets, upper case."""
    digits = f"{serial:X}"
    return digits.rjust(len(digits) + len(digits) % 2, "0")


def asked(verify: str = "SUCCESS", serial: str = "0A1B", fingerprint: str = SHA1) -> Question | None:
    return parse(*filled(*GATE, verify, serial, fingerprint))


def test_a_verified_certificate_is_named_by_the_digest_of_all_of_it():
    assert asked() == Question(GATE, Presented(bytes.fromhex(SHA1), 0xA1B), "till")


def test_an_ingress_from_before_access_lists_does_not_say_its_name():
    path, query = filled(*GATE, "SUCCESS", "0A1B", SHA1)
    earlier = query.removesuffix("&ingress=till")
    assert parse(path, earlier) == Question(GATE, Presented(bytes.fromhex(SHA1), 0xA1B), "")


@for_any(
    namespace=names,
    issuer=st.builds(ObjectKey, names, names),
    serial=st.integers(1, 2**160 - 1),
    digest=st.binary(min_size=20, max_size=20),
    ingress=st.from_regex(
        r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?){0,2}", fullmatch=True
    ),
)
def test_whatever_is_rendered_is_read_back(namespace, issuer, serial, digest, ingress):
    found = parse(*filled(namespace, issuer, "SUCCESS", hex_of(serial), digest.hex(), ingress))
    assert found == Question(Gate(namespace, issuer), Presented(digest, serial), ingress)


@pytest.mark.parametrize(
    ("verify", "serial", "fingerprint"),
    [
        pytest.param("", "", "", id="plain HTTP"),
        pytest.param("NONE", "", "", id="no certificate, where it is optional"),
        pytest.param("FAILED:certificate_revoked", "0A", SHA1, id="a certificate that failed"),
        pytest.param("FAILED:", "0A", SHA1, id="a certificate that failed for no reason"),
    ],
)
def test_what_nginx_did_not_verify_is_no_certificate(verify, serial, fingerprint):
    assert asked(verify, serial, fingerprint) == Question(GATE, None, "till")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        pytest.param(PATH, "", id="no query"),
        pytest.param(
            PATH, ingress_nginx.QUERY, id="variables that nobody filled in: Traefik reads the same annotation"
        ),
        pytest.param(PATH, f"verify=SUCCESS&serial=&fingerprint={SHA1}", id="no serial number"),
        pytest.param(PATH, "verify=SUCCESS&serial=0A&fingerprint=", id="no fingerprint"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0a&fingerprint={SHA1}", id="a serial number in lower case"),
        pytest.param(PATH, f"verify=SUCCESS&serial=A&fingerprint={SHA1}", id="half an octet"),
        pytest.param(PATH, f"verify=SUCCESS&serial=-0A&fingerprint={SHA1}", id="a negative serial number"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1.upper()}", id="a fingerprint in upper case"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}{SHA1}", id="two fingerprints in one"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}&fingerprint={SHA1}", id="two fingerprints"),
        pytest.param(PATH, f"verify=NONE&verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="two answers"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}\n", id="a line more"),
        pytest.param(PATH, f"verify=success&serial=0A&fingerprint={SHA1}", id="another case"),
        pytest.param(PATH, f"fingerprint={SHA1}&serial=0A&verify=SUCCESS", id="another order"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}#", id="a fragment"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}&ingress=", id="no Ingress"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}&ingress=a&ingress=b", id="two Ingresses"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}&ingress=A", id="an Ingress in upper case"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}&ingress=a/b", id="a namespace more"),
        pytest.param(PATH, f"verify=SUCCESS&serial=0A&fingerprint={SHA1}&ingress={'a' * 254}", id="a long Ingress"),
        pytest.param(PATH + "/", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="a slash more"),
        pytest.param("/ingress-nginx/shop/partners", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="no namespace"),
        pytest.param("//ingress-nginx/a/b/c", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="another root"),
        pytest.param("/ingress-nginx/a/b/../c/d", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="a way up"),
        pytest.param("/ingress-nginx/a/%62/c", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="an escape"),
        pytest.param(
            "/ingress-nginx/a/b/C", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="an issuer in upper case"
        ),
        pytest.param(
            f"/ingress-nginx/a/b/{'c' * 64}", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="a long name"
        ),
        pytest.param(
            "/envoy/shop/issuers/partners", f"verify=SUCCESS&serial=0A&fingerprint={SHA1}", id="another proxy"
        ),
        pytest.param("/", "", id="nothing"),
        pytest.param("/ingress-nginx/" + "a" * 100_000, "b" * 100_000, id="much too long"),
    ],
)
def test_what_nginx_does_not_send_is_not_read(path, query):
    assert parse(path, query) is None


def test_the_longest_question_of_nginx_is_read():
    long = "x" * 63
    path, query = filled(long, ObjectKey(long, long), "SUCCESS", "F" * 40, SHA1, "i" * 253)
    assert parse(path, query) is not None
    assert len(path) + 1 + len(query) <= LONGEST


@for_any(namespace=names, issuer=st.builds(ObjectKey, names, names))
def test_ingress_nginx_accepts_the_annotation(namespace, issuer):
    assert re.fullmatch(VALUES["url"], url(BASE, namespace, issuer))


def test_of_a_million_texts_none_is_read_that_nginx_did_not_write():
    seeds = [
        "?".join(filled(*GATE, *said))
        for said in (("SUCCESS", "0A1B", SHA1), ("NONE", "", ""), ("", "", ""), ("FAILED:x", "0A", SHA1))
    ]
    seeds += [seed.removesuffix("&ingress=till") for seed in seeds]
    words = [
        "&ingress=",
        "till",
        "verify=",
        "serial=",
        "fingerprint=",
        "SUCCESS",
        "NONE",
        "FAILED:",
        "&",
        "?",
        "/",
        "0A",
        SHA1,
        "shop",
        "",
    ]
    read = verified = 0
    for text in mutated(seeds, words, MILLION):
        path, _, query = text.partition("?")
        if (found := parse(path, query)) is None:
            continue
        read += 1
        if found.certificate is None:
            assert "verify=SUCCESS" not in text
            continue
        verified += 1
        digest, serial = found.certificate
        assert serial is not None
        # nginx shows the zeros that a serial number in a certificate begins with; nothing else has two spellings.
        shown = re.sub("serial=(?:00)*(?=(?:[0-9A-F]{2})+&)", "serial=", query)
        assert found.ingress is not None
        wanted, all_said = filled(*found.gate, "SUCCESS", hex_of(serial), digest.hex(), found.ingress)
        assert (path, shown) == (wanted, all_said if found.ingress else all_said.removesuffix("&ingress="))
    assert read > 1_000
    assert verified > 1_000
