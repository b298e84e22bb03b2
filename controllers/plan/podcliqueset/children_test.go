package podcliqueset_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

func TestNamesAreUniqueAndValid(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		children := podcliqueset.Set{Object: set}.Children()
		var podCliques, podGangs, pods []string
		for _, podClique := range children.PodCliques() {
			podCliques = append(podCliques, *podClique.Name)
		}
		for _, podGang := range children.PodGangs() {
			podGangs = append(podGangs, *podGang.Name)
		}
		for _, clique := range plantest.Cliques(plantest.Live(set, children), plantest.AllPods) {
			for _, pod := range clique.Pods {
				pods = append(pods, pod.Name)
				for key, value := range pod.Labels {
					if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
						t.Errorf("label %s of %s: %v", key, pod.Name, problems)
					}
				}
			}
		}
		for what, names := range map[string][]string{"PodCliques": podCliques, "PodGangs": podGangs, "pods": pods} {
			slices.Sort(names)
			if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
				t.Errorf("names of %s aren't unique: %v", what, names)
			}
			for _, name := range names {
				if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
					t.Errorf("name %q of one of %s: %v", name, what, problems)
				}
			}
		}
	})
}

func TestPlanningTwiceGivesTheSameBytes(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		// The first plan of all hasn't seen the Role yet.
		first := plantest.Observed(set).Children()
		again := plantest.Live(set, first).Children()
		if diff := cmp.Diff(encode(t, first), encode(t, again)); diff != "" {
			t.Errorf("the plan for what was just made differs (-first +again):\n%s", diff)
		}
		if removals := plantest.Live(set, first).Removals(); len(removals.PodCliques)+len(removals.PodGangs)+len(removals.Services) > 0 {
			t.Errorf("what was just made is removed: %+v", removals)
		}
	})
}

func TestReplicasOfTheSetTouchNoOtherReplica(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		before := plantest.Observed(set)
		scaled := set.DeepCopy()
		scaled.Spec.Replicas = random.Int32N(6)
		observed := before
		observed.Object = scaled
		after := plantest.Live(scaled, observed.Children())
		removals := observed.Removals()

		kept := min(set.Spec.Replicas, scaled.Spec.Replicas)
		for name, podClique := range before.PodCliques {
			i, _ := plan.IndexLabel(podClique, v1alpha1.LabelReplicaIndex)
			removed := slices.Contains(removals.PodCliques, podClique)
			if removed != (i >= kept) {
				t.Errorf("PodClique %s of replica %d: removed is %v with %d replicas", name, i, removed, scaled.Spec.Replicas)
			}
			if !removed && !cmp.Equal(encode(t, podClique), encode(t, after.PodCliques[name])) {
				t.Errorf("PodClique %s has changed with the replicas of the set", name)
			}
		}
		if got, want := len(after.PodGangs), int(scaled.Spec.Replicas); got != want {
			t.Errorf("%d PodGangs for %d replicas", got, want)
		}
	})
}

func TestScalingTouchesNoPodThatStays(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		observed := plantest.Observed(set)
		before := plantest.Cliques(observed, plantest.AllPods)
		for _, scalingGroup := range observed.ScalingGroups {
			scalingGroup.Spec.Replicas = ptr.To(random.Int32N(5))
		}
		for _, podClique := range observed.PodCliques {
			podClique.Spec.Replicas = ptr.To(random.Int32N(5))
		}
		for _, clique := range before {
			actions := clique.Actions(plantest.Now)
			for _, pod := range clique.Pods {
				g, _ := plan.IndexLabel(pod, v1alpha1.LabelGroupReplicaIndex)
				p, _ := plan.IndexLabel(pod, v1alpha1.LabelPodIndex)
				stays := g < clique.GroupReplicas() && p < clique.Replicas()
				if deleted := slices.Contains(actions.Delete, pod); deleted == stays {
					t.Errorf("pod %s is deleted: %v; its place remains: %v", pod.Name, deleted, stays)
				}
			}
			if relabel := actions.Relabel; len(relabel) > 0 {
				t.Errorf("scaling relabels %s", *relabel[0].Name)
			}
		}
	})
}

func TestEachPodIsInOnePodGroupAndEachPodGroupInOneUnit(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		observed := plantest.Observed(set)
		pods, inUnits, seen := map[string]int{}, map[string]int{}, map[string]bool{}
		for _, clique := range plantest.Cliques(observed, plantest.AllPods) {
			for _, podGroup := range clique.PodGroupNames() {
				seen[podGroup] = seen[podGroup] || clique.Replicas() > 0
				for _, pod := range clique.Pods {
					if index, ok := strings.CutPrefix(pod.Name, podGroup+"-"); ok && index == pod.Labels[v1alpha1.LabelPodIndex] {
						pods[pod.Name]++
					}
				}
			}
			for _, pod := range clique.Pods {
				if pods[pod.Name] != 1 {
					t.Errorf("pod %s is in %d pod groups", pod.Name, pods[pod.Name])
				}
			}
		}
		maps.DeleteFunc(seen, func(_ string, on bool) bool { return !on })
		for _, gang := range observed.PodGangs {
			for _, unit := range plan.UnitsOf(gang) {
				for _, podGroup := range unit.PodGroups {
					inUnits[podGroup.Name]++
				}
			}
		}
		for podGroup := range seen {
			if inUnits[podGroup] != 1 {
				t.Errorf("pod group %s is in %d units", podGroup, inUnits[podGroup])
			}
		}
		if len(inUnits) != len(seen) {
			t.Errorf("units have pod groups %v, PodCliques %v", inUnits, seen)
		}
	})
}

