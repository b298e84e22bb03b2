package podcliqueset

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// updating is how far the set's update has come, as its status says it.
type updating struct {
	progress *v1alpha1.PodCliqueSetRollingUpdateProgress
	// doing says what the update does, or waits for; empty while there is none.
	doing string
	// exceeded tells whether it got nothing done for the deadline.
	exceeded bool
}

func (u updating) active() bool { return goesOn(u.progress) }

// goesOn tells whether there is an update that hasn't ended.
func goesOn(progress *v1alpha1.PodCliqueSetRollingUpdateProgress) bool {
	return progress != nil && progress.UpdateEndedAt == nil
}

// updating describes the update. It begins once the podSpecs have changed, or pods are of another than they shall be, and ends once all replicas that the
// partition lets take today's podSpecs are done.
func (s Set) updating(now time.Time) updating {
	t := plan.TemplateOf(s.Object)
	hashes := t.PodTemplateHashes()
	r, live := s.rollout(t, hashes), s.Object.Status
	u := updating{progress: live.RollingUpdateProgress.DeepCopy()}
	changed := live.CurrentGenerationHash != "" && live.CurrentGenerationHash != plan.GenerationHash(s.Object)
	if changed || s.pending(r) && !u.active() {
		u.progress = &v1alpha1.PodCliqueSetRollingUpdateProgress{UpdateStartedAt: seconds(now), LastProgressTime: seconds(now)}
	} else if !u.active() {
		return u
	}
	u.progress.CurrentlyUpdating = s.currentlyUpdating(t, hashes, r)
	u.progress.UpdatedPodCliqueScalingGroups, u.progress.UpdatedPodCliques = s.updatedParts(t, hashes)
	if !s.pending(r) && !r.busy() {
		u.progress.UpdateEndedAt, u.progress.CurrentlyUpdating = seconds(now), nil
		return u
	}
	before := live.RollingUpdateProgress
	if before == nil || !equality.Semantic.DeepEqual(before.CurrentlyUpdating, u.progress.CurrentlyUpdating) ||
		!slices.Equal(before.UpdatedPodCliques, u.progress.UpdatedPodCliques) || !slices.Equal(before.UpdatedPodCliqueScalingGroups, u.progress.UpdatedPodCliqueScalingGroups) {
		u.progress.LastProgressTime = seconds(now)
	}
	u.doing = "an update waits for its turn"
	if current := u.progress.CurrentlyUpdating; current == nil && r.kept >= 0 {
		u.doing = fmt.Sprintf("an update waits until replica %d, which the partition keeps as it is, is ready", r.kept)
	} else if current != nil {
		u.doing = fmt.Sprintf("replica %d is being updated: %s", current.ReplicaIndex, s.waitingIn(current))
	}
	paused := s.Object.Spec.UpdateStrategy.Paused || s.Object.Spec.UpdateStrategy.Type == v1alpha1.OnDelete
	u.exceeded = !paused && u.progress.LastProgressTime != nil && !now.Before(u.progress.LastProgressTime.Add(progressDeadline(s.Object)))
	return u
}

// Deadline is when the status of an update changes by itself; the zero time if nothing is due.
func (s Set) Deadline(status *v1alpha1.PodCliqueSetStatus) time.Time {
	progress := status.RollingUpdateProgress
	if !goesOn(progress) || progress.LastProgressTime == nil {
		return time.Time{}
	}
	return progress.LastProgressTime.Add(progressDeadline(s.Object))
}

// RolloutMoves tells whether replicas are to take today's podSpecs that have none of them yet, in the update that the set's new status tells of.
func (s Set) RolloutMoves(status *v1alpha1.PodCliqueSetStatus) bool {
	if !goesOn(status.RollingUpdateProgress) {
		return false
	}
	t := plan.TemplateOf(s.Object)
	return s.rollout(t, t.PodTemplateHashes()).moves()
}

func seconds(now time.Time) *metav1.Time {
	at := metav1.NewTime(now).Rfc3339Copy()
	return &at
}

