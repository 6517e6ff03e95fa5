{{/* The services that get a certificate, a program of your own too. As JSON. */}}
{{- define "tradewind.certified" -}}
{{- $certified := include "tradewind.services" . | fromJsonArray -}}
{{- range .Values.mesh.allow -}}
  {{- $certified = append $certified (splitList "=" . | first) -}}
{{- end -}}
{{- $certified | uniq | toJson -}}
{{- end -}}

{{/* A container with a shell and kubectl: the chart, the container's name, what it runs. */}}
{{- define "tradewind.kubectl" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  image: {{ $root.Values.mesh.kubectl.image }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command: [sh, -euc]
  args:
    - |
      {{- index . 2 | nindent 6 }}
  env:
    - { name: HOME, value: /tmp }
  resources:
    requests: { cpu: 20m, memory: 32Mi }
    limits: { memory: 256Mi }
  securityContext:
    {{- toYaml $root.Values.securityContext | nindent 4 }}
  volumeMounts:
    - { name: certs, mountPath: /certs }
    - { name: temporary, mountPath: /tmp }
{{- end -}}

{{- define "tradewind.restoreAuthority" -}}
{{- $name := printf "%s-authority" (include "tradewind.fullname" .) -}}
if [ -n "$(kubectl get secret {{ $name }} --ignore-not-found --output name)" ]; then
  for file in ca.pem ca-key.pem; do
    kubectl get secret {{ $name }} --output go-template="{{ `{{ index .data \"$file\" | base64decode }}` }}" >/certs/$file
  done
fi
{{- end -}}

{{- define "tradewind.keepCertificates" -}}
{{- $fullname := include "tradewind.fullname" . -}}
keep() {
  kubectl create secret generic "$@" --dry-run=client --output yaml |
    kubectl apply --server-side --force-conflicts --filename -
}
keep {{ $fullname }}-authority --from-file=/certs/ca.pem --from-file=/certs/ca-key.pem
keep {{ $fullname }}-certs --from-file=/certs/ca.pem
{{- range include "tradewind.certified" . | fromJsonArray }} \
  --from-file=/certs/{{ . }}.pem --from-file=/certs/{{ . }}-key.pem
{{- end }}
{{- end -}}

{{/* The pod that makes certificates, and keeps them in Secrets. */}}
{{- define "tradewind.certificatesPod" -}}
{{- $root := index . 0 -}}
restartPolicy: Never
serviceAccountName: {{ index . 1 }}
enableServiceLinks: false
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
initContainers:
  {{- include "tradewind.kubectl" (list $root "restore-authority" (include "tradewind.restoreAuthority" $root)) | nindent 2 }}
  - name: sign
    image: {{ include "tradewind.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      - certs
      - --trust-domain={{ $root.Values.mesh.trustDomain }}
      - --days={{ $root.Values.mesh.days }}
      - /certs
      {{- include "tradewind.certified" $root | fromJsonArray | toYaml | nindent 6 }}
    resources:
      requests: { cpu: 20m, memory: 32Mi }
      limits: { memory: 128Mi }
    securityContext:
      {{- toYaml $root.Values.securityContext | nindent 6 }}
    volumeMounts:
      - { name: certs, mountPath: /certs }
containers:
  {{- include "tradewind.kubectl" (list $root "keep" (include "tradewind.keepCertificates" $root)) | nindent 2 }}
volumes:
  # In memory: keys of the mesh are on no disk.
  - { name: certs, emptyDir: { medium: Memory } }
  - { name: temporary, emptyDir: {} }
{{- end -}}

{{/* Who may write those Secrets: the chart, a name, annotations. */}}
{{- define "tradewind.certificatesRights" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}{{- $annotations := index . 2 -}}
{{- $fullname := include "tradewind.fullname" $root -}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  labels:
    {{- include "tradewind.labels" $root | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  labels:
    {{- include "tradewind.labels" $root | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
rules:
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
  - apiGroups: [""]
    resources: [secrets]
    resourceNames: [{{ $fullname }}-authority, {{ $fullname }}-certs]
    verbs: [get, patch, update, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- include "tradewind.labels" $root | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }} }
subjects:
  - { kind: ServiceAccount, name: {{ $name }}, namespace: {{ $root.Release.Namespace }} }
{{- end -}}
