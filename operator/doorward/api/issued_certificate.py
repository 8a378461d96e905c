"""The third kind, the record of one serial number: all of its spec but the revocation is the operator's."""

from typing import Annotated, Literal

from pydantic import Field

from doorward.api.fields import Label, Model, ObjectName, SpecInstant, rule, validations

RevocationReason = Literal[
    "unspecified",
    "keyCompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
]
RecordReason = Literal[RevocationReason, "certificateHold"]
HoldSource = Literal["Deletion", "Suspension"]


class Fingerprints(Model):
    """Digests of the whole certificate, lower-case hex."""

    sha256: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{64}$",
            max_length=64,
            description="SHA-256 of the certificate in DER, 64 lower-case hex digits. `openssl x509 -fingerprint -sha256` prints the"
            " same in upper case with colons.",
        ),
    ]
    sha1: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{40}$",
            max_length=40,
            description="SHA-1 of the certificate in DER, 40 lower-case hex digits, as in nginx's variable `$ssl_client_fingerprint`.",
        ),
    ]


class Holder(Model):
    """The ClientCertificate that the serial was signed for."""

    namespace: Annotated[Label, Field(description="Namespace of the ClientCertificate, at most 63 characters.")]
    name: Annotated[ObjectName, Field(description="Name of the ClientCertificate, at most 253 characters.")]
    uid: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="UID (`metadata.uid`) of the ClientCertificate, at most 64 characters. A ClientCertificate that is created"
            " again under the same name has another one.",
        ),
    ]


class Revocation(Model):
    """Since when, and why, the serial is refused."""

    reason: Annotated[
        RecordReason,
        Field(
            description="CRL reason (RFC 5280, section 5.3.1). `certificateHold` can be lifted. Every other reason is final and can"
            " only be changed to `keyCompromise`."
        ),
    ]
    time: Annotated[
        SpecInstant | None,
        Field(
            description="Time of the revocation in RFC 3339 format, such as 2026-01-31T12:00:00Z. If not set, the operator writes the"
            " time at which it observed the revocation."
        ),
    ] = None
    final_at: Annotated[
        SpecInstant | None,
        Field(
            description="Time in RFC 3339 format at which a hold becomes final, with the reason `cessationOfOperation`. The operator"
            " sets it when a ClientCertificate is deleted, from the issuer's `revocation.undoWindow`. If not set, the hold stays"
            " until it is lifted."
        ),
    ] = None
    held_by: Annotated[
        HoldSource | None,
        Field(
            description="Origin of a hold. `Suspension`: the operator lifts it when `suspended` of the client is false. `Deletion`:"
            " `doorward restore` lifts it. If not set, a person put the hold, and only a person lifts it."
        ),
    ] = None
    lifted: Annotated[
        bool,
        Field(
            description="If true, the hold has ended and the certificate is valid again. Only allowed with the reason"
            " `certificateHold`. Setting it back to false puts the certificate on hold again. Defaults to false."
        ),
    ] = False

    model_config = Model.model_config | {
        "json_schema_extra": validations(
            rule(
                "!has(self.lifted) || !self.lifted || self.reason == 'certificateHold'",
                "only a certificateHold can be lifted: leave lifted out, or set it to false, with any other reason",
            )
        )
    }


class IssuedCertificateSpec(Model):
    """Record of one certificate that an MTLSIssuer signed. The operator writes it before anybody can hold the certificate.

    It outlives the ClientCertificate. Only `revocation` can be changed.
    """

    issuer_name: Annotated[
        Label,
        Field(
            description="Name of the MTLSIssuer that signed the certificate, in the namespace of this object. At most 63 characters."
            " Immutable."
        ),
    ]
    generation: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="Number of the CA generation that signed the certificate, 1 to 1000000. Immutable.",
        ),
    ]
    serial_number: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{1,40}$",
            max_length=40,
            description="Serial number of the certificate, 1 to 40 lower-case hex digits, such as `44ecfa0cd2a5`. Immutable.",
        ),
    ]
    subject: Annotated[
        str,
        Field(
            max_length=4096,
            description="Subject of the certificate as text (RFC 4514), such as `CN=alice.edge.example`, at most 4096 characters."
            " Immutable.",
        ),
    ]
    not_before: Annotated[
        SpecInstant, Field(description="Start of the certificate's validity in RFC 3339 format, in UTC. Immutable.")
    ]
    not_after: Annotated[
        SpecInstant, Field(description="End of the certificate's validity in RFC 3339 format, in UTC. Immutable.")
    ]
    fingerprints: Annotated[
        Fingerprints, Field(description="Digests of the whole certificate, by which it can be found. Immutable.")
    ]
    public_key_sha256: Annotated[
        str,
        Field(
            alias="publicKeySHA256",
            pattern="^[0-9a-f]{64}$",
            max_length=64,
            description="SHA-256 of the public key (SubjectPublicKeyInfo in DER), 64 lower-case hex digits. Certificates with the same"
            " key have the same value. Immutable.",
        ),
    ]
    client_certificate: Annotated[
        Holder,
        Field(
            description="ClientCertificate that the certificate was signed for. It may have been deleted since. Immutable."
        ),
    ]
    revocation: Annotated[
        Revocation | None,
        Field(
            description="Revocation or hold of this certificate. The CRL lists the serial number until the hold is lifted, or at"
            " least until the certificate has expired. Cannot be removed. If not set, the certificate is not revoked."
        ),
    ] = None

    model_config = Model.model_config | {
        # Atomic: with the managers of each field by name a record takes a third more in etcd, two a page instead of three.
        "json_schema_extra": {"x-kubernetes-map-type": "atomic"}
        | validations(
            *(
                rule(f"self.{name} == oldSelf.{name}", f"{name} is immutable: only revocation may change")
                for name in (
                    "issuerName",
                    "generation",
                    "serialNumber",
                    "subject",
                    "notBefore",
                    "notAfter",
                    "fingerprints",
                    "publicKeySHA256",
                    "clientCertificate",
                )
            ),
            rule(
                "!has(oldSelf.revocation) || oldSelf.revocation.reason == 'certificateHold'"
                " || (has(self.revocation) && self.revocation.reason in [oldSelf.revocation.reason, 'keyCompromise'])",
                "this serial is revoked for good: its reason can only be changed to keyCompromise",
            ),
            rule(
                "!has(oldSelf.revocation) || has(self.revocation)",
                "a revocation is not removed: to end a hold, set revocation.lifted: true",
            ),
        )
    }
