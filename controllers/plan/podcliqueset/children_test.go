package podcliqueset_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
		for _, podClique := range children.PodCliques {
			podCliques = append(podCliques, *podClique.Name)
		}
		for _, podGang := range children.PodGangs {
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

// A Role of the name that the set doesn't control is never bound: it may allow what nobody meant the pods to do.
func TestRoleIsBoundOnceItIsTheSets(t *testing.T) {
	set := plantest.Workers()
	foreign := plantest.Observed(set)
	foreign.Role.OwnerReferences = nil
	other := plantest.Observed(set)
	other.Role.OwnerReferences[0].UID = "other"
	for name, test := range map[string]struct {
		observed podcliqueset.Set
		want     bool
	}{
		"not seen yet":      {podcliqueset.Set{Object: set}, false},
		"nobody's":          {foreign, false},
		"of an earlier set": {other, false},
		"the set's":         {plantest.Observed(set), true},
	} {
		if binding := test.observed.Children().RoleBinding; (binding != nil) != test.want {
			t.Errorf("a Role that is %s: bound is %v", name, binding != nil)
		}
	}
}

// Both fields of a podSpec that name an account mean the same, and the account can see the gang.
func TestEveryAccountInUseIsBound(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[0].Spec.PodSpec.ServiceAccountName = "mine"
	set.Spec.Template.Cliques[1].Spec.PodSpec.DeprecatedServiceAccount = "alias"
	set.Spec.Template.Cliques[2].Spec.PodSpec.DeprecatedServiceAccount = "mine"
	binding := plantest.Observed(set).Children().RoleBinding
	var subjects []string
	for _, subject := range binding.Subjects {
		subjects = append(subjects, *subject.Name)
	}
	if diff := cmp.Diff([]string{"grove-train", "mine", "alias"}, subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	if *binding.Name != "grove-train" || *binding.RoleRef.Name != "grove-train" {
		t.Errorf("RoleBinding %s of Role %s", *binding.Name, *binding.RoleRef.Name)
	}
}

// What others add to the account stays; what came from the namespace's default account, and has left it, goes.
func TestImagePullSecrets(t *testing.T) {
	secrets := func(names ...string) []corev1.LocalObjectReference {
		var all []corev1.LocalObjectReference
		for _, name := range names {
			all = append(all, corev1.LocalObjectReference{Name: name})
		}
		return all
	}
	for name, test := range map[string]struct {
		account    []corev1.LocalObjectReference // nil where there is none yet
		taken      string
		of         []corev1.LocalObjectReference
		want       []string
		annotation string
	}{
		"none":                                  {nil, "", nil, nil, ""},
		"new":                                   {nil, "", secrets("a", "b"), []string{"a", "b"}, "a,b"},
		"unchanged":                             {secrets("a", "b"), "a,b", secrets("a", "b"), []string{"a", "b"}, "a,b"},
		"somebody added one":                    {secrets("mine", "a"), "a", secrets("a"), []string{"mine", "a"}, "a"},
		"the default account has one more":      {secrets("a", "mine"), "a", secrets("a", "b"), []string{"a", "mine", "b"}, "a,b"},
		"the default account has one less":      {secrets("a", "mine", "b"), "a,b", secrets("b"), []string{"mine", "b"}, "b"},
		"the default account has none any more": {secrets("a", "mine"), "a", nil, []string{"mine"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			observed := podcliqueset.Set{Object: plantest.Workers(), ImagePullSecrets: test.of}
			if test.account != nil {
				observed.Account = &corev1.ServiceAccount{ImagePullSecrets: test.account}
				observed.Account.Annotations = map[string]string{v1alpha1.AnnotationPullSecrets: test.taken}
			}
			account := observed.Children().ServiceAccount
			var got []string
			for _, secret := range account.ImagePullSecrets {
				got = append(got, *secret.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("imagePullSecrets (-want +got):\n%s", diff)
			}
			if annotation := account.Annotations[v1alpha1.AnnotationPullSecrets]; annotation != test.annotation {
				t.Errorf("the annotation is %q, want %q", annotation, test.annotation)
			}
		})
	}
}

// A replica that is scaled too far keeps the PodGang that it has, and the others go on.
func TestScaledTooFar(t *testing.T) {
	observed := plantest.Observed(plantest.Workers())
	observed.PodCliques["train-worker-1"].Spec.Replicas = ptr.To[int32](plan.MostPods)
	children := observed.Children()
	if len(children.Problems) != 1 || children.Problems[0].Reason != v1alpha1.ReasonTooManyPods ||
		!strings.Contains(children.Problems[0].Message, "replica 1 is scaled to 10003 pods") {
		t.Errorf("problems %v", children.Problems)
	}
	if len(children.PodGangs) != 1 || *children.PodGangs[0].Name != "train-0" {
		t.Errorf("%d PodGangs are applied", len(children.PodGangs))
	}
	if len(children.PodCliques) != 6 {
		t.Errorf("%d PodCliques are applied", len(children.PodCliques))
	}
	if removals := observed.Removals(); len(removals.PodGangs) > 0 {
		t.Errorf("PodGang %s is removed", removals.PodGangs[0].Name)
	}
}

// An autoscaler that knows no minimum writes 1. The gang is told of as many as are made.
func TestReplicasBelowTheMinimumAreRaised(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Replicas = 1
	set.Spec.Template.Cliques[2].Spec.Replicas = ptr.To[int32](3) // and so is its minimum
	set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](4)
	set.Spec.Template.PodCliqueScalingGroups[0].MinAvailable = ptr.To[int32](3)
	observed := plantest.Observed(set)
	others := []metav1.ManagedFieldsEntry{{Manager: "keda", Operation: "Update", Subresource: "scale", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}}
	alone, group := observed.PodCliques["train-alone-0"], observed.ScalingGroups["train-group"]
	alone.Spec.Replicas, alone.ManagedFields = ptr.To[int32](1), others
	group.Spec.Replicas, group.ManagedFields = ptr.To[int32](1), others
	children := observed.Children()
	var podGroups []string
	for _, podGroup := range children.PodGangs[0].Spec.PodGroups {
		podGroups = append(podGroups, fmt.Sprintf("%s %d", *podGroup.Name, *podGroup.MinReplicas))
	}
	if diff := cmp.Diff([]string{
		"train-alone-0 3", "train-lead-0-0 1", "train-worker-0-0 2", "train-lead-0-1 1", "train-worker-0-1 2", "train-lead-0-2 1", "train-worker-0-2 2",
	}, podGroups); diff != "" {
		t.Errorf("the base unit (-want +got):\n%s", diff)
	}
	if scaled := children.PodGangs[0].Spec.ScaledGroups; len(scaled) > 0 {
		t.Errorf("%d scaled units", len(scaled))
	}
	for _, podClique := range children.PodCliques {
		if *podClique.Name == "train-alone-0" && podClique.Spec.Replicas != nil {
			t.Errorf("what the autoscaler wrote is overwritten with %d", *podClique.Spec.Replicas)
		}
	}
	alone.Spec.Replicas, group.Spec.Replicas = ptr.To[int32](0), ptr.To[int32](0)
	if podGroups := observed.Children().PodGangs[0].Spec.PodGroups; len(podGroups) > 0 {
		t.Errorf("everything is off, and the base unit has %d pod groups", len(podGroups))
	}
}

// An autoscaler keeps a PodClique below the template's new replicas, which are the minimum where the template says none.
func TestMinAvailableIsTheTemplatesReplicas(t *testing.T) {
	set := plantest.Workers()
	clique := &set.Spec.Template.Cliques[2]
	clique.Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 5}
	observed := plantest.Observed(set)
	clique.Spec.Replicas = ptr.To[int32](3)
	podClique := plantest.Live(set, observed.Children()).PodCliques["train-alone-0"]
	if *podClique.Spec.Replicas != 1 || *podClique.Spec.MinAvailable != 3 || plan.CliqueReplicas(podClique) != 3 {
		t.Errorf("replicas %d, which amount to %d, minAvailable %d", *podClique.Spec.Replicas, plan.CliqueReplicas(podClique), *podClique.Spec.MinAvailable)
	}
}

// Whoever deleted a set with --cascade=orphan, and makes it anew, keeps what its children were scaled to.
func TestAdoptionKeepsReplicas(t *testing.T) {
	set := plantest.Workers()
	observed := plantest.Observed(set)
	for _, podClique := range observed.PodCliques {
		podClique.OwnerReferences = nil
	}
	orphan, group := observed.PodCliques["train-alone-0"], observed.ScalingGroups["train-group"]
	orphan.Spec.Replicas, group.Spec.Replicas, group.OwnerReferences = ptr.To[int32](4), ptr.To[int32](3), nil
	set.UID = "anew"
	adopted := plantest.Live(set, observed.Children())
	if got := *adopted.PodCliques["train-alone-0"].Spec.Replicas; got != 4 || !metav1.IsControlledBy(adopted.PodCliques["train-alone-0"], set) {
		t.Errorf("an adopted PodClique has %d replicas, and owners %v", got, adopted.PodCliques["train-alone-0"].OwnerReferences)
	}
	if got := *adopted.ScalingGroups["train-group"].Spec.Replicas; got != 3 {
		t.Errorf("an adopted scaling group has %d replicas", got)
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
