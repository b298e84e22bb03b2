package simulation

import (
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
	"grove.io/grove/controllers/plan/scalinggroup"
)

// settle lets the controllers work until none of them has anything to write.
func (w *World) settle() {
	for again := true; again; {
		again = w.syncSet()
		for _, name := range slices.Sorted(maps.Keys(w.touched)) {
			delete(w.touched, name)
			w.syncReplica(name)
			w.describeReplica(name)
		}
		again = w.describeSet() || again || len(w.touched) > 0
	}
}

// syncSet plays the controller of sets. It reports whether it wrote anything.
func (w *World) syncSet() bool {
	children, wrote := w.Children(), false
	for _, config := range children.ScalingGroups {
		wanted := plan.Configuration[v1alpha1.PodCliqueScalingGroup](config)
		if before := w.ScalingGroups[wanted.Name]; before != nil && wanted.Spec.Replicas == nil {
			wanted.Spec.Replicas = before.Spec.Replicas
		}
		if written := write(w, w.ScalingGroups, wanted, func(o *v1alpha1.PodCliqueScalingGroup) any { return o.Spec },
			func(to, from *v1alpha1.PodCliqueScalingGroup) { to.Status = from.Status }); written {
			wrote = true
			w.touchAll()
		}
	}
	for _, config := range children.PodGangs() {
		wanted := plan.Configuration[v1alpha1.PodGang](config)
		if write(w, w.PodGangs, wanted, func(o *v1alpha1.PodGang) any { return o.Spec }, func(to, from *v1alpha1.PodGang) { to.Status = from.Status }) {
			wrote, w.touched[wanted.Name] = true, true
		}
	}
	for _, config := range children.PodCliques() {
		wanted := plan.Configuration[v1alpha1.PodClique](config)
		if before := w.PodCliques[wanted.Name]; before != nil && wanted.Spec.Replicas == nil {
			wanted.Spec.Replicas = before.Spec.Replicas
		}
		if write(w, w.PodCliques, wanted, func(o *v1alpha1.PodClique) any { return o.Spec }, func(to, from *v1alpha1.PodClique) { to.Status = from.Status }) {
			wrote, w.touched[wanted.Labels[v1alpha1.LabelPodGang]] = true, true
		}
	}
	for _, config := range children.Autoscalers {
		autoscaler := plan.Configuration[autoscalingv2.HorizontalPodAutoscaler](config)
		if w.Autoscalers[autoscaler.Name] == nil {
			wrote = true
		}
		w.Autoscalers[autoscaler.Name] = autoscaler
	}
	w.record(plan.Configuration[appsv1.ControllerRevision](children.Revision))
	w.DisruptionBudgets = nil
	for _, config := range children.DisruptionBudgets {
		w.DisruptionBudgets = append(w.DisruptionBudgets, plan.Configuration[policyv1.PodDisruptionBudget](config))
	}
	if len(w.Services) == 0 {
		for _, config := range children.Services {
			w.Services = append(w.Services, plan.Configuration[corev1.Service](config))
		}
	}
	return w.takeAway() || wrote
}

// record keeps a revision, in the place of one of its name.
func (w *World) record(revision *appsv1.ControllerRevision) {
	w.Revisions = slices.DeleteFunc(slices.Clone(w.Revisions), func(other *appsv1.ControllerRevision) bool { return other.Name == revision.Name })
	w.Revisions = append(w.Revisions, revision)
}

func (w *World) touchAll() {
	for name := range w.PodGangs {
		w.touched[name] = true
	}
}

// takeAway removes what the set no longer asks for. The pods of PodCliques that go, go with them.
func (w *World) takeAway() bool {
	removals, wrote := w.Removals(), false
	for _, podClique := range removals.PodCliques {
		for _, pod := range w.siblings(podClique.Labels[v1alpha1.LabelPodGang]) {
			if metav1.IsControlledBy(pod, podClique) {
				w.delete(pod)
			}
		}
		delete(w.PodCliques, podClique.Name)
		wrote = true
	}
	for _, gang := range removals.PodGangs {
		delete(w.PodGangs, gang.Name)
		wrote = true
	}
	for _, autoscaler := range removals.Autoscalers {
		delete(w.Autoscalers, autoscaler.Name)
		wrote = true
	}
	for _, revision := range removals.Revisions {
		w.Revisions = slices.DeleteFunc(slices.Clone(w.Revisions), func(other *appsv1.ControllerRevision) bool { return other.Name == revision.Name })
	}
	if len(removals.Services) > 0 {
		w.Services = nil
	}
	return wrote
}

// object is a child of a set that a World keeps.
type object[T any] interface {
	*T
	metav1.Object
	DeepCopy() *T
}

// write makes a child what its configuration says, and reports whether it wasn't so already. What others have added to labels and
// annotations stays; keep carries over what isn't configured.
func write[T any, P object[T]](w *World, to map[string]P, wanted P, spec func(P) any, keep func(to, from P)) bool {
	before := to[wanted.GetName()]
	if before == nil {
		wanted.SetUID(w.uid())
		wanted.SetGeneration(1)
		wanted.SetManagedFields([]metav1.ManagedFieldsEntry{{
			Manager: plan.SetManager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
		}})
		to[wanted.GetName()] = wanted
		return true
	}
	labels, annotations := merged(before.GetLabels(), wanted.GetLabels()), merged(before.GetAnnotations(), wanted.GetAnnotations())
	specSame := equality.Semantic.DeepEqual(spec(before), spec(wanted))
	if specSame && maps.Equal(labels, before.GetLabels()) && maps.Equal(annotations, before.GetAnnotations()) && metav1.IsControlledBy(before, w.Object) {
		return false
	}
	wanted.SetUID(before.GetUID())
	wanted.SetManagedFields(before.GetManagedFields())
	wanted.SetGeneration(before.GetGeneration())
	if !specSame {
		wanted.SetGeneration(before.GetGeneration() + 1)
	}
	wanted.SetLabels(labels)
	wanted.SetAnnotations(annotations)
	keep(wanted, before)
	to[wanted.GetName()] = wanted
	return true
}

