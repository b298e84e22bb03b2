package plan

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

func TestNamesAreUniqueAndValid(t *testing.T) {
	forRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		children := Set{Object: set}.Children()
		var podCliques, podGangs, pods []string
		for _, podClique := range children.PodCliques {
			podCliques = append(podCliques, *podClique.Name)
		}
		for _, podGang := range children.PodGangs {
			podGangs = append(podGangs, *podGang.Name)
		}
		for _, clique := range cliques(live(set, children), allPods) {
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
	forRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		first := Set{Object: set}.Children()
		again := live(set, first).Children()
		if diff := cmp.Diff(encode(t, first), encode(t, again)); diff != "" {
			t.Errorf("the plan for what was just made differs (-first +again):\n%s", diff)
		}
		if removals := live(set, first).Removals(); len(removals.PodCliques)+len(removals.PodGangs)+len(removals.Services) > 0 {
			t.Errorf("what was just made is removed: %+v", removals)
		}
	})
}

func TestReplicasOfTheSetTouchNoOtherReplica(t *testing.T) {
	forRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		before := live(set, Set{Object: set}.Children())
		scaled := set.DeepCopy()
		scaled.Spec.Replicas = random.Int32N(6)
		observed := before
		observed.Object = scaled
		after := live(scaled, observed.Children())
		removals := observed.Removals()

		kept := min(set.Spec.Replicas, scaled.Spec.Replicas)
		for name, podClique := range before.PodCliques {
			i, _ := indexLabel(podClique, v1alpha1.LabelReplicaIndex)
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

func TestReplicasOfAGroupTouchNoPodThatStays(t *testing.T) {
	forRandomSets(t, func(t *testing.T, random *rand.Rand, set *v1alpha1.PodCliqueSet) {
		observed := live(set, Set{Object: set}.Children())
		before := cliques(observed, allPods)
		for _, group := range observed.ScalingGroups {
			group.Spec.Replicas = ptr.To(random.Int32N(5))
		}
		for _, podClique := range observed.PodCliques {
			podClique.Spec.Replicas = ptr.To(random.Int32N(5))
		}
		for _, clique := range before {
			for _, pod := range clique.PodActions().Delete {
				g, member := indexLabel(pod, v1alpha1.LabelGroupReplicaIndex)
				p, _ := indexLabel(pod, v1alpha1.LabelPodIndex)
				inGroup := !member || g < *clique.Group.Spec.Replicas
				if inGroup && p < *clique.Object.Spec.Replicas {
					t.Errorf("pod %s is deleted though its place remains", pod.Name)
				}
			}
			if relabel := clique.PodActions().Relabel; len(relabel) > 0 {
				t.Errorf("scaling relabels %s", *relabel[0].Name)
			}
		}
	})
}

func TestEachPodIsInOneSliceAndEachSliceInOneUnit(t *testing.T) {
	forRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		observed := live(set, Set{Object: set}.Children())
		pods := map[string]int{}
		inUnits := map[string]int{}
		slicesSeen := map[string]bool{}
		for _, clique := range cliques(observed, allPods) {
			for name := range clique.sliceCounts() {
				if replicasOf(clique.Object.Spec.Replicas) > 0 {
					slicesSeen[name] = true
				}
			}
			for _, pod := range clique.Pods {
				for _, slice := range clique.slices() {
					if index, ok := strings.CutPrefix(pod.Name, slice.name+"-"); ok && index == pod.Labels[v1alpha1.LabelPodIndex] {
						pods[pod.Name]++
					}
				}
			}
		}
		for _, gang := range observed.PodGangs {
			for _, group := range podGroupsOf(gang) {
				inUnits[group.Name]++
			}
		}
		for pod, n := range pods {
			if n != 1 {
				t.Errorf("pod %s is in %d slices", pod, n)
			}
		}
		for slice := range slicesSeen {
			if inUnits[slice] != 1 {
				t.Errorf("slice %s is in %d units", slice, inUnits[slice])
			}
		}
		if len(inUnits) != len(slicesSeen) {
			t.Errorf("units have slices %v, PodCliques %v", inUnits, slicesSeen)
		}
	})
}

