package plan

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
)

// This file is the one home of "enough": which pods count as what, and whether a pod group, a unit or a group replica has its
// minimum of them.

// Counts are of the pods of one pod group that are not on their way out, nor were born before their last restart.
type Counts struct {
	Pods, Scheduled, Available, Ready, Succeeded int32
	// Updated are those of the podSpec that the PodClique has, once the kubelet has done what they were changed to where they are.
	Updated int32
	// Unschedulable is how many have no place, by the scheduler's own words. One that it hasn't tried yet isn't among them.
	Unschedulable int32
	// Created is one more than the highest index that a pod has or had.
	Created int32
}

func (c *Counts) add(pod *corev1.Pod, index int32, hash string) {
	c.Created = max(c.Created, index+1)
	if !Lives(pod) {
		return
	}
	c.Pods++
	c.Scheduled += One(IsScheduled(pod))
	c.Available += One(IsAvailable(pod))
	c.Ready += One(IsReady(pod))
	c.Succeeded += One(pod.Status.Phase == corev1.PodSucceeded)
	c.Updated += One(IsUpdated(pod, hash))
	c.Unschedulable += One(isUnschedulable(pod))
}

// Up is how many pods are ready, or have done what others wait for.
func (c Counts) Up() int32 { return c.Ready + c.Succeeded }

// One is 1 for what is true.
func One(counted bool) int32 {
	if counted {
		return 1
	}
	return 0
}

// IsScheduled tells whether a pod is bound to a node.
func IsScheduled(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" }

// isUnschedulable tells whether the scheduler has said that a pod has no place, or doesn't look for one before a gate is open.
func isUnschedulable(pod *corev1.Pod) bool {
	return !IsScheduled(pod) && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
	})
}

// IsReady tells whether a pod is ready.
func IsReady(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if condition := &pod.Status.Conditions[i]; condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// IsAvailable tells whether a pod counts towards minAvailable: it is bound to a node and hasn't failed, nor is any of its containers
// unready that ever started, unless it ended well and was meant to. A pod that is still starting counts, and so does one that succeeded.
func IsAvailable(pod *corev1.Pod) bool {
	switch {
	case !Lives(pod) || !IsScheduled(pod) || pod.Status.Phase == corev1.PodFailed:
		return false
	case pod.Status.Phase == corev1.PodSucceeded || allEndedWell(pod):
		return true
	}
	record := InPlaceOf(pod)
	faulty := func(status *corev1.ContainerStatus, container *corev1.Container) bool {
		return record.everStarted(pod, status) && !status.Ready && !endedWell(pod, status, container)
	}
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		if faulty(status, containerNamed(pod.Spec.Containers, status.Name)) {
			return false
		}
	}
	for i := range pod.Status.InitContainerStatuses {
		status := &pod.Status.InitContainerStatuses[i]
		if container := containerNamed(pod.Spec.InitContainers, status.Name); isSidecar(container) && faulty(status, container) {
			return false
		}
	}
	return true
}

// everStarted tells whether a container ever started that isn't there for a change of the pod, nor about to go for one.
func (r InPlace) everStarted(pod *corev1.Pod, status *corev1.ContainerStatus) bool {
	return !r.waits(pod, status.Name) && (ptr.Deref(status.Started, false) || !r.explains(status) || status.State.Terminated != nil)
}

// allEndedWell tells whether every container but sidecars has ended well, so that the pod is about to succeed: its sidecars are
// being stopped, with whatever exit code.
func allEndedWell(pod *corev1.Pod) bool {
	if len(pod.Status.ContainerStatuses) == 0 {
		return false
	}
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		if !endedWell(pod, status, containerNamed(pod.Spec.Containers, status.Name)) {
			return false
		}
	}
	return true
}

// endedWell tells whether a container ended with 0 and won't be started again. A container's own restartPolicy goes before the pod's.
func endedWell(pod *corev1.Pod, status *corev1.ContainerStatus, container *corev1.Container) bool {
	if status.State.Terminated == nil || status.State.Terminated.ExitCode != 0 {
		return false
	}
	if container != nil && container.RestartPolicy != nil {
		return *container.RestartPolicy != corev1.ContainerRestartPolicyAlways
	}
	return pod.Spec.RestartPolicy == corev1.RestartPolicyNever || pod.Spec.RestartPolicy == corev1.RestartPolicyOnFailure
}

