package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Placement is what a scheduler is to know of a unit.
type Placement struct {
	Unit
	// TopologyKey is the node label of which all of the unit has to share a value; empty for none.
	TopologyKey string
	// Groups are the parts of the unit, one of the unit's own name if it isn't divided.
	Groups            []PlacementGroup
	PriorityClassName string
	Labels            map[string]string
	Annotations       map[string]string
	// Complete is set once every pod of the unit exists. Before that, a scheduler is told nothing: it would try in vain.
	Complete bool
}

// PlacementGroup is a part of a unit.
type PlacementGroup struct {
	Name string
	// TopologyKey is the node label of which all of the group has to share a value, beside the unit's own; empty for none.
	TopologyKey string
	// Pods is how many pods of the unit name the group.
	Pods int32
}

// Names are those of everything that may stand for the unit with a scheduler.
func (p Placement) Names() []string {
	names := []string{p.Name}
	for _, group := range p.Groups {
		names = append(names, group.Name)
	}
	return names
}

// Placements of a gang's units, in their order.
func (g Gang) Placements() []Placement {
	t := templateOf(g.Set)
	asked := t.topology(g.Object.Spec.ReplicaIndex, g.Scheduling)
	existing := g.pods()
	var placements []Placement
	for _, unit := range unitsOf(g.Object) {
		shape := asked.shape(unit.Base, t.unitCliques(g.Object.Spec.ReplicaIndex, unit.Base, unit.Slices[0].PodCliqueName), g.Scheduling)
		p := Placement{
			Unit:              unit,
			PriorityClassName: g.Object.Spec.PriorityClassName,
			Labels:            merge(mirrored(g.Set.Labels), replicaLabels(g.Set, g.Object.Spec.ReplicaIndex)),
			Annotations:       mirrored(g.Set.Annotations),
			Complete:          true,
		}
		members := map[string]int32{}
		for _, slice := range unit.Slices {
			for n := range slice.MinReplicas {
				pod := existing[PodName(slice.Name, n)]
				p.Complete = p.Complete && pod != nil && pod.DeletionTimestamp == nil
				if group := shape.group(unit.Name, slice.PodCliqueName); pod != nil && schedulingGroupOf(pod) == group {
					members[group]++
				}
			}
		}
		p.TopologyKey, p.Groups = shape.key, shape.groups(unit.Name, members)
		placements = append(placements, p)
	}
	return placements
}

// groups are those that have members. What pods name can't be changed: those that name no group don't count.
func (s shape) groups(unit string, members map[string]int32) []PlacementGroup {
	var groups []PlacementGroup
	for _, name := range slices.Sorted(maps.Keys(members)) {
		group := PlacementGroup{Name: name, Pods: members[name]}
		for _, part := range s.parts {
			if name == s.group(unit, part.podCliques[0]) {
				group.TopologyKey = part.key
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// pods are the gang's pods by name.
func (g Gang) pods() map[string]*corev1.Pod {
	pods := map[string]*corev1.Pod{}
	for _, clique := range g.Cliques {
		for _, pod := range clique.Pods {
			pods[pod.Name] = pod
		}
	}
	return pods
}

func schedulingGroupOf(pod *corev1.Pod) string {
	if pod.Spec.SchedulingGroup == nil || pod.Spec.SchedulingGroup.PodGroupName == nil {
		return ""
	}
	return *pod.Spec.SchedulingGroup.PodGroupName
}

// mirrored are the labels or annotations of a set that its PodGangs, and what schedulers are told of them, bear too: quotas
// and queues go by them. What belongs to Grove or to kubectl is left out. Annotations are those that the set had when something
// else was last written: tools put a note on a set at every commit, which isn't worth a request for each of a thousand gangs.
func mirrored(of map[string]string) map[string]string {
	kept := map[string]string{}
	for key, value := range of {
		domain, _, _ := strings.Cut(key, "/")
		if domain != v1alpha1.GroupName && domain != "kubectl.kubernetes.io" && key != v1alpha1.LabelManagedBy {
			kept[key] = value
		}
	}
	return kept
}

// gangScheduling says whether the gang's units are placed all or nothing: a reason of the condition GangScheduling, and a message.
func (g Gang) gangScheduling(problems []Problem) (enforced bool, reason, message string) {
	s := g.Scheduling
	switch {
	case !s.Gangs:
		return false, s.Reason, s.Message
	case len(problems) > 0:
		return false, problems[0].Reason, problems[0].Message
	}
	t := templateOf(g.Set)
	asked := t.topology(g.Object.Spec.ReplicaIndex, s)
	existing := g.pods()
	var weaker []string
	for _, unit := range unitsOf(g.Object) {
		for _, slice := range unit.Slices {
			for n := range slice.MinReplicas {
				if pod := existing[PodName(slice.Name, n)]; pod != nil && schedulingGroupOf(pod) == "" {
					return false, v1alpha1.ReasonSchedulingGroupMissing, fmt.Sprintf("pod %s has no spec.schedulingGroup, so that it is scheduled by itself: "+
						"either it was created before the API server served PodGroups, or the API server drops the field because its feature gate "+
						"GenericWorkload is off; turn that on in kube-apiserver, kube-controller-manager and kube-scheduler, and delete the pod", pod.Name)
				}
			}
		}
		podCliques := t.unitCliques(g.Object.Spec.ReplicaIndex, unit.Base, unit.Slices[0].PodCliqueName)
		weaker = append(weaker, asked.weaker(unit.Base, podCliques, asked.shape(unit.Base, podCliques, s))...)
	}
	if len(weaker) > 0 {
		return true, v1alpha1.ReasonTopologyWeakened, fmt.Sprintf("every unit is placed all or nothing; %s is required of each pod by pod affinity, "+
			"so that the scheduler may begin where not all of them fit, and wait there: it has no %s", weaker[0], s.missing())
	}
	return true, v1alpha1.ReasonEnforced, "every unit is placed all or nothing"
}

// missing names the feature gates that would let the scheduler do more.
func (s Scheduling) missing() string {
	if !s.Topology {
		return "feature gate TopologyAwareWorkloadScheduling"
	}
	return "feature gate CompositePodGroup, or scheduling.k8s.io/v1alpha3 isn't served"
}
