// Package fit tells whether the units of a PodCliqueSet would be placed on a cluster as it is.
package fit

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/cmd/kubectl-grove/internal/nodes"
	"grove.io/grove/cmd/kubectl-grove/internal/simulation"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/podgang"
)

// State is what would become of a unit.
type State string

// States of units.
const (
	// Placed is a unit all pods of which are on nodes already.
	Placed State = "placed"
	// Fits is one that would be placed.
	Fits State = "fits"
	// Lacks is one that wouldn't, since not all of its pods find a place.
	Lacks State = "lacks"
	// Waits is one whose base unit wouldn't be placed.
	Waits State = "waits"
)

// Fit is whether a set would be placed.
type Fit struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Refused is what the API server says against the set; nothing is computed then.
	Refused string `json:"refused,omitempty"`
	// Fits tells whether every unit is placed, or would be.
	Fits  bool   `json:"fits"`
	Units []Unit `json:"units,omitempty"`
	// Surplus are the pods above their cliques' minAvailable.
	Surplus *Surplus `json:"surplus,omitempty"`
	// Beyond is what pods ask for that wasn't looked at.
	Beyond []string `json:"beyond,omitempty"`
}

// Unit is a unit of a replica.
type Unit struct {
	Replica int32  `json:"replica"`
	Name    string `json:"name"`
	Base    bool   `json:"base"`
	State   State  `json:"state"`
	Pods    int    `json:"pods"`
	// TopologyKey is that of which all of the unit has to share a value, Domain the value that was found.
	TopologyKey string `json:"topologyKey,omitempty"`
	Domain      string `json:"domain,omitempty"`
	// Packs are the domains of parts with keys of their own.
	Packs []Pack `json:"packs,omitempty"`
	// Nodes are how many of the unit's pods are, or would be, on which node.
	Nodes map[string]int `json:"nodes,omitempty"`
	// Closest is the domain in which most pods of a unit found a place that lacks some.
	Closest *Closest `json:"closest,omitempty"`
}

// Pack is where a part of a unit would be.
type Pack struct {
	TopologyKey string `json:"topologyKey"`
	Domain      string `json:"domain"`
}

// Closest is how close it came.
type Closest struct {
	Domain string `json:"domain,omitempty"`
	Placed int    `json:"placed"`
	// Missing is the first pod that found no place, Lacks why on which nodes of the domain.
	Missing string        `json:"missing"`
	Lacks   []nodes.Group `json:"lacks"`
}

// Surplus is what would become of pods that are in no unit.
type Surplus struct {
	Pods   int `json:"pods"`
	Placed int `json:"placed"`
	// Missing is the first that found no place, though all that it waits for would be placed.
	Missing string        `json:"missing,omitempty"`
	Lacks   []nodes.Group `json:"lacks,omitempty"`
}

// Cluster is a snapshot in which sets are placed, one after the other.
type Cluster struct {
	cluster *nodes.Cluster
	// bound are the pods that are on nodes.
	bound map[types.UID]*corev1.Pod
}

// NewCluster is the cluster of a snapshot, without the pods that changes of sets take away.
func NewCluster(s nodes.Snapshot, worlds []*simulation.World) *Cluster {
	gone := map[types.UID]bool{}
	for _, w := range worlds {
		for _, uid := range w.Gone() {
			gone[uid] = true
		}
	}
	s.Pods = slices.DeleteFunc(slices.Clone(s.Pods), func(pod *corev1.Pod) bool { return gone[pod.UID] })
	c := &Cluster{cluster: nodes.NewCluster(s), bound: map[types.UID]*corev1.Pod{}}
	for _, pod := range s.Pods {
		if plan.IsScheduled(pod) {
			c.bound[pod.UID] = pod
		}
	}
	return c
}

