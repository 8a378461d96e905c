"""The client's Secret: what is written is read back; what is foreign, broken or changed by hand is seen as such."""

import time
import timeit
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from doorward.objects import client_secret
from doorward.objects.client_secret import Broken, ClientSecret, Contents, Foreign
from doorward.objects.meta import KEYSTORE_ANNOTATION, labels
from doorward.pki import keystores
from doorward.pki.certificates import Leaf
from doorward.pki.keys import PrivateKey, SecretBytes, private_key_pem
from doorward.pki.pem import certificate_pem
from tests.unit import given
from tests.unit.objects.given import NO_BASE64, NOISE, client, stored, with_data

PASSWORD = b"own password"
CA = certificate_pem(given.ca().certificate)


def keystore(leaf: Leaf, password: bytes, rounds: int, private_key: PrivateKey | None = None) -> SecretBytes:
    return keystores.build_pkcs12(
        profile=keystores.Profile.LEGACY_DES,
        key=private_key or given.key(),
        leaf=leaf.certificate,
        chain=(),
        friendly_name="alice",
        password=password,
        kdf_rounds=rounds,
    )


def contents(
    leaf: Leaf | None = None, *, theirs: bytes | None = None, private_key: PrivateKey | None = None
) -> Contents:
    """Alice's certificate with key and keystore; `theirs`: a password that she chose."""
    leaf, password = leaf or given.leaf(), theirs or PASSWORD
    rounds = keystores.USER_PASSWORD_ROUNDS if theirs else keystores.OWN_SEAL_ROUNDS
    made = keystore(leaf, password, 2048, private_key)
    return Contents(
        certificate=certificate_pem(leaf.certificate),
        ca=CA,
        key=private_key_pem(private_key or given.key()),
        keystore=made,
        own_password=None if theirs else SecretBytes(PASSWORD),
        profile="LegacyDES",
        seal=keystores.seal(
            made.reveal(), profile="LegacyDES", leaf_sha256=leaf.sha256, password=password, rounds=rounds
        ),
    )


def without_key() -> Contents:
    """What a client gets who sent a CSR."""
    pem = certificate_pem(given.leaf().certificate)
    return Contents(certificate=pem, ca=CA, key=None, keystore=None, own_password=None, profile=None, seal=None)


def rendered(what: Contents | None = None, **more: dict[str, str]) -> dict[str, Any]:
    extra = {"extra_labels": {}, "extra_annotations": {}} | more
    return stored(client_secret.render(client(), name="alice-mtls", contents=what or contents(), **extra))


def parse(body: dict[str, Any], password: bytes | None = None) -> ClientSecret | Broken | Foreign:
    return client_secret.parse(body, certificate="alice", password=password)


def seen(body: dict[str, Any], password: bytes | None = None) -> ClientSecret:
    """What is seen of a Secret that is ours and holds a certificate."""
    view = parse(body, password)
    assert isinstance(view, ClientSecret)
    return view


@pytest.mark.parametrize(
    ("reissue", "annotations"), [("may", {"doorward.io/reissue": "may"}), (None, {})], ids=["asked for", "not"]
)
def test_it_says_which_reissue_its_certificate_answers(reissue, annotations):
    written = rendered(replace(contents(), reissue=reissue))["metadata"]["annotations"]
    assert {k: v for k, v in written.items() if k.endswith("/reissue")} == annotations


def test_what_was_written_is_read_back() -> None:
    body = rendered()
    assert parse(body) == ClientSecret(
        leaf=given.leaf(),
        ca=CA,
        has_key=True,
        any_key=True,
        keystore_profile="LegacyDES",
        own_password=True,
        owners=frozenset({client()["metadata"]["uid"]}),
        labels=labels("client"),
        annotations=body["metadata"]["annotations"],
        version="7",
    )


def test_with_a_password_of_the_persons_own_none_is_written() -> None:
    body = rendered(contents(theirs=b"hers alone"))
    assert "keystore.password" not in body["data"]
    view = seen(body, b"hers alone")
    assert (view.keystore_profile, view.own_password) == ("LegacyDES", False)


def test_for_a_csr_there_is_neither_key_nor_keystore() -> None:
    body = rendered(without_key())
    assert (body["type"], sorted(body["data"])) == ("Opaque", ["ca.crt", "tls.crt"])
    view = seen(body)
    assert (view.has_key, view.any_key, view.keystore_profile) == (False, False, None)


def test_with_a_key_it_is_a_tls_secret() -> None:
    assert rendered()["type"] == "kubernetes.io/tls"


def test_it_belongs_to_its_client_certificate() -> None:
    (owner,) = rendered()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ClientCertificate", "alice", given.UID)


OTHER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "9", "controller": True}
BEFORE = {
    "apiVersion": "doorward.io/v1alpha1",
    "kind": "ClientCertificate",
    "name": "alice",
    "uid": "8",
    "controller": True,
}


@pytest.mark.parametrize(
    ("found", "kept", "controller"),
    [
        pytest.param(None, [], True, id="had none"),
        pytest.param([BEFORE], [], True, id="had one of another cluster"),
        pytest.param([OTHER, BEFORE], [OTHER], False, id="has another controller"),
        pytest.param([OTHER | {"controller": False}], [OTHER | {"controller": False}], True, id="has another owner"),
    ],
)
def test_it_is_given_to_its_client_certificate_where_it(found, kept, controller) -> None:
    body = {"metadata": {"ownerReferences": found}}
    *others, ours = client_secret.owners_with(body, client())
    assert others == kept
    assert (ours["uid"], ours["controller"]) == (given.UID, controller)


