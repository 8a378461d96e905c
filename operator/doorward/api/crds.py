"""Models to CRDs: the files in deploy/crds/ are this module's output, and a test compares them."""

from typing import Any

import yaml
from pydantic import BaseModel

from doorward.api.fields import DNS_LABEL, GROUP, ISSUER_NAME_ADVICE, RESERVED_SECRETS, VERSION, rule
from doorward.api.issued_certificate import IssuedCertificateSpec
from doorward.api.kinds import ClientCertificateSpec, MTLSIssuerSpec
from doorward.api.status import ClientCertificateStatus, MTLSIssuerStatus

Schema = dict[str, Any]


def _column(name: str, path: str, description: str, *, kind: str = "string", priority: int = 0) -> Schema:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return column | ({"priority": priority} if priority else {})


def _condition(name: str) -> str:
    return f'.status.conditions[?(@.type=="{name}")].status'


_AGE = _column("Age", ".metadata.creationTimestamp", "Age of the object.", kind="date")

# A column of type `date` prints <invalid> for a time in the future, so expiries are strings (measured).
_KINDS: tuple[Schema, ...] = (
    {
        "kind": "ClientCertificate",
        "short": ["ccert"],
        "spec": ClientCertificateSpec,
        "status": ClientCertificateStatus,
        "name_limit": 248,
        "rules": (
            rule(
                f"has(self.spec.secretName) || !self.metadata.name.matches('{RESERVED_SECRETS}')",
                "choose another name, or a secretName: Secret names with 'doorward.' at the start or after a '-' are kept"
                " for gates",
            ),
        ),
        "columns": [
            _column("Issuer", ".spec.issuerRef.name", "MTLSIssuer that signs the certificate."),
            _column("Who", ".spec.commonName", "Common name (CN) of the certificate."),
            _column("Ready", _condition("Ready"), "Whether the spec is fulfilled."),
            _column("Admitted", _condition("Admitted"), "Whether the client has access."),
            _column("Why", '.status.conditions[?(@.type=="Admitted")].reason', "Why it has access, or has not."),
            _column("Expires", ".status.notAfter", "End of the certificate's validity."),
            _column("Secret", ".status.secretName", "Secret that holds the certificate.", priority=1),
            _column("Serial", ".status.serialNumber", "Serial number of the certificate.", priority=1),
            _column("Revoked", ".status.revokedAt", "Time since which the client is revoked.", priority=1),
            _column(
                "Generation", ".status.issuerGeneration", "CA generation that signed it.", kind="integer", priority=1
            ),
            _AGE,
        ],
        "selectable": (
            ".spec.issuerRef.name",
            ".spec.issuerRef.namespace",
            ".spec.commonName",
            ".status.serialNumber",
            ".status.fingerprintSHA256",
        ),
    },
    {
        "kind": "IssuedCertificate",
        "short": ["issued"],
        "spec": IssuedCertificateSpec,
        "status": None,
        "name_limit": 253,
        "columns": [
            _column("Client", ".spec.clientCertificate.name", "ClientCertificate that the certificate was signed for."),
            _column("Namespace", ".spec.clientCertificate.namespace", "Namespace of the ClientCertificate."),
            _column("Revoked", ".spec.revocation.time", "When the certificate was revoked or put on hold."),
            _column(
                "Reason", ".spec.revocation.reason", "CRL reason of the revocation; certificateHold can be lifted."
            ),
            _column("Lifted", ".spec.revocation.lifted", "Whether the hold was lifted.", kind="boolean"),
            _column("Expires", ".spec.notAfter", "End of the certificate's validity."),
            _column("Issuer", ".spec.issuerName", "MTLSIssuer that signed the certificate.", priority=1),
            _column("Subject", ".spec.subject", "Subject of the certificate.", priority=1),
            _AGE,
        ],
        "selectable": (
            ".spec.issuerName",
            ".spec.clientCertificate.namespace",
            ".spec.clientCertificate.name",
            ".spec.serialNumber",
            ".spec.fingerprints.sha256",
        ),
    },
    {
        "kind": "MTLSIssuer",
        "short": ["mtls"],
        "spec": MTLSIssuerSpec,
        "status": MTLSIssuerStatus,
        "name_limit": 63,
        "rules": (rule(f"self.metadata.name.matches('{DNS_LABEL}')", ISSUER_NAME_ADVICE),),
        "columns": [
            _column("Ready", _condition("Ready"), "Whether the issuer can sign certificates."),
            _column("Gates", _condition("GatesCurrent"), "Whether all gates have the published CRL."),
            _column(
                "Enforced",
                _condition("Enforced"),
                "Whether probes show that all gates refuse clients without a certificate.",
            ),
            _column("Verified", '.status.conditions[?(@.type=="Enforced")].reason', "What the probes show."),
            _column("CA", ".status.ca.subject", "Subject of the CA."),
            _column("Generation", ".status.ca.generation", "CA generation that signs now.", kind="integer"),
            _column("CA-Expires", ".status.ca.notAfter", "End of the CA certificate's validity."),
            _column("Next-Update", ".status.crl.nextUpdate", "Time until which the gates accept the published CRL."),
            _column("Live", ".status.counts.live", "Number of certificates that admit their clients.", kind="integer"),
            _column(
                "Revoked",
                ".status.counts.revoked",
                "Number of certificates that are revoked or on hold.",
                kind="integer",
            ),
            _AGE,
        ],
    },
)