func isSidecar(container *corev1.Container) bool {
	return container != nil && container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func containerNamed(containers []corev1.Container, name string) *corev1.Container {
	at := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	return &containers[at]
}

// Counts are those of each pod group of a PodClique, by the pod group's name.
func (c Clique) Counts() map[string]*Counts { return c.countsOf(c.TemplateHash()) }

// countsOf are the counts where pods of a hash are up to date.
func (c Clique) countsOf(hash string) map[string]*Counts {
	pods, restarts := c.PodsByName(), RestartsOf(c.Gang)
	all := map[string]*Counts{}
	for _, podGroup := range c.PodGroupNames() {
		all[podGroup] = &Counts{}
		if len(all) > MostPods {
			break
		}
	}
	for id := range c.Identities() {
		if pod := pods[id.Name]; pod != nil && !restarts.Outlived(pod, id.PodGroup) {
			all[id.PodGroup].add(pod, id.Index, hash)
		}
	}
	return all
}

// PodGroup is a pod group of a PodGang with the counts of its pods.
type PodGroup struct {
	v1alpha1.PodGroup
	Counts
	// Desired is how many pods the pod group shall have.
	Desired int32
	// TemplateHash is the hash of the podSpec that the PodClique has.
	TemplateHash string
	// Outdated is how many pods are of another.
	Outdated int32
	// Awaited tells that the pod group was turned on when its unit was available already, and hasn't been up yet.
	Awaited bool
}

// Sort is a sort of pods that a minimum is asked of.
type Sort struct {
	Count func(Counts) int32
	Word  string
}

// Sorts of pods.
var (
	Scheduled = Sort{func(c Counts) int32 { return c.Scheduled }, "scheduled"}
	Available = Sort{func(c Counts) int32 { return c.Available }, "available"}
	Ready     = Sort{Counts.Up, "ready"}
)

// Has tells whether a pod group has its minimum of a sort of pods.
func (g PodGroup) Has(sort Sort) bool { return sort.Count(g.Counts) >= g.MinReplicas }

// Lacks says how many pods of a sort a pod group has and needs.
func (g PodGroup) Lacks(sort Sort) string {
	return fmt.Sprintf("%s: %d of %d pods %s, at least %d needed", g.Name, sort.Count(g.Counts), g.Desired, sort.Word, g.MinReplicas)
}

// Unit is what is placed all or nothing: the first pods of some pod groups.
type Unit struct {
	// Name is the name of the PodGang for its base unit, and that of the scaled group for a scaled one.
	Name string
	// Base tells whether it is the base unit.
	Base      bool
	PodGroups []PodGroup
}

// Has tells whether each pod group of the unit has its minimum of a sort of pods.
func (u Unit) Has(sort Sort) bool { return u.Missing(sort) == "" }

// Missing says which pod group of the unit lacks how many pods of a sort; nothing if none does.
func (u Unit) Missing(sort Sort) string {
	for _, group := range u.PodGroups {
		if !group.Has(sort) {
			return group.Lacks(sort)
		}
	}
	return ""
}

// WithoutAwaited is the unit without pod groups that were turned on while it was available, and haven't been up yet: what never was there
// isn't lost, and must not have those terminated that work.
func (u Unit) WithoutAwaited() Unit {
	u.PodGroups = slices.DeleteFunc(slices.Clone(u.PodGroups), func(g PodGroup) bool { return g.Awaited })
	return u
}

// Succeeded tells whether every pod of the unit has run to its end.
func (u Unit) Succeeded() bool {
	return len(u.PodGroups) > 0 && !slices.ContainsFunc(u.PodGroups, func(g PodGroup) bool { return g.Desired == 0 || g.Counts.Succeeded < g.Desired })
}

// UnitsOf are the units of a PodGang as its status has them, in the order in which they are placed. One that has no pod groups is
// left out, unless it is the base.
func UnitsOf(gang *v1alpha1.PodGang) []Unit { return units(gang, told(gang)) }

// told returns what a PodGang's status has of its pod groups.
func told(gang *v1alpha1.PodGang) func(group v1alpha1.PodGroup) PodGroup {
	statusOf := statusesInOrder(gang.Status.PodGroups)
	return func(group v1alpha1.PodGroup) PodGroup {
		status := statusOf(group.Name)
		return PodGroup{PodGroup: group, Desired: status.Desired, TemplateHash: status.TemplateHash, Outdated: status.Outdated, Awaited: status.Awaited, Counts: Counts{
			Updated:       status.Updated,
			Unschedulable: status.Unschedulable,
			Scheduled:     status.Scheduled,
			Available:     status.Available,
			Ready:         status.Ready,
			Succeeded:     status.Succeeded,
			Created:       status.Created,
		}}
	}
}

// statusesInOrder finds statuses of pod groups by name, empty ones where there is none. Usually they are asked for in the order that they have, as
// they were written; a map of them is made only where they aren't, since gangs are looked at many times for each that is scaled.
func statusesInOrder(statuses []v1alpha1.PodGroupStatus) func(podGroup string) *v1alpha1.PodGroupStatus {
	next := 0
	var byName map[string]*v1alpha1.PodGroupStatus
	return func(podGroup string) *v1alpha1.PodGroupStatus {
		if next < len(statuses) && statuses[next].Name == podGroup {
			next++
			return &statuses[next-1]
		}
		if byName == nil {
			byName = make(map[string]*v1alpha1.PodGroupStatus, len(statuses))
			for i := range statuses {
				byName[statuses[i].Name] = &statuses[i]
			}
		}
		if status := byName[podGroup]; status != nil {
			return status
		}
		return &v1alpha1.PodGroupStatus{}
	}
}

// Units are those of the replica, as its pods are.
func (r Replica) Units() []Unit {
	// A hash takes longer than all else that is looked at of a pod group, so it is computed once for all those of a PodClique.
	counted, hashes := map[string]*Counts{}, make(map[string]string, len(r.Cliques))
	for name, clique := range r.Cliques {
		hashes[name] = clique.TemplateHash()
		maps.Copy(counted, clique.countsOf(hashes[name]))
	}
	before := map[string]v1alpha1.PodGroupStatus{}
	for _, status := range r.Gang.Status.PodGroups {
		before[status.Name] = status
	}
	all := units(r.Gang, func(group v1alpha1.PodGroup) PodGroup {
		found := PodGroup{PodGroup: group, Desired: group.MinReplicas}
		// Otherwise the PodClique, or its scaling group, hasn't been seen at this size yet.
		if counts := counted[group.Name]; counts != nil {
			found.Counts, found.Outdated = *counts, counts.Pods-counts.Updated
		}
		if clique, ok := r.Cliques[group.PodCliqueName]; ok {
			found.Desired, found.TemplateHash = clique.Replicas(), hashes[group.PodCliqueName]
		}
		return found
	})
	records := UnitRecords(r.Gang)
	for _, unit := range all {
		available := records[unit.Name].AvailableSince != nil
		for n := range unit.PodGroups {
			group := &unit.PodGroups[n]
			was, known := before[group.Name]
			group.Awaited = (was.Awaited || available && !known) && !group.Has(Ready)
		}
	}
	return all
}

func units(gang *v1alpha1.PodGang, count func(v1alpha1.PodGroup) PodGroup) []Unit {
	all := make([]Unit, 0, 1+len(gang.Spec.ScaledGroups))
	all = append(all, base(gang, count))
	for _, scaled := range gang.Spec.ScaledGroups {
		if len(scaled.PodGroups) > 0 {
			all = append(all, Unit{Name: scaled.Name, PodGroups: countAll(scaled.PodGroups, count)})
		}
	}
	return all
}

// base is the unit of a gang that is placed first.
func base(gang *v1alpha1.PodGang, count func(v1alpha1.PodGroup) PodGroup) Unit {
	return Unit{Name: gang.Name, Base: true, PodGroups: countAll(gang.Spec.PodGroups, count)}
}

func countAll(groups []v1alpha1.PodGroup, count func(v1alpha1.PodGroup) PodGroup) []PodGroup {
	counted := make([]PodGroup, 0, len(groups))
	for _, group := range groups {
		counted = append(counted, count(group))
	}
	return counted
}

// ScalingGroup is the scaling group of a scaled unit; empty for the base.
func (u Unit) ScalingGroup() string {
	if u.Base {
		return ""
	}
	return u.PodGroups[0].PodCliqueScalingGroupName
}

// GroupReplica tells of which sorts of pods all pod groups of a group replica have their minimum.
type GroupReplica struct {
	Scheduled, Available, Ready bool
}

// And tells what is true of both.
func (r GroupReplica) And(other GroupReplica) GroupReplica {
	return GroupReplica{
		Scheduled: r.Scheduled && other.Scheduled,
		Available: r.Available && other.Available,
		Ready:     r.Ready && other.Ready,
	}
}

// GroupReplicasOf are the group replicas of a scaling group in one replica of the set, by index, as its PodGang's status has them.
func GroupReplicasOf(units []Unit, scalingGroup string) map[int32]GroupReplica {
	replicas := map[int32]GroupReplica{}
	for _, unit := range units {
		for _, group := range unit.PodGroups {
			if group.PodCliqueScalingGroupName != scalingGroup || group.GroupReplicaIndex == nil {
				continue
			}
			replica := GroupReplica{Scheduled: group.Has(Scheduled), Available: group.Has(Available), Ready: group.Has(Ready)}
			if before, ok := replicas[*group.GroupReplicaIndex]; ok {
				replica = replica.And(before)
			}
			replicas[*group.GroupReplicaIndex] = replica
		}
	}
	return replicas
}

// WhyUnavailable says why a replica of a set isn't available, by its PodGang's status; nothing if it is. It is while its base unit is
// scheduled and ready, or once it has succeeded: no standalone PodClique and no scaling group can be in breach then.
func WhyUnavailable(gang *v1alpha1.PodGang) string {
	if gang.Status.Phase == v1alpha1.PodGangSucceeded {
		return ""
	}
	base := base(gang, told(gang))
	if missing := base.Missing(Scheduled); missing != "" {
		return missing
	}
	return base.Missing(Ready)
}
