{{/* Where the services are that do not run in a deployment. */}}
{{- define "tradewind.places" -}}
{{- $root := index . 0 -}}{{- $deployment := index . 1 -}}
{{- $places := list -}}
{{- range include "tradewind.services" $root | fromJsonArray -}}
  {{- if and (ne . "gateway") (not (has . $deployment.services)) -}}
    {{- $places = append $places (printf "%s=dns:///%s-%s:7000" . (include "tradewind.fullname" $root) .) -}}
  {{- end -}}
{{- end -}}
{{- join ";" $places -}}
{{- end -}}

{{- define "tradewind.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom: { secretKeyRef: { name: {{ (index . 1).name }}, key: {{ (index . 1).key }} } }
{{- end -}}

{{/* What a process is told, but for secrets that only some are told. */}}
{{- define "tradewind.environment" -}}
{{- $root := index . 0 -}}{{- $deployment := index . 1 -}}{{- $values := $root.Values -}}
- { name: TRADEWIND_ADMIN_LISTEN, value: "0.0.0.0:9464" }
- { name: TRADEWIND_DATA, value: /var/lib/tradewind }
- { name: TRADEWIND_LAME_DUCK, value: {{ $values.ending.lameDuckSeconds | quote }} }
- { name: TRADEWIND_TASK_GRACE_SECONDS, value: {{ $values.ending.taskGraceSeconds | quote }} }
- { name: TRADEWIND_LOG_FORMAT, value: {{ $values.logs.format }} }
{{- with $values.logs.filter }}
- { name: TRADEWIND_LOG, value: {{ . | quote }} }
{{- end }}
{{- if $values.settings }}
- { name: TRADEWIND_CONFIG, value: /etc/tradewind/tradewind.toml }
{{- end }}
{{- if has "gateway" $deployment.services }}
- { name: TRADEWIND_LISTEN, value: "0.0.0.0:8080" }
{{- if $values.gateway.tls.secret }}
- { name: TRADEWIND_TLS_CERT, value: /etc/tradewind/tls/tls.crt }
- { name: TRADEWIND_TLS_KEY, value: /etc/tradewind/tls/tls.key }
{{- end }}
{{- end }}
{{- if $deployment.isApart }}
- { name: TRADEWIND_MESH_LISTEN, value: "0.0.0.0:7000" }
- { name: TRADEWIND_AT, value: {{ include "tradewind.places" . | quote }} }
{{- if eq $values.mesh.identity "key" }}
- { name: TRADEWIND_MESH_KEY, value: /etc/tradewind/identity/mesh.pem }
{{- else }}
- { name: TRADEWIND_CERTS, value: /etc/tradewind/identity }
{{- end }}
{{- with $values.mesh.allow }}
- { name: TRADEWIND_ALLOW, value: {{ join "," . | quote }} }
{{- end }}
{{- end }}
{{- if and $deployment.keeps (not $deployment.isSqlite) }}
{{ include "tradewind.secretVariable" (list "TRADEWIND_DATABASE" $deployment.databaseSecret) }}
- { name: TRADEWIND_CONNECTIONS, value: {{ $deployment.connections | quote }} }
{{- end }}
{{- if $values.redis.secret.name }}
{{ include "tradewind.secretVariable" (list "TRADEWIND_REDIS" $values.redis.secret) }}
{{- end }}
{{- if has "notifications" $deployment.services }}
{{- if $values.mail.secret.name }}
{{ include "tradewind.secretVariable" (list "TRADEWIND_SMTP" $values.mail.secret) }}
{{- end }}
{{- with $values.mail.from }}
- { name: TRADEWIND_MAIL_FROM, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- if and (has "users" $deployment.services) $values.administrator.email }}
- { name: TRADEWIND_ADMIN_EMAIL, value: {{ $values.administrator.email | quote }} }
{{- if $values.administrator.secret.name }}
{{ include "tradewind.secretVariable" (list "TRADEWIND_ADMIN_PASSWORD" $values.administrator.secret) }}
{{- end }}
{{- end }}
{{- with $values.telemetry.otlp }}
- { name: TRADEWIND_OTLP, value: {{ . | quote }} }
- { name: TRADEWIND_OTLP_SIGNALS, value: {{ join "," $values.telemetry.signals | quote }} }
- { name: TRADEWIND_SAMPLE, value: {{ $values.telemetry.sample | quote }} }
{{- end }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $root.Release.Namespace }},k8s.pod.name=$(POD_NAME){{ with $values.telemetry.environment }},deployment.environment.name={{ . }}{{ end }}
{{- with $deployment.environment }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The certificates of the services in a pod, and no others: `tradewind serve --certs` names the files. */}}
{{- define "tradewind.identity" -}}
{{- $root := index . 0 -}}{{- $deployment := index . 1 -}}{{- $mesh := $root.Values.mesh -}}
- name: identity
  {{- if eq $mesh.identity "certManager" }}
  projected:
    defaultMode: 0440
    sources:
      {{- range $at, $service := $deployment.services }}
      - secret:
          name: {{ include "tradewind.fullname" $root }}-{{ $service }}-identity
          items:
            - { key: tls.crt, path: {{ $service }}.pem }
            - { key: tls.key, path: {{ $service }}-key.pem }
            {{- if eq $at 0 }}
            - { key: ca.crt, path: ca.pem }
            {{- end }}
      {{- end }}
  {{- else }}
  secret:
    secretName: {{ include "tradewind.identitySecret" $root }}
    defaultMode: 0440
    items:
      {{- if eq $mesh.identity "key" }}
      - { key: {{ $mesh.secret.key }}, path: mesh.pem }
      {{- else }}
      - { key: ca.pem, path: ca.pem }
      {{- range $deployment.services }}
      - { key: {{ . }}.pem, path: {{ . }}.pem }
      - { key: {{ . }}-key.pem, path: {{ . }}-key.pem }
      {{- end }}
      {{- end }}
  {{- end }}
{{- end -}}

{{/* How long a pod may take to end: longer than all that the process does then. */}}
{{- define "tradewind.graceSeconds" -}}
{{- with .Values.ending -}}
{{- $calls := add .lameDuckSeconds 20 -}}
{{- add .preStopSeconds (max $calls .taskGraceSeconds) 5 -}}
{{- end -}}
{{- end -}}

{{/* A value of the configuration file. Helm reads numbers as floats, and would write a million as 1e+06. */}}
{{- define "tradewind.setting" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{ int64 . }}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}
