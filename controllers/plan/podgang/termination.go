package podgang

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// sight is what is seen of a unit.
type sight struct {
	// enough: the minimum of pods counts as available. ready: it is ready.
	enough, ready bool
}

// transition is what becomes of a unit's record:
//
//	the unit is      and is seen                            becomes
//	never available  with its minimum ready                 available
//	available        below its minimum                      breached
//	breached         with its minimum again                 available, as if nothing had happened
//	breached         below it for longer than a moment      breached, and reported
//	breached         below it for the whole delay           terminated, and counts one restart more
//	terminated       with its minimum ready                 available
//
// Anything else leaves it as it is: a unit that never was available is never terminated, and one that was is terminated once for each time
// that it is breached for the whole delay.
func transition(record v1alpha1.UnitStatus, sees sight, delay time.Duration, now time.Time) v1alpha1.UnitStatus {
	switch {
	case record.AvailableSince == nil && sees.ready:
		record.AvailableSince = micro(now)
	case record.AvailableSince == nil:
	case sees.enough:
		record.BreachedSince, record.BreachReported = nil, false
	case record.BreachedSince == nil:
		record.BreachedSince = micro(now)
	case !now.Before(record.BreachedSince.Add(delay)):
		record.Restarts++
		record.TerminatedAt, record.AvailableSince, record.BreachedSince, record.BreachReported = micro(now), nil, nil, false
	case !now.Before(record.BreachedSince.Add(moment)):
		record.BreachReported = true
	}
	return record
}

// moment is how long a breach has to last to be worth a warning: a pod that is lost and comes back where there is room needs less.
const moment = 5 * time.Second

// micro is a time as a status keeps it. It isn't cut to seconds: a unit would be terminated before its whole delay has passed.
func micro(t time.Time) *metav1.MicroTime {
	return &metav1.MicroTime{Time: t.Truncate(time.Microsecond)}
}

// record is what becomes of the records of the gang's units. What was terminated is counted on from the highest number that a pod bears: a
// PodGang that was made anew knows of no restarts before.
func (g Gang) record(units []plan.Unit, now time.Time) []v1alpha1.UnitStatus {
	before := plan.UnitRecords(g.Object())
	delay := plan.TemplateOf(g.Set).TerminationDelay()
	var records []v1alpha1.UnitStatus
	baseTerminated, updating := false, g.updating(units)
	for _, unit := range units {
		if len(unit.PodGroups) == 0 {
			continue
		}
		was := before[unit.Name]
		was.Name = unit.Name
		if g.leaves(unit) {
			records = append(records, was)
			continue
		}
		// What an update takes away comes back, and is no breach.
		enough := unit.WithoutAwaited().Has(plan.Available) || updating && was.BreachedSince == nil
		is := transition(was, sight{enough: enough, ready: unit.Has(plan.Ready)}, delay, now)
		if baseTerminated {
			// The base unit takes its whole replica along.
			is.AvailableSince, is.BreachedSince, is.BreachReported, is.Restarts = nil, nil, false, was.Restarts
		}
		if terminated(was, is) {
			goes := func(podGroup string) bool {
				return unit.Base || slices.ContainsFunc(unit.PodGroups, func(g plan.PodGroup) bool { return g.Name == podGroup })
			}
			is.Restarts = max(is.Restarts, g.born(goes, was.Restarts)+1)
			baseTerminated = baseTerminated || unit.Base
		}
		records = append(records, is)
	}
	return records
}

// leaves tells whether a unit's pods are being scaled in, which the PodGang's spec doesn't say yet: what is missing of it isn't missed.
func (g Gang) leaves(unit plan.Unit) bool {
	return slices.ContainsFunc(unit.PodGroups, func(group plan.PodGroup) bool {
		clique, ok := g.Cliques[group.PodCliqueName]
		return ok && (clique.Off() || group.GroupReplicaIndex != nil && *group.GroupReplicaIndex >= clique.GroupReplicas())
	})
}

// updating tells whether an update replaces pods of the gang.
func (g Gang) updating(units []plan.Unit) bool {
	return slices.ContainsFunc(units, func(u plan.Unit) bool {
		return slices.ContainsFunc(u.PodGroups, func(group plan.PodGroup) bool {
			clique, ok := g.Cliques[group.PodCliqueName]
			return group.Outdated > 0 && ok && clique.Updates()
		})
	})
}

