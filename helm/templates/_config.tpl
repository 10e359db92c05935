{{- /* A value as a variable's text. Helm reads numbers as floats, and would write 33554432 as 3.3554432e+07. */ -}}
{{- define "gateway.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{- /* The ConfigMap's content. */ -}}
{{- define "gateway.settings" -}}
GATEWAY_SANDBOX: {{ include "gateway.sandboxUrl" . | quote }}
{{- if eq .Values.database.kind "sqlite" }}
GATEWAY_DATABASE_URL: sqlite:////data/gateway.db
{{- end }}
{{- if and .Values.ingress.enabled .Values.ingress.hosts (not (hasKey .Values.settings "GATEWAY_PUBLIC_URL")) }}
GATEWAY_PUBLIC_URL: {{ printf "%s://%s" (ternary "https" "http" (not (empty .Values.ingress.tlsSecret))) (first .Values.ingress.hosts) | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}: {{ include "gateway.text" $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The Secret's content: what was given by value. */ -}}
{{- define "gateway.secretData" -}}
{{- range $name, $given := .Values.secrets }}
{{- if $given.value }}
{{ $name }}: {{ $given.value | b64enc | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Where one secret is kept. Call with (list . NAME). */ -}}
{{- define "gateway.secretRef" -}}
{{- $root := index . 0 -}}
{{- $given := get $root.Values.secrets (index . 1) -}}
{{- if $given.existingSecret -}}
name: {{ $given.existingSecret }}
key: {{ $given.key | default (index . 1) }}
{{- else -}}
name: {{ include "gateway.fullname" $root }}
key: {{ index . 1 }}
{{- end -}}
{{- end -}}

{{- /* Secrets that the gateway reads from files: all but OpenTelemetry's own. */ -}}
{{- define "gateway.secretFiles" -}}
{{- range $name, $_ := .Values.secrets }}
{{- if not (hasPrefix "OTEL_" $name) }}
- {{ $name }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "gateway.env" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- if not (hasKey .Values.settings "OTEL_RESOURCE_ATTRIBUTES") }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.pod.name=$(POD_NAME),k8s.namespace.name={{ .Release.Namespace }}
{{- end }}
{{- range include "gateway.secretFiles" . | fromYamlArray }}
- name: {{ . }}_FILE
  value: /run/secrets/gateway/{{ . }}
{{- end }}
{{- range $name, $_ := .Values.secrets }}
{{- if hasPrefix "OTEL_" $name }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {{- include "gateway.secretRef" (list $ $name) | nindent 6 }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gateway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* What every pod of the chart has in common, but for its containers. */ -}}
{{- define "gateway.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "gateway.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- /* Draining, then the longest deadline, then 5 s for what was late and 10 s to close; and 10 s to spare. */ -}}
{{- define "gateway.stopSeconds" -}}
{{- $drain := .Values.settings.GATEWAY_DRAIN_SECONDS | default 1 | float64 -}}
{{- $deadline := .Values.settings.GATEWAY_DEADLINE_SECONDS | default 15 | float64 -}}
{{- $money := .Values.settings.GATEWAY_MONEY_DEADLINE_SECONDS | default 30 | float64 -}}
{{- addf $drain (maxf $deadline $money) 25 | ceil | int -}}
{{- end -}}