@pytest.mark.parametrize("data", [{}, {"tls.crt": "anVuaw=="}], ids=["whole", "broken"])
@pytest.mark.parametrize("immutable", [True, False])
def test_it_is_seen_whether_it_can_be_written(data, immutable) -> None:
    body = rendered()
    view = parse(body | {"immutable": immutable, "data": body["data"] | data})
    assert not isinstance(view, Foreign)
    assert view.immutable is immutable


def test_labels_and_annotations_of_the_template_are_written() -> None:
    metadata = rendered(extra_labels={"team": "edge"}, extra_annotations={"note": "x"})["metadata"]
    assert (metadata["labels"]["team"], metadata["annotations"]["note"]) == ("edge", "x")


def test_labels_of_the_template_do_not_replace_ours() -> None:
    body = rendered(extra_labels={"app.kubernetes.io/managed-by": "Helm"})
    assert isinstance(parse(body), ClientSecret)


# Foreign


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", {}),
        ("labels", None),
        ("labels", labels("gate")),
        ("annotations", {"doorward.io/client-certificate": "bob"}),
        ("annotations", None),
    ],
    ids=["no labels of ours", "no labels", "a gate's", "another client's", "nobody's"],
)
def test_a_secret_that_is_not_this_clients_is_foreign(field: str, value: dict[str, str] | None) -> None:
    body = rendered()
    body["metadata"][field] = value
    assert parse(body) == Foreign()


# Broken


@pytest.mark.parametrize("value", NOISE.values(), ids=NOISE)
def test_a_certificate_that_cannot_be_read_breaks_the_secret(value: bytes) -> None:
    assert isinstance(parse(with_data(rendered(), tls_crt=value)), Broken)


@pytest.mark.parametrize("value", NO_BASE64.values(), ids=NO_BASE64)
def test_what_is_no_base64_breaks_the_secret_and_is_not_quoted(value: str) -> None:
    assert parse(with_data(rendered(), tls_key=value)) == Broken(why="a value that is no base64", version="7")


def test_a_secret_without_data_is_broken() -> None:
    body = rendered()
    del body["data"]
    assert isinstance(parse(body), Broken)


# Changed by hand


@pytest.mark.parametrize(
    "value",
    [*NOISE.values(), private_key_pem(given.key(9)).reveal()],
    ids=[*NOISE, "another key"],
)
def test_a_key_that_does_not_fit_is_seen(value: bytes) -> None:
    view = seen(with_data(rendered(), tls_key=value))
    assert (view.has_key, view.any_key) == (False, bool(value))


@pytest.mark.parametrize("value", NOISE.values(), ids=NOISE)
def test_a_keystore_that_was_changed_is_seen(value: bytes) -> None:
    assert seen(with_data(rendered(), keystore_p12=value)).keystore_profile is None


@pytest.mark.parametrize("value", NOISE.values(), ids=NOISE)
def test_a_password_that_was_changed_is_seen(value: bytes) -> None:
    view = seen(with_data(rendered(), keystore_password=value))
    assert (view.keystore_profile, view.own_password) == (None, bool(value))


def test_a_keystore_with_another_leaf_is_seen() -> None:
    other = rendered(contents(given.leaf(0xB2)))
    body = with_data(rendered(), keystore_p12=other["data"]["keystore.p12"])
    assert seen(body).keystore_profile is None


@pytest.mark.parametrize("mark", ["", "LegacyDES", "LegacyDES:", "LegacyDES:00", "Modern2023:{seal}", ":{seal}"])
def test_a_mark_that_was_changed_is_seen(mark: str) -> None:
    body = rendered()
    annotations = body["metadata"]["annotations"]
    annotations[KEYSTORE_ANNOTATION] = mark.format(seal=annotations[KEYSTORE_ANNOTATION].partition(":")[2])
    assert seen(body).keystore_profile is None


def test_another_password_of_the_persons_own_is_seen() -> None:
    body = rendered(contents(theirs=b"hers alone"))
    assert seen(body, b"changed since").keystore_profile is None


def test_a_planted_keystore_of_many_rounds_costs_no_time() -> None:
    planted = keystore(given.leaf(), PASSWORD, 100_000).reveal()
    body = with_data(rendered(), keystore_p12=planted)
    begun = time.process_time()
    assert seen(body).keystore_profile is None
    assert time.process_time() - begun < 0.1


def with_key_of(algorithm: str, size: int) -> dict[str, Any]:
    """Alice's Secret with a key of that kind."""
    private_key = given.key(2, algorithm, size)
    return rendered(contents(given.leaf(private_key=private_key), private_key=private_key))


@pytest.mark.parametrize(
    ("algorithm", "size"), [("ECDSA", 256), ("RSA", 2048), ("RSA", 4096)], ids=["P-256", "RSA 2048", "RSA 4096"]
)
def test_a_secret_is_parsed_in_two_milliseconds_whatever_its_key(algorithm: str, size: int) -> None:
    """At a start there are thousands; the validation of an RSA key alone took 36 to 253 ms of the event loop (measured)."""
    body = with_key_of(algorithm, size)
    assert seen(body).has_key
    taken = min(timeit.repeat(lambda: parse(body), timer=time.thread_time, number=10, repeat=5)) * 100
    print(f"parsing a client's Secret with a key of {algorithm} {size}: {taken:.2f} ms")
    assert taken < 2


@pytest.mark.promise(5)
@pytest.mark.parametrize("shown", [repr, str], ids=["repr", "str"])
def test_neither_key_nor_password_is_in_the_repr(shown: Callable[[object], str]) -> None:
    for value in (contents(), seen(rendered())):
        assert "PRIVATE KEY" not in shown(value)
        assert PASSWORD.decode() not in shown(value)
