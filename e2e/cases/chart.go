package cases

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cluster"
)

const (
	// release is the name of the chart's release.
	release = "grove"
	// definition is one of the CustomResourceDefinitions, described tells how the next version of the chart describes its kind, and
	// description is where that stands.
	definition  = "customresourcedefinition/podcliquesets.grove.io"
	described   = "A PodCliqueSet of the next version"
	description = "jsonpath={.spec.versions[0].schema.openAPIV3Schema.description}"
)

// Chart checks that the Helm chart in a directory takes over what kubectl has installed, upgrades the operator and the
// CustomResourceDefinitions without touching a pod, leaves sets when it is uninstalled, and installs all of Grove where nothing is. There it
// stays: what comes after works with it.
func Chart(dir string) types.Feature {
	var before map[string]string
	return features.New("the chart").
		Assess("takes over from kubectl", step(func(s *scope) {
			s.createPair("web")
			before = s.containersOf("web")
			s.mustHelm("install", release, s.absolute(dir), "--take-ownership", "--force-conflicts")
			s.mustBeUntouched(before)
		})).
		Assess("upgrades the operator and the definitions", step(func(s *scope) {
			s.mustHelm("upgrade", release, s.nextChart(dir), "--force-conflicts", "--set=image.tag="+imageTag(cluster.NextOperatorImage))
			if got := s.mustKubectl("get", definition, "--output="+description); got != described {
				s.Errorf("the definition has the description %q", got)
			}
			s.mustKubectl("scale", "podclique/web-b-0", "--replicas=2")
			s.waitForPods("web", podNames("web-a-0", 2), podNames("web-b-0", 2))
			if got := s.pod("web-b-0-1").Spec.InitContainers[0].Image; got != cluster.NextOperatorImage {
				s.Errorf("a new pod's init container has the image %s; want %s", got, cluster.NextOperatorImage)
			}
			s.mustBeUntouched(before)
		})).
		Assess("leaves sets when it is uninstalled", step(func(s *scope) {
			s.mustHelm("uninstall", release)
			if got := s.mustKubectl("get", "deployments", "--namespace="+cluster.OperatorNamespace, "--output=name"); got != "" {
				s.Errorf("there still is %s", got)
			}
			s.waitUntilAvailable("web")
			s.mustBeUntouched(before)
		})).
		Assess("installs all of it where nothing is", step(func(s *scope) {
			s.mustKubectl("delete", "podcliqueset/web")
			s.waitForChildren("web", noChildren())
			s.deleteGrove()
			s.mustHelm("install", release, s.absolute(dir), "--create-namespace")
			s.createPair("fresh")
		})).
		Feature()
}

// deleteGrove deletes what uninstalling the chart leaves.
func (s *scope) deleteGrove() {
	s.Helper()
	s.mustKubectl("delete", "customresourcedefinitions", "podcliquesets.grove.io", "podcliques.grove.io", "podcliquescalinggroups.grove.io", "podgangs.grove.io", "--timeout=2m")
	s.mustKubectl("delete", "namespace/"+cluster.OperatorNamespace, "--timeout=2m")
}

// mustHelm runs Helm in the operator's namespace, and waits until what it has installed works.
func (s *scope) mustHelm(args ...string) {
	s.Helper()
	out, err := s.Kind.Helm(s.ctx, append(args, "--namespace="+cluster.OperatorNamespace, "--wait", "--timeout=3m")...)
	if err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
}

// nextChart is a copy of the chart whose definition of PodCliqueSets has another description.
func (s *scope) nextChart(dir string) string {
	s.Helper()
	next := s.TempDir()
	if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
		s.Fatal(err)
	}
	path := filepath.Join(next, "files", "grove.io_podcliquesets.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		s.Fatal(err)
	}
	const schema = "      openAPIV3Schema:\n        description: "
	before, after, found := bytes.Cut(content, []byte(schema))
	_, rest, continued := bytes.Cut(after, []byte("\n        properties:\n"))
	if !found || !continued {
		s.Fatalf("%s has no description of the kind", path)
	}
	content = bytes.Join([][]byte{before, []byte(schema + described + "\n        properties:\n"), rest}, nil)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.Fatal(err)
	}
	return next
}

func (s *scope) absolute(path string) string {
	s.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		s.Fatal(err)
	}
	return absolute
}

// imageTag is what follows the colon in the name of an image.
func imageTag(image string) string {
	return image[strings.LastIndex(image, ":")+1:]
}
