package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Sample checks that the set of a manifest comes up as it stands there, all of it. It leaves its nodes to the next.
func Sample(manifest string) types.Feature {
	var set v1alpha1.PodCliqueSet
	return features.New("the sample "+strings.TrimSuffix(filepath.Base(manifest), ".yaml")).
		Assess("is accepted with strict validation", step(func(s *scope) {
			s.mustKubectl("apply", "--server-side", "--validate=strict", "-f", manifest)
		})).
		Assess("comes up", step(func(s *scope) {
			data, err := os.ReadFile(manifest)
			if err != nil {
				s.Fatal(err)
			}
			if err := yaml.UnmarshalStrict(data, &set); err != nil {
				s.Fatal(err)
			}
			s.waitForPods(set.Name, podsOfTemplate(&set))
			s.waitUntilAvailable(set.Name)
		})).
		Teardown(step(func(s *scope) {
			s.mustKubectl("delete", "-f", manifest)
			s.waitForChildren(set.Name, noChildren())
		})).
		Feature()
}

// podsOfTemplate are the names of the pods that a set's template asks for. What it leaves out is 1, by default.
func podsOfTemplate(set *v1alpha1.PodCliqueSet) []string {
	groupReplicas := map[string]int{}
	for _, group := range set.Spec.Template.PodCliqueScalingGroups {
		for _, clique := range group.CliqueNames {
			groupReplicas[clique] = int(ptr.Deref(group.Replicas, 1))
		}
	}
	var all []string
	for i := range set.Spec.Replicas {
		for _, clique := range set.Spec.Template.Cliques {
			name, replicas := fmt.Sprintf("%s-%s-%d", set.Name, clique.Name, i), int(ptr.Deref(clique.Spec.Replicas, 1))
			times, member := groupReplicas[clique.Name]
			if !member {
				all = append(all, podNames(name, replicas)...)
			}
			for g := range times {
				all = append(all, podNames(fmt.Sprintf("%s-%d", name, g), replicas)...)
			}
		}
	}
	return all
}