// Place places what isn't on nodes yet of a set that has come to rest, as its gangs would be: base units first, then scaled ones, then surplus.
func (c *Cluster) Place(w *simulation.World) Fit {
	p := placing{Cluster: c, world: w, fit: Fit{Namespace: w.Object.Namespace, Name: w.Object.Name, Fits: true}, states: map[string]State{}}
	for _, base := range []bool{true, false} {
		for i := range w.Object.Spec.Replicas {
			if gang := w.Gang(plan.PodGangName(w.Object.Name, i)); gang != nil {
				p.units(gang, i, base)
			}
		}
	}
	slices.SortStableFunc(p.fit.Units, func(a, b Unit) int { return cmp.Compare(a.Replica, b.Replica) })
	p.surplus()
	return p.fit
}

// placing is a set that is being placed.
type placing struct {
	*Cluster
	world *simulation.World
	fit   Fit
	// states are those of units, by their names.
	states map[string]State
}

// units places the base unit of a gang, or its scaled ones.
func (p *placing) units(gang *podgang.Gang, i int32, base bool) {
	placements := map[string]podgang.Placement{}
	for _, placement := range gang.Placements() {
		placements[placement.Name] = placement
	}
	pods := gang.PodsByName()
	for _, unit := range gang.Units() {
		placement, has := placements[unit.Name]
		if unit.Base != base || !has {
			continue
		}
		var of []*corev1.Pod
		for _, group := range unit.PodGroups {
			for n := range group.MinReplicas {
				if pod := pods[plan.PodName(group.Name, n)]; pod != nil {
					of = append(of, pod)
				}
			}
		}
		placed := p.unit(placement, of, base || p.up(gang.Object().Name))
		placed.Replica, placed.Base = i, base
		p.states[unit.Name] = placed.State
		p.fit.Fits = p.fit.Fits && (placed.State == Placed || placed.State == Fits)
		p.fit.Units = append(p.fit.Units, placed)
	}
}

// up tells whether a unit is placed, or would be. One that doesn't exist, since all of it is off, keeps nobody waiting.
func (p *placing) up(unit string) bool {
	state, exists := p.states[unit]
	return !exists || state == Placed || state == Fits
}

// unit places a unit, all or nothing, unless it has to wait.
func (p *placing) unit(placement podgang.Placement, pods []*corev1.Pod, free bool) Unit {
	if len(placement.Groups) == 0 {
		// All of its pods are of before the scheduler knew groups.
		placement.Groups = []podgang.PlacementGroup{{Name: placement.Name}}
	}
	u := Unit{Name: placement.Name, State: Placed, Pods: len(pods), TopologyKey: placement.TopologyKey, Nodes: map[string]int{}}
	parts := p.parts(placement, pods, &u)
	if len(parts) == 0 {
		return u
	}
	if !free {
		u.State, u.Nodes = Waits, nil
		return u
	}
	best := p.best(parts, placement.TopologyKey)
	if !best.Fits() {
		u.State, u.Nodes = Lacks, nil
		u.Closest = &Closest{Domain: best.Domain, Placed: best.Placed, Missing: best.Missing, Lacks: nodes.Summary(best.Verdicts)}
		return u
	}
	p.cluster.Keep(best)
	u.State, u.Domain = Fits, best.Domain
	for _, pod := range best.Places {
		u.Nodes[pod.Spec.NodeName]++
	}
	for n, part := range best.Parts {
		u.Packs = append(u.Packs, Pack{TopologyKey: keyOf(parts, n), Domain: part.Domain})
	}
	return u
}

// best is the attempt that places most.
func (p *placing) best(parts []nodes.Part, key string) nodes.Attempt {
	if attempts := p.cluster.Parts(parts, key); len(attempts) > 0 {
		return attempts[0]
	}
	return p.cluster.Nowhere(parts, key)
}

// keyOf is the key of the n-th part that has one.
func keyOf(parts []nodes.Part, n int) string {
	for _, part := range parts {
		if part.Key != "" {
			if n == 0 {
				return part.Key
			}
			n--
		}
	}
	return ""
}

