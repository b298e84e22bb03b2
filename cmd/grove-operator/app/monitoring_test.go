package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/testutil"
	"sigs.k8s.io/yaml"

	grovefake "grove.io/grove/apis/client/clientset/versioned/fake"
	"grove.io/grove/controllers"
)

const (
	monitoring = "../../../deploy/monitoring"
	document   = "../../../docs/metrics.md"
	// operatorJob selects the operator's series of metrics that other programs have under the same name.
	operatorJob = `job="grove-operator-metrics"`
)

// metric is what is served of one: its type, and the names of its labels.
type metric struct {
	sort   string
	labels []string
}

// served are the metrics of an operator that leads and has sent a request, by name, and how they are served.
func served(t *testing.T) (map[string]metric, string) {
	t.Helper()
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	if _, err := kubernetes.NewForConfigOrDie(&rest.Config{Host: api.URL}).CoreV1().Pods("ns").Get(t.Context(), "a", metav1.GetOptions{}); err == nil {
		t.Error("found a pod where there is nothing")
	}
	operator, err := controllers.New(grovefake.NewClientset(), fake.NewClientset(), controllers.Config{SchedulerBackend: controllers.BackendNone})
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Stop()
	recorder := httptest.NewRecorder()
	options := Options{LeaderElectNamespace: "ns", LeaseDuration: 15 * time.Second}
	err = lead(t.Context(), options, fake.NewClientset().CoordinationV1(), func(context.Context) error {
		legacyregistry.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, metricsPath, nil))
		return errWorked
	})
	if !errors.Is(err, errWorked) {
		t.Fatal(err)
	}
	text := recorder.Body.String()
	families, err := testutil.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]metric{}
	for name, family := range families {
		labels := map[string]bool{}
		for _, one := range family.GetMetric() {
			for _, label := range one.GetLabel() {
				labels[label.GetName()] = true
			}
		}
		all[name] = metric{sort: strings.ToLower(family.GetType().String()), labels: slices.Sorted(maps.Keys(labels))}
	}
	return all, text
}

