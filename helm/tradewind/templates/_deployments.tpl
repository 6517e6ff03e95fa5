{{/* Every service there is: those of files/calls.yaml, in an order that stays. As JSON. */}}
{{- define "tradewind.services" -}}
{{- .Files.Get "files/calls.yaml" | fromYaml | keys | sortAlpha | toJson -}}
{{- end -}}

{{/*
The deployments with all that holds for each, as JSON: `services` is never empty, `isApart` says whether others run
elsewhere. Refuses what would not start: a service that is nowhere, or in two places.
*/}}
{{- define "tradewind.deployments" -}}
{{- $all := include "tradewind.services" . | fromJsonArray -}}
{{- $places := dict -}}
{{- $names := dict -}}
{{- $made := list -}}
{{- $own := false -}}
{{- range .Values.deployments -}}
  {{- if hasKey $names .name -}}
    {{- fail (printf "deployments: two are named %s; give each a name of its own" .name) -}}
  {{- end -}}
  {{- $_ := set $names .name true -}}
  {{- $services := .services | default $all -}}
  {{- $name := .name -}}
  {{- range $services -}}
    {{- if not (has . $all) -}}
      {{- fail (printf "deployments: %s runs %s, and there is no such service; there are %s" $name . (join ", " $all)) -}}
    {{- end -}}
    {{- if hasKey $places . -}}
      {{- fail (printf "deployments: %s runs in %s and in %s; a service belongs to one of them" . (get $places .) $name) -}}
    {{- end -}}
    {{- $_ := set $places . $name -}}
  {{- end -}}
  {{- $deployment := mergeOverwrite (deepCopy $.Values.each) (deepCopy .) -}}
  {{- $_ := set $deployment "services" $services -}}
  {{- $_ := set $deployment "isApart" (lt (len $services) (len $all)) -}}
  {{- $_ := set $deployment "databaseSecret" (merge (dig "database" "secret" dict .) $.Values.database.secret) -}}
  {{- $_ := set $deployment "connections" (dig "database" "connections" $.Values.database.connections .) -}}
  {{- /* The gateway keeps nothing, and need not know of a database. */ -}}
  {{- $_ := set $deployment "keeps" (without $services "gateway" | empty | not) -}}
  {{- $_ := set $deployment "isSqlite" (and $deployment.keeps (not $deployment.databaseSecret.name)) -}}
  {{- if and $deployment.isSqlite (or $deployment.isApart $deployment.autoscaling.enabled) -}}
    {{- fail (printf "deployments: %s has no database.secret.name; SQLite is for one pod that runs every service" .name) -}}
  {{- end -}}
  {{- if $deployment.isSqlite -}}{{- $_ := set $deployment "replicas" 1 -}}{{- end -}}
  {{- $made = append $made $deployment -}}
{{- end -}}
{{- range $all -}}
  {{- if not (hasKey $places .) -}}
    {{- fail (printf "deployments: no entry runs %s; add it to one, or give it one of its own" .) -}}
  {{- end -}}
{{- end -}}
{{- $made | toJson -}}
{{- end -}}

{{/* Whether services run apart, and so show themselves to each other. */}}
{{- define "tradewind.isApart" -}}
{{- if gt (len .Values.deployments) 1 -}}true{{- end -}}
{{- end -}}

{{/* The services that reach a service, as JSON. */}}
{{- define "tradewind.callers" -}}
{{- $root := index . 0 -}}{{- $service := index . 1 -}}
{{- $callers := list -}}
{{- range $caller, $callees := $root.Files.Get "files/calls.yaml" | fromYaml -}}
  {{- if has $service $callees -}}{{- $callers = append $callers $caller -}}{{- end -}}
{{- end -}}
{{- $callers | sortAlpha | toJson -}}
{{- end -}}

{{/* How many pods there are at most, of all deployments. */}}
{{- define "tradewind.pods" -}}
{{- $pods := 0 -}}
{{- range include "tradewind.deployments" . | fromJsonArray -}}
  {{- $pods = add $pods (ternary .autoscaling.max .replicas .autoscaling.enabled) -}}
{{- end -}}
{{- $pods -}}
{{- end -}}
