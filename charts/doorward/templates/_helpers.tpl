{{- /* "true" where the policies that write into objects are wanted and the cluster serves them. */}}
{{- define "doorward.mutating" -}}
{{- if and .Values.mutatingPolicies (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy") -}}
true
{{- end }}
{{- end }}

{{- define "doorward.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- /* What a Pod must say to be admitted where Pod Security is `restricted`. */}}
{{- define "doorward.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "doorward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* The operator's arguments, one a line. */}}
{{- define "doorward.arguments" -}}
- run
- --account={{ .Release.Namespace }}:doorward
{{- if ne .Values.probes.controller "ingress-nginx/ingress-nginx-controller" }}
- --controller={{ .Values.probes.controller }}
{{- end }}
{{- if eq .Values.logLevel "debug" }}
- --verbose
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- if .Values.gate.enabled }}
- --gate-service=http://doorward-gate.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}
{{- end }}

{{- /* Where Pods go, and what they may use: the same words for the operator and for the gate service. */}}
{{- define "doorward.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* Who may read /metrics: Pods of the release's own namespace (`helm test`), and those that are listed. */}}
{{- define "doorward.scrapers" -}}
- podSelector: {}
{{- with .scrapers }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Every Pod asks for names, and asks the API server. */}}
{{- define "doorward.egress" -}}
- ports:
  - protocol: UDP
    port: 53
  - protocol: TCP
    port: 53
- ports:
  {{- range .apiServerPorts }}
  - protocol: TCP
    port: {{ . }}
  {{- end }}
{{- end }}
