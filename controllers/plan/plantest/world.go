package plantest

import (
	"slices"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podclique"
	"grove.io/grove/controllers/plan/podcliqueset"
	"grove.io/grove/controllers/plan/podgang"
	"grove.io/grove/controllers/plan/scalinggroup"
)

// Now is the time that it is.
var Now = time.Unix(1_800_000_000, 0)

// Everything is a scheduler that can do all that a set can ask for.
var Everything = plan.Scheduling{Gangs: true, Topology: true, Composite: true, NetworkTopologyKey: "rack"}

// Told is a scheduler that was told of every group.
func Told(string) plan.SchedulerGroup { return plan.SchedulerGroup{Exists: true} }

// Live plays the API server: it makes the children that a plan asks for, as they would be read back.
func Live(set *v1alpha1.PodCliqueSet, children podcliqueset.Children) podcliqueset.Set {
	observed := podcliqueset.Set{
		Object:        set,
		Account:       plan.Configuration[corev1.ServiceAccount](children.ServiceAccount),
		Role:          plan.Configuration[rbacv1.Role](children.Role),
		ScalingGroups: map[string]*v1alpha1.PodCliqueScalingGroup{},
		PodGangs:      map[string]*v1alpha1.PodGang{},
		PodCliques:    map[string]*v1alpha1.PodClique{},
		Autoscalers:   map[string]*autoscalingv2.HorizontalPodAutoscaler{},
	}
	owned := []metav1.ManagedFieldsEntry{{
		Manager:   plan.SetManager,
		Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1:  metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
	}}
	for _, config := range children.ScalingGroups {
		scalingGroup := plan.Configuration[v1alpha1.PodCliqueScalingGroup](config)
		scalingGroup.UID, scalingGroup.Generation, scalingGroup.ManagedFields = types.UID(scalingGroup.Name), 1, owned
		observed.ScalingGroups[scalingGroup.Name] = scalingGroup
	}
	for _, config := range children.PodGangs() {
		gang := plan.Configuration[v1alpha1.PodGang](config)
		gang.UID, gang.Generation = types.UID(gang.Name), 1
		observed.PodGangs[gang.Name] = gang
	}
	for _, config := range children.PodCliques() {
		podClique := plan.Configuration[v1alpha1.PodClique](config)
		podClique.UID, podClique.Generation, podClique.ManagedFields = types.UID(podClique.Name), 1, owned
		observed.PodCliques[podClique.Name] = podClique
	}
	for _, config := range children.Autoscalers {
		autoscaler := plan.Configuration[autoscalingv2.HorizontalPodAutoscaler](config)
		observed.Autoscalers[autoscaler.Name] = autoscaler
	}
	return observed
}

// Observed is a set with all its children.
func Observed(set *v1alpha1.PodCliqueSet) podcliqueset.Set {
	return Live(set, podcliqueset.Set{Object: set}.Children())
}

// Cliques are the PodCliques of a set, by name, with what decides about their pods; pods makes those that exist.
func Cliques(observed podcliqueset.Set, pods func(podclique.Clique) []*corev1.Pod) []podclique.Clique {
	var all []podclique.Clique
	for _, podClique := range observed.PodCliques {
		clique := podclique.Clique{Clique: plan.Clique{
			Object:          podClique,
			Set:             observed.Object,
			Gang:            observed.PodGangs[podClique.Labels[v1alpha1.LabelPodGang]],
			Scheduling:      Everything,
			SchedulerGroups: Told,
		}}
		if name := plan.ScalingGroupNameOf(observed.Object, podClique); name != "" {
			clique.ScalingGroup = observed.ScalingGroups[name]
		}
		if pods != nil {
			clique.Pods = pods(clique)
		}
		all = append(all, clique)
	}
	siblings := map[string][]*corev1.Pod{}
	for _, clique := range all {
		gang := clique.Object.Labels[v1alpha1.LabelPodGang]
		siblings[gang] = append(siblings[gang], clique.Pods...)
	}
	for i := range all {
		all[i].Siblings = siblings[all[i].Object.Labels[v1alpha1.LabelPodGang]]
	}
	slices.SortFunc(all, func(a, b podclique.Clique) int { return plan.ByName(a.Object, b.Object) })
	return all
}

