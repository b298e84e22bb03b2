package monitoring

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/prometheus-adapter/pkg/config"
)

const autoscalingPage = "../../docs/autoscaling.md"

// yamlBlock is a block of YAML in a page of documentation.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// What the page about autoscaling gives to prometheus-adapter and to KEDA are rules, and queries that Prometheus understands.
func TestDocumentedQueries(t *testing.T) {
	page, err := os.ReadFile(autoscalingPage)
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, block := range yamlBlock.FindAllStringSubmatch(string(page), -1) {
		for _, document := range strings.Split(block[1], "---\n") {
			queries = append(append(queries, adapterQueries(t, document)...), triggerQueries(t, document)...)
		}
	}
	if len(queries) < 3 {
		t.Errorf("the page has the queries %q", queries)
	}
	promQL := parser.NewParser(parser.Options{})
	for _, query := range queries {
		if _, err := promQL.ParseExpr(query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// adapterQueries are those of the values of prometheus-adapter's Helm chart, by which it finds series and asks for them.
func adapterQueries(t *testing.T, values string) []string {
	t.Helper()
	var chart struct {
		Rules struct{ External yaml.Node }
	}
	if err := yaml.Unmarshal([]byte(values), &chart); err != nil {
		t.Fatal(err)
	}
	if chart.Rules.External.IsZero() {
		return nil
	}
	// The chart puts them into the adapter's configuration under this name.
	rules, err := yaml.Marshal(map[string]*yaml.Node{"externalRules": &chart.Rules.External})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := config.FromYAML(rules)
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, rule := range parsed.ExternalRules {
		series, _, _ := strings.Cut(rule.SeriesQuery, "{")
		asked := strings.NewReplacer("<<.Series>>", series, "<<.LabelMatchers>>", `namespace="default"`, "<<.GroupBy>>", "namespace").Replace(rule.MetricsQuery)
		queries = append(queries, rule.SeriesQuery, asked)
	}
	return queries
}

// triggerQueries are those of a ScaledObject.
func triggerQueries(t *testing.T, manifest string) []string {
	t.Helper()
	var object struct {
		Spec struct {
			Triggers []struct{ Metadata map[string]string }
		}
	}
	if !strings.Contains(manifest, "kind: ScaledObject\n") {
		return nil
	}
	if err := yaml.Unmarshal([]byte(manifest), &object); err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, trigger := range object.Spec.Triggers {
		if query := trigger.Metadata["query"]; query != "" {
			queries = append(queries, query)
		}
	}
	return queries
}