// The rule of the units, told anew: the base has each standalone clique and the group replicas below the group's minimum.
func TestUnits(t *testing.T) {
	plantest.ForRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		observed := plantest.Observed(set)
		for _, gang := range observed.PodGangs {
			for _, group := range gang.Spec.PodGroups {
				if g := group.GroupReplicaIndex; g != nil && *g >= *observed.ScalingGroups[group.PodCliqueScalingGroupName].Spec.MinAvailable {
					t.Errorf("%s: group replica %d is in the base unit", gang.Name, *g)
				}
			}
			for _, scaled := range gang.Spec.ScaledGroups {
				replicas := map[int32]bool{}
				for _, group := range scaled.PodGroups {
					replicas[*group.GroupReplicaIndex] = true
					if *group.GroupReplicaIndex < *observed.ScalingGroups[group.PodCliqueScalingGroupName].Spec.MinAvailable {
						t.Errorf("%s: group replica %d is a unit of its own", gang.Name, *group.GroupReplicaIndex)
					}
				}
				if len(replicas) != 1 {
					t.Errorf("%s: unit %s has group replicas %v", gang.Name, scaled.Name, slices.Collect(maps.Keys(replicas)))
				}
			}
			for _, unit := range plan.UnitsOf(gang) {
				for _, group := range unit.PodGroups {
					podClique := observed.PodCliques[group.PodCliqueName]
					if *podClique.Spec.MinAvailable != group.MinReplicas || group.MinReplicas > *podClique.Spec.Replicas {
						t.Errorf("%s: minReplicas %d of %s, which has minAvailable %d of %d", gang.Name, group.MinReplicas, group.Name,
							*podClique.Spec.MinAvailable, *podClique.Spec.Replicas)
					}
				}
			}
		}
	})
}

func TestServiceCanBeDisabled(t *testing.T) {
	set := plantest.RandomSet(rand.New(rand.NewPCG(1, 1)))
	set.Spec.Template.HeadlessServiceConfig.Enabled = ptr.To(false)
	service := &corev1.Service{}
	observed := podcliqueset.Set{Object: set, Services: []*corev1.Service{service}}
	if services := observed.Children().Services; len(services) > 0 {
		t.Errorf("a disabled Service is asked for")
	}
	if got := observed.Removals().Services; len(got) != 1 || got[0] != service {
		t.Errorf("a disabled Service that exists isn't removed: %v", got)
	}
}

// What the set doesn't control isn't deleted with replicas that go, whatever its labels say.
func TestRemovalsSpareWhatIsNotTheSets(t *testing.T) {
	set := plantest.Workers()
	observed := plantest.Observed(set)
	observed.PodCliques["train-lead-1"].OwnerReferences = nil
	observed.PodGangs["train-1"].OwnerReferences = nil
	set.Spec.Replicas = 1
	removals := observed.Removals()
	var names []string
	for _, podClique := range removals.PodCliques {
		names = append(names, podClique.Name)
	}
	if diff := cmp.Diff([]string{"train-alone-1", "train-worker-1"}, names); diff != "" {
		t.Errorf("PodCliques that are removed (-want +got):\n%s", diff)
	}
	if len(removals.PodGangs) > 0 {
		t.Errorf("PodGang %s is removed", removals.PodGangs[0].Name)
	}
}

func TestMissingChildren(t *testing.T) {
	observed := plantest.Observed(plantest.Workers())
	replicas := observed.Children().Replicas
	if n := observed.Missing(replicas...); n != 0 {
		t.Errorf("%d are missing of a set that has them all", n)
	}
	delete(observed.PodGangs, "train-1")
	delete(observed.PodCliques, "train-lead-1")
	if all, first := observed.Missing(replicas...), observed.Missing(replicas[0]); all != 2 || first != 0 {
		t.Errorf("%d are missing, %d of them in replica 0; want 2 and 0", all, first)
	}
}

// What GitOps tools track objects by stays on the set.
func TestGitOpsMarksAreNotMirrored(t *testing.T) {
	set := plantest.Workers()
	set.Labels = map[string]string{"app.kubernetes.io/instance": "web", "kueue.x-k8s.io/queue-name": "q"}
	set.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "web", "kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "1"}
	observed := plantest.Observed(set)
	for _, gang := range observed.PodGangs {
		if gang.Labels["kueue.x-k8s.io/queue-name"] != "q" || gang.Annotations["note"] != "1" {
			t.Errorf("PodGang %s has labels %v and annotations %v", gang.Name, gang.Labels, gang.Annotations)
		}
	}
	children := encode(t, observed.Children())
	for _, mark := range []string{"app.kubernetes.io/instance", "argocd.argoproj.io", "last-applied-configuration"} {
		if strings.Contains(children, mark) {
			t.Errorf("children bear %s", mark)
		}
	}
}

func encode(t *testing.T, value any) string {
	t.Helper()
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
