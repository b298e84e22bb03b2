package podcliqueset

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// rollout says how far an update has come: which replicas have taken the podSpecs as they are today, and which are done. Nothing of that is
// remembered: it is read off the hashes that PodCliques and their pods bear.
type rollout struct {
	// takes tells of each replica whether its PodCliques get today's podSpecs.
	takes []bool
	// taken tells whether they have them, and leave to replace what is left of others.
	taken []bool
	// done tells whether so do all pods of a replica, and are ready. Where no update is under way, nobody asks.
	done func(i int) bool
	// fresh tells of replicas that are new, and were never of another podSpec.
	fresh []bool
	// outdated has, for each replica, the PodCliques with pods of another podSpec than their own.
	outdated []map[string]bool
	// kept is the first replica that the partition keeps, and that counts against the budget since it is away; -1 for none.
	kept int
}

// rollout decides which replicas take today's podSpecs: new ones, and those that have begun; those that are broken, since they have nothing
// to lose; and then one after the other as far as the budget reaches, each once those before it are done.
func (s Set) rollout(t plan.Template, hashes []string) rollout {
	strategy, n := s.Object.Spec.UpdateStrategy, int(s.Object.Spec.Replicas)
	r := rollout{takes: make([]bool, n), taken: make([]bool, n), fresh: make([]bool, n), outdated: make([]map[string]bool, n), kept: -1}
	for i := range n {
		r.outdated[i] = outdated(s.PodGangs[plan.PodGangName(s.Object.Name, int32(i))])
		r.taken[i], r.fresh[i] = s.hasTaken(t, hashes, int32(i), r.outdated[i])
		r.takes[i] = r.taken[i] || strategy.Type == v1alpha1.OnDelete
	}
	looked, done := make([]bool, n), make([]bool, n)
	r.done = func(i int) bool {
		if !looked[i] {
			looked[i], done[i] = true, r.taken[i] && s.isDone(t, hashes, int32(i))
		}
		return done[i]
	}
	if strategy.Paused || s.stopped() || !slices.Contains(r.takes, false) {
		return r
	}
	busy := 0
	for i := range n {
		busy += int(plan.One(r.taken[i] && !(len(r.outdated[i]) == 0 && s.isNew(int32(i))) && !r.done(i)))
	}
	budget := 1
	if strategy.Type == v1alpha1.Coherent {
		budget = plan.Budget(strategy.MaxUnavailable, n)
	}
	for i := range n {
		// One in the middle of an update to something else goes on from there, to that if the partition keeps it from more.
		gang := s.PodGangs[plan.PodGangName(s.Object.Name, int32(i))]
		held, begun := i < int(strategy.Partition), s.hasBegun(r.outdated[i])
		switch {
		case r.takes[i]:
		case begun, !held && (gang == nil || plan.WhyUnavailable(gang) != ""):
			r.takes[i] = !held
			busy++
		case held && s.isAway(t, int32(i), r.outdated[i]):
			busy++
			if r.kept < 0 {
				r.kept = i
			}
		}
	}
	// Of the others, those come first whose last pods from such an update aren't ready yet.
	for _, first := range []bool{true, false} {
		for i := int(strategy.Partition); i < n && busy < budget; i++ {
			if !r.takes[i] && first == !s.isWhole(t, int32(i)) {
				r.takes[i] = true
				busy++
			}
		}
	}
	return r
}

// outdated are the PodCliques of a gang, which is nil where there is none yet, that have pods of another podSpec than their own.
func outdated(gang *v1alpha1.PodGang) map[string]bool {
	if gang == nil || !slices.ContainsFunc(gang.Status.PodGroups, func(group v1alpha1.PodGroupStatus) bool { return group.Outdated > 0 }) {
		return nil
	}
	names := map[string]bool{}
	for _, unit := range plan.UnitsOf(gang) {
		for _, group := range unit.PodGroups {
			if group.Outdated > 0 {
				names[group.PodCliqueName] = true
			}
		}
	}
	return names
}

// hasBegun tells whether a replica with some outdated PodCliques is in the middle of an update, to whatever podSpecs: it had its turn.
func (s Set) hasBegun(outdated map[string]bool) bool {
	for name := range outdated {
		if podClique := s.PodCliques[name]; podClique != nil && plan.HasTurn(podClique, podClique.Labels[v1alpha1.LabelPodTemplateHash]) {
			return true
		}
	}
	return false
}

// isNew tells whether a replica never was available: what it waits for isn't the update's, if it has no pods to replace.
func (s Set) isNew(i int32) bool {
	gang := s.PodGangs[plan.PodGangName(s.Object.Name, i)]
	if gang == nil {
		return true
	}
	record := plan.UnitRecord(gang, gang.Name)
	return record.AvailableSince == nil && record.TerminatedAt == nil
}

