package plan

import "grove.io/grove/apis/grove/v1alpha1"

// Done tells whether all pods of a replica's gang are of the podSpecs with some hashes, by PodClique, and ready, as far as they have a place: what an
// update waits for. It is read off the PodGang's status; nil for one that doesn't exist yet.
func Done(gang *v1alpha1.PodGang, hashes map[string]string) bool {
	if gang == nil || gang.Status.ObservedGeneration != gang.Generation {
		return false
	}
	records := UnitRecords(gang)
	for _, unit := range UnitsOf(gang) {
		needed := unit.Base || records[unit.Name].AvailableSince != nil
		for _, group := range unit.PodGroups {
			if !group.Done(hashes[group.PodCliqueName], needed) {
				return false
			}
		}
	}
	return true
}

// Done tells whether a pod group has no pods but those of a podSpec, and as many as it ever had, ready unless they have no place. Where it
// is needed, that is the scheduler's word: a pod that it is about to look at is away still. A unit that never was up may wait in its gang, of
// which the scheduler says nothing on pods.
func (g PodGroup) Done(hash string, needed bool) bool {
	waits := g.Updated - g.Scheduled
	if needed {
		waits = g.Unschedulable
	}
	return g.TemplateHash == hash && g.Outdated == 0 && g.Updated >= g.Created &&
		g.Up()+waits >= g.Updated && (!needed || g.Up() >= g.MinReplicas)
}
