package why

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
	"grove.io/grove/cmd/kubectl-grove/view"
	"grove.io/grove/controllers/plan"
)

// Finder finds causes in a set and what Grove made of it.
type Finder struct {
	*view.View
	Now time.Time
	// Snapshot is the cluster, which is looked at only if a place is missing. The error says why it can't be.
	Snapshot func() (nodes.Snapshot, error)
	// Warning is the last warning event about a pod; empty if there is none.
	Warning func(*corev1.Pod) string
}

// Set answers for the whole set: for what its first replica lacks that lacks something.
func (f Finder) Set() Answer {
	set := f.View.Set
	answer := f.answer("pcs/" + set.Name)
	answer.State = fmt.Sprintf("%s, %d of %d replicas available", orNew(string(set.Status.Phase)), set.Status.AvailableReplicas, set.Spec.Replicas)
	if set.Status.Phase == v1alpha1.PodCliqueSetCompleted || set.Spec.Replicas == 0 {
		return answer
	}
	if set.DeletionTimestamp != nil {
		answer.Cause = (&Cause{Kind: Terminating, Object: answer.About, Words: "the set is being deleted"}).next("it is gone once its pods are")
		return answer
	}
	if answer.Cause = f.refused(answer.About, set.Status.Conditions); answer.Cause != nil {
		return answer
	}
	found := f.firstGang(&answer)
	if answer.Cause == nil && len(f.Gangs) < int(set.Spec.Replicas) {
		answer.Cause = f.noGang()
		return answer
	}
	if !found {
		answer.Cause = f.update()
	}
	if answer.Cause == nil {
		f.rest(&answer)
	}
	return answer
}

// firstGang takes the answer of the first replica whose base unit isn't up; it reports whether there is one.
func (f Finder) firstGang(answer *Answer) bool {
	found := false
	for _, gang := range f.Gangs {
		base := f.Replica(gang).Units()[0]
		if gang.Status.Phase == v1alpha1.PodGangSucceeded || base.Has(plan.Scheduled) && base.Has(plan.Ready) {
			continue
		}
		if found {
			answer.Others++
			continue
		}
		found = true
		of := f.Gang(gang)
		answer.Lacks, answer.Cause = of.Lacks, of.Cause
	}
	return found
}

// rest looks at what replicas that are available lack beyond their minimum.
func (f Finder) rest(answer *Answer) {
	for _, gang := range f.Gangs {
		if of := f.Gang(gang); of.Cause != nil {
			answer.Lacks, answer.Cause = of.Lacks, of.Cause
			return
		}
	}
}

// Gang answers for one replica: for its base unit, then for its scaled units, then for pods above a minimum.
func (f Finder) Gang(gang *v1alpha1.PodGang) Answer {
	answer := f.answer("pg/" + gang.Name)
	answer.State = orNew(string(gang.Status.Phase))
	if gang.Status.Phase == v1alpha1.PodGangSucceeded {
		return answer
	}
	r := f.Replica(gang)
	for _, clique := range f.Cliques {
		if _, ok := r.Cliques[clique.Name]; ok && answer.Cause == nil {
			answer.Cause = f.refused("pclq/"+clique.Name, clique.Status.Conditions)
		}
	}
	if answer.Cause != nil {
		return answer
	}
	for _, unit := range r.Units() {
		answer.Lacks, answer.Cause = f.unit(r, unit)
		if answer.Cause != nil {
			return answer
		}
	}
	answer.Lacks, answer.Cause = f.surplus(r)
	return answer
}

// unit is what a unit lacks, and why.
func (f Finder) unit(r plan.Replica, unit plan.Unit) (lacks string, cause *Cause) {
	if !unit.Has(plan.Scheduled) {
		lacks, cause = placedOf(r, unit), f.unscheduled(r, unit)
	} else if lacks = unit.Missing(plan.Ready); lacks != "" {
		cause = f.unready(r, unit)
	}
	if cause != nil {
		f.deadlines(r.Gang, unit, cause)
	}
	return lacks, cause
}

// placedOf says how many pods of a unit have a place.
func placedOf(r plan.Replica, unit plan.Unit) string {
	all, placed := members(r, unit), 0
	for _, m := range all {
		if plan.Lives(m.pod) && plan.IsScheduled(m.pod) {
			placed++
		}
	}
	return fmt.Sprintf("gang unit %s: %d of %d pods scheduled, all needed", unit.Name, placed, len(all))
}

