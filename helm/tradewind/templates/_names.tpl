{{- define "tradewind.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What every object's name begins with. */}}
{{- define "tradewind.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "tradewind.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tradewind.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a release; it never changes. */}}
{{- define "tradewind.selector" -}}
app.kubernetes.io/name: {{ include "tradewind.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tradewind.labels" -}}
{{ include "tradewind.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: tradewind
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What pods carry besides; not the chart's version, with which each of them would be made anew. */}}
{{- define "tradewind.podLabels" -}}
{{ include "tradewind.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tradewind
{{- end -}}

{{/* The label by which pods are found that run a service. */}}
{{- define "tradewind.serves" -}}
serves.tradewind/{{ . }}: "true"
{{- end -}}

{{- define "tradewind.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where certificates, or the mesh's key, are kept. */}}
{{- define "tradewind.identitySecret" -}}
{{- if eq .Values.mesh.identity "job" -}}
{{ include "tradewind.fullname" . }}-certs
{{- else -}}
{{ required "mesh.secret.name: which Secret holds what `tradewind certs` (or `tradewind mesh-key`) wrote?" .Values.mesh.secret.name }}
{{- end -}}
{{- end -}}

{{- define "tradewind.serviceAccount" -}}
{{- $root := index . 0 -}}{{- $deployment := index . 1 -}}
{{- if $root.Values.serviceAccount.name -}}
{{ $root.Values.serviceAccount.name }}
{{- else if $root.Values.serviceAccount.create -}}
{{ include "tradewind.fullname" $root }}-{{ $deployment.name }}
{{- else -}}
default
{{- end -}}
{{- end -}}
