{{- define "grove.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "grove.args" -}}
{{- if not .Values.metrics.enabled }}
- --metrics-address=
{{- else if .Values.metrics.auth }}
- --metrics-auth
{{- end }}
{{- range .Values.namespaces }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.networkTopologyKey }}
- --network-topology-key={{ . }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