// moves tells whether a replica takes today's podSpecs that hasn't yet.
func (r rollout) moves() bool {
	for i := range r.takes {
		if r.takes[i] && !r.taken[i] {
			return true
		}
	}
	return false
}

// hasTaken tells whether no PodClique of a replica has another podSpec than today's, or waits for its turn to replace pods of others, and whether
// the replica has no PodCliques at all yet. Where people replace pods, nobody waits for a turn.
func (s Set) hasTaken(t plan.Template, hashes []string, i int32, outdated map[string]bool) (taken, fresh bool) {
	taken, fresh = true, true
	for j := range t.Cliques() {
		name := plan.PodCliqueName(s.Object.Name, t.Cliques()[j].Name, i)
		if podClique := s.PodCliques[name]; podClique != nil {
			fresh = false
			waits := s.Object.Spec.UpdateStrategy.Type != v1alpha1.OnDelete && outdated[name] && !plan.HasTurn(podClique, hashes[j])
			taken = taken && podClique.Labels[v1alpha1.LabelPodTemplateHash] == hashes[j] && !waits
		}
	}
	return taken, fresh
}

// updateTo is what AnnotationUpdateTo of a PodClique shall be that gets the podSpec of a hash: that hash, if it takes today's because it is its
// replica's turn, and has pods to replace. It keeps it for as long as it keeps the podSpec, but for pods that were left to people to replace.
func (s Set) updateTo(podClique *v1alpha1.PodClique, hash string, takes, old bool) string {
	switch {
	case podClique == nil:
		return ""
	case plan.HasTurn(podClique, hash):
		return hash
	case takes && s.Object.Spec.UpdateStrategy.Type != v1alpha1.OnDelete && (old || podClique.Labels[v1alpha1.LabelPodTemplateHash] != hash && hashOf(podClique) != hash):
		return hash
	default:
		return ""
	}
}

// hashOf is that of the podSpec that a PodClique has, whatever its label says, which somebody may have edited.
func hashOf(podClique *v1alpha1.PodClique) string {
	return plan.Clique{Object: podClique}.TemplateHash()
}

// isDone tells whether all pods of a replica are of today's podSpecs and ready, as far as they have a place.
func (s Set) isDone(t plan.Template, hashes []string, i int32) bool {
	byPodClique := map[string]string{}
	for j := range t.Cliques() {
		byPodClique[plan.PodCliqueName(s.Object.Name, t.Cliques()[j].Name, i)] = hashes[j]
	}
	return plan.Done(s.PodGangs[plan.PodGangName(s.Object.Name, i)], byPodClique)
}

// isWhole tells the same of the podSpecs that the replica's PodCliques have.
func (s Set) isWhole(t plan.Template, i int32) bool {
	byPodClique := map[string]string{}
	for j := range t.Cliques() {
		name := plan.PodCliqueName(s.Object.Name, t.Cliques()[j].Name, i)
		if podClique := s.PodCliques[name]; podClique != nil {
			byPodClique[name] = podClique.Labels[v1alpha1.LabelPodTemplateHash]
		}
	}
	return plan.Done(s.PodGangs[plan.PodGangName(s.Object.Name, i)], byPodClique)
}

// isAway tells whether a replica that was up has fewer pods ready than it should, whoever took them. Beside pods of earlier podSpecs that nobody
// replaces, only a minimum that is missing shows.
func (s Set) isAway(t plan.Template, i int32, outdated map[string]bool) bool {
	gang := s.PodGangs[plan.PodGangName(s.Object.Name, i)]
	switch {
	case s.isNew(i), gang.Status.Phase == v1alpha1.PodGangSucceeded:
		return false
	case plan.WhyUnavailable(gang) != "":
		return true
	default:
		return len(outdated) == 0 && !s.isWhole(t, i)
	}
}

// stopped tells whether the update to today's podSpecs got nothing done for so long that it goes no further.
func (s Set) stopped() bool {
	progressing := meta.FindStatusCondition(s.Object.Status.Conditions, v1alpha1.ConditionProgressing)
	return progressing != nil && progressing.Reason == v1alpha1.ReasonProgressDeadlineExceeded &&
		s.Object.Status.CurrentGenerationHash == plan.GenerationHash(s.Object)
}

// defaultProgressDeadline is the progressDeadline where it isn't said.
const defaultProgressDeadline = 10 * time.Minute

func progressDeadline(set *v1alpha1.PodCliqueSet) time.Duration {
	if deadline := set.Spec.UpdateStrategy.ProgressDeadline; deadline != nil {
		return deadline.Duration
	}
	return defaultProgressDeadline
}
