// Package podgang decides what a scheduler is told of a PodGang, and describes the gang.
package podgang

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// Kind is the kind of a PodGang.
const Kind = "PodGang"

// Gang is what decides about a PodGang.
type Gang struct {
	plan.Replica
	// Refused is the report on pods that were to be changed where they are.
	Refused plan.Report
}

// Placement is what a scheduler is to know of a unit.
type Placement struct {
	// Name is the unit's.
	Name string
	// TopologyKey is the node label of which all of the unit has to share a value; empty for none.
	TopologyKey string
	// Groups are the parts of the unit, one of the unit's own name if it isn't divided.
	Groups            []PlacementGroup
	PriorityClassName string
	Labels            map[string]string
	Annotations       map[string]string
}

// PlacementGroup is a part of a unit.
type PlacementGroup struct {
	Name string
	// TopologyKey is the node label of which all of the group has to share a value, beside the unit's own; empty for none.
	TopologyKey string
	// Pods is how many pods of the unit name the group, or will. Those that have ended aren't among them while others need a place.
	Pods int32
}

// Divided tells whether the unit is more than one group.
func (p Placement) Divided() bool { return p.Groups[0].Name != p.Name }

// Placements of the gang's units, in their order.
func (g Gang) Placements() []Placement {
	t, i := plan.TemplateOf(g.Set), g.Object().Spec.ReplicaIndex
	asked := t.Topology(i, g.Scheduling)
	pods, restarts := g.PodsByName(), plan.RestartsOf(g.Object())
	var placements []Placement
	for _, unit := range g.Units() {
		if len(unit.PodGroups) == 0 {
			continue
		}
		shape := asked.Shape(unit.Base, t.UnitCliques(i, unit.Base, unit.PodGroups[0].PodCliqueName), g.Scheduling)
		p := Placement{
			Name:              unit.Name,
			PriorityClassName: g.Object().Spec.PriorityClassName,
			Labels:            plan.Merge(plan.Mirrored(g.Set.Labels), plan.ReplicaLabels(g.Set, i)),
			Annotations:       plan.Mirrored(g.Set.Annotations),
		}
		members := map[string]members{}
		for _, podGroup := range unit.PodGroups {
			for n := range podGroup.MinReplicas {
				// What a pod names can't be changed: one that was created as surplus, or before there were groups, doesn't count.
				pod := pods[plan.PodName(podGroup.Name, n)]
				if group := shape.Group(unit.Name, podGroup.PodCliqueName); pod == nil || plan.SchedulerGroupOf(pod) == group {
					members[group] = members[group].with(pod, pod != nil && restarts.Outlived(pod, podGroup.Name))
				}
			}
		}
		p.TopologyKey, p.Groups = shape.Key, placementGroups(shape, unit.Name, members)
		placements = append(placements, p)
	}
	return placements
}

// members counts the pods of a unit that name a group, or will.
type members struct {
	pods, ended int32
	// wait tells whether some need a place.
	wait bool
}

// with adds a pod, which is nil if it doesn't exist.
func (m members) with(pod *corev1.Pod, outlived bool) members {
	m.pods++
	m.wait = m.wait || pod == nil || !plan.IsScheduled(pod)
	m.ended += plan.One(plan.Lives(pod) && plan.HasEnded(pod) && !outlived)
	return m
}

// needed is how many the scheduler has to see. It forgets pods that have ended: if it were told of them, what is lost of a gang after one has
// done its work would wait for ever. As long as none needs a place, nothing is changed for that.
func (m members) needed() int32 {
	if m.wait {
		return m.pods - m.ended
	}
	return m.pods
}

// placementGroups are those that have members.
func placementGroups(shape plan.Shape, unit string, members map[string]members) []PlacementGroup {
	var groups []PlacementGroup
	for _, name := range slices.Sorted(maps.Keys(members)) {
		group := PlacementGroup{Name: name, Pods: members[name].needed()}
		for _, part := range shape.Parts {
			if name == shape.Group(unit, part.PodCliques[0]) {
				group.TopologyKey = part.Key
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// Names are those of groups in the scheduler that pods of a replica name.
type Names struct {
	// Any has those that any pod names: a scheduler loses sight of pods whose group is deleted.
	Any map[string]bool
	// Living has those that a pod names that isn't on its way out: they last, whatever is about to become of them.
	Living map[string]bool
}

// Names that pods of the replica name.
func (g Gang) Names() Names {
	names := Names{Any: map[string]bool{}, Living: map[string]bool{}}
	for _, pod := range g.Siblings {
		if group := plan.SchedulerGroupOf(pod); group != "" {
			names.Any[group] = true
		}
	}
	for _, clique := range g.Cliques {
		for _, pod := range clique.Pods {
			if group := plan.SchedulerGroupOf(pod); group != "" {
				names.Any[group] = true
				names.Living[group] = names.Living[group] || plan.Lives(pod)
			}
		}
	}
	return names
}

// Object is the PodGang.
func (g Gang) Object() *v1alpha1.PodGang { return g.Gang }

// PodCliquesOf are the names of the PodCliques that a gang's pod groups are of.
func PodCliquesOf(gang *v1alpha1.PodGang) []string {
	names := map[string]bool{}
	for _, unit := range plan.UnitsOf(gang) {
		for _, podGroup := range unit.PodGroups {
			names[podGroup.PodCliqueName] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
