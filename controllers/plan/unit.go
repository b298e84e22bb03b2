package plan

import (
	"cmp"
	"slices"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Unit is what is placed all or nothing: the first pods of some slices.
type Unit struct {
	// Name is the name of the PodGang for its base unit, and that of the scaled group for a scaled one.
	Name string
	// Base tells whether it is the base unit.
	Base   bool
	Slices []v1alpha1.PodGroup
}

// unitsOf are the units of a gang, in the order in which they are placed. One that has no pods is left out.
func unitsOf(gang *v1alpha1.PodGang) []Unit {
	var units []Unit
	if len(gang.Spec.PodGroups) > 0 {
		units = append(units, Unit{Name: gang.Name, Base: true, Slices: gang.Spec.PodGroups})
	}
	for _, scaled := range gang.Spec.ScaledGroups {
		units = append(units, Unit{Name: scaled.Name, Slices: scaled.PodGroups})
	}
	return units
}

// scheduled tells whether each slice of the unit has its minimum of scheduled pods, by the PodGang's status.
func (u Unit) scheduled(status v1alpha1.PodGangStatus) bool {
	return !slices.ContainsFunc(u.Slices, func(slice v1alpha1.PodGroup) bool {
		at := slices.IndexFunc(status.PodGroups, func(g v1alpha1.PodGroupStatus) bool { return g.Name == slice.Name })
		return at < 0 || status.PodGroups[at].Scheduled < slice.MinReplicas
	})
}

// Release says which pods of a gang may be created, as far as they have to wait for others to be scheduled.
type Release struct {
	// Scaled: those of scaled units, since the base unit is scheduled.
	Scaled bool
	// Surplus: those that are in no unit, since every unit is scheduled.
	Surplus bool
}

// ReleaseOf reads what a gang's status releases; nothing while there is no gang. Whole gangs come before what only adds to
// them: a surplus pod would take the place that a unit still waits for.
func ReleaseOf(gang *v1alpha1.PodGang) Release {
	if gang == nil {
		return Release{}
	}
	release := Release{Scaled: true, Surplus: true}
	for _, unit := range unitsOf(gang) {
		if !unit.scheduled(gang.Status) {
			release.Surplus = false
			release.Scaled = release.Scaled && !unit.Base
		}
	}
	return release
}

// hasUnit tells whether a gang's spec knows of a unit yet.
func hasUnit(gang *v1alpha1.PodGang, name string) bool {
	return slices.ContainsFunc(unitsOf(gang), func(u Unit) bool { return u.Name == name })
}

// membership says how a pod of a PodClique belongs to its gang.
type membership struct {
	// unit is the name of the unit that the pod is in or, if it is surplus, adds to.
	unit    string
	base    bool
	surplus bool
}

// membership of a pod. A pod index at or above the clique's minimum is surplus.
func (c Clique) membership(id podIdentity, t template, i int32) membership {
	m := membership{
		unit:    PodGangName(c.Set.Name, i),
		base:    true,
		surplus: id.index >= cliqueMinAvailable((*v1alpha1.PodCliqueSpec)(&c.Object.Spec), replicasOf(c.Object.Spec.Replicas)),
	}
	if c.Group != nil && *id.group >= groupMinAvailable(&c.Group.Spec) {
		at := slices.IndexFunc(t.groups, func(g *v1alpha1.PodCliqueScalingGroupConfig) bool {
			return ScalingGroupName(c.Set.Name, g.Name) == c.Group.Name
		})
		m.unit, m.base = ScaledUnitName(c.Set.Name, t.groups[at].Name, i, *id.group), false
	}
	return m
}

// inOrder are the pods in the order in which they are created: those of units first, the base unit's ahead of the others.
func inOrder(pods []NewPod) []NewPod {
	rank := func(pod NewPod) int {
		switch {
		case pod.membership.surplus:
			return 2
		case !pod.membership.base:
			return 1
		default:
			return 0
		}
	}
	slices.SortStableFunc(pods, func(a, b NewPod) int { return cmp.Compare(rank(a), rank(b)) })
	return pods
}