// The rule of the units, told anew: the base has each standalone clique and the group replicas below the group's minimum.
func TestUnits(t *testing.T) {
	forRandomSets(t, func(t *testing.T, _ *rand.Rand, set *v1alpha1.PodCliqueSet) {
		observed := live(set, Set{Object: set}.Children())
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
			for _, group := range podGroupsOf(gang) {
				podClique := observed.PodCliques[group.PodCliqueName]
				if *podClique.Spec.MinAvailable != group.MinReplicas || group.MinReplicas > *podClique.Spec.Replicas {
					t.Errorf("%s: minReplicas %d of %s, which has minAvailable %d of %d", gang.Name, group.MinReplicas, group.Name,
						*podClique.Spec.MinAvailable, *podClique.Spec.Replicas)
				}
			}
		}
	})
}

func TestPodSelectors(t *testing.T) {
	for _, replicas := range []int32{0, 1, 8, 9, 500} {
		set := workers()
		set.Spec.Replicas = replicas
		podCliques := slices.Collect(maps.Values(live(set, Set{Object: set}.Children()).PodCliques))
		selectors := PodSelectors(podCliques)
		if len(selectors) > podSelectors {
			t.Errorf("%d replicas: %d selectors", replicas, len(selectors))
		}
		for _, podClique := range podCliques {
			matches := 0
			for _, selector := range selectors {
				if selector.Matches(labels.Set(podClique.Labels)) {
					matches++
				}
			}
			if matches != 1 {
				t.Errorf("%d replicas: %d selectors match the labels of %s", replicas, matches, podClique.Name)
			}
		}
	}
}

func TestServiceCanBeDisabled(t *testing.T) {
	set := randomSet(rand.New(rand.NewPCG(1, 1)))
	set.Spec.Template.HeadlessServiceConfig.Enabled = ptr.To(false)
	service := &corev1.Service{}
	observed := Set{Object: set, Services: []*corev1.Service{service}}
	if services := observed.Children().Services; len(services) > 0 {
		t.Errorf("a disabled Service is asked for")
	}
	if got := observed.Removals().Services; len(got) != 1 || got[0] != service {
		t.Errorf("a disabled Service that exists isn't removed: %v", got)
	}
}

func TestTearDown(t *testing.T) {
	now := ptr.To(someTime())
	for name, test := range map[string]struct {
		deletion   bool
		finalizers []string
		children   bool
		going      bool
		want       bool
	}{
		"not deleted":                   {children: true},
		"deleted in the foreground":     {deletion: true, finalizers: []string{"foregroundDeletion"}, children: true, want: true},
		"children are on their way out": {deletion: true, finalizers: []string{"foregroundDeletion"}, children: true, going: true},
		"children are gone":             {deletion: true, finalizers: []string{"foregroundDeletion"}},
		"children are to be orphaned":   {deletion: true, finalizers: []string{"orphan"}, children: true},
		"something else holds the end":  {deletion: true, finalizers: []string{"example.com/backup"}, children: true},
	} {
		t.Run(name, func(t *testing.T) {
			observed := Set{Object: &v1alpha1.PodCliqueSet{}}
			observed.Object.Finalizers = test.finalizers
			if test.deletion {
				observed.Object.DeletionTimestamp = now
			}
			if test.children {
				podClique := &v1alpha1.PodClique{}
				if test.going {
					podClique.DeletionTimestamp = now
				}
				observed.PodCliques = map[string]*v1alpha1.PodClique{"c": podClique}
			}
			if got := observed.TearDown(); got != test.want {
				t.Errorf("TearDown is %v, want %v", got, test.want)
			}
		})
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
