package cases

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"
)

const (
	// platform is a manifest that leaves something to others.
	platform = `
apiVersion: grove.io/v1alpha1
kind: PodCliqueSet
metadata: {name: shared}
spec:
  replicas: 1
  template:
    cliques:
    - name: a
      spec:
        podSpec:
          containers:
          - {name: main, image: "IMAGE"}
`
	// tuning is a manifest of somebody who knows one container only.
	tuning = `
apiVersion: grove.io/v1alpha1
kind: PodCliqueSet
metadata: {name: shared}
spec:
  template:
    cliques:
    - name: a
      spec:
        podSpec:
          containers:
          - name: main
            env: [{name: BATCH_SIZE, value: "8"}]
`
)

// FieldManagers checks that two appliers share a set, each with fields of its own.
func FieldManagers(image string) types.Feature {
	platform := strings.ReplaceAll(platform, "IMAGE", image)
	return features.New("two field managers").
		Assess("each owns some fields", step(func(s *scope) {
			s.applyAs("platform", platform)
			s.applyAs("tuning", tuning)
			s.waitForTuning(image, "8")
			s.waitUntilAvailable("shared")
		})).
		Assess("and keeps what the other owns", step(func(s *scope) {
			s.applyAs("platform", strings.Replace(platform, "replicas: 1", "replicas: 2", 1))
			s.waitForTuning(image, "8")
			s.waitForPods("shared", podNames("shared-a-0", 1), podNames("shared-a-1", 1))
			s.applyAs("tuning", strings.Replace(tuning, `"8"`, `"16"`, 1))
			s.waitForTuning(image, "16")
		})).
		Assess("a conflict is told with its owner", step(func(s *scope) {
			_, err := s.tryApplyAs("tuning", strings.Replace(tuning, "name: main\n", "name: main\n            image: other\n", 1))
			if err == nil || !strings.Contains(err.Error(), `conflict with "platform"`) {
				s.Errorf("taking over the image: %v; want a conflict with platform", err)
			}
		})).
		Assess("what an owner drops goes", step(func(s *scope) {
			s.applyAs("tuning", strings.Replace(tuning, `            env: [{name: BATCH_SIZE, value: "8"}]`+"\n", "", 1))
			s.waitForTuning(image, "")
		})).
		Feature()
}

func (s *scope) applyAs(manager, manifest string) {
	s.Helper()
	if _, err := s.tryApplyAs(manager, manifest); err != nil {
		s.Fatal(err)
	}
}

func (s *scope) tryApplyAs(manager, manifest string) (string, error) {
	s.Helper()
	return s.kubectl("apply", "--server-side", "--validate=strict", "--field-manager="+manager, "-f", s.fileOf([]byte(manifest)))
}

// waitForTuning waits until the set, and what was made from it, has an image and a variable, or none.
func (s *scope) waitForTuning(image, batchSize string) {
	s.Helper()
	want := corev1.Container{Name: "main", Image: image}
	if batchSize != "" {
		want.Env = []corev1.EnvVar{{Name: "BATCH_SIZE", Value: batchSize}}
	}
	grove := s.grove.GroveV1alpha1()
	s.eventually(fmt.Sprintf("the container is %+v", want), func() (string, error) {
		set, err := grove.PodCliqueSets(s.namespace).Get(s.ctx, "shared", metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		podClique, err := grove.PodCliques(s.namespace).Get(s.ctx, "shared-a-0", metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return cmp.Diff(want, set.Spec.Template.Cliques[0].Spec.PodSpec.Containers[0]) + cmp.Diff(want, podClique.Spec.PodSpec.Containers[0]), nil
	})
}
