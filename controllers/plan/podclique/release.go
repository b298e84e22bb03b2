package podclique

import (
	"cmp"
	"fmt"
	"time"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// release says which pods of a PodClique may be created.
type release struct {
	Clique
	template plan.Template
	i        int32
	topology plan.Topology
	released plan.Released
	// outliving are pods that have to be gone before their successors come.
	outliving plan.Outliving
	// peers counts the pods that live in each slice or group replica.
	peers map[string]int
	// created has, for each pod group, one more than the highest index of a pod that exists: those below it were lost.
	created map[string]int32
}

func (c Clique) release(t plan.Template) release {
	r := release{
		Clique:   c,
		template: t,
		i:        c.Index(),
		topology: t.Topology(c.Index(), c.Scheduling),
		released: plan.ReleasedBy(c.Gang),
		created:  map[string]int32{},
	}
	r.outliving = r.released.Restarts().Outliving(c.Siblings)
	if c.Together() != plan.Alone {
		r.peers = r.released.Restarts().Peers(c.Siblings)
	}
	for name, counts := range c.Counts() {
		r.created[name] = counts.Created
	}
	return r
}

// waits says what a pod that doesn't exist waits for before it is created; nothing if it may be.
func (r release) waits(id plan.PodIdentity, now time.Time) string {
	m := r.Membership(id)
	if pod := r.outliving.Of(id.PodGroup); pod != "" {
		return fmt.Sprintf("waits until pod %s has ended, so that all are placed together", pod)
	}
	if until := r.released.Restarts().Until(id.PodGroup); now.Before(until) {
		return fmt.Sprintf("waits until %s, since its slice was restarted several times in a row", until.UTC().Format(time.TimeOnly))
	}
	if r.isLost(id) {
		return "waits until its slice is recreated, as the restartPolicy says"
	}
	if waits := r.waitsForGroup(m); waits != "" {
		return waits
	}
	// A pod with a scheduling gate of the user's takes nobody's place, and what lifts the gate may wait for all of them.
	if len(r.Object.Spec.PodSpec.SchedulingGates) > 0 || id.Index < r.created[id.PodGroup] {
		return ""
	}
	scalingGroup := ""
	if r.ScalingGroup != nil {
		scalingGroup = r.ScalingGroup.Name
	}
	return r.released.Waits(id, m, scalingGroup)
}

// waitsForGroup says what a pod waits for that is in a group of the scheduler. The group comes first: kube-scheduler takes up pods that it knows
// already one by one when their group appears, so that it may try the gang with a part of them, fail and back off.
func (r release) waitsForGroup(m plan.Membership) string {
	group := r.schedulerGroup(m)
	if group == "" {
		return ""
	}
	names := []string{group}
	if group != m.Unit {
		// The root of a unit that is divided comes after all of its parts.
		names = append(names, m.Unit)
	}
	for _, name := range names {
		switch found := r.SchedulerGroups(name); {
		case found.Exists:
		case found.Taken != "":
			return "waits: " + found.Taken
		default:
			return fmt.Sprintf("waits until the scheduler is told of gang unit %s", m.Unit)
		}
	}
	return ""
}

// shape is how the scheduler is told of the unit that a pod is in or adds to.
func (r release) shape(m plan.Membership) plan.Shape {
	return r.topology.Shape(m.Base, r.template.UnitCliques(r.i, m.Base, r.Object.Name), r.Scheduling)
}

// schedulerGroup is the scheduler's group that a pod is in; empty for none.
func (r release) schedulerGroup(m plan.Membership) string {
	if !r.Scheduling.Gangs || m.Surplus {
		return ""
	}
	return r.shape(m).Group(m.Unit, r.Object.Name)
}

// Waits says what missing pods wait for; nothing if none is missing that waits.
func (c Clique) Waits(now time.Time) string {
	var all waiting
	pods := c.PodsByName()
	r := c.release(plan.TemplateOf(c.Set))
	for id := range c.Identities() {
		switch pod := pods[id.Name]; {
		case pod == nil && !c.over():
			all.add(id, r.waits(id, now))
		case pod != nil && !plan.Lives(pod):
			all.add(id, "waits until its predecessor has ended")
		}
	}
	return all.String()
}

// over tells whether the PodClique's gang has run to its end: pods that then go aren't made again.
func (c Clique) over() bool { return c.Gang != nil && c.Gang.Status.Phase == v1alpha1.PodGangSucceeded }

// waiting collects pods that wait to be created.
type waiting struct {
	pods  int
	first string
}

func (w *waiting) add(id plan.PodIdentity, why string) {
	if why != "" {
		w.pods++
		w.first = cmp.Or(w.first, "pod "+id.Name+" "+why)
	}
}

func (w waiting) String() string {
	if w.pods > 1 {
		return fmt.Sprintf("%s (and %d more)", w.first, w.pods-1)
	}
	return w.first
}
