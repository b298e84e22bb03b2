package cases

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"
)

// Plugin checks that the verbs of kubectl grove which look at a set and change it do so in a cluster.
func Plugin() e2etypes.Feature {
	return features.New("plugin").
		Assess("why says which nodes lack what", step(func(s *scope) {
			s.mustHavePlugin()
			huge := newSet("huge", 1, newClique("a", 1, 1))
			huge.Spec.Template.Cliques[0].Spec.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100000")}
			s.create(huge)
			s.says("no node has a place for pod huge-a-0-0", "why", "huge")
			s.says("huge-a-0-0", "why", "pg/huge-0", "-o", "json")
		})).
		Assess("a set is shown as a tree, and scaled", step(func(s *scope) {
			s.create(newRolling(2))
			s.says(`podcliqueset "web" successfully rolled out`, "rollout", "status", "web", "--timeout=2m")
			s.says("Nothing is missing", "why", "web")
			s.says("pod/web-front-1-0", "tree", "web")
			s.says("podclique.grove.io/web-front-1 scaled from 3 to 4", "scale", "web", "--clique=front=4")
			s.waitForPods("web", rollingPods(2), []string{"web-front-0-3", "web-front-1-3"})
		})).
		Assess("a restart is undone", step(func(s *scope) {
			s.says("restarted", "rollout", "restart", "web")
			s.says("successfully rolled out", "rollout", "status", "web", "--timeout=2m")
			s.says("rolled back to revision 1", "rollout", "undo", "web", "--to-revision=1")
			s.says("successfully rolled out", "rollout", "status", "web", "--timeout=2m")
			set, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Get(s.ctx, "web", metav1.GetOptions{})
			if err != nil {
				s.Fatal(err)
			}
			if len(set.Annotations) > 0 {
				s.Errorf("the set still has annotations: %v", set.Annotations)
			}
		})).
		Feature()
}

// says waits until a verb of the plugin says something.
func (s *scope) says(words string, args ...string) {
	s.Helper()
	s.eventually("kubectl grove "+strings.Join(args, " ")+" says "+words, func() (string, error) {
		out, err := s.Plugin(s.ctx, append(args, "-n", s.namespace)...)
		if err != nil {
			return err.Error(), nil
		}
		if !strings.Contains(out, words) {
			return out, nil
		}
		return "", nil
	})
}
