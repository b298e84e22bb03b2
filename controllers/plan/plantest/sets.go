// Package plantest has what the tests of planners share: sets that admission would accept, and a world of their children and pods.
package plantest

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// ForRandomSets calls a test with many random sets that admission would accept. A failing one is named by its seed.
func ForRandomSets(t *testing.T, test func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet)) {
	t.Helper()
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			test(t, random, RandomSet(random))
		})
	}
}

// parts make names that look alike, so that generated names have every chance to collide.
var parts = []string{"w", "w-0", "w-1", "w-0-0", "a", "a-w", "a-0", "ps", "headless", "0", "1-1"}

// RandomSet is a set that admission would accept.
func RandomSet(random *rand.Rand) *v1alpha1.PodCliqueSet {
	set := &v1alpha1.PodCliqueSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodCliqueSet"},
		ObjectMeta: metav1.ObjectMeta{Name: Pick(random, "s", "s-0", "train"), Namespace: "ns", UID: "set", Generation: 1},
		Spec:       v1alpha1.PodCliqueSetSpec{Replicas: random.Int32N(4)},
	}
	names := slices.Clone(parts)
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	template := &set.Spec.Template
	for _, name := range names[:1+random.IntN(6)] {
		template.Cliques = append(template.Cliques, randomClique(random, name))
	}
	free := slices.Clone(template.Cliques)
	for _, name := range []string{"g", "h-0"} {
		if size := random.IntN(len(free) + 1); size > 0 && random.IntN(3) > 0 {
			template.PodCliqueScalingGroups = append(template.PodCliqueScalingGroups, randomScalingGroup(random, name, free[:size]))
			free = free[size:]
		}
	}
	if collides(set) {
		return RandomSet(random)
	}
	return set
}

func randomClique(random *rand.Rand, name string) v1alpha1.PodCliqueTemplateSpec {
	clique := v1alpha1.PodCliqueTemplateSpec{Name: name, Spec: v1alpha1.PodCliqueSpec{PodSpec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "image:" + name}},
	}}}
	if random.IntN(4) > 0 {
		replicas := random.Int32N(4)
		clique.Spec.Replicas = &replicas
		if replicas > 0 && random.IntN(2) > 0 {
			clique.Spec.MinAvailable = ptr.To(1 + random.Int32N(replicas))
		}
	}
	if random.IntN(3) == 0 {
		clique.Labels = map[string]string{"team": "x", v1alpha1.LabelRole: "stolen"}
	}
	return clique
}

func randomScalingGroup(random *rand.Rand, name string, cliques []v1alpha1.PodCliqueTemplateSpec) v1alpha1.PodCliqueScalingGroupConfig {
	scalingGroup := v1alpha1.PodCliqueScalingGroupConfig{Name: name}
	for _, clique := range cliques {
		scalingGroup.CliqueNames = append(scalingGroup.CliqueNames, clique.Name)
	}
	if random.IntN(4) > 0 {
		replicas := random.Int32N(4)
		scalingGroup.Replicas = &replicas
		if replicas > 0 {
			scalingGroup.MinAvailable = ptr.To(1 + random.Int32N(replicas))
		}
	}
	return scalingGroup
}

// collides tells what admission refuses: a standalone clique whose pods would be named like those of a member clique.
func collides(set *v1alpha1.PodCliqueSet) bool {
	t := plan.TemplateOf(set)
	for _, member := range t.Cliques() {
		like := regexp.MustCompile("^" + regexp.QuoteMeta(member.Name) + "-[0-9]+$")
		for _, other := range t.Cliques() {
			if t.ScalingGroupOf[member.Name] != nil && t.ScalingGroupOf[other.Name] == nil && like.MatchString(other.Name) {
				return true
			}
		}
	}
	return false
}

// Pick is one of several.
func Pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// Workers is a set named train of 2 replicas, each with a standalone clique of 1 pod, alone, and with 2 replicas of a scaling group, of
// which 1 is needed: a member of 2 pods, worker, behind another of 1 pod, lead.
func Workers() *v1alpha1.PodCliqueSet {
	clique := func(name string, replicas int32) v1alpha1.PodCliqueTemplateSpec {
		return v1alpha1.PodCliqueTemplateSpec{Name: name, Spec: v1alpha1.PodCliqueSpec{
			Replicas: &replicas,
			PodSpec: corev1.PodSpec{
				InitContainers: []corev1.Container{{Name: "init"}},
				Containers:     []corev1.Container{{Name: "main", Env: []corev1.EnvVar{{Name: "OWN", Value: "1"}}}},
			},
		}}
	}
	return &v1alpha1.PodCliqueSet{
		ObjectMeta: metav1.ObjectMeta{Name: "train", Namespace: "ns", UID: "set", Generation: 1},
		Spec: v1alpha1.PodCliqueSetSpec{Replicas: 2, Template: v1alpha1.PodCliqueSetTemplateSpec{
			Cliques: []v1alpha1.PodCliqueTemplateSpec{clique("lead", 1), clique("worker", 2), clique("alone", 1)},
			PodCliqueScalingGroups: []v1alpha1.PodCliqueScalingGroupConfig{{
				Name: "group",
				PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{
					CliqueNames: []string{"worker", "lead"}, Replicas: ptr.To[int32](2),
				},
			}},
		}},
	}
}
