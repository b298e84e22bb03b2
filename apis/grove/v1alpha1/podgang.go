package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodGang is one replica of a PodCliqueSet as a scheduler sees it: which pods have to be placed together. Grove creates it.
//
// +genclient
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=pg,categories=grove
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Scheduled",type=string,JSONPath=`.status.conditions[?(@.type=="Scheduled")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PodGang struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what Grove derived from the PodCliqueSet.
	// +required
	Spec PodGangSpec `json:"spec"`
	// status is what Grove observed last.
	// +optional
	Status PodGangStatus `json:"status,omitempty"`
}

// PodGangList is a list of PodGangs.
//
// +kubebuilder:object:root=true
type PodGangList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodGang `json:"items"`
}

// PodGangSpec describes the units of a replica that are placed all or nothing.
type PodGangSpec struct {
	// replicaIndex is the index of the replica of the set.
	// +required
	// +kubebuilder:validation:Minimum=0
	ReplicaIndex int32 `json:"replicaIndex"`
	// podGroups are the slices of the base unit: each standalone clique, and each member clique in each group replica below
	// the group's minAvailable.
	// +optional
	// +listType=atomic
	PodGroups []PodGroup `json:"podGroups,omitempty"`
	// scaledGroups are the group replicas at and above their group's minAvailable. Each is a unit of its own, placed after
	// the base unit.
	// +optional
	// +listType=atomic
	ScaledGroups []ScaledGroup `json:"scaledGroups,omitempty"`
	// priorityClassName is the priority class of the pods.
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// PodGroup is one slice of pods: those of one PodClique or, for members of a scaling group, of one PodClique in one
// group replica.
type PodGroup struct {
	// name is what the names of the slice's pods begin with, before "-" and the pod index.
	// +required
	Name string `json:"name"`
	// podCliqueName is the PodClique.
	// +required
	PodCliqueName string `json:"podCliqueName"`
	// podCliqueScalingGroupName is the PodCliqueScalingGroup; for member cliques only.
	// +optional
	PodCliqueScalingGroupName string `json:"podCliqueScalingGroupName,omitempty"`
	// groupReplicaIndex is the index of the group replica; for member cliques only.
	// +optional
	GroupReplicaIndex *int32 `json:"groupReplicaIndex,omitempty"`
	// minReplicas is how many pods of the slice are placed all or nothing, those with the lowest pod indexes.
	// +required
	MinReplicas int32 `json:"minReplicas"`
}

// ScaledGroup is a group replica that is a gang unit of its own.
type ScaledGroup struct {
	// name identifies the unit: the name of the PodGang, the group's name in the template and the index of the group replica,
	// joined by "-".
	// +required
	Name string `json:"name"`
	// podGroups are the slices of the unit: each member clique.
	// +required
	// +listType=atomic
	PodGroups []PodGroup `json:"podGroups"`
}

// PodGangPhase sums up a PodGang in one word.
//
// +kubebuilder:validation:Enum=Pending;Starting;Running;Failed;Succeeded
type PodGangPhase string

const (
	// PodGangPending: the base unit is not scheduled.
	PodGangPending PodGangPhase = "Pending"
	// PodGangStarting: the base unit is scheduled, not ready yet.
	PodGangStarting PodGangPhase = "Starting"
	// PodGangRunning: the base unit is ready.
	PodGangRunning PodGangPhase = "Running"
	// PodGangFailed: the base unit was terminated, and isn't ready again after the terminationDelay has passed once more.
	PodGangFailed PodGangPhase = "Failed"
	// PodGangSucceeded: every pod of the base unit has run to its end.
	PodGangSucceeded PodGangPhase = "Succeeded"
)

// PodGangStatus is what Grove observed last.
type PodGangStatus struct {
	// observedGeneration is the metadata.generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// phase sums up the gang in one word.
	// +optional
	Phase PodGangPhase `json:"phase,omitempty"`
	// conditions are Scheduled, Ready, GangScheduling and, where there are scaled groups, ScaledGroupsScheduled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// podGroups has the counts of each slice, of the base unit and of scaled units.
	// +optional
	// +listType=atomic
	PodGroups []PodGroupStatus `json:"podGroups,omitempty"`
	// units has, for each unit that has pods to have, since when it is available or in breach, and how often it was terminated.
	// +optional
	// +listType=atomic
	Units []UnitStatus `json:"units,omitempty"`
}

// UnitStatus is the record of a unit: what has to outlive a restart of the operator. It is written ahead of what follows from it.
type UnitStatus struct {
	// name is the name of the PodGang for the base unit, and that of the scaled group for a scaled one.
	// +required
	Name string `json:"name"`
	// availableSince is when the unit's minimum of pods was first ready, since it was created or terminated.
	// +optional
	AvailableSince *metav1.MicroTime `json:"availableSince,omitempty"`
	// breachedSince is since when fewer pods than the minimum are available, of a unit that was available. At breachedSince and
	// the terminationDelay the unit is terminated, unless enough pods are available by then.
	// +optional
	BreachedSince *metav1.MicroTime `json:"breachedSince,omitempty"`
	// breachReported tells that the breach has lasted for longer than a pod usually needs to come back, and an event has told of it.
	// +optional
	BreachReported bool `json:"breachReported,omitempty"`
	// terminatedAt is when the unit was last terminated: all of its pods, and for the base unit all of the replica's, are
	// deleted and placed anew as a gang.
	// +optional
	TerminatedAt *metav1.MicroTime `json:"terminatedAt,omitempty"`
	// restarts is how often the unit was terminated.
	// +optional
	Restarts int32 `json:"restarts,omitempty"`
}

// PodGroupStatus counts the pods of one slice.
type PodGroupStatus struct {
	// name is the name of the slice in spec.podGroups or spec.scaledGroups.
	// +required
	Name string `json:"name"`
	// desired is how many pods the slice shall have.
	// +required
	Desired int32 `json:"desired"`
	// scheduled is how many are bound to a node.
	// +required
	Scheduled int32 `json:"scheduled"`
	// available is how many count towards minAvailable: bound to a node, not failed, and without a container that started and is not
	// ready, unless it ended well and was meant to.
	// +required
	Available int32 `json:"available"`
	// ready is how many are ready.
	// +required
	Ready int32 `json:"ready"`
	// succeeded is how many have run to their end. Where others wait for ready pods, these count too.
	// +optional
	Succeeded int32 `json:"succeeded,omitempty"`
	// templateHash is the hash of the podSpec that the slice's PodClique has.
	// +optional
	TemplateHash string `json:"templateHash,omitempty"`
	// updated is how many pods are of that podSpec.
	// +optional
	Updated int32 `json:"updated,omitempty"`
	// outdated is how many pods are of another.
	// +optional
	Outdated int32 `json:"outdated,omitempty"`
	// unschedulable is how many pods the scheduler has found no node for, or are held back by a scheduling gate. An update doesn't wait for
	// those beyond the minimum.
	// +optional
	Unschedulable int32 `json:"unschedulable,omitempty"`
	// awaited tells that the slice was turned on when its unit was available already, and its minimum of pods hasn't been ready yet. The unit
	// isn't in breach for what was never there.
	// +optional
	Awaited bool `json:"awaited,omitempty"`
	// created is one more than the highest index of a pod that was ever created, as far as the pod group still reaches: a pod below it
	// was lost and comes back at once.
	// +optional
	Created int32 `json:"created,omitempty"`
	// restarts is how often the restartPolicy had the slice recreated.
	// +optional
	Restarts int32 `json:"restarts,omitempty"`
	// restartedAt is when it did that last.
	// +optional
	RestartedAt *metav1.MicroTime `json:"restartedAt,omitempty"`
	// restartsInARow is how many of those followed each other within ten minutes each; from the second on, pods come back after a
	// back-off.
	// +optional
	RestartsInARow int32 `json:"restartsInARow,omitempty"`
}