// pending tells whether a replica that the partition lets hasn't taken today's podSpecs, or has pods of others.
func (s Set) pending(r rollout) bool {
	for i := int(s.Object.Spec.UpdateStrategy.Partition); i < len(r.taken); i++ {
		if !r.taken[i] || len(r.outdated[i]) > 0 {
			return true
		}
	}
	return false
}

// busy tells whether a replica has taken today's podSpecs and isn't done.
func (r rollout) busy() bool {
	for i := range r.taken {
		if r.taken[i] && !r.done(i) && !r.fresh[i] {
			return true
		}
	}
	return false
}

// currentlyUpdating is the first part that isn't done of the first replica that has begun and isn't done.
func (s Set) currentlyUpdating(t plan.Template, hashes []string, r rollout) *v1alpha1.CurrentlyUpdating {
	for i := range r.taken {
		gang := s.PodGangs[plan.PodGangName(s.Object.Name, int32(i))]
		if !r.taken[i] || r.done(i) || gang == nil {
			continue
		}
		current := &v1alpha1.CurrentlyUpdating{ReplicaIndex: int32(i)}
		standalone := ""
		for _, unit := range plan.UnitsOf(gang) {
			for _, group := range unit.PodGroups {
				clique, hash := s.cliqueOf(t, hashes, group.PodCliqueName, int32(i))
				switch {
				case group.Done(hash, true):
				case group.PodCliqueScalingGroupName != "" && current.PodCliqueScalingGroupName == "":
					current.PodCliqueScalingGroupName, current.PodCliqueName = t.ScalingGroupOf[clique].Name, clique
				case group.PodCliqueScalingGroupName == "" && standalone == "":
					standalone = clique
				}
			}
		}
		if current.PodCliqueScalingGroupName == "" {
			current.PodCliqueName = standalone
		}
		return current
	}
	return nil
}

// cliqueOf is the name in the template, and the hash today, of the clique that a PodClique of a replica is of.
func (s Set) cliqueOf(t plan.Template, hashes []string, podClique string, i int32) (clique, hash string) {
	for j := range t.Cliques() {
		if plan.PodCliqueName(s.Object.Name, t.Cliques()[j].Name, i) == podClique {
			return t.Cliques()[j].Name, hashes[j]
		}
	}
	return "", ""
}

// waitingIn says which pod groups of a replica are replaced or waited for.
func (s Set) waitingIn(current *v1alpha1.CurrentlyUpdating) string {
	gang := s.PodGangs[plan.PodGangName(s.Object.Name, current.ReplicaIndex)]
	podClique := plan.PodCliqueName(s.Object.Name, current.PodCliqueName, current.ReplicaIndex)
	for _, unit := range plan.UnitsOf(gang) {
		for _, group := range unit.PodGroups {
			if group.PodCliqueName == podClique && !group.Done(group.TemplateHash, true) {
				return fmt.Sprintf("%s: %d of %d pods are new, %d ready", group.Name, group.Updated, group.Desired, group.Up())
			}
		}
	}
	return "its PodCliques take the new podSpecs"
}

// updatedParts are the scaling groups and standalone cliques that are done in every replica.
func (s Set) updatedParts(t plan.Template, hashes []string) (scalingGroups, cliques []string) {
	undone := map[string]bool{}
	for i := range s.Object.Spec.Replicas {
		gang := s.PodGangs[plan.PodGangName(s.Object.Name, i)]
		if gang == nil {
			return nil, nil
		}
		for _, unit := range plan.UnitsOf(gang) {
			for _, group := range unit.PodGroups {
				if clique, hash := s.cliqueOf(t, hashes, group.PodCliqueName, i); !group.Done(hash, unit.Base) {
					undone[clique] = true
				}
			}
		}
	}
	for _, config := range t.ScalingGroups {
		if !slices.ContainsFunc(config.CliqueNames, func(name string) bool { return undone[name] }) {
			scalingGroups = append(scalingGroups, config.Name)
		}
	}
	for i := range t.Cliques() {
		if name := t.Cliques()[i].Name; t.ScalingGroupOf[name] == nil && !undone[name] {
			cliques = append(cliques, name)
		}
	}
	return scalingGroups, cliques
}