// terminated tells whether a unit was terminated from one state of its record to the next.
func terminated(before, after v1alpha1.UnitStatus) bool { return after.Restarts > before.Restarts }

// born is the highest number that a pod of some pod groups bears, less what it counts beside a record of those that has a number itself.
func (g Gang) born(in func(podGroup string) bool, own int32) int32 {
	restarts := plan.RestartsOf(g.Object())
	var highest int32
	for _, pod := range g.pods() {
		if of := plan.PodGroupOf(pod); in(of) {
			highest = max(highest, plan.RestartsBefore(pod)-restarts.Of(of)+own)
		}
	}
	return highest
}

// Deadline is when the status changes by itself: a breach is reported, a breached unit is terminated, or a terminated base unit hasn't come
// back. It is the zero time if nothing is due.
func (g Gang) Deadline(status *v1alpha1.PodGangStatus) time.Time {
	delay := plan.TemplateOf(g.Set).TerminationDelay()
	var first time.Time
	due := func(since *metav1.MicroTime, after time.Duration) {
		if since != nil && (first.IsZero() || since.Add(after).Before(first)) {
			first = since.Add(after)
		}
	}
	for _, record := range status.Units {
		due(record.BreachedSince, delay)
		if !record.BreachReported {
			due(record.BreachedSince, moment)
		}
		if record.Name == g.Object().Name && record.AvailableSince == nil && status.Phase != v1alpha1.PodGangFailed {
			due(record.TerminatedAt, delay)
		}
	}
	return first
}

// Ended are the units that were terminated from one status of a PodGang to the next, and Breached are those that had their minimum and
// have lost it.
func Ended(before, after *v1alpha1.PodGangStatus) (ended, breached []v1alpha1.UnitStatus) {
	was := map[string]v1alpha1.UnitStatus{}
	for _, record := range before.Units {
		was[record.Name] = record
	}
	for _, record := range after.Units {
		switch {
		case terminated(was[record.Name], record):
			ended = append(ended, record)
		case record.BreachedSince != nil && was[record.Name].BreachedSince == nil:
			breached = append(breached, record)
		}
	}
	return ended, breached
}

// Restarts tells whether a status counts a restart that the one before doesn't: such a change is made once only.
func Restarts(before, after *v1alpha1.PodGangStatus) bool {
	ended, _ := Ended(before, after)
	return len(ended)+len(recreations(before, after)) > 0
}

// with is the gang as it is once its status has other records.
func (g Gang) with(units []v1alpha1.UnitStatus, recreated map[string]v1alpha1.PodGroupStatus) Gang {
	gang := *g.Object()
	gang.Status.Units = units
	gang.Status.PodGroups = append([]v1alpha1.PodGroupStatus(nil), gang.Status.PodGroups...)
	for i := range gang.Status.PodGroups {
		if record, ok := recreated[gang.Status.PodGroups[i].Name]; ok {
			gang.Status.PodGroups[i] = record
		}
	}
	after := g
	after.Gang, after.Cliques = &gang, map[string]plan.Clique{}
	for name, clique := range g.Cliques {
		clique.Gang = &gang
		after.Cliques[name] = clique
	}
	return after
}

// phase of a gang, from its base unit, the record of that and the phase before. One that ran to its end stays so, whatever becomes of its
// pods.
func phase(base plan.Unit, record v1alpha1.UnitStatus, before v1alpha1.PodGangPhase, delay time.Duration, now time.Time) v1alpha1.PodGangPhase {
	failed := record.TerminatedAt != nil && record.AvailableSince == nil && !now.Before(record.TerminatedAt.Add(delay))
	switch {
	case before == v1alpha1.PodGangSucceeded || base.Succeeded():
		return v1alpha1.PodGangSucceeded
	case base.Has(plan.Ready):
		return v1alpha1.PodGangRunning
	case failed:
		return v1alpha1.PodGangFailed
	case base.Has(plan.Scheduled):
		return v1alpha1.PodGangStarting
	default:
		return v1alpha1.PodGangPending
	}
}
