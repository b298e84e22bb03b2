// Package helm checks the chart by Helm itself: that it installs what deploy does, and what its values change. It is a module of its own, so
// that nothing else needs what Helm does.
package helm

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	chart  = "../../charts/grove"
	deploy = "../../deploy"
	// keep is the annotation by which Helm leaves an object when its release is uninstalled.
	keep = "helm.sh/resource-policy"
)

func TestLint(t *testing.T) {
	if out, err := helm("lint", "--strict", chart); err != nil {
		t.Error(err, out)
	}
}

func TestInstallsWhatDeployDoes(t *testing.T) {
	for name, test := range map[string]struct {
		values, overlays []string
	}{
		"by default":           {nil, []string{"."}},
		"with all that can be": {[]string{"protection.enabled=true", "monitoring.enabled=true"}, []string{".", "protection", "monitoring"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := objects{}
			for _, overlay := range test.overlays {
				maps.Copy(want, kustomize(t, filepath.Join(deploy, overlay)))
			}
			delete(want, "Namespace grove-system") // helm --create-namespace makes it, before there is a release
			got := template(t, "grove-system", append(test.values, "crds.keep=false")...)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("objects (-deploy +chart):\n%s", diff)
			}
			for key := range want {
				if diff := cmp.Diff(want[key], got[key]); diff != "" {
					t.Errorf("%s (-deploy +chart):\n%s", key, diff)
				}
			}
		})
	}
}

// TestValues has all that a value changes of what is installed by default.
func TestValues(t *testing.T) {
	const operator, pod = "Deployment grove-system/grove-operator spec", "Deployment grove-system/grove-operator spec.template.spec"
	const container = pod + ".containers.0"
	const without = "crds.install=false" // which take long
	normal := flat(template(t, "grove-system", without))
	digest := "sha256:" + strings.Repeat("0a", 32)
	for value, want := range map[string]map[string]any{
		"image.repository=registry.example.com/grove": {container + ".image": "registry.example.com/grove:dev"},
		"image.tag=v1":                        {container + ".image": "grove.io/grove:v1"},
		"image.digest=" + digest:              {container + ".image": "grove.io/grove@" + digest},
		"image.pullPolicy=Always":             {container + ".imagePullPolicy": "Always"},
		"imagePullSecrets[0].name=mine":       {pod + ".imagePullSecrets.0.name": "mine"},
		"replicas=1":                          {operator + ".replicas": 1.0},
		"resources.limits.memory=2Gi":         {container + ".resources.limits.memory": "2Gi"},
		"priorityClassName=":                  {pod + ".priorityClassName": nil},
		"nodeSelector.pool=system":            {pod + ".nodeSelector.pool": "system"},
		"tolerations[0].operator=Exists":      {pod + ".tolerations.0.operator": "Exists"},
		"namespaces={a,b}":                    {container + ".args.1": "--namespace=a", container + ".args.2": "--namespace=b"},
		"networkTopologyKey=example.com/rack": {container + ".args.1": "--network-topology-key=example.com/rack"},
		"extraArgs[0]=--log-level=debug":      {container + ".args.1": "--log-level=debug"},
		"metrics.auth=false":                  {container + ".args.0": nil},
	} {
		t.Run(value, func(t *testing.T) {
			if diff := cmp.Diff(want, changes(normal, flat(template(t, "grove-system", without, value)))); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetricsOff(t *testing.T) {
	got := template(t, "grove-system", "metrics.enabled=false")
	if got["Service grove-system/grove-operator-metrics"] != nil {
		t.Error("there is a Service")
	}
	const container = "Deployment grove-system/grove-operator spec.template.spec.containers.0"
	values := flat(got)
	if values[container+".args.0"] != "--metrics-address=" || values[container+".ports.0.name"] != "health" {
		t.Errorf("args %v, ports %v", values[container+".args.0"], values[container+".ports.0.name"])
	}
}

func TestMonitoring(t *testing.T) {
	const monitor, rule = "ServiceMonitor grove-system/grove-operator ", "PrometheusRule grove-system/grove-operator "
	got := flat(template(t, "grove-system", "monitoring.enabled=true", "monitoring.labels.release=prometheus", "metrics.auth=false"))
	for path, want := range map[string]any{
		monitor + "metadata.labels.release":                                        "prometheus",
		rule + "metadata.labels.release":                                           "prometheus",
		monitor + "spec.endpoints.0.port":                                          "metrics",
		monitor + "spec.endpoints.0.scheme":                                        nil,
		"ConfigMap grove-system/grove-dashboard metadata.labels.grafana_dashboard": "1",
	} {
		if got[path] != want {
			t.Errorf("%s is %v, want %v", path, got[path], want)
		}
	}
}

// TestNamespace checks that nothing names the namespace of deploy where the release is in another.
func TestNamespace(t *testing.T) {
	for path, value := range flat(template(t, "elsewhere", "protection.enabled=true", "monitoring.enabled=true")) {
		text, isText := value.(string)
		if strings.Contains(path, "grove-system") || isText && strings.Contains(text, "grove-system") && !strings.HasPrefix(path, "CustomResourceDefinition") {
			t.Errorf("%s: %v", path, value)
		}
	}
}

func TestDefinitions(t *testing.T) {
	var kept int
	for key, object := range template(t, "grove-system") {
		annotations, _ := object["metadata"].(map[string]any)["annotations"].(map[string]any)
		if strings.HasPrefix(key, "CustomResourceDefinition ") != (annotations[keep] == "keep") {
			t.Errorf("%s has the annotations %v", key, annotations)
		}
		if annotations[keep] == "keep" {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d objects are kept", kept)
	}
	for key := range template(t, "grove-system", "crds.install=false") {
		if strings.HasPrefix(key, "CustomResourceDefinition ") {
			t.Errorf("%s, though there should be none", key)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	for value, want := range map[string]string{
		"replica=1":                  "additional properties 'replica' not allowed",
		"replicas=two":               "at '/replicas': got string, want integer",
		"image.digest=latest":        "at '/image/digest'",
		"extraArgs[0]=debug":         "at '/extraArgs/0'",
		"image.pullPolicy=Sometimes": "at '/image/pullPolicy'",
		"monitoring.enabled=true,metrics.enabled=false": "monitoring.enabled needs metrics.enabled",
	} {
		if out, err := helm("template", "grove", chart, "--set="+value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q\n%.300s", value, err, want, out)
		}
	}
}

// TestSize checks that a release has a place in a Secret, of which etcd takes a mebibyte: Helm keeps the chart and what it became there.
func TestSize(t *testing.T) {
	manifest, err := helm("template", "grove", chart, "--set=protection.enabled=true,monitoring.enabled=true")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	err = fs.WalkDir(os.DirFS(chart), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[path], err = os.ReadFile(filepath.Join(chart, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	release, err := json.Marshal(map[string]any{"chart": files, "manifest": manifest})
	if err != nil {
		t.Fatal(err)
	}
	var stored bytes.Buffer
	zipper := gzip.NewWriter(&stored)
	if _, err := zipper.Write(release); err != nil {
		t.Fatal(err)
	}
	if err := zipper.Close(); err != nil {
		t.Fatal(err)
	}
	if size := base64.StdEncoding.EncodedLen(stored.Len()); size > 1<<19 {
		t.Errorf("a release takes %d bytes, of a mebibyte", size)
	} else {
		t.Logf("a release takes %d bytes", size)
	}
}