// Grove's metrics are named by Prometheus' conventions, and their labels have few values.
func TestMetricsAreWellNamed(t *testing.T) {
	all, text := served(t)
	bounded := []string{"phase", "unit", "kind", "subresource", "result", "loop", "reason"}
	for name, metric := range all {
		for _, label := range metric.labels {
			if strings.HasPrefix(name, "grove_") && !slices.Contains(bounded, label) {
				t.Errorf("%s has the label %s: add it to the list if it has few values", name, label)
			}
		}
	}
	problems, err := testutil.NewPromLinter(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "grove_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
}

var rowOfMetric = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (gauge|counter|histogram) \\|([^|]*)\\| .+ \\|$")

// Every metric of Grove's is documented as it is served, and nothing else is.
func TestMetricsAreDocumented(t *testing.T) {
	all, _ := served(t)
	documented := map[string]bool{}
	for _, row := range rowOfMetric.FindAllStringSubmatch(read(t, document), -1) {
		name, sort := row[1], row[2]
		documented[name] = true
		labels := strings.FieldsFunc(row[3], func(r rune) bool { return r == ' ' || r == ',' })
		slices.Sort(labels)
		if is, ok := all[name]; !ok || is.sort != sort || !slices.Equal(is.labels, labels) {
			t.Errorf("%s says that %s is a %s with the labels %v; served: %v, %+v", document, name, sort, labels, ok, is)
		}
	}
	for name := range all {
		if (strings.HasPrefix(name, "grove_") || strings.HasPrefix(name, "workqueue_")) && !documented[name] {
			t.Errorf("%s isn't documented in %s", name, document)
		}
	}
}

// alertRules is a PrometheusRule, as far as this repository uses it.
type alertRules struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metav1.ObjectMeta `json:"metadata"`
	Spec       struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for"`
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// Every alert is of metrics that are served, says what is wrong and what to do, and is documented. How expressions are written is checked
// by tools/monitoring, with Prometheus' own parser.
func TestAlerts(t *testing.T) {
	all, _ := served(t)
	documented := read(t, document)
	var rules alertRules
	if err := yaml.UnmarshalStrict([]byte(read(t, filepath.Join(monitoring, "rules.yaml"))), &rules); err != nil {
		t.Fatal(err)
	}
	if rules.APIVersion != "monitoring.coreos.com/v1" || rules.Kind != "PrometheusRule" || rules.Metadata.Name == "" {
		t.Errorf("the rules are a %s %s named %q", rules.APIVersion, rules.Kind, rules.Metadata.Name)
	}
	known := map[string]bool{}
	for _, group := range rules.Spec.Groups {
		for _, rule := range group.Rules {
			if known[rule.Alert] || !strings.HasPrefix(rule.Alert, "Grove") {
				t.Errorf("alert %q has no name of its own", rule.Alert)
			}
			known[rule.Alert] = true
			severity := rule.Labels["severity"]
			if !strings.Contains(documented, fmt.Sprintf("| %s | %s |", rule.Alert, severity)) || severity != "warning" && severity != "critical" {
				t.Errorf("%s of severity %q isn't documented in %s", rule.Alert, severity, document)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s doesn't say what it is about", rule.Alert)
			}
			if _, err := time.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			checkExpression(t, rule.Alert, rule.Expr, all)
		}
	}
	if len(known) != strings.Count(documented, "\n| Grove") {
		t.Errorf("%d alerts, %d documented", len(known), strings.Count(documented, "\n| Grove"))
	}
}

// dashboard is what Grafana needs of one.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Templating    struct {
		List []struct{ Name, Type, Query string } `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID         int                        `json:"id"`
		Type       string                     `json:"type"`
		Title      string                     `json:"title"`
		GridPos    struct{ H, W, X, Y int }   `json:"gridPos"`
		Datasource struct{ Type, UID string } `json:"datasource"`
		Targets    []struct {
			RefID string `json:"refId"`
			Expr  string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

// Every panel shows metrics that are served, from the data source that the viewer chose, at a place of its own.
func TestDashboard(t *testing.T) {
	all, _ := served(t)
	var shown dashboard
	if err := json.Unmarshal([]byte(read(t, filepath.Join(monitoring, "dashboard.json"))), &shown); err != nil {
		t.Fatal(err)
	}
	if list := shown.Templating.List; shown.UID == "" || shown.Title == "" || shown.SchemaVersion == 0 || len(list) != 1 ||
		list[0].Name != "datasource" || list[0].Type != "datasource" || list[0].Query != "prometheus" {
		t.Errorf("the dashboard is %q, %q, version %d with variables %+v", shown.UID, shown.Title, shown.SchemaVersion, list)
	}
	ids, taken, expressions := map[int]bool{}, map[[2]int]string{}, ""
	for _, panel := range shown.Panels {
		if ids[panel.ID] || panel.ID == 0 || panel.Title == "" {
			t.Errorf("panel %d, %q, has no number or title of its own", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		at := panel.GridPos
		if at.H < 1 || at.W < 1 || at.X+at.W > 24 {
			t.Errorf("%s is placed at %+v", panel.Title, at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s covers %s", panel.Title, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
		if panel.Type == "row" {
			continue
		}
		if panel.Datasource.Type != "prometheus" || panel.Datasource.UID != "${datasource}" || len(panel.Targets) == 0 {
			t.Errorf("%s shows %d expressions from %+v", panel.Title, len(panel.Targets), panel.Datasource)
		}
		for _, target := range panel.Targets {
			checkExpression(t, panel.Title, target.Expr, all)
			expressions += target.Expr
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "grove_") && !strings.Contains(expressions, name) {
			t.Errorf("the dashboard doesn't show %s", name)
		}
	}
}

// namesAndSelectors finds the metrics of an expression, with what they are selected by.
var namesAndSelectors = regexp.MustCompile(`\b((?:grove|workqueue|rest_client|leader_election|process|go)_[a-z0-9_]+)(\{[^}]*\})?`)

// checkExpression checks that each metric of an expression is served, and is the operator's.
func checkExpression(t *testing.T, where, expression string, all map[string]metric) {
	t.Helper()
	found := namesAndSelectors.FindAllStringSubmatch(expression, -1)
	if len(found) == 0 {
		t.Errorf("%s: %q has no metric", where, expression)
	}
	for _, match := range found {
		name, selector := match[1], match[2]
		if base := strings.TrimSuffix(name, "_bucket"); base != name && all[base].sort == "histogram" {
			name = base
		}
		if _, ok := all[name]; !ok {
			t.Errorf("%s: %s isn't served", where, name)
		}
		if !strings.HasPrefix(name, "grove_") && !strings.Contains(selector, operatorJob) {
			t.Errorf("%s: %s of other programs is shown too: select it by %s", where, name, operatorJob)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
