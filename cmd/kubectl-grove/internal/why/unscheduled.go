package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
	"grove.io/grove/controllers/plan"
)

// member is a pod that a unit is placed with, whether it exists or not.
type member struct {
	podGroup plan.PodGroup
	id       plan.PodIdentity
	pod      *corev1.Pod
}

func members(r plan.Replica, unit plan.Unit) []member {
	pods := r.PodsByName()
	var all []member
	for _, group := range unit.PodGroups {
		for p := range group.MinReplicas {
			name := plan.PodName(group.Name, p)
			all = append(all, member{group, plan.PodIdentity{Name: name, PodGroup: group.Name, GroupReplica: group.GroupReplicaIndex, Index: p}, pods[name]})
		}
	}
	return all
}

// unscheduled is why a unit isn't scheduled: a pod that has to go first, a gate, a pod that doesn't exist, or else what the nodes have.
func (f Finder) unscheduled(r plan.Replica, unit plan.Unit) *Cause {
	all := members(r, unit)
	first := func(is func(*corev1.Pod) bool) *member {
		at := slices.IndexFunc(all, func(m member) bool { return is(m.pod) })
		if at < 0 {
			return nil
		}
		return &all[at]
	}
	if m := first(func(pod *corev1.Pod) bool { return pod != nil && pod.DeletionTimestamp != nil }); m != nil {
		return f.terminating(m.pod)
	}
	if m := first(func(pod *corev1.Pod) bool { return pod != nil && len(pod.Spec.SchedulingGates) > 0 }); m != nil {
		return gated(m.pod, fmt.Sprintf("and with it all %d pods of gang unit %s", len(all), unit.Name))
	}
	if m := first(func(pod *corev1.Pod) bool { return pod == nil }); m != nil {
		if base := r.Units()[0]; !unit.Base && !base.Has(plan.Scheduled) {
			cause := f.unscheduled(r, base)
			cause.Chain = append([]string{fmt.Sprintf("gang unit %s waits until the base unit %s is scheduled", unit.Name, base.Name)}, cause.Chain...)
			return cause
		}
		return f.notCreated(r.Cliques[m.podGroup.PodCliqueName], m.id)
	}
	return f.noPlace(r, unit, all)
}

// gated is that a user's scheduling gate holds a pod back.
func gated(pod *corev1.Pod, with string) *Cause {
	var gates []string
	for _, gate := range pod.Spec.SchedulingGates {
		gates = append(gates, gate.Name)
	}
	cause := &Cause{Kind: Gated, Object: "pod/" + pod.Name, Words: strings.TrimSpace(fmt.Sprintf("pod %s is held back by its scheduling gate %s, %s", pod.Name, strings.Join(gates, ", "), with))}
	return cause.next("nothing, until whoever set the gate takes it from the pod's spec.schedulingGates")
}

// terminating is that a pod's successor waits for its name.
func (f Finder) terminating(pod *corev1.Pod) *Cause {
	at := pod.DeletionTimestamp.UTC()
	cause := &Cause{Kind: Terminating, Object: "pod/" + pod.Name, Words: fmt.Sprintf("pod %s is terminating, and its successor waits for the name", pod.Name)}
	switch {
	case len(pod.Finalizers) > 0:
		return cause.next(fmt.Sprintf("it is gone once its finalizers are: %s", strings.Join(pod.Finalizers, ", ")))
	case at.After(f.Now):
		cause.Next = append(cause.Next, Next{Words: "the kubelet kills it, if it hasn't ended by then", At: &at})
		return cause
	default:
		return cause.next(fmt.Sprintf("its time is up: the kubelet of node %s has to say that it has ended; if the node is silent, Grove deletes the pod after its --lost-node-grace", pod.Spec.NodeName))
	}
}

