package plan

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// forRandomSets calls a test with many random sets that admission would accept. A failing one is named by its seed.
func forRandomSets(t *testing.T, test func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet)) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			test(t, random, randomSet(random))
		})
	}
}

// parts make names that look alike, so that generated names have every chance to collide.
var parts = []string{"w", "w-0", "w-1", "w-0-0", "a", "a-w", "a-0", "ps", "headless", "0", "1-1"}

func randomSet(random *rand.Rand) *v1alpha1.PodCliqueSet {
	set := &v1alpha1.PodCliqueSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodCliqueSet"},
		ObjectMeta: metav1.ObjectMeta{Name: pick(random, []string{"s", "s-0", "train"}), Namespace: "ns", UID: "set", Generation: 1},
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
			template.PodCliqueScalingGroups = append(template.PodCliqueScalingGroups, randomGroup(random, name, free[:size]))
			free = free[size:]
		}
	}
	if collides(set) {
		return randomSet(random)
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

func randomGroup(random *rand.Rand, name string, cliques []v1alpha1.PodCliqueTemplateSpec) v1alpha1.PodCliqueScalingGroupConfig {
	group := v1alpha1.PodCliqueScalingGroupConfig{Name: name}
	for _, clique := range cliques {
		group.CliqueNames = append(group.CliqueNames, clique.Name)
	}
	if random.IntN(4) > 0 {
		replicas := random.Int32N(4)
		group.Replicas = &replicas
		if replicas > 0 {
			group.MinAvailable = ptr.To(1 + random.Int32N(replicas))
		}
	}
	return group
}

// collides tells what admission refuses: a standalone clique whose pods would be named like those of a member clique.
func collides(set *v1alpha1.PodCliqueSet) bool {
	t := templateOf(set)
	for _, member := range t.cliques() {
		like := regexp.MustCompile("^" + regexp.QuoteMeta(member.Name) + "-[0-9]+$")
		for _, other := range t.cliques() {
			if t.groupOf[member.Name] != nil && t.groupOf[other.Name] == nil && like.MatchString(other.Name) {
				return true
			}
		}
	}
	return false
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

// live plays the API server: it makes the children that a plan asks for, as they would be read back.
func live(set *v1alpha1.PodCliqueSet, children Children) Set {
	observed := Set{
		Object:        set,
		ScalingGroups: map[string]*v1alpha1.PodCliqueScalingGroup{},
		PodGangs:      map[string]*v1alpha1.PodGang{},
		PodCliques:    map[string]*v1alpha1.PodClique{},
	}
	owned := []metav1.ManagedFieldsEntry{{
		Manager:   SetManager,
		Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1:  metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
	}}
	for _, config := range children.ScalingGroups {
		group := Configuration[v1alpha1.PodCliqueScalingGroup](config)
		group.UID, group.Generation, group.ManagedFields = types.UID(group.Name), 1, owned
		observed.ScalingGroups[group.Name] = group
	}
	for _, config := range children.PodGangs {
		gang := Configuration[v1alpha1.PodGang](config)
		gang.UID, gang.Generation = types.UID(gang.Name), 1
		observed.PodGangs[gang.Name] = gang
	}
	for _, config := range children.PodCliques {
		clique := Configuration[v1alpha1.PodClique](config)
		clique.UID, clique.Generation, clique.ManagedFields = types.UID(clique.Name), 1, owned
		observed.PodCliques[clique.Name] = clique
	}
	return observed
}

// cliques are the PodCliques of a set with what decides about their pods; pods makes those that exist.
func cliques(observed Set, pods func(clique Clique) []*corev1.Pod) []Clique {
	var all []Clique
	for _, podClique := range observed.PodCliques {
		clique := Clique{Object: podClique, Set: observed.Object, Gang: observed.PodGangs[podClique.Labels[v1alpha1.LabelPodGang]], Scheduling: everything}
		if group := ScalingGroupOf(observed.Object, podClique); group != "" {
			clique.Group = observed.ScalingGroups[group]
		}
		if pods != nil {
			clique.Pods = pods(clique)
		}
		all = append(all, clique)
	}
	slices.SortFunc(all, func(a, b Clique) int { return byName(a.Object, b.Object) })
	return all
}

// everything is a scheduler that can do all that a set can ask for.
var everything = Scheduling{Gangs: true, Topology: true, Composite: true, NetworkTopologyKey: "rack"}

// allPods makes every pod that a PodClique asks for, once all its gang is scheduled.
func allPods(clique Clique) []*corev1.Pod {
	if clique.Gang != nil {
		clique.Gang = scheduledGang(clique.Gang)
	}
	return podsOf(clique.PodActions().Create)
}

// podsOf plays the API server.
func podsOf(created []NewPod) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, one := range created {
		pod := Configuration[corev1.Pod](one.Config)
		if one.Group != "" {
			pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &one.Group}
		}
		pods = append(pods, pod)
	}
	return pods
}

// scheduledGang copies a gang, with a status that says that every unit is scheduled.
func scheduledGang(gang *v1alpha1.PodGang) *v1alpha1.PodGang {
	gang = gang.DeepCopy()
	gang.Status.PodGroups = nil
	for _, slice := range podGroupsOf(gang) {
		gang.Status.PodGroups = append(gang.Status.PodGroups, v1alpha1.PodGroupStatus{Name: slice.Name, Scheduled: slice.MinReplicas})
	}
	return gang
}
