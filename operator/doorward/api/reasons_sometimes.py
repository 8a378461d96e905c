"""The reasons of the conditions that an object has only now and then: the CA of an MTLSIssuer changes, its CRL grows large,
a duration is out of its limits, etcd was rolled back; the access of a client changes.
"""

from doorward.api.reason import Mender, table

SETTLED = table(
    "CASettled",
    (
        "NextCaShown",
        "False",
        Mender.ITSELF,
        "The operator created the next CA generation and published it to the gates. It signs when all gates have had it for a while.",
        "CA generation {generation} is published to the gates and signs soon; until then {signing} signs",
    ),
    (
        "NextCaAwaitsGates",
        "False",
        Mender.CLUSTER,
        "The next CA generation does not sign yet, because the operator cannot write some gates.",
        "CA generation {generation} signs when these gates have it: {detail}",
    ),
    (
        "ClientsMoving",
        "False",
        Mender.ITSELF,
        "Certificates of older CA generations are still valid. This is no fault. It ends when the last of them has expired.",
        "CA generation {signing} signs; the gates trust {detail} too, until the last certificate from there has expired",
    ),
    (
        "OldCaDropped",
        "False",
        Mender.ISSUER,
        (
            "The gates no longer trust another CA generation, because the operator does not have its key. A certificate from it was"
            " revoked and no CRL can be signed, or its last CRL has expired. All certificates from it are refused."
        ),
        (
            "The gates do not trust CA generation {detail}: the operator does not have its key, and without a CRL nobody could be"
            " refused. All certificates from it are refused, also of clients that are not revoked. Give these clients the"
            " certificates that are in their Secrets now"
        ),
    ),
)

ROOM = table(
    "CRLRoom",
    (
        "CrlLarge",
        "False",
        Mender.ISSUER,
        "The CRL takes more than 70 % of what fits into a ConfigMap and into ingress-nginx's Secret.",
        (
            "the trust bundle takes {size} of {limit} bytes; at 80 % the next CA generation begins with an empty CRL, at 90 %"
            " only what people revoke is added; shorter certificate lifetimes keep it small"
        ),
    ),
    (
        "CaGenerationClosed",
        "False",
        Mender.ISSUER,
        (
            "More certificates of a CA generation were revoked than its CRL can list. The gates no longer trust that"
            " generation, so all its certificates are refused, and clients that are not revoked get new ones."
        ),
        (
            "More certificates were revoked than a CRL can list in {limit} bytes, so these CA generations were closed: {detail}."
            " All their certificates are refused. Clients that are not revoked get new certificates. Find out who revoked so"
            " many"
        ),
    ),
)

ORIGIN = table(
    "CAOrigin",  # said only while there is such a Secret
    (
        "CaSecretUnproven",
        "False",
        Mender.ISSUER,
        (
            "Secrets are labelled as CA generations of the issuer, and nothing shows that the operator made them. The operator"
            " ignores them."
        ),
        (
            "The operator ignores these Secrets, which are labelled as CA generations of this issuer: {secrets}. Neither the CRL"
            " ConfigMap nor the ledger names them. Find out who created them, and delete them. To use such a CA all the same,"
            " restore the CRL ConfigMap of the same backup, or name the Secret in spec.ca.secretRef"
        ),
    ),
    (
        "CaNotRestored",
        "False",
        Mender.ISSUER,
        (
            "The ledger was restored from a backup, and the CA that signed its certificates was not. Gates refuse those"
            " certificates."
        ),
        (
            "Certificates in the ledger are older than the CA in Secret {secret}, so another CA signed them, and gates refuse them."
            " Restore this Secret from the backup that the IssuedCertificates are from. If it is lost, add {generation} to"
            " spec.ca.distrust: then the operator creates another CA, and clients get new certificates"
        ),
    ),
)

FILES = table(
    "CAFilesUsed",  # said only while something is not used
    (
        "CaFilesUnused",
        "False",
        Mender.ISSUER,
        (
            "The Secret with the CA holds more than the CA certificate and the certificates above it. The operator uses those"
            " and ignores the rest."
        ),
        (
            "The operator uses the certificate in Secret {secret} that fits the private key, and those above it. Not used:"
            " {parts}. Remove what does not belong there"
        ),
    ),
)

