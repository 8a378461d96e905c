"""The part of an MTLSIssuer's spec that says which CA it has."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from doorward.api.fields import (
    Duration,
    Model,
    ObjectName,
    Subject,
    rule,
    validations,
    when_parsed,
)
from doorward.api.limits import (
    BETWEEN_CAS,
    LONGEST_CA_LIFETIME,
    SHORTEST_CA_LIFETIME,
)


class CaPrivateKey(Model):
    """The CA's key."""

    algorithm: Annotated[
        Literal["ECDSA", "RSA"],
        Field(
            description="Algorithm of the CA's key: ECDSA or RSA. A change creates a new CA generation. Defaults to ECDSA."
        ),
    ] = "ECDSA"
    size: Annotated[
        Literal[256, 384, 2048, 3072, 4096] | None,
        Field(
            description="Size of the CA's key in bits: 256 or 384 for ECDSA; 2048, 3072 or 4096 for RSA. A change creates a new CA"
            " generation. Defaults to 256 for ECDSA and 3072 for RSA."
        ),
    ] = None

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.size) || (self.algorithm == 'ECDSA') == (self.size < 1000)",
                "choose a size that fits the algorithm: 256 or 384 for ECDSA; 2048, 3072 or 4096 for RSA",
            )
        )
    }


class GeneratedCa(Model):
    """A CA of Doorward's own making."""

    common_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Common name (CN) of the CA certificate, such as `Partners CA`, at most 64 bytes in UTF-8. A change creates a"
            " new CA generation: every client gets a new certificate, and the old ones stay valid until they expire.",
        ),
    ]
    subject: Annotated[
        Subject,
        Field(
            default_factory=Subject,
            description="Further attributes of the CA's subject. A change creates a new CA generation.",
        ),
    ]
    duration: Annotated[
        Duration,
        Field(
            description="Lifetime of the CA certificate, such as 17520h. At least 48h and at most 262800h (30 years). A change"
            " applies to the next CA generation. Defaults to 8760h."
        ),
    ] = "8760h"
    renew_before: Annotated[
        Duration,
        Field(
            description=(
                "How long before the expiry of the CA its successor is created and every client gets a new certificate. At"
                " least 24h shorter than `duration`. A value that is as long as `duration` or longer is ignored: then the"
                " successor is created after two thirds of the lifetime, or after half of it below 240h. Defaults to 2160h."
            )
        ),
    ] = "2160h"
    rotate: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Change this value to create a new CA generation now, for example to the current date. Every client gets a"
            " new certificate; the old ones stay valid until they expire. Removing it has no effect. At most 64 characters. If not"
            " set, no new CA generation is forced.",
        ),
    ] = None
    private_key: Annotated[
        CaPrivateKey,
        Field(
            default_factory=CaPrivateKey,
            description="Key of the CA, which the operator generates. It is stored in the CA Secret and nowhere else.",
        ),
    ]

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            when_parsed(
                "duration",
                then=f"(duration(self.duration) >= duration('{SHORTEST_CA_LIFETIME}')"
                f" && duration(self.duration) <= duration('{LONGEST_CA_LIFETIME}'))",
                message=f"choose a CA duration between {SHORTEST_CA_LIFETIME} and {LONGEST_CA_LIFETIME} (30 years)",
            ),
            when_parsed(
                *("duration", "renewBefore"),
                then="duration(self.renewBefore) >= duration(self.duration)"
                f" || duration(self.renewBefore) + duration('{BETWEEN_CAS}') <= duration(self.duration)",
                message=f"set ca.generate.renewBefore to at least {BETWEEN_CAS} less than ca.generate.duration: each new CA"
                " gives every client a new certificate",
            ),
        )
    }


class SecretReference(Model):
    """A Secret in the issuer's own namespace."""

    name: Annotated[
        ObjectName,
        Field(
            description="Name of the Secret, at most 253 characters. It holds `tls.crt` and `tls.key`, or `ca.crt` and `ca.key`, in"
            " PEM format. With `tls.crt`, certificates above the CA may be in `ca.crt`."
        ),
    ]


class CaSource(Model):
    """Where the CA comes from: exactly one of the two."""

    generate: Annotated[
        GeneratedCa | None,
        Field(
            description="CA that the operator creates and renews. Each CA generation is stored in the Secret"
            " `<issuer>-ca-<number>` in the issuer's namespace. If not set, the CA comes from `secretRef`."
        ),
    ] = None
    secret_ref: Annotated[
        SecretReference | None,
        Field(
            description=(
                "Your own CA from a Secret in the issuer's namespace, self-signed or not. Its key is RSA of 2048 bits or more, ECDSA"
                " on P-256, P-384 or P-521, or Ed25519. The operator uses the certificate that fits the private key, and the"
                " certificates above it, in any order. A CA with another key, another subject or another subject key identifier is a"
                " new CA generation: all clients get new certificates. The old ones stay valid; after a change of the key only until one"
                " of them is revoked, or the last CRL expires. If not set, the CA comes from `generate`."
            )
        ),
    ] = None
    distrust: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...],
        Field(
            max_length=64,
            description=(
                "Numbers of CA generations whose key is stolen, as in `status.ca.generation`, such as `[1]`. Every gate stops"
                " trusting them at once, and all other generations with the same keys. Their clients get new certificates. Removing"
                " a number makes the gates trust that generation again. At most 64 numbers."
            ),
        ),
    ] = ()

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule("has(self.generate) != has(self.secretRef)", "name exactly one of ca.generate and ca.secretRef")
        )
    }

    @model_validator(mode="after")
    def exactly_one(self) -> Self:
        if (self.generate is None) == (self.secret_ref is None):
            msg = "name exactly one of ca.generate and ca.secretRef"
            raise ValueError(msg)
        return self
