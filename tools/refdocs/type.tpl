{{- define "type" -}}
{{- $type := . -}}
{{- if markdownShouldRenderType $type }}
## {{ $type.Name }}

{{ $type.Doc }}
{{ if $type.References }}
Used in:{{ range $i, $reference := $type.SortedReferences }}{{ if $i }},{{ end }} {{ markdownRenderTypeLink $reference }}{{ end }}.
{{ end }}
{{- if $type.Members }}
| Field | Type | Meaning | Limits |
|---|---|---|---|
{{- if $type.GVK }}
| `apiVersion` | string | `{{ $type.GVK.Group }}/{{ $type.GVK.Version }}` | |
| `kind` | string | `{{ $type.GVK.Kind }}` | |
{{- end }}
{{- range $type.Members }}
| {{ if .Name }}`{{ .Name }}`{{ else }}(inline){{ end }} | {{ markdownRenderType .Type }} | {{ template "type_members" . }} | {{ range .Validation }}{{ if not (or (hasPrefix "Optional" .) (hasPrefix "XIntOrString" .)) }}{{ . | replace ": {}" "" | markdownRenderFieldDoc }} <br />{{ end }}{{ end }} |
{{- end }}
{{ end }}
{{- if $type.EnumValues }}
| Value | Meaning |
|---|---|
{{- range $type.EnumValues }}
| `{{ .Name }}` | {{ .Doc | replace "\n" " " }} |
{{- end }}
{{ end }}
{{- end }}
{{- end -}}