RECONCILING = table(
    "Reconciling",  # said only while it is so: kstatus, which Flux waits with, looks at Ready and at this
    (
        "AccessChanging",
        "True",
        Mender.ITSELF,
        "The ledger revokes the client, puts it on hold or lifts the hold, and the CRL that says so is not published yet.",
        "the published CRL does not say yet what the spec asks for: see Admitted",
    ),
)

KEY = table(
    "CAKeyHeld",  # said only while a CA that the gates trust is not in its Secret
    (
        "CaKeyInSecret",
        "True",
        Mender.ISSUER,
        (
            "The Secret holds the key of the CA that the gates trust, but no usable certificate of that CA. The operator"
            " issues no certificates and goes on signing CRLs."
        ),
        (
            "Secret {secret} holds the key of the CA that the gates trust, but no usable certificate of that CA: see Ready."
            " The operator issues no certificates. It goes on signing CRLs, so revocations take effect"
        ),
    ),
    (
        "CaKeyInMemory",
        "False",
        Mender.ISSUER,
        (
            "The Secret of a CA does not hold that CA any more. The operator goes on signing CRLs with the key that it loaded"
            " before, so revocations take effect. It holds this key in memory only."
        ),
        (
            "Secret {secret} does not hold the CA that the gates trust as generation {generations}. The operator signs CRLs with"
            " the key that it loaded before: revocations take effect. It has the key in memory only, and cannot sign CRLs of"
            " this CA after a restart. Restore the CA certificate and its key in the Secret before that"
        ),
    ),
    (
        "CaKeyNotLoaded",
        "False",
        Mender.ISSUER,
        (
            "The Secret of the CA cannot be used, and the operator has restarted since then. So it has no key to sign a CRL, and the"
            " gates keep the last one."
        ),
        (
            "The operator has no CA key, because it was started after Secret {secret} became unusable: see Ready. It signs no"
            " CRL. {count} certificates were revoked since the last CRL and still have access. At {until} the CRL expires, and"
            " the gates refuse every client. Put the CA certificate and its key into the Secret"
        ),
    ),
)

RANGE = table(
    "DurationsInRange",
    (
        "DurationOutOfRange",
        "False",
        Mender.ISSUER,
        "A duration in the spec is out of its limits. The operator uses the limit instead.",
        "{detail}",
    ),
)

SYNCED = table(
    "Synced",  # said only while it is not
    (
        "SourceNotSynced",
        "False",
        Mender.CLUSTER,
        "The operator cannot list objects that this issuer depends on. It works with what it observed last.",
        "the operator cannot list {detail}. Check its permissions and the API server",
    ),
)

COMPLETE = table(
    "LedgerComplete",  # said only after the cluster was rolled back
    (
        "ClusterRolledBack",
        "Unknown",
        Mender.CLUSTER,
        (
            "The etcd of the cluster was rolled back to an older state while the operator ran. The operator restored the records"
            " that it had observed; others may be missing."
        ),
        (
            "at {time} the cluster was rolled back to an older state: apply the access list again. If certificates may have no"
            " record, add their CA generation to spec.ca.distrust"
        ),
    ),
)

ARCHIVED = table(
    "LedgerArchived",  # said only while it is not so
    (
        "ArchiveRefused",
        "False",
        Mender.CLUSTER,
        "Records of certificates that expired long ago cannot be moved to the archive. They stay in the ledger; nobody's access changes.",
        (
            "The operator cannot archive records of expired certificates: {detail}. They stay in the ledger. Change the policy, webhook,"
            " quota or right that this names"
        ),
    ),
    (
        "ArchiveIndexInvalid",
        "False",
        Mender.CLUSTER,
        "The index of the archive is malformed, so nothing is archived, and no CA is created in place of one that is missing.",
        "ConfigMap {configmap} has no valid index.json, so the operator archives nothing. Restore the ConfigMap from a backup",
    ),
)

HOSTS = table(
    "HostsProtected",  # said only while some are not
    (
        "SomeNotProtected",
        "False",
        Mender.OWNER,
        (
            "Something that the operator sees may open the host of an Ingress that names this issuer. The annotation doorward.io/gate of the"
            " Ingress says what it is, and how to close it."
        ),
        "{count} Ingresses are not protected, see their annotation doorward.io/gate: {detail}",
    ),
)