// Clique is a PodClique of a set all units of which are scheduled.
func Clique(t *testing.T, set *v1alpha1.PodCliqueSet, name string, pods func(podclique.Clique) []*corev1.Pod) podclique.Clique {
	t.Helper()
	for _, clique := range Cliques(Observed(set), pods) {
		if clique.Object.Name == name {
			clique.Gang = ScheduledGang(clique.Gang)
			return clique
		}
	}
	t.Fatalf("no PodClique %s", name)
	return podclique.Clique{}
}

// Gangs are the gangs of a set, by name, whose pods all exist, where a scheduler can do so much.
func Gangs(observed podcliqueset.Set, s plan.Scheduling) []podgang.Gang {
	all := Cliques(observed, nil)
	var gangs []podgang.Gang
	for _, object := range observed.PodGangs {
		gang := podgang.Gang{Replica: plan.Replica{
			Set: observed.Object, Gang: object, Cliques: map[string]plan.Clique{}, Scheduling: s, SchedulerGroups: Told,
		}}
		for _, clique := range all {
			if clique.Object.Labels[v1alpha1.LabelPodGang] == object.Name {
				clique.Scheduling = s
				clique.Pods = AllPods(clique)
				gang.Cliques[clique.Object.Name] = clique.Clique
			}
		}
		gangs = append(gangs, gang)
	}
	slices.SortFunc(gangs, func(a, b podgang.Gang) int { return plan.ByName(a.Object(), b.Object()) })
	return gangs
}

// AllPods makes every pod that a PodClique asks for, once all its gang is scheduled.
func AllPods(clique podclique.Clique) []*corev1.Pod {
	if clique.Gang != nil {
		clique.Gang = ScheduledGang(clique.Gang)
	}
	return PodsOf(clique.Actions(Now).Create)
}

// PodsOf plays the API server.
func PodsOf(created []podclique.NewPod) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, one := range created {
		pod := plan.Configuration[corev1.Pod](one.Config)
		if one.Group != "" {
			pod.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: &one.Group}
		}
		pods = append(pods, pod)
	}
	return pods
}

// Names are those of pods that are to be created.
func Names(created []podclique.NewPod) []string {
	var names []string
	for _, pod := range created {
		names = append(names, *pod.Config.Name)
	}
	return names
}

// ScheduledGang copies a gang, with a status that says that every unit is scheduled.
func ScheduledGang(gang *v1alpha1.PodGang) *v1alpha1.PodGang {
	units := []string{gang.Name}
	for _, scaled := range gang.Spec.ScaledGroups {
		units = append(units, scaled.Name)
	}
	return WithScheduled(gang, units...)
}

// WithScheduled copies a gang, with a status that says which units are scheduled, and knows all pod groups.
func WithScheduled(gang *v1alpha1.PodGang, units ...string) *v1alpha1.PodGang {
	gang = gang.DeepCopy()
	gang.Status.PodGroups = nil
	for _, unit := range plan.UnitsOf(gang) {
		for _, podGroup := range unit.PodGroups {
			status := v1alpha1.PodGroupStatus{Name: podGroup.Name}
			if slices.Contains(units, unit.Name) {
				status.Scheduled = podGroup.MinReplicas
			}
			gang.Status.PodGroups = append(gang.Status.PodGroups, status)
		}
	}
	return gang
}

// State is how far a pod has come.
type State func(*corev1.Pod)

// Pending is a pod that nobody has done anything with.
func Pending(*corev1.Pod) {}

// Scheduled is a pod that is bound to a node, and nothing else.
func Scheduled(pod *corev1.Pod) { pod.Spec.NodeName = "node" }

