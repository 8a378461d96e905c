"""The parts of a ClientCertificate's spec that say who signs it, which key it has, and what its Secret looks like."""

from typing import Annotated, Literal

from pydantic import Field

from doorward.api.fields import AnnotationValue, KeyName, Label, LabelValue, Model, ObjectName, rule, validations


class IssuerReference(Model):
    """The MTLSIssuer that signs."""

    name: Annotated[Label, Field(description="Name of the MTLSIssuer, such as `partners`. At most 63 characters.")]
    namespace: Annotated[
        Label | None,
        Field(
            description="Namespace of the MTLSIssuer. Its `issuance.allowedNamespaces` must allow the namespace of the"
            " ClientCertificate. At most 63 characters. Defaults to the namespace of the ClientCertificate."
        ),
    ] = None


class ClientPrivateKey(Model):
    """The client's key, where Doorward makes it."""

    algorithm: Annotated[
        Literal["ECDSA", "RSA", "Ed25519"],
        Field(
            description="Algorithm of the key: ECDSA, RSA or Ed25519. The issuer's `certificates.allowedKeys` must contain it. A change issues a"
            " new certificate. Defaults to ECDSA."
        ),
    ] = "ECDSA"
    size: Annotated[
        Literal[256, 384, 2048, 3072, 4096] | None,
        Field(
            description="Size of the key in bits: 256 or 384 for ECDSA; 2048, 3072 or 4096 for RSA; not allowed for Ed25519. A"
            " change issues a new certificate. Defaults to 256 for ECDSA and 2048 for RSA."
        ),
    ] = None
    rotation_policy: Annotated[
        Literal["Always", "Never"],
        Field(
            description="`Always`: each certificate gets a new key. `Never`: a renewal keeps the key, unless the certificate was"
            " revoked, or its key was revoked as `keyCompromise`. Defaults to Always."
        ),
    ] = "Always"

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.size) || (self.algorithm == 'ECDSA' && self.size < 1000)"
                " || (self.algorithm == 'RSA' && self.size > 1000)",
                "choose a size that fits the algorithm: 256 or 384 for ECDSA; 2048, 3072 or 4096 for RSA; none for Ed25519",
            )
        )
    }


class SecretTemplate(Model):
    """What the client's Secret carries besides."""

    labels: Annotated[
        dict[Annotated[str, Field(max_length=317)], LabelValue],
        Field(
            default_factory=dict,
            max_length=32,
            description="Labels that the operator puts on the Secret, such as `team: payments`. Keys that begin with `doorward.io/`"
            " and the key `app.kubernetes.io/managed-by` are not allowed. At most 32.",
        ),
    ]
    annotations: Annotated[
        dict[Annotated[str, Field(max_length=317)], AnnotationValue],
        Field(
            default_factory=dict,
            max_length=32,
            description="Annotations that the operator puts on the Secret, such as those of a tool that copies Secrets. Keys that"
            " begin with `doorward.io/` are not allowed. At most 32, with values of up to 1024 characters.",
        ),
    ]

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.labels) || self.labels.all(k, !k.startsWith('doorward.io/') && k != 'app.kubernetes.io/managed-by')",
                "leave out doorward.io/ labels and app.kubernetes.io/managed-by: they mark what is the operator's own",
            ),
            rule(
                "!has(self.annotations) || self.annotations.all(k, !k.startsWith('doorward.io/'))",
                "leave out doorward.io/ annotations: they are the operator's own",
            ),
        )
    }


class KeyReference(Model):
    """One key of a Secret in the ClientCertificate's namespace."""

    name: Annotated[
        ObjectName,
        Field(description="Name of the Secret, in the namespace of the ClientCertificate. At most 253 characters."),
    ]
    key: Annotated[
        KeyName,
        Field(
            description="Key in the Secret under which the password is stored. At most 253 characters. Defaults to password."
        ),
    ] = "password"


class Pkcs12(Model):
    """The file for browsers and phones."""

    profile: Annotated[
        Literal["Modern2023", "LegacyDES"],
        Field(
            description="Encryption of the file. `Modern2023`: AES-256 and SHA-256. `LegacyDES`: 3DES and SHA-1, for older Windows,"
            " macOS, iOS, Android and Java. A change writes the file again around the same key and certificate. Defaults to"
            " Modern2023."
        ),
    ] = "Modern2023"
    password_secret_ref: Annotated[
        KeyReference | None,
        Field(
            description="Secret in the same namespace with the password, 8 to 256 bytes of UTF-8 without control characters. A"
            " line break at its end is not part of the password. The Secret must carry the label"
            ' `doorward.io/keystore-password: "true"`. If not set, the operator generates a password and stores it in the result'
            " Secret as `keystore.password`."
        ),
    ] = None


class Keystores(Model):
    """Further forms of the key and certificate."""

    pkcs12: Annotated[
        Pkcs12,
        Field(
            default_factory=Pkcs12,
            description="The file `keystore.p12` in the result Secret: key and certificate in PKCS #12 format (RFC 7292), for"
            " browsers, phones and Java. It is always written, unless `request` is set.",
        ),
    ]
