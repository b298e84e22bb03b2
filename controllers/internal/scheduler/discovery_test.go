package scheduler

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"grove.io/grove/controllers/plan"
)

var (
	beta  = &metav1.APIResourceList{GroupVersion: "scheduling.k8s.io/v1beta1", APIResources: []metav1.APIResource{{Name: "podgroups"}}}
	alpha = &metav1.APIResourceList{GroupVersion: "scheduling.k8s.io/v1alpha3", APIResources: []metav1.APIResource{{Name: "compositepodgroups"}}}
)

// server is an API server as far as discovery and dry runs go. What it really serves is tested end to end.
func server(t *testing.T, kept schedulingv1beta1.PodGroupSpec, dryRun error, served ...*metav1.APIResourceList) *fake.Clientset {
	t.Helper()
	kube := fake.NewClientset()
	kube.Discovery().(*fakediscovery.FakeDiscovery).Resources = served
	kube.PrependReactor("patch", "podgroups", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if options := action.(clienttesting.PatchActionImpl).PatchOptions; len(options.DryRun) == 0 {
			t.Error("a probe creates a PodGroup")
		}
		return true, &schedulingv1beta1.PodGroup{Spec: kept}, dryRun
	})
	return kube
}

func TestProbe(t *testing.T) {
	everything := schedulingv1beta1.PodGroupSpec{
		SchedulingConstraints:       &schedulingv1beta1.PodGroupSchedulingConstraints{},
		ParentCompositePodGroupName: ptr.To("parent"),
	}
	flat := schedulingv1beta1.PodGroupSpec{}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "podgroups"}, probeName, nil)
	for name, test := range map[string]struct {
		served []*metav1.APIResourceList
		kept   schedulingv1beta1.PodGroupSpec
		dryRun error
		want   plan.Scheduling
		fails  bool
	}{
		"nothing served":            {nil, flat, nil, plan.Scheduling{}, false},
		"gangs":                     {[]*metav1.APIResourceList{beta}, flat, nil, plan.Scheduling{Gangs: true}, false},
		"topology":                  {[]*metav1.APIResourceList{beta}, everything, nil, plan.Scheduling{Gangs: true, Topology: true}, false},
		"everything":                {[]*metav1.APIResourceList{beta, alpha}, everything, nil, plan.Scheduling{Gangs: true, Topology: true, Composite: true}, false},
		"composites, gate off":      {[]*metav1.APIResourceList{beta, alpha}, flat, nil, plan.Scheduling{Gangs: true}, false},
		"dry runs aren't allowed":   {[]*metav1.APIResourceList{beta, alpha}, everything, forbidden, plan.Scheduling{Gangs: true}, false},
		"the API server is unwell":  {[]*metav1.APIResourceList{beta}, everything, apierrors.NewInternalError(context.DeadlineExceeded), plan.Scheduling{}, true},
		"another version is served": {[]*metav1.APIResourceList{alpha}, everything, nil, plan.Scheduling{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			discovery := NewDiscovery(server(t, test.kept, test.dryRun, test.served...), "default", "rack")
			if err := discovery.Probe(t.Context()); (err != nil) != test.fails {
				t.Fatal(err)
			}
			got := discovery.Found()
			if !got.Gangs && got.Reason == "" {
				t.Error("no reason is given")
			}
			got.Reason, got.Message = "", ""
			test.want.NetworkTopologyKey = "rack"
			if got != test.want {
				t.Errorf("found %+v; want %+v", got, test.want)
			}
		})
	}
}

// A quota, or a policy, that refuses the dry run once doesn't take topology away from gangs that use it.
func TestRefusalUnfindsNothing(t *testing.T) {
	everything := schedulingv1beta1.PodGroupSpec{
		SchedulingConstraints:       &schedulingv1beta1.PodGroupSchedulingConstraints{},
		ParentCompositePodGroupName: ptr.To("parent"),
	}
	kube := server(t, everything, nil, beta, alpha)
	discovery := NewDiscovery(kube, "default", "rack")
	if err := discovery.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := discovery.Found()
	kube.PrependReactor("patch", "podgroups", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "podgroups"}, probeName, errors.New("exceeded quota"))
	})
	if err := discovery.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := discovery.Found(); got != before || !got.Composite {
		t.Errorf("found %+v after a refusal, and %+v before", got, before)
	}
}

// An API that appears later is used without a restart, and its users are told after its caches were filled.
func TestGangsAppear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := server(t, schedulingv1beta1.PodGroupSpec{}, nil)
		discovery := NewDiscovery(kube, "default", "rack")
		var order []string
		discovery.onServed = append(discovery.onServed, func(context.Context, served) error {
			order = append(order, "served")
			if discovery.Found().Gangs {
				t.Error("gangs are used before their caches are filled")
			}
			return nil
		})
		discovery.onChange = append(discovery.onChange, func() { order = append(order, "changed") })
		if err := discovery.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := discovery.Required(); err == nil {
			t.Error("gangs that aren't served are taken for served")
		}
		ctx, cancel := context.WithCancel(t.Context())
		go discovery.Run(ctx)
		synctest.Wait()
		kube.Lock()
		kube.Discovery().(*fakediscovery.FakeDiscovery).Resources = []*metav1.APIResourceList{beta}
		kube.Unlock()
		time.Sleep(2 * probeUnknown)
		synctest.Wait()
		if !discovery.Found().Gangs || discovery.Required() != nil || len(order) != 2 || order[0] != "served" {
			t.Errorf("found %+v; was told %v", discovery.Found(), order)
		}
		cancel()
		synctest.Wait()
	})
}

// An API server that refuses to tell what it keeps is asked again soon, and what it serves is read meanwhile: pods that run may name groups
// of a kind of which no more can be made.
func TestRefusedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		everything := schedulingv1beta1.PodGroupSpec{SchedulingConstraints: &schedulingv1beta1.PodGroupSchedulingConstraints{}, ParentCompositePodGroupName: ptr.To("parent")}
		kube := server(t, everything, nil, beta, alpha)
		var refuses atomic.Bool
		refuses.Store(true)
		kube.PrependReactor("patch", "podgroups", func(clienttesting.Action) (bool, runtime.Object, error) {
			return refuses.Load(), &schedulingv1beta1.PodGroup{}, apierrors.NewForbidden(schema.GroupResource{Resource: "podgroups"}, probeName, nil)
		})
		discovery := NewDiscovery(kube, "default", "rack")
		var kinds served
		discovery.onServed = append(discovery.onServed, func(_ context.Context, now served) error {
			kinds = now
			return nil
		})
		if err := discovery.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if found := discovery.Found(); !found.Gangs || found.Composite || !kinds.podGroups || !kinds.composites {
			t.Errorf("found %+v, served %+v", found, kinds)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go discovery.Run(ctx)
		synctest.Wait()
		refuses.Store(false)
		time.Sleep(2 * probeUnknown)
		synctest.Wait()
		if found := discovery.Found(); !found.Composite {
			t.Errorf("once it isn't refused any more: found %+v", found)
		}
		cancel()
		synctest.Wait()
	})
}