// deadlines add what becomes of a unit that is in breach, or was terminated.
func (f Finder) deadlines(gang *v1alpha1.PodGang, unit plan.Unit, cause *Cause) {
	record, delay := plan.UnitRecord(gang, unit.Name), plan.TemplateOf(f.View.Set).TerminationDelay()
	switch {
	case record.BreachedSince != nil:
		at := record.BreachedSince.Add(delay).UTC()
		cause.Next = append(cause.Next, Next{Words: fmt.Sprintf("gang unit %s is terminated and placed anew, unless it has its minimum of pods again by then", unit.Name), At: &at})
	case unit.Base && record.TerminatedAt != nil && record.AvailableSince == nil && gang.Status.Phase != v1alpha1.PodGangFailed:
		at := record.TerminatedAt.Add(delay).UTC()
		cause.Next = append(cause.Next, Next{Words: fmt.Sprintf("replica %s counts as Failed, unless it is up by then; Grove goes on trying", gang.Name), At: &at})
	}
}

// surplus is which pod above a minimum isn't up, and why.
func (f Finder) surplus(r plan.Replica) (lacks string, cause *Cause) {
	for _, object := range f.Cliques {
		clique, ok := r.Cliques[object.Name]
		if !ok {
			continue
		}
		pods := clique.PodsByName()
		for id := range clique.Identities() {
			pod := pods[id.Name]
			if id.Index < clique.MinAvailable() || isUp(pod) {
				continue
			}
			lacks = fmt.Sprintf("pod %s, which %s has beyond its minimum", id.Name, clique.Object.Name)
			if pod == nil {
				return lacks, f.notCreated(clique, id)
			}
			return lacks, f.pod(pod)
		}
	}
	return "", nil
}

func isUp(pod *corev1.Pod) bool {
	return plan.Lives(pod) && (plan.IsReady(pod) || pod.Status.Phase == corev1.PodSucceeded)
}

// refused is that a child can't be as it shall, which conditions say.
func (f Finder) refused(object string, conditions []metav1.Condition) *Cause {
	applied := meta.FindStatusCondition(conditions, v1alpha1.ConditionResourcesApplied)
	if applied == nil || applied.Status != metav1.ConditionFalse {
		return nil
	}
	return (&Cause{Kind: Refused, Object: object, Words: applied.Reason + ": " + applied.Message}).
		next("Grove tries again when the set changes, and every 30 seconds; everything else goes on")
}

// noGang is that a replica has no PodGang.
func (f Finder) noGang() *Cause {
	set := f.View.Set
	cause := &Cause{Kind: NotCreated, Object: "pcs/" + set.Name}
	if set.Status.ObservedGeneration == 0 {
		cause.Words = "no operator has looked at the set yet"
		return cause.next("nothing, unless Grove's operator runs: kubectl get pods --namespace grove-system")
	}
	cause.Words = fmt.Sprintf("%d of %d PodGangs exist", len(f.Gangs), set.Spec.Replicas)
	return cause.next("Grove's operator makes the others within seconds, if it runs: kubectl get pods --namespace grove-system")
}

// update is what holds up an update of replicas that are available.
func (f Finder) update() *Cause {
	set := f.View.Set
	progress := set.Status.RollingUpdateProgress
	progressing := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionProgressing)
	if progress == nil || progress.UpdateEndedAt != nil || progressing == nil {
		return nil
	}
	cause := &Cause{Kind: Updating, Object: "pcs/" + set.Name, Words: progressing.Message}
	switch progressing.Reason {
	case v1alpha1.ReasonProgressDeadlineExceeded:
		cause.Kind = UpdateStopped
		return cause.next(fmt.Sprintf("nothing, until the template is edited again, as by kubectl grove rollout undo %s", set.Name))
	case v1alpha1.ReasonPaused:
		cause.Kind = UpdatePaused
		return cause.next(fmt.Sprintf("nothing, until kubectl grove rollout resume %s", set.Name))
	}
	return cause.next(fmt.Sprintf("the update goes on by itself: kubectl grove rollout status %s", set.Name))
}

func (f Finder) answer(about string) Answer {
	return Answer{About: about, Namespace: f.View.Set.Namespace}
}

func orNew(phase string) string {
	if phase == "" {
		return "New"
	}
	return phase
}
