{{- define "gvDetails" -}}
{{- $gv := . -}}
You write a [PodCliqueSet](#podcliqueset) of `{{ $gv.GroupVersionString }}`; Grove makes the other kinds from it, and you may scale them. Whatever
can be checked is checked by the API server when you apply: besides the limits below, [rules](../crds) that look at several fields, and
[examples](../crds/testdata/invalid) of all mistakes.
{{ range $gv.SortedKinds }}
- {{ $gv.TypeForKind . | markdownRenderTypeLink }}
{{- end }}
{{ range $gv.SortedTypes }}{{ template "type" . }}{{ end }}
{{- end -}}
