package scheduler

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"

	grovefake "grove.io/grove/apis/client/clientset/versioned/fake"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/apply"
	"grove.io/grove/controllers/internal/cluster"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

var web = &v1alpha1.PodGang{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web-0", UID: "now"}}

// groupOf is a PodGroup as a PodGang with a UID has made it; one without an owner if the UID is empty.
func groupOf(name string, uid types.UID) *schedulingv1beta1.PodGroup {
	group := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, Labels: map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPodGang: "web-0", v1alpha1.LabelPodCliqueSet: "web",
	}}}
	if uid != "" {
		group.OwnerReferences = []metav1.OwnerReference{{Kind: podgang.Kind, Name: "web-0", UID: uid, Controller: ptr.To(true)}}
	}
	return group
}

func terminating(group *schedulingv1beta1.PodGroup) *schedulingv1beta1.PodGroup {
	group.DeletionTimestamp = &metav1.Time{}
	return group
}

// backend returns one whose caches have some groups, and what it sends.
func backend(t *testing.T, groups ...*schedulingv1beta1.PodGroup) (*Kubernetes, func() []string) {
	t.Helper()
	kube := fake.NewClientset()
	var sent []string
	kube.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		name := ""
		switch action := action.(type) {
		case clienttesting.PatchActionImpl:
			name = action.Name
		case clienttesting.DeleteActionImpl:
			name = action.Name
		}
		sent = append(sent, action.GetVerb()+" "+action.GetResource().Resource+" "+name)
		if action.GetResource().Resource == "compositepodgroups" {
			return true, &schedulingv1alpha3.CompositePodGroup{}, nil
		}
		return true, &schedulingv1beta1.PodGroup{}, nil
	})
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	c, err := cluster.New(grovefake.NewClientset(), kube, events.NewFakeRecorder(1), "", stop)
	if err != nil {
		t.Fatal(err)
	}
	discovery := NewDiscovery(kube, "ns", "zone")
	discovery.found = plan.Scheduling{Gangs: true, Topology: true, Composite: true}
	k, err := NewKubernetes(discovery, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		if err := k.groups.Cache.Add(group); err != nil {
			t.Fatal(err)
		}
	}
	return k, func() []string {
		slices.Sort(sent)
		return sent
	}
}