// notCreated is that a pod doesn't exist; its PodClique says what it waits for.
func (f Finder) notCreated(clique plan.Clique, id plan.PodIdentity) *Cause {
	cause := &Cause{Kind: NotCreated, Object: "pod/" + id.Name, Words: fmt.Sprintf("pod %s doesn't exist", id.Name)}
	if clique.Object == nil {
		return cause.next("Grove makes it once its PodClique exists")
	}
	if refused := f.refused("pclq/"+clique.Object.Name, clique.Object.Status.Conditions); refused != nil {
		return refused
	}
	scheduled := meta.FindStatusCondition(clique.Object.Status.Conditions, v1alpha1.ConditionPodCliqueScheduled)
	if scheduled == nil || scheduled.ObservedGeneration != clique.Object.Generation {
		return cause.next("Grove's operator makes it within seconds, if it runs: kubectl get pods --namespace grove-system")
	}
	if _, waits, waiting := strings.Cut("; "+scheduled.Message, "; pod "); waiting {
		cause.Words += ": pod " + waits
	}
	return cause.next("it is made as soon as what it waits for is there")
}

// noPlace is what the nodes have for the pods of a unit, by the filters of the scheduler.
func (f Finder) noPlace(r plan.Replica, unit plan.Unit, all []member) *Cause {
	cause := &Cause{Kind: NotPlaced, Object: "pg/" + r.Gang.Name, Scheduler: schedulersWords(r.Gang, all)}
	if gangs := meta.FindStatusCondition(r.Gang.Status.Conditions, v1alpha1.ConditionGangScheduling); gangs != nil && gangs.Status == metav1.ConditionFalse {
		cause.Notes = append(cause.Notes, "gang scheduling: "+gangs.Message)
	}
	snapshot, err := f.Snapshot()
	if err != nil {
		cause.Words = fmt.Sprintf("the scheduler hasn't placed gang unit %s", unit.Name)
		cause.Notes = append(cause.Notes, fmt.Sprintf("what nodes have can't be looked at: %v", err))
		return cause.next(triesAgain)
	}
	cluster := nodes.NewCluster(snapshot)
	for _, part := range parts(f.View.Set, r, unit, all) {
		if f.noPlaceFor(cause, cluster, part, unit) {
			return cause.next(fmt.Sprintf("%s; nothing of the unit is placed before all of its %d pods are", triesAgain, len(all)))
		}
	}
	cause.Words = fmt.Sprintf("by the filters that kubectl grove knows, all %d pods of gang unit %s have a place now, and the scheduler hasn't given it", len(all), unit.Name)
	for _, m := range all {
		if beyond := nodes.Beyond(m.pod); len(beyond) > 0 {
			cause.Notes = append(cause.Notes, fmt.Sprintf("not looked at: %s of pod %s", strings.Join(beyond, " and "), m.pod.Name))
			break
		}
	}
	return cause.next(triesAgain)
}

const triesAgain = "the scheduler tries again whenever a node or a pod changes in a way that may help"

// noPlaceFor tells whether a part of a unit has no place, and if so why.
func (f Finder) noPlaceFor(cause *Cause, cluster *nodes.Cluster, part part, unit plan.Unit) bool {
	attempts := slices.DeleteFunc(cluster.Together(part.pods, part.key), func(a nodes.Attempt) bool { return part.domain != "" && a.Domain != part.domain })
	if len(attempts) == 0 {
		cause.Kind, cause.Words = NoPlace, fmt.Sprintf("gang unit %s has to be inside one %s, and no node has that label", unit.Name, part.key)
		if part.key == "" {
			cause.Words = "there are no nodes"
		}
		return true
	}
	best := attempts[0]
	if best.Fits() {
		return false
	}
	cause.Kind, cause.Object = NoPlace, "pod/"+best.Missing
	missing := part.pods[slices.IndexFunc(part.pods, func(pod *corev1.Pod) bool { return pod.Name == best.Missing })]
	verdicts := best.Verdicts
	switch {
	case part.key != "":
		cause.Words = fmt.Sprintf("%s has to be inside one %s, and none has room for all of its %d pods", part.what, part.key, len(part.pods))
		cause.Closest = &Domain{Key: part.key, Attempt: best, Against: nodes.Summary(best.Verdicts)}
		verdicts = cluster.Candidate(missing).Verdicts()
	case best.Placed == 0:
		cause.Words = fmt.Sprintf("no node has a place for pod %s", best.Missing)
	default:
		cause.Words = fmt.Sprintf("%s finds a place for %d of its %d pods; pod %s, beside them, finds none", part.what, best.Placed, best.Pods, best.Missing)
	}
	cause.NodeGroups = groupsOf(cluster.Nodes(), verdicts, missing)
	return true
}

