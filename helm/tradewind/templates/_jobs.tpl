{{/* Where programs of the cluster reach the gateway. */}}
{{- define "tradewind.gatewayUrl" -}}
{{ if .Values.gateway.tls.secret }}https{{ else }}http{{ end }}://{{ include "tradewind.fullname" . }}-gateway:{{ .Values.gateway.service.port }}
{{- end -}}

{{/* The databases of a release, as JSON: of each its secret, the services in it, and the name that its jobs end with. */}}
{{- define "tradewind.databases" -}}
{{- $found := dict -}}
{{- range include "tradewind.deployments" . | fromJsonArray -}}
{{- if and .keeps (not .isSqlite) -}}
  {{- $name := .databaseSecret.name -}}
  {{- if ne .databaseSecret.key $.Values.database.secret.key -}}
    {{- $name = printf "%s-%s" $name (.databaseSecret.key | lower | replace "." "-" | replace "_" "-") -}}
  {{- end -}}
  {{- $services := concat (dig $name "services" list $found) (without .services "gateway") -}}
  {{- $_ := set $found $name (dict "name" $name "secret" .databaseSecret "services" (sortAlpha $services)) -}}
{{- end -}}
{{- end -}}
{{- values $found | toJson -}}
{{- end -}}

{{/* What each job's pod says before its containers: nothing of Kubernetes is given to it. */}}
{{- define "tradewind.jobPod" -}}
restartPolicy: Never
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* When a CronJob runs and what it keeps of its runs, of values that say so: `audit` or `backup`. */}}
{{- define "tradewind.schedule" -}}
schedule: {{ .schedule | quote }}
{{- with .timeZone }}
timeZone: {{ . }}
{{- end }}
# One that takes too long is not joined by the next.
concurrencyPolicy: Forbid
startingDeadlineSeconds: 3600
successfulJobsHistoryLimit: {{ .history.successful }}
failedJobsHistoryLimit: {{ .history.failed }}
{{- end -}}