// parts are what is to be placed of a unit, pack by pack. Pods that are on nodes already are counted there, and the others of their domain are led
// to it.
func (p *placing) parts(placement podgang.Placement, pods []*corev1.Pod, u *Unit) []nodes.Part {
	in := func(pod *corev1.Pod) int {
		at := slices.IndexFunc(placement.Groups, func(g podgang.PlacementGroup) bool { return g.Name == plan.SchedulerGroupOf(pod) })
		return max(at, 0)
	}
	leads := map[string]string{}
	lead := func(pod *corev1.Pod, key, group string) {
		if node := p.cluster.Node(pod.Spec.NodeName); node != nil && key != "" {
			leads[group+"\n"+key] = node.Labels[key]
		}
	}
	waiting := make([][]*corev1.Pod, len(placement.Groups))
	for _, pod := range pods {
		n := in(pod)
		if bound := p.bound[pod.UID]; bound != nil {
			u.Nodes[bound.Spec.NodeName]++
			lead(bound, placement.TopologyKey, "")
			lead(bound, placement.Groups[n].TopologyKey, placement.Groups[n].Name)
			continue
		}
		waiting[n] = append(waiting[n], p.unbound(pod))
	}
	var parts []nodes.Part
	for n, group := range placement.Groups {
		for _, pod := range waiting[n] {
			follow(pod, placement.TopologyKey, leads["\n"+placement.TopologyKey])
			follow(pod, group.TopologyKey, leads[group.Name+"\n"+group.TopologyKey])
		}
		if len(waiting[n]) > 0 {
			parts = append(parts, nodes.Part{Key: group.TopologyKey, Pods: waiting[n]})
		}
	}
	return parts
}

// follow makes a pod go into a domain; none if it is empty.
func follow(pod *corev1.Pod, key, domain string) {
	if domain != "" {
		pod.Spec.NodeSelector = plan.Merge(pod.Spec.NodeSelector, map[string]string{key: domain})
	}
}

// unbound is a pod as it looks for a node, in the way that the simulation doesn't have it.
func (p *placing) unbound(pod *corev1.Pod) *corev1.Pod {
	looking := pod.DeepCopy()
	looking.Spec.NodeName, looking.Status = "", corev1.PodStatus{}
	for _, beyond := range nodes.Beyond(pod) {
		if !slices.Contains(p.fit.Beyond, beyond) {
			p.fit.Beyond = append(p.fit.Beyond, beyond)
		}
	}
	return looking
}

// surplus places, one by one, pods that are in no unit, once all that they wait for would be placed.
func (p *placing) surplus() {
	var s Surplus
	for i := range p.world.Object.Spec.Replicas {
		gang := p.world.Gang(plan.PodGangName(p.world.Object.Name, i))
		if gang == nil {
			continue
		}
		for _, name := range podgang.PodCliquesOf(gang.Object()) {
			clique, there := gang.Cliques[name]
			if !there {
				continue
			}
			pods := clique.PodsByName()
			for id := range clique.Identities() {
				if pod := pods[id.Name]; pod != nil && clique.Membership(id).Surplus && p.bound[pod.UID] == nil {
					p.one(&s, pod, p.freeOf(gang, clique))
				}
			}
		}
	}
	if s.Pods > 0 {
		p.fit.Surplus = &s
	}
}

// freeOf tells whether surplus of a PodClique has nothing to wait for.
func (p *placing) freeOf(gang *podgang.Gang, clique plan.Clique) bool {
	if !p.up(gang.Object().Name) {
		return false
	}
	for _, unit := range gang.Units() {
		if of := unit.ScalingGroup(); clique.ScalingGroup != nil && of == clique.ScalingGroup.Name && !p.up(unit.Name) {
			return false
		}
	}
	return true
}

func (p *placing) one(s *Surplus, pod *corev1.Pod, free bool) {
	s.Pods++
	if !free {
		return
	}
	attempt := p.best([]nodes.Part{{Pods: []*corev1.Pod{p.unbound(pod)}}}, "")
	if attempt.Fits() {
		p.cluster.Keep(attempt)
		s.Placed++
	} else if s.Missing == "" {
		s.Missing, s.Lacks = attempt.Missing, nodes.Summary(attempt.Verdicts)
	}
}
