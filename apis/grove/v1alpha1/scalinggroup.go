package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodCliqueScalingGroup is a group of cliques that scale together, in every replica of a PodCliqueSet alike. Grove creates it;
// users may scale it.
//
// +genclient
// +genclient:method=GetScale,verb=get,subresource=scale,result=k8s.io/api/autoscaling/v1.Scale
// +genclient:method=UpdateScale,verb=update,subresource=scale,input=k8s.io/api/autoscaling/v1.Scale,result=k8s.io/api/autoscaling/v1.Scale
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=pcsg,categories=grove
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Available",type=integer,JSONPath=`.status.availableReplicas`
// +kubebuilder:printcolumn:name="Breached",type=string,JSONPath=`.status.conditions[?(@.type=="MinAvailableBreached")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PodCliqueScalingGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what Grove took from the PodCliqueSet's template.
	// +required
	Spec PodCliqueScalingGroupSpec `json:"spec"`
	// status is what Grove observed last.
	// +optional
	Status PodCliqueScalingGroupStatus `json:"status,omitempty"`
}

// PodCliqueScalingGroupList is a list of PodCliqueScalingGroups.
//
// +kubebuilder:object:root=true
type PodCliqueScalingGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodCliqueScalingGroup `json:"items"`
}

// PodCliqueScalingGroupSpec describes a group of cliques that scale together.
//
// +kubebuilder:validation:XValidation:fieldPath=`.scaleConfig.maxReplicas`,rule=`!has(self.scaleConfig) || self.scaleConfig.maxReplicas <= 999`,messageExpression=`'%d is above 999, the most that a scaling group can have'.format([self.scaleConfig.maxReplicas])`
type PodCliqueScalingGroupSpec struct {
	// cliqueNames are the member cliques. A clique is a member of one group at most. One of them at least is without
	// autoScalingConfig: an autoscaler of the group counts its pods. Immutable.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	CliqueNames []string `json:"cliqueNames"`
	// replicas is how many times the members' pods run in each replica of the set. 0 turns the group off. A number between
	// that and minAvailable is refused in a template; in a PodCliqueScalingGroup it counts as minAvailable, since autoscalers
	// write such numbers. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=999
	Replicas *int32 `json:"replicas,omitempty"`
	// minAvailable is how many group replicas each replica of the set needs. Default 1. Immutable.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=999
	MinAvailable *int32 `json:"minAvailable,omitempty"`
	// restartPolicy says what happens to the other pods of a group replica when a container of one restarts, or one is lost.
	// Default None.
	// +optional
	RestartPolicy GroupRestartPolicy `json:"restartPolicy,omitempty"`
	// scaleConfig lets a HorizontalPodAutoscaler set replicas, to 999 at most.
	// +optional
	ScaleConfig *AutoScalingConfig `json:"scaleConfig,omitempty"`
}

// PodCliqueScalingGroupStatus is what Grove observed last. A group replica counts if it counts in every replica of the set.
type PodCliqueScalingGroupStatus struct {
	// observedGeneration is the metadata.generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// replicas is the number of group replicas that the PodGangs have.
	// +optional
	Replicas int32 `json:"replicas"`
	// scheduledReplicas is the number of group replicas whose minimum of pods is bound to nodes.
	// +optional
	ScheduledReplicas int32 `json:"scheduledReplicas"`
	// availableReplicas is the number of group replicas whose minimum of pods is ready.
	// +optional
	AvailableReplicas int32 `json:"availableReplicas"`
	// updatedReplicas is the number of group replicas all of whose pods are of the set's podSpecs.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`
	// replicaStatuses tells of the group replicas in each replica of the set, in the order of those; of the first 1000 at most.
	// +optional
	// +listType=atomic
	ReplicaStatuses []ScalingGroupReplicaStatus `json:"replicaStatuses,omitempty"`
	// selector matches one pod of each group replica, in the first replica of the set, for the scale subresource. It is one of a
	// clique without autoScalingConfig.
	// +optional
	Selector string `json:"selector,omitempty"`
	// conditions are MinAvailableBreached.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ScalingGroupReplicaStatus counts the group replicas in one replica of the set.
type ScalingGroupReplicaStatus struct {
	// replicaIndex is the index of the replica of the set.
	// +required
	ReplicaIndex int32 `json:"replicaIndex"`
	// scheduled is the number of group replicas whose minimum of pods is bound to nodes.
	// +required
	Scheduled int32 `json:"scheduled"`
	// available is the number of group replicas whose minimum of pods is ready.
	// +required
	Available int32 `json:"available"`
	// updated is the number of group replicas all of whose pods are of the set's podSpecs.
	// +optional
	Updated int32 `json:"updated"`
}
