"""The signing of client certificates and what goes with them into a Secret, off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from doorward.objects.client_secret import Contents
from doorward.pki import keystores
from doorward.pki.certificates import (
    CertificateAuthority,
    Leaf,
    LeafTemplate,
    build_leaf,
    chain_pem,
    describe,
)
from doorward.pki.key_source import KeySource
from doorward.pki.keys import PrivateKey, SecretBytes, load_private_key, private_key_pem
from doorward.pki.pem import certificate_pem
from doorward.planning.plan import Issue, SecretForm

_SIGNERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="signing")
"""Threads of its own: a storm of RSA keys must not stand before a CRL. Few: PKCS#12 holds the interpreter's lock, and more
would only wait for it before the event loop does."""
T = TypeVar("T")


async def _off_the_loop(make: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_SIGNERS, make)


def _contents(
    source: KeySource,
    form: SecretForm,
    *,
    leaf: Leaf,
    key: PrivateKey | None,
    signer: CertificateAuthority,
    ca_pem: bytes,
    password: SecretBytes | None,
    reissue: str | None,
) -> Contents:
    """The Secret around a leaf; `password` is the referenced one, None: make one. No key: no keystore."""
    chain = certificate_pem(leaf.certificate) + chain_pem(signer.intermediates)
    if key is None:
        return Contents(
            certificate=chain,
            ca=ca_pem,
            key=None,
            keystore=None,
            own_password=None,
            profile=None,
            seal=None,
            reissue=reissue,
        )
    profile = keystores.Profile(form.keystore_profile)
    own = source.password() if password is None else None
    opens_with = (own or password or SecretBytes(b"")).reveal()
    rounds = keystores.OWN_PASSWORD_ROUNDS if own else keystores.USER_PASSWORD_ROUNDS
    keystore = keystores.build_pkcs12(
        profile=profile,
        key=key,
        leaf=leaf.certificate,
        chain=signer.intermediates,
        friendly_name=form.friendly_name,
        password=opens_with,
        kdf_rounds=rounds,
    )
    return Contents(
        certificate=chain,
        ca=ca_pem,
        key=private_key_pem(key),
        keystore=keystore,
        own_password=own,
        profile=profile.value,
        seal=keystores.seal(
            keystore.reveal(),
            profile=profile.value,
            leaf_sha256=leaf.sha256,
            password=opens_with,
            rounds=keystores.OWN_SEAL_ROUNDS if own else keystores.USER_PASSWORD_ROUNDS,
        ),
        reissue=reissue,
    )


async def sign(
    source: KeySource,
    wanted: Issue,
    *,
    kept_key: SecretBytes | None,
    signer: CertificateAuthority,
    ca_pem: bytes,
    password: SecretBytes | None,
) -> tuple[Leaf, Contents]:
    """A new leaf, and what its Secret is to hold. The key: the request's, the kept one (PEM), or a new one."""

    def make() -> tuple[Leaf, Contents]:
        key: PrivateKey | None = None
        if wanted.request is not None:
            public_key = wanted.request.public_key
        else:
            key = load_private_key(kept_key.reveal()) if kept_key is not None else source.key(wanted.kind)
            public_key = key.public_key()
        template = LeafTemplate(
            subject=wanted.subject,
            alt_names=wanted.alt_names,
            public_key=public_key,
            serial=source.serial(),
            not_before=wanted.not_before,
            not_after=wanted.not_after,
        )
        leaf = describe(build_leaf(template, signer))
        contents = _contents(
            source,
            wanted.form,
            leaf=leaf,
            key=key,
            signer=signer,
            ca_pem=ca_pem,
            password=password,
            reissue=wanted.reissue,
        )
        return leaf, contents

    return await _off_the_loop(make)


async def wrap_again(
    source: KeySource,
    form: SecretForm,
    *,
    leaf: Leaf,
    key: SecretBytes | None,
    signer: CertificateAuthority,
    ca_pem: bytes,
    password: SecretBytes | None,
    reissue: str | None,
) -> Contents:
    """The Secret anew around the leaf and key (PEM) that it held; `key` None: a certificate from a CSR."""

    def make() -> Contents:
        loaded = load_private_key(key.reveal()) if key is not None else None
        return _contents(
            source, form, leaf=leaf, key=loaded, signer=signer, ca_pem=ca_pem, password=password, reissue=reissue
        )

    return await _off_the_loop(make)
