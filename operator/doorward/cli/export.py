"""`doorward export NAME`: a client's certificate and key as a file, and how to import it."""

import shlex
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from doorward.cli import secret_files
from doorward.cli.acting import Name
from doorward.cli.errors import UserError
from doorward.cli.options import Context, Kubeconfig, Namespace
from doorward.cli.printed import note
from doorward.cli.reading import Reader, Where
from doorward.cli.text import one_line
from doorward.cluster.errors import NotFound
from doorward.cluster.gateway import CLIENT_CERTIFICATE, SECRET
from doorward.objects import exported
from doorward.objects.exported import Form, NotExportable

PASSWORD = (
    "Its password: kubectl -n {namespace} get secret {secret} -o jsonpath='{{.data.keystore\\.password}}' | base64 -d"  # noqa: S105
)
OWN_PASSWORD = "Its password is the one that spec.keystores.pkcs12.passwordSecretRef names."  # noqa: S105
HOW: Mapping[Form, tuple[tuple[str, str], ...]] = {
    Form.P12: (
        ("Firefox", "Settings, Privacy & Security, View Certificates, Your Certificates, Import: {file}"),
        ("Chromium on Linux", 'pk12util -d "sql:$HOME/.pki/nssdb" -i {file}'),
        ("Windows", "certutil -user -importPFX {file}"),
        ("macOS", "open {file}, and add it to the login keychain"),
        ("Android", "Settings, Security, Install a certificate, VPN & app user certificate: {file}"),
        ("iPhone, iPad", "export it with --mobileconfig"),
    ),
    Form.PEM: (("curl", "curl --cert {file} https://HOST/"),),
    Form.MOBILECONFIG: (
        ("iPhone, iPad", "send {file} to the device, open it, then Settings, Profile Downloaded, Install"),
        ("macOS", "open {file}, then System Settings, Profiles, Install"),
    ),
}


async def export(reader: Reader, name: str, form: Form, output: str | None, *, force: bool) -> int:
    """Write the file; UserError where there is none to write."""
    at = reader.named(name)
    try:
        body = await reader.gateway.get(CLIENT_CERTIFICATE, at.namespace, at.name)
    except NotFound:
        raise UserError(
            f"there is no ClientCertificate {at}", "`doorward find NAME` looks for its certificates"
        ) from None
    spec = body["spec"]
    named = str(spec.get("secretName") or f"{at.name}-mtls")
    try:
        secret = await reader.gateway.get(SECRET, at.namespace, named)
        content = exported.export(secret, client=at, uid=str(body["metadata"]["uid"]), form=form)
    except NotFound:
        raise UserError(f"there is no Secret {at.namespace}/{named}", f"`doorward client {at}` says why") from None
    except NotExportable as error:
        raise UserError(f"Secret {at.namespace}/{named}: {error}", f"see `doorward client {at}`") from None
    path = output or f"{at.name}.{form}"
    secret_files.write(path, content, force=force)
    for field in ("revoked", "suspended"):
        if spec.get(field):
            note(f"ClientCertificate {at} has spec.{field}: true, so no gate admits this certificate")
    if path != secret_files.TERMINAL:
        _explain(path, form, at.namespace, named, own_password="keystore.password" in secret["data"])
    return 0


def _explain(path: str, form: Form, namespace: str, secret: str, *, own_password: bool) -> None:
    file = shlex.quote(path)
    print(f"wrote {one_line(file)}, which holds the private key: hand it to nobody but the client")
    if form is not Form.PEM:
        print(PASSWORD.format(namespace=namespace, secret=secret) if own_password else OWN_PASSWORD)
    for system, how in HOW[form]:
        sys.stdout.write(f"  {system}: {one_line(how.format(file=file))}\n")


def command(
    name: Name,
    *,
    pem: Annotated[bool, typer.Option("--pem", help="Key and certificates as PEM, without a password.")] = False,
    mobileconfig: Annotated[
        bool, typer.Option("--mobileconfig", help="A configuration profile for iOS and macOS.")
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file; - for standard output. Defaults to NAME.p12 or the like."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Write a client's certificate and key to a file (PKCS#12, mode 0600), and say how to import it."""
    if pem and mobileconfig:
        raise UserError("say either --pem or --mobileconfig", status=2)
    form = Form.PEM if pem else Form.MOBILECONFIG if mobileconfig else Form.P12
    where = Where(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return where.read(lambda reader: export(reader, name, form, output, force=force))
