package main

// templates are the manifests that the chart has, and where values go in them. A value's default is what the manifest says.
var templates = []template{
	{from: "rbac.yaml"},
	{from: "users.yaml"},
	{from: "flowschema.yaml"},
	{from: "operator.yaml", edits: []edit{
		{"  replicas: 2\n", "  replicas: {{ .Values.replicas }}\n"},
		{"      priorityClassName: system-cluster-critical\n", `      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
      {{- toYaml . | nindent 6 }}
      {{- end }}
`},
		{"        image: grove.io/grove:dev\n", "        image: {{ include \"grove.image\" . | quote }}\n"},
		{"        imagePullPolicy: IfNotPresent\n", "        imagePullPolicy: {{ .Values.image.pullPolicy }}\n"},
		{"        args: [--metrics-auth]\n", "        args:\n        {{- include \"grove.args\" . | nindent 8 }}\n"},
		{"        - name: metrics\n          containerPort: 8080\n", `        {{- if .Values.metrics.enabled }}
        - name: metrics
          containerPort: 8080
        {{- end }}
`},
		{`          requests:
            cpu: 100m
            memory: 128Mi
          limits:
            memory: 1Gi
`, "          {{- toYaml .Values.resources | nindent 10 }}\n"},
		{"---\napiVersion: v1\nkind: Service\n", "{{- if .Values.metrics.enabled }}\n---\napiVersion: v1\nkind: Service\n"},
		{"    targetPort: metrics\n", "    targetPort: metrics\n{{- end }}\n"},
	}},
	{from: "protection/policy.yaml", when: ".Values.protection.enabled"},
	{from: "monitoring/rules.yaml", when: ".Values.monitoring.enabled", edits: []edit{{"  name: grove-operator\nspec:", "  name: grove-operator" + labels}}},
	{from: "monitoring/servicemonitor.yaml", when: ".Values.monitoring.enabled", edits: []edit{
		{"  name: grove-operator\nspec:", "  name: grove-operator" + labels},
		{"    scheme: https\n", "    {{- if .Values.metrics.auth }}\n    scheme: https\n"},
		{"each replica signs a certificate for itself\n", "each replica signs a certificate for itself\n    {{- end }}\n"},
	}},
}

// labels are those by which a Prometheus Operator chooses what it takes.
const labels = `
  {{- with .Values.monitoring.labels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:`
