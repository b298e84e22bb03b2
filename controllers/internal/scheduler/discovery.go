package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	schedulingv1beta1ac "k8s.io/client-go/applyconfigurations/scheduling/v1beta1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

const (
	// probeUnknown is how often the API server is asked while it doesn't serve PodGroups, or refuses to tell what it keeps of them.
	probeUnknown = time.Minute
	// probeKnown is how often once that is known.
	probeKnown = 10 * time.Minute
	// probeJitter spreads what many operators ask.
	probeJitter = 0.1
)

// probeName is the name of the PodGroup that is created only in a dry run.
const probeName = "grove-probe"

// notServed tells how to get gangs.
const notServed = "the API server doesn't serve PodGroups of scheduling.k8s.io/v1beta1, so each pod is scheduled by itself; for gangs turn on " +
	"--runtime-config=scheduling.k8s.io/v1beta1=true in kube-apiserver, and the feature gate GenericWorkload in kube-apiserver, " +
	"kube-controller-manager and kube-scheduler"

// Discovery finds out, again and again, what kube-scheduler can do: which kinds the API server serves, and which of their
// fields it keeps.
type Discovery struct {
	kube kubernetes.Interface
	// namespace is where PodGroups are created in dry runs.
	namespace string
	initial   plan.Scheduling

	mu    sync.Mutex
	found plan.Scheduling
	// kinds are those that are served, and known tells whether the API server has told what it keeps of their fields.
	kinds served
	known bool
	// onServed are called when a kind is served, before anybody is told of it, and onChange when what can be used has changed.
	onServed []func(ctx context.Context, kinds served) error
	onChange []func()
}

// served tells which kinds the API server serves. Objects of one may exist, and running pods may name them, although no more can be made.
type served struct{ podGroups, composites bool }

// NewDiscovery returns a Discovery that knows nothing yet. PodGroups are created, in dry runs alone, in a namespace.
func NewDiscovery(kube kubernetes.Interface, namespace, networkTopologyKey string) *Discovery {
	initial := plan.Scheduling{NetworkTopologyKey: networkTopologyKey, Reason: v1alpha1.ReasonNotServed, Message: notServed}
	return &Discovery{kube: kube, namespace: namespace, initial: initial, found: initial}
}

// Found is what the last probe has found.
func (d *Discovery) Found() plan.Scheduling {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.found
}

func (d *Discovery) isKnown() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known
}

// Required returns an error if PodGroups weren't found.
func (d *Discovery) Required() error {
	if !d.Found().Gangs {
		return errors.New(notServed)
	}
	return nil
}

// Run probes until the context ends.
func (d *Discovery) Run(ctx context.Context) {
	for {
		period := probeUnknown
		if d.isKnown() {
			period = probeKnown
		}
		select {
		case <-time.After(wait.Jitter(period, probeJitter)):
		case <-ctx.Done():
			return
		}
		if err := d.Probe(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Looking for PodGroups failed, will try again")
		}
	}
}

// Probe looks at what the API server serves. Whoever watches PodGangs is told of a change.
func (d *Discovery) Probe(ctx context.Context) error {
	kinds, err := d.servedKinds()
	var found plan.Scheduling
	var known bool
	if err == nil {
		found, known, err = d.probe(ctx, kinds)
	}
	if err != nil {
		return fmt.Errorf("asking the API server what it serves of scheduling.k8s.io: %w", err)
	}
	d.mu.Lock()
	same := found == d.found && kinds == d.kinds
	d.known = known
	d.mu.Unlock()
	if same {
		return nil
	}
	for _, serve := range d.onServed {
		if err := serve(ctx, kinds); err != nil {
			return err
		}
	}
	klog.FromContext(ctx).Info("Gang scheduling", "gangs", found.Gangs, "topology", found.Topology, "composite", found.Composite)
	d.mu.Lock()
	d.found, d.kinds = found, kinds
	d.mu.Unlock()
	for _, tell := range d.onChange {
		tell()
	}
	return nil
}

// probe finds out what can be used of the kinds that are served; known tells whether the API server has told what it keeps.
func (d *Discovery) probe(ctx context.Context, kinds served) (found plan.Scheduling, known bool, err error) {
	if !kinds.podGroups {
		return d.initial, false, nil
	}
	// What a feature gate turns off, the API server drops without a word.
	kept, err := d.kube.SchedulingV1beta1().PodGroups(d.namespace).Apply(ctx, probeGroup(d.namespace), metav1.ApplyOptions{
		FieldManager: plan.GangManager, Force: true, DryRun: []string{metav1.DryRunAll},
	})
	if err != nil && !isRefusal(err) {
		return d.initial, false, err
	}
	found = plan.Scheduling{NetworkTopologyKey: d.initial.NetworkTopologyKey, Gangs: true}
	if err != nil {
		// The real ones may be refused too, which their owners are told of. What was found before isn't unfound by a refusal.
		klog.FromContext(ctx).Info("A dry run of a PodGroup was refused, so what the scheduler can do isn't known anew", "namespace", d.namespace, "err", err)
		if before := d.Found(); before.Gangs {
			return before, false, nil
		}
		return found, false, nil
	}
	found.Topology = kept.Spec.SchedulingConstraints != nil
	found.Composite = found.Topology && kinds.composites && kept.Spec.ParentCompositePodGroupName != nil
	return found, true, nil
}

func (d *Discovery) servedKinds() (kinds served, err error) {
	if kinds.podGroups, err = d.serves(schedulingv1beta1.SchemeGroupVersion, "podgroups"); err != nil || !kinds.podGroups {
		return kinds, err
	}
	kinds.composites, err = d.serves(schedulingv1alpha3.SchemeGroupVersion, "compositepodgroups")
	return kinds, err
}

// probeGroup uses every field that a feature gate may turn off.
func probeGroup(namespace string) *schedulingv1beta1ac.PodGroupApplyConfiguration {
	return schedulingv1beta1ac.PodGroup(probeName, namespace).WithSpec(podGroupSpec(1, "kubernetes.io/hostname").
		WithParentCompositePodGroupName(probeName).
		WithWorkloadRef(schedulingv1beta1ac.WorkloadReference().WithWorkloadName(probeName).WithTemplateName(probeName)))
}

// isRefusal tells whether the API server understood a request, and says no.
func isRefusal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsNotFound(err)
}

func (d *Discovery) serves(version schema.GroupVersion, resource string) (bool, error) {
	resources, err := d.kube.Discovery().ServerResourcesForGroupVersion(version.String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, served := range resources.APIResources {
		if served.Name == resource {
			return true, nil
		}
	}
	return false, nil
}
