{{- define "gvList" -}}
<!-- Made by `make generate` from the comments in apis/grove/v1alpha1: edit those. -->
# API reference

{{ range . }}{{ template "gvDetails" . }}{{ end }}
{{- end -}}