def _structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A pydantic JSON schema as the structural schema that a CRD asks for: no $ref, no title, no null."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return _structural(target | {k: v for k, v in schema.items() if k != "$ref"}, definitions)
    if "anyOf" in schema:
        (only,) = [part for part in schema["anyOf"] if part.get("type") != "null"]
        rest = {k: v for k, v in schema.items() if k not in ("anyOf", "default")}
        return _structural(only | rest, definitions)
    result = {k: v for k, v in schema.items() if k not in ("title", "const", "propertyNames", "prefixItems")}
    if "description" in result:
        result["description"] = _one_line(result["description"])
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if "default" in result and result["default"] in (None, [], {}, ""):
        del result["default"]
    if "enum" in result and "type" not in result:
        result["type"] = "integer" if isinstance(result["enum"][0], int) else "string"
    if "properties" in result:
        result["properties"] = {k: _structural(v, definitions) for k, v in result["properties"].items()}
        for child in result["properties"].values():
            if child.get("type") == "object" and "default" not in child and _defaults_itself(child):
                child["default"] = _in_full(child)
    for inner in ("items", "additionalProperties"):
        if isinstance(result.get(inner), dict):
            result[inner] = _structural(result[inner], definitions)
    return result


def _one_line(text: str | None) -> str:
    """A description without line breaks: Python's versions indent docstrings differently."""
    return " ".join((text or "").split())


def _defaults_itself(schema: Schema) -> bool:
    """Whether an absent object would be filled with defaults: nothing in it is required and something has a default."""
    properties = schema.get("properties", {})
    return not schema.get("required") and any("default" in child for child in properties.values())


def _in_full(schema: Schema) -> Schema:
    """The default of an object: the API server checks rules on a default before it fills in what is nested (measured)."""
    return {k: v["default"] for k, v in schema["properties"].items() if "default" in v}


def structural_schema(model: type[BaseModel]) -> Schema:
    """The structural schema of one model."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _structural(schema, schema.pop("$defs", {}))


def render(kind: Schema) -> Schema:
    """The CustomResourceDefinition of one row of the table."""
    properties: Schema = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": structural_schema(kind["spec"]),
    }
    if kind["status"] is not None:
        status = structural_schema(kind["status"])
        properties["status"] = status | {"default": _in_full(status)}
    limit = kind["name_limit"]
    plural = kind["kind"].lower() + "s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind["kind"],
                "listKind": kind["kind"] + "List",
                "plural": plural,
                "singular": kind["kind"].lower(),
                "shortNames": kind["short"],
                "categories": ["doorward"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": kind["columns"],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": _one_line(kind["spec"].__doc__),
                            "required": ["spec"],
                            "properties": properties,
                            "x-kubernetes-validations": [
                                rule(
                                    f"size(self.metadata.name) <= {limit}",
                                    f"choose a name of at most {limit} characters:"
                                    " names of files and Secrets are made from it",
                                ),
                                *kind.get("rules", ()),
                            ],
                        }
                    },
                }
                | ({"subresources": {"status": {}}} if kind["status"] is not None else {})
                | ({"selectableFields": [{"jsonPath": p} for p in kind["selectable"]]} if "selectable" in kind else {})
            ],
        },
    }


def files() -> dict[str, str]:
    """File name to YAML, one CRD each, as they stand in deploy/crds/."""
    header = "# Generated by `doorward crds` from operator/doorward/api/; do not edit.\n"
    return {
        f"{kind['kind'].lower()}s.yaml": header + yaml.safe_dump(render(kind), sort_keys=False, width=120)
        for kind in _KINDS
    }