func TestGroup(t *testing.T) {
	foreign := groupOf("web-0", "")
	foreign.Labels = nil
	for name, test := range map[string]struct {
		group *schedulingv1beta1.PodGroup
		gang  *v1alpha1.PodGang
		want  plan.SchedulerGroup
		taken string
	}{
		"none":                          {gang: web},
		"the gang's":                    {group: groupOf("web-0", "now"), gang: web, want: plan.SchedulerGroup{Exists: true}},
		"the gang's, terminating":       {group: terminating(groupOf("web-0", "now")), gang: web, taken: "is terminating"},
		"an earlier gang's":             {group: groupOf("web-0", "before"), gang: web, taken: "from an earlier gang"},
		"an earlier one's, terminating": {group: terminating(groupOf("web-0", "before")), gang: web, taken: "is terminating"},
		"an orphan":                     {group: groupOf("web-0", ""), gang: web, taken: "from an earlier gang"},
		"somebody else's":               {group: foreign, gang: web, taken: "isn't Grove's"},
		"before there is a gang":        {group: groupOf("web-0", "before"), taken: "from an earlier gang"},
	} {
		t.Run(name, func(t *testing.T) {
			var groups []*schedulingv1beta1.PodGroup
			if test.group != nil {
				groups = append(groups, test.group)
			}
			k, _ := backend(t, groups...)
			got := k.Group("ns", "web-0", test.gang)
			if got.Exists != test.want.Exists || !strings.Contains(got.Taken, test.taken) || (got.Taken == "") != (test.taken == "") {
				t.Errorf("got %+v, want %+v, taken by %q", got, test.want, test.taken)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	flat := []podgang.Placement{{Name: "web-0", Groups: []podgang.PlacementGroup{{Name: "web-0", Pods: 3}}}}
	divided := []podgang.Placement{{Name: "web-0", Groups: []podgang.PlacementGroup{{Name: "web-0.pack-0", Pods: 3}, {Name: "web-0.rest", Pods: 1}}}}
	names := func(named ...string) map[string]bool {
		all := map[string]bool{}
		for _, name := range named {
			all[name] = true
		}
		return all
	}
	for name, test := range map[string]struct {
		groups     []*schedulingv1beta1.PodGroup
		placements []podgang.Placement
		named      podgang.Names
		want       []string
	}{
		"before there are pods": {placements: flat, want: []string{"patch podgroups web-0"}},
		"in parts":              {placements: divided, want: []string{"patch compositepodgroups web-0", "patch podgroups web-0.pack-0", "patch podgroups web-0.rest"}},
		"an earlier gang's":     {groups: []*schedulingv1beta1.PodGroup{groupOf("web-0", "before")}, placements: flat},
		"an earlier gang's that pods on their way out name": {
			groups: []*schedulingv1beta1.PodGroup{terminating(groupOf("web-0", "before"))}, placements: flat,
			named: podgang.Names{Any: names("web-0")},
		},
		"an earlier gang's that living pods name": {
			groups: []*schedulingv1beta1.PodGroup{terminating(groupOf("web-0", "before"))}, placements: flat,
			named: podgang.Names{Any: names("web-0"), Living: names("web-0")}, want: []string{"patch podgroups web-0"},
		},
		"a unit that is no more": {groups: []*schedulingv1beta1.PodGroup{groupOf("web-0-x-1", "now")}, want: []string{"delete podgroups web-0-x-1"}},
		"a unit that is no more, and pods that name its group": {
			groups: []*schedulingv1beta1.PodGroup{groupOf("web-0-x-1", "now")}, named: podgang.Names{Any: names("web-0-x-1")},
		},
		"an orphan that nobody names": {groups: []*schedulingv1beta1.PodGroup{groupOf("web-0", "")}, placements: flat, want: []string{"delete podgroups web-0"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.named.Any == nil {
				test.named.Any = names()
			}
			k, sent := backend(t, test.groups...)
			err := k.Write(t.Context(), apply.Owner{Object: web, Kind: podgang.Kind, Set: "web"}, test.placements, test.named)
			if problems, rest := apply.Problems(err); rest != nil || len(problems) > 0 {
				t.Fatal(problems, rest)
			}
			if diff := cmp.Diff(test.want, sent()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

// A root asks for a number of parts. It isn't sent while a part of its unit was refused: what was sent is tried, and backs off, without it.
func TestRootWaitsForItsParts(t *testing.T) {
	k, sent := backend(t)
	k.cluster.Kube.(*fake.Clientset).PrependReactor("patch", "podgroups", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if name := action.(clienttesting.PatchActionImpl).Name; name == "web-0.rest" {
			return true, nil, apierrors.NewForbidden(schedulingv1beta1.Resource("podgroups"), name, errors.New("exceeded quota"))
		}
		return false, nil, nil
	})
	divided := podgang.Placement{Name: "web-0", Groups: []podgang.PlacementGroup{{Name: "web-0.pack-0", Pods: 3}, {Name: "web-0.rest", Pods: 1}}}
	err := k.Write(t.Context(), apply.Owner{Object: web, Kind: podgang.Kind, Set: "web"}, []podgang.Placement{divided}, podgang.Names{Any: map[string]bool{}})
	if problems, rest := apply.Problems(err); rest != nil || len(problems) != 1 {
		t.Fatalf("problems %v, and %v; want one problem", problems, rest)
	}
	if diff := cmp.Diff([]string{"patch podgroups web-0.pack-0"}, sent()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// With a set go the groups of its PodGangs. Those that a successor of its name has made already, or that were left on purpose, stay.
func TestDeleteAllSparesOthers(t *testing.T) {
	k, _ := backend(t, groupOf("web-0", "now"), groupOf("web-1", "after"), groupOf("web-2", ""))
	var restrictions string
	k.cluster.Kube.(*fake.Clientset).PrependReactor("delete-collection", "podgroups", func(action clienttesting.Action) (bool, runtime.Object, error) {
		list := action.(clienttesting.DeleteCollectionActionImpl).ListOptions
		restrictions = list.LabelSelector + "; " + list.FieldSelector
		return true, nil, nil
	})
	if err := k.DeleteAll(t.Context(), "ns", "web", []*v1alpha1.PodGang{web}); err != nil {
		t.Fatal(err)
	}
	const want = "app.kubernetes.io/managed-by=grove,grove.io/podcliqueset=web; metadata.name!=web-1,metadata.name!=web-2"
	if restrictions != want {
		t.Errorf("deleted what matches %q, want %q", restrictions, want)
	}
}

// How many parts a unit has is immutable in its root, and changes when a clique that is a part of its own is turned off or on.
func TestRootFollowsTheNumberOfParts(t *testing.T) {
	placement := podgang.Placement{Name: "web-0", Groups: []podgang.PlacementGroup{{Name: "web-0.pack-0", Pods: 3}}}
	for count, want := range map[int32]bool{1: false, 2: true} {
		k, sent := backend(t)
		root := &schedulingv1alpha3.CompositePodGroup{ObjectMeta: groupOf("web-0", "now").ObjectMeta}
		root.Spec.SchedulingPolicy.Gang = &schedulingv1alpha3.CompositeGangSchedulingPolicy{MinGroupCount: count}
		if err := k.roots.Cache.Add(root); err != nil {
			t.Fatal(err)
		}
		if err := k.Write(t.Context(), apply.Owner{Object: web, Kind: podgang.Kind, Set: "web"}, []podgang.Placement{placement}, podgang.Names{Any: map[string]bool{}}); err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(sent(), "delete compositepodgroups web-0"); got != want {
			t.Errorf("one part, and a root that asks for %d: made anew: %t, want %t", count, got, want)
		}
	}
}

// Groups last as long as pods name them, which may be for months; a PodGang that is deleted in the foreground must not wait for that.
func TestGroupsDoNotBlockTheDeletionOfTheirPodGang(t *testing.T) {
	owner := apply.Owner{Object: web, Kind: podgang.Kind, Set: "web"}
	placement := podgang.Placement{Name: "web-0", Groups: []podgang.PlacementGroup{{Name: "web-0.pack-0", Pods: 3}, {Name: "web-0.rest", Pods: 1}}}
	var references []metav1ac.OwnerReferenceApplyConfiguration
	for _, group := range podGroups(owner, placement) {
		references = append(references, group.OwnerReferences...)
	}
	for _, root := range composite(owner, placement) {
		references = append(references, root.OwnerReferences...)
	}
	if len(references) != 3 {
		t.Fatalf("%d owner references, want 3", len(references))
	}
	for _, reference := range references {
		if *reference.BlockOwnerDeletion || !*reference.Controller {
			t.Errorf("controller: %t, blocks deletion: %t", *reference.Controller, *reference.BlockOwnerDeletion)
		}
	}
}

// A verdict that changed with the order of a map would be a status write each time.
func TestVerdictsHaveAnOrder(t *testing.T) {
	var groups []*schedulingv1beta1.PodGroup
	for _, part := range []string{"web-0.rest", "web-0.pack-1", "web-0.pack-0"} {
		group := groupOf(part, "now")
		group.Spec.ParentCompositePodGroupName = ptr.To("web-0")
		group.Status.Conditions = []metav1.Condition{{Type: schedulingv1beta1.PodGroupInitiallyScheduled, Status: metav1.ConditionFalse, Message: part}}
		groups = append(groups, group)
	}
	k, _ := backend(t, groups...)
	for range 20 {
		if got := k.Verdicts(web)["web-0"]; got != "web-0.pack-0" {
			t.Fatalf("the verdict is that of %s", got)
		}
	}
}
