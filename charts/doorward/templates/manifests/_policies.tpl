{{- /* Made by `make chart` from deploy/. */}}
{{- define "doorward.policies" -}}
- fence-ca.doorward.io
- fence-clients.doorward.io
- fence-crl.doorward.io
- fence-gates.doorward.io
- fence-guarded.doorward.io
- fence-ledger.doorward.io
- fence-operator-gate-service.doorward.io
- fence-operator-ingresses.doorward.io
- fence-operator-objects.doorward.io
- fence-operator-optional.doorward.io
- fence-operator-records.doorward.io
- fence-operator-writes.doorward.io
- finalizer.doorward.io
- gate-service.doorward.io
- guarded.doorward.io
- ingress.doorward.io
- minting.doorward.io
- warning-client-secret.doorward.io
- warning-distrust.doorward.io
- warning-ingress.doorward.io
- warning-issuer.doorward.io
- warning-namespace.doorward.io
{{- end }}