// merged has what is wanted, and what others have added. What Grove itself has put there before goes.
func merged(before, wanted map[string]string) map[string]string {
	all := map[string]string{}
	for key, value := range before {
		if !strings.HasPrefix(key, v1alpha1.GroupName+"/") {
			all[key] = value
		}
	}
	maps.Copy(all, wanted)
	return all
}

// syncReplica plays the controllers of a PodGang and of its PodCliques.
func (w *World) syncReplica(name string) {
	if gang := w.Gang(name); gang != nil {
		for _, step := range gang.Replacements() {
			for _, pod := range step.Pods {
				w.delete(pod)
			}
			for _, patch := range step.Patches {
				w.change(patch)
			}
		}
	}
	for _, podClique := range w.cliquesOf(name) {
		clique := w.clique(podClique)
		if clique == nil {
			continue
		}
		actions := clique.Actions(w.now)
		for _, pod := range actions.Delete {
			w.delete(pod)
		}
		for _, replacement := range actions.Replace {
			w.step.deleted(replacement.Failed)
			w.remove(replacement.Failed)
			w.create(replacement.Successor)
		}
		for _, pod := range actions.Create {
			w.create(pod)
		}
		for _, config := range actions.Relabel {
			w.relabel(w.pods[name][*config.Name], config.Labels, config.Annotations, podClique)
		}
	}
}

// delete begins the end of a pod.
func (w *World) delete(pod *corev1.Pod) {
	if !plan.Lives(w.pods[pod.Labels[v1alpha1.LabelPodGang]][pod.Name]) {
		return
	}
	ending := pod.DeepCopy()
	ending.DeletionTimestamp = ptr.To(metav1.NewTime(w.now))
	w.step.deleted(pod)
	w.put(ending)
}

func (w *World) create(created podclique.NewPod) {
	pod := plan.Configuration[corev1.Pod](created.Config)
	if w.pods[pod.Labels[v1alpha1.LabelPodGang]][pod.Name] != nil {
		return
	}
	if created.Group != "" {
		pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &created.Group}
	}
	// A scheduler is faster than whoever writes that a pod waits for a place.
	pod.Spec.NodeName = simulated
	pod.UID, pod.CreationTimestamp = w.uid(), metav1.NewTime(w.now)
	pod.Status.Phase = corev1.PodPending
	w.step.created(pod)
	w.put(pod)
}

// relabel gives a pod its labels, annotations and owner.
func (w *World) relabel(pod *corev1.Pod, labels, annotations map[string]string, owner *v1alpha1.PodClique) {
	after := pod.DeepCopy()
	after.Labels, after.Annotations = labels, plan.Merge(pod.Annotations, annotations)
	after.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, v1alpha1.SchemeGroupVersion.WithKind(podclique.Kind))}
	w.step.relabelled(pod)
	w.put(after)
}

// describeReplica plays the writers of the statuses of a PodGang and of its PodCliques.
func (w *World) describeReplica(name string) {
	for _, podClique := range w.cliquesOf(name) {
		clique := w.clique(podClique)
		if clique == nil {
			continue
		}
		if status := clique.Status(applied(podClique), w.now); !equality.Semantic.DeepEqual(status, podClique.Status) {
			after := podClique.DeepCopy()
			after.Status = status
			w.PodCliques[podClique.Name], w.touched[name] = after, true
		}
	}
	gang := w.Gang(name)
	if gang == nil {
		return
	}
	if status := gang.Status(applied(gang.Object()), w.now); !equality.Semantic.DeepEqual(status, gang.Object().Status) {
		after := gang.Object().DeepCopy()
		after.Status = status
		w.PodGangs[name], w.touched[name] = after, true
	}
}

// describeSet plays the writers of the statuses of scaling groups and of the set, and reports whether something has changed.
func (w *World) describeSet() bool {
	changed := false
	for _, name := range slices.Sorted(maps.Keys(w.ScalingGroups)) {
		object := w.ScalingGroups[name]
		g := scalinggroup.ScalingGroup{Object: object, Set: w.Object, PodGangs: slices.SortedFunc(maps.Values(w.PodGangs), plan.ByName)}
		if status := g.Status(w.now); !equality.Semantic.DeepEqual(status, object.Status) {
			after := object.DeepCopy()
			after.Status = status
			w.ScalingGroups[name], changed = after, true
		}
	}
	if status := w.Status(applied(w.Object), true, w.now); !equality.Semantic.DeepEqual(status, w.Object.Status) {
		after := w.Object.DeepCopy()
		after.Status = status
		w.Object, changed = after, true
	}
	return changed
}

// applied reports that all of an owner's children were applied.
func applied(owner metav1.Object) plan.Report { return plan.Report{Generation: owner.GetGeneration()} }
