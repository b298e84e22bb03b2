package plan

import (
	"fmt"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Membership says how a pod of a PodClique belongs to its gang.
type Membership struct {
	// Unit is the name of the unit that the pod is in or, if it is surplus, adds to.
	Unit    string
	Base    bool
	Surplus bool
}

// Membership of a pod. A pod index at or above the clique's minimum is surplus.
func (c Clique) Membership(id PodIdentity) Membership {
	i := c.Index()
	m := Membership{Unit: PodGangName(c.Set.Name, i), Base: true, Surplus: id.Index >= c.MinAvailable()}
	if c.ScalingGroup != nil && *id.GroupReplica >= ScalingGroupMinAvailable(&c.ScalingGroup.Spec) {
		m.Unit, m.Base = ScaledUnitName(c.Set.Name, c.scalingGroupConfig(), i, *id.GroupReplica), false
	}
	return m
}

// scalingGroupConfig is the name that the template gives the PodClique's scaling group.
func (c Clique) scalingGroupConfig() string {
	for _, config := range TemplateOf(c.Set).ScalingGroups {
		if ScalingGroupName(c.Set.Name, config.Name) == c.ScalingGroup.Name {
			return config.Name
		}
	}
	return ""
}

// Released says which units of a gang are scheduled, which is what other pods wait for.
type Released struct {
	// waits has, for the base unit under the empty name and for each scaling group under its name, the first unit that isn't scheduled.
	waits map[string]string
	// created has, for each pod group that the gang knows, one more than the highest index that ever existed.
	created map[string]int32
	// restarts are how often pods were recreated together.
	restarts Restarts
}

// ReleasedBy reads what a gang's status releases; nothing while there is no gang.
func ReleasedBy(gang *v1alpha1.PodGang) Released {
	r := Released{waits: map[string]string{}, created: map[string]int32{}, restarts: RestartsOf(gang)}
	if gang == nil {
		return r
	}
	for _, unit := range UnitsOf(gang) {
		for _, group := range unit.PodGroups {
			r.created[group.Name] = group.Created
		}
		if of := unit.ScalingGroup(); r.waits[of] == "" && !unit.Has(Scheduled) {
			r.waits[of] = unit.Name
		}
	}
	return r
}

// Restarts are how often pods were recreated together.
func (r Released) Restarts() Restarts { return r.restarts }

// Changed tells whether two states of a gang let different pods be created.
func (r Released) Changed(before Released) bool {
	if len(r.waits) != len(before.waits) || len(r.created) != len(before.created) || !r.restarts.equal(before.restarts) {
		return true
	}
	for of, unit := range r.waits {
		if before.waits[of] != unit {
			return true
		}
	}
	for group := range r.created {
		if _, known := before.created[group]; !known {
			return true
		}
	}
	return false
}

// Waits says what a pod that doesn't exist waits for before it is created, nothing if it may be: surplus waits for what it competes with,
// so that it never takes the place that a whole unit waits for. That of a standalone clique waits for the base unit, that of a member for
// the base and for every unit of its own scaling group; scaled units wait for the base. A pod that existed before comes back at once.
func (r Released) Waits(id PodIdentity, m Membership, scalingGroup string) string {
	created, known := r.created[id.PodGroup]
	switch {
	case known && id.Index < created, m.Base && !m.Surplus:
		return ""
	case !known:
		return fmt.Sprintf("waits until the PodGang has the pod group %s", id.PodGroup)
	}
	unit := r.waits[""]
	if unit == "" && m.Surplus && scalingGroup != "" {
		unit = r.waits[scalingGroup]
	}
	if unit == "" {
		return ""
	}
	return fmt.Sprintf("waits until gang unit %s is scheduled", unit)
}
