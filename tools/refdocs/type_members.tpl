{{- define "type_members" -}}
{{- if eq .Name "metadata" -}}
name, namespace, labels and annotations, as of every object
{{- else -}}
{{ .Doc | replace "\n" " " | replace "|" "\\|" }}
{{- end -}}
{{- end -}}