// Ready is a pod that is running and ready.
func Ready(pod *corev1.Pod) {
	Scheduled(pod)
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", Ready: true, Started: ptr.To(true)}}
}

// Unready is a pod that was ready, and isn't.
func Unready(pod *corev1.Pod) {
	Ready(pod)
	pod.Status.Conditions[0].Status = corev1.ConditionFalse
	pod.Status.ContainerStatuses[0].Ready = false
}

// Succeeded is a pod that has run to its end.
func Succeeded(pod *corev1.Pod) {
	Scheduled(pod)
	pod.Status = corev1.PodStatus{
		Phase:      corev1.PodSucceeded,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "PodCompleted"}},
	}
}

// Terminating is a pod that is ready, and on its way out.
func Terminating(pod *corev1.Pod) {
	Ready(pod)
	pod.DeletionTimestamp = ptr.To(metav1.NewTime(Now))
}

// World is a set with all its children and pods, whose statuses follow from the pods.
type World struct {
	podcliqueset.Set
	Cliques []podclique.Clique
	// Verdicts are the scheduler's words on units.
	Verdicts map[string]string
}

// NewWorld is the world of a set whose pods have all come as far.
func NewWorld(set *v1alpha1.PodCliqueSet, state State) *World {
	observed := Observed(set)
	w := &World{Set: observed, Cliques: Cliques(observed, AllPods)}
	for _, clique := range w.Cliques {
		for _, pod := range clique.Pods {
			state(pod)
		}
	}
	return w
}

// Pod finds a pod.
func (w *World) Pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	for _, clique := range w.Cliques {
		if pod := clique.PodsByName()[name]; pod != nil {
			return pod
		}
	}
	t.Fatalf("no pod %s", name)
	return nil
}

// Gang is a gang of the world.
func (w *World) Gang(name string) podgang.Gang {
	gang := podgang.Gang{Replica: plan.Replica{
		Set: w.Object, Gang: w.PodGangs[name], Cliques: map[string]plan.Clique{}, Scheduling: Everything, SchedulerGroups: Told, Verdicts: w.Verdicts,
	}}
	for _, clique := range w.Cliques {
		if clique.Object.Labels[v1alpha1.LabelPodGang] == name {
			gang.Cliques[clique.Object.Name] = clique.Clique
		}
	}
	return gang
}

// GiveTurn lets an update replace what is left of older podSpecs in replica i, as the set's planner does when it is the replica's turn.
func (w *World) GiveTurn(i int32) {
	for _, podClique := range w.PodCliques {
		if podClique.Labels[v1alpha1.LabelReplicaIndex] == plan.Index(i) {
			podClique.Annotations[v1alpha1.AnnotationUpdateTo] = podClique.Labels[v1alpha1.LabelPodTemplateHash]
		}
	}
}

// ScalingGroup is a scaling group of the world.
func (w *World) ScalingGroup(name string) scalinggroup.ScalingGroup {
	g := scalinggroup.ScalingGroup{Object: w.ScalingGroups[name], Set: w.Object}
	for _, gang := range w.PodGangs {
		g.PodGangs = append(g.PodGangs, gang)
	}
	return g
}

// Settle brings every status up to date where all was applied, and returns that of the set.
func (w *World) Settle() v1alpha1.PodCliqueSetStatus {
	for _, clique := range w.Cliques {
		clique.Object.Status = clique.Status(Applied(clique.Object), Now)
	}
	for name, gang := range w.PodGangs {
		gang.Status = w.Gang(name).Status(Applied(gang), Now)
	}
	for name, scalingGroup := range w.ScalingGroups {
		scalingGroup.Status = w.ScalingGroup(name).Status(Now)
	}
	w.Object.Status = w.Status(Applied(w.Object), true, Now)
	return w.Object.Status
}

// Applied reports that all of an owner's children were applied.
func Applied(owner metav1.Object) plan.Report { return plan.Report{Generation: owner.GetGeneration()} }