// part are pods of a unit that have to be in one domain of a key, if there is one.
type part struct {
	what string
	key  string
	// domain is the one that pods of the part are in which are placed already; empty if none is.
	domain string
	pods   []*corev1.Pod
}

// parts divide the pods of a unit that have no place by what has to be in one domain, as the scheduler is told of it.
func parts(set *v1alpha1.PodCliqueSet, r plan.Replica, unit plan.Unit, all []member) []part {
	t, i := plan.TemplateOf(set), r.Gang.Spec.ReplicaIndex
	can := plan.Scheduling{Gangs: true, Topology: true, Composite: true}.For(r.Siblings)
	shape := t.Topology(i, can).Shape(unit.Base, t.UnitCliques(i, unit.Base, unit.PodGroups[0].PodCliqueName), can)
	var divided []part
	for _, pack := range shape.Parts {
		divided = append(divided, part{what: fmt.Sprintf("the pack group of %s in gang unit %s", strings.Join(pack.PodCliques, ", "), unit.Name), key: pack.Key})
	}
	whole := part{what: "gang unit " + unit.Name, key: shape.Key}
	for _, m := range all {
		if plan.IsScheduled(m.pod) {
			continue
		}
		whole.pods = append(whole.pods, m.pod)
		for n, pack := range shape.Parts {
			if slices.Contains(pack.PodCliques, m.podGroup.PodCliqueName) {
				divided[n].pods = append(divided[n].pods, m.pod)
			}
		}
	}
	return slices.DeleteFunc(append(divided, whole), func(p part) bool { return len(p.pods) == 0 })
}

// schedulersWords are what the scheduler says of a gang's base unit, or of the first pod of a unit that it says something of.
func schedulersWords(gang *v1alpha1.PodGang, all []member) string {
	words := ""
	for _, m := range all {
		words = cmp.Or(words, podSchedulersWords(m.pod))
	}
	if scheduled := meta.FindStatusCondition(gang.Status.Conditions, v1alpha1.ConditionScheduled); scheduled != nil && scheduled.Reason == v1alpha1.ReasonUnschedulable {
		if _, says, ok := strings.Cut(scheduled.Message, "the scheduler says: "); ok {
			return says
		}
	}
	return words
}

func podSchedulersWords(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	return ""
}

// alone is what the nodes have for a pod that is placed by itself.
func (f Finder) alone(pod *corev1.Pod) *Cause {
	cause := &Cause{Kind: NotPlaced, Object: "pod/" + pod.Name, Scheduler: podSchedulersWords(pod), Words: fmt.Sprintf("the scheduler hasn't placed pod %s", pod.Name)}
	snapshot, err := f.Snapshot()
	if err != nil {
		cause.Notes = append(cause.Notes, fmt.Sprintf("what nodes have can't be looked at: %v", err))
		return cause.next(triesAgain)
	}
	verdicts := snapshot.Verdicts(pod)
	if !slices.ContainsFunc(verdicts, nodes.Verdict.Fits) {
		cause.Kind, cause.Words = NoPlace, fmt.Sprintf("no node has a place for pod %s", pod.Name)
		cause.NodeGroups = groupsOf(snapshot.Nodes, verdicts, pod)
	}
	return cause.next(triesAgain)
}
