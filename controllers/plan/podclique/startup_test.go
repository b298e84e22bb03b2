package podclique_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/startup"
)

// Whatever the order, the pods of a gang all start in the end, and none before those that it starts after.
func TestAllStartInOrder(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		template := &set.Spec.Template
		template.CliqueStartupType = plantest.Pick(random, v1alpha1.CliqueStartupTypeInOrder, v1alpha1.CliqueStartupTypeExplicit)
		order := random.Perm(len(template.Cliques))
		for n, at := range order {
			for _, before := range order[:n] {
				if random.IntN(3) == 0 {
					template.Cliques[at].Spec.StartsAfter = append(template.Cliques[at].Spec.StartsAfter, template.Cliques[before].Name)
				}
			}
		}
		observed := plantest.Observed(set)
		for _, gang := range observed.PodGangs {
			waiting := map[string][]*corev1ac.PodApplyConfiguration{} // by pod group
			for _, clique := range plantest.Cliques(observed, nil) {
				if clique.Object.Labels[v1alpha1.LabelPodGang] == gang.Name {
					clique.Gang = plantest.ScheduledGang(gang)
					for _, pod := range clique.Actions(plantest.Now).Create {
						group := (*pod.Config.Name)[:len(*pod.Config.Name)-len("-"+pod.Config.Labels[v1alpha1.LabelPodIndex])]
						waiting[group] = append(waiting[group], pod.Config)
					}
				}
			}
			mustStart(t, gang.DeepCopy(), waiting)
		}
	})
}

// mustStart starts the pods that nothing is missing for, one pod group after the other, until all have started.
func mustStart(t *testing.T, gang *v1alpha1.PodGang, waiting map[string][]*corev1ac.PodApplyConfiguration) {
	t.Helper()
	gang.Status.PodGroups = nil
	for len(waiting) > 0 {
		started := 0
		for group, pods := range waiting {
			if order := orderOf(t, pods[0]); !order.Any() || len(order.Missing(gang)) == 0 {
				started++
				delete(waiting, group)
				gang.Status.PodGroups = append(gang.Status.PodGroups, v1alpha1.PodGroupStatus{Name: group, Ready: int32(len(pods))})
			}
		}
		if started == 0 {
			t.Fatalf("%s: these wait for each other: %v", gang.Name, slices.Sorted(maps.Keys(waiting)))
		}
	}
}

// orderOf reads the order from a pod's init container; nothing to wait for if it has none.
func orderOf(t *testing.T, pod *corev1ac.PodApplyConfiguration) startup.Order {
	t.Helper()
	var order startup.Order
	if containers := pod.Spec.InitContainers; len(containers) > 0 && *containers[0].Name == startup.ContainerName {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		order.AddFlags(flags)
		if err := flags.Parse(containers[0].Args); err != nil {
			t.Fatal(err)
		}
	}
	return order
}

// The example of the semantics: a member, a standalone clique after it, and a member after that.
func TestOrderOfPods(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Replicas = 1
	set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeInOrder
	set.Spec.Template.Cliques = []v1alpha1.PodCliqueTemplateSpec{member("first"), member("between"), member("last")}
	set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{{
		Name:                      "g",
		PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{CliqueNames: []string{"first", "last"}, Replicas: ptr.To(int32(2)), MinAvailable: ptr.To(int32(1))},
	}}
	got := map[string][]string{}
	for _, clique := range plantest.Cliques(plantest.Observed(set), nil) {
		clique.Gang, clique.InitImage = plantest.ScheduledGang(clique.Gang), "grove:1"
		for _, pod := range clique.Actions(plantest.Now).Create {
			var names []string
			for _, container := range pod.Config.Spec.InitContainers {
				names = append(names, *container.Name)
			}
			order := orderOf(t, pod.Config)
			got[*pod.Config.Name] = slices.Concat(names, []string{"after"}, order.PodCliques, order.PodGroups)
			if order.Any() && *pod.Config.Spec.InitContainers[0].Image != "grove:1" {
				t.Errorf("%s has the image %s", *pod.Config.Name, *pod.Config.Spec.InitContainers[0].Image)
			}
		}
	}
	const initc, own = startup.ContainerName, "download"
	if diff := cmp.Diff(map[string][]string{
		"train-first-0-0-0": {own, "after"},
		"train-first-0-1-0": {own, "after"},
		"train-between-0-0": {initc, own, "after", "train-first-0"},
		"train-last-0-0-0":  {initc, own, "after", "train-between-0", "train-first-0-0"},
		"train-last-0-1-0":  {initc, own, "after", "train-between-0", "train-first-0-1"},
	}, got); diff != "" {
		t.Errorf("init containers, and what they wait for (-want +got):\n%s", diff)
	}
}

// member is a clique of one pod, with an init container of its own.
func member(name string) v1alpha1.PodCliqueTemplateSpec {
	return v1alpha1.PodCliqueTemplateSpec{Name: name, Spec: v1alpha1.PodCliqueSpec{PodSpec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "download", Image: "download"}},
		Containers:     []corev1.Container{{Name: "main", Image: "main"}},
	}}}
}
