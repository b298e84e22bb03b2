package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodClique is one component in one replica of a PodCliqueSet. Grove creates it; users may scale it.
//
// A PodClique that belongs to a scaling group has a slice of pods in each group replica; any other is one slice.
//
// +genclient
// +genclient:method=GetScale,verb=get,subresource=scale,result=k8s.io/api/autoscaling/v1.Scale
// +genclient:method=UpdateScale,verb=update,subresource=scale,input=k8s.io/api/autoscaling/v1.Scale,result=k8s.io/api/autoscaling/v1.Scale
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=pclq,categories=grove
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.sliceReplicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.roleName`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.replicas`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Updated",type=integer,JSONPath=`.status.updatedReplicas`
// +kubebuilder:printcolumn:name="Breached",type=string,JSONPath=`.status.conditions[?(@.type=="MinAvailableBreached")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PodClique struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what Grove took from the PodCliqueSet's template.
	// +required
	Spec AppliedPodCliqueSpec `json:"spec"`
	// status is what Grove observed last.
	// +optional
	Status PodCliqueStatus `json:"status,omitempty"`
}

// PodCliqueList is a list of PodCliques.
//
// +kubebuilder:object:root=true
type PodCliqueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PodClique `json:"items"`
}

// PodCliqueSpec describes the pods of a clique, in the template of a PodCliqueSet.
//
// +kubebuilder:validation:XValidation:fieldPath=`.podSpec.nodeName`,reason=FieldValueForbidden,rule=`!has(self.podSpec.nodeName)`,message=`podSpec.nodeName can not be given: the scheduler chooses the node`
// +kubebuilder:validation:XValidation:fieldPath=`.podSpec.hostname`,reason=FieldValueForbidden,rule=`!has(self.podSpec.hostname)`,message=`podSpec.hostname can not be given: a pod is found under its own name`
// +kubebuilder:validation:XValidation:fieldPath=`.podSpec.subdomain`,reason=FieldValueForbidden,rule=`!has(self.podSpec.subdomain)`,message=`podSpec.subdomain can not be given: it is the name of the headless service`
// +kubebuilder:validation:XValidation:fieldPath=`.podSpec.schedulingGroup`,reason=FieldValueForbidden,rule=`!has(self.podSpec.schedulingGroup)`,message=`podSpec.schedulingGroup can not be given: Grove says which pods are one gang`
// +kubebuilder:validation:XValidation:fieldPath=`.podSpec.containers`,reason=FieldValueRequired,rule=`size(self.podSpec.containers) > 0`,message=`a pod has at least one container`
// +kubebuilder:validation:XValidation:fieldPath=`.podSpec.priority`,reason=FieldValueForbidden,rule=`!has(self.podSpec.priority)`,message=`podSpec.priority can not be given: the priorityClassName of the template decides it`
type PodCliqueSpec struct {
	// roleName is the value of the label grove.io/role. Default: the clique's name. Immutable.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
	RoleName string `json:"roleName,omitempty"`
	// podSpec is the spec of the clique's pods. nodeName, hostname, subdomain, schedulingGroup and priority can't be given.
	// schedulerName is the same in every clique, since a gang has one scheduler, and immutable. priorityClassName is unset or
	// that of the template. Everything else is free, and may change.
	// +required
	PodSpec corev1.PodSpec `json:"podSpec"`
	// replicas is the number of pods in a slice: at least minAvailable, or 0, which turns the clique off. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9999
	Replicas *int32 `json:"replicas,omitempty"`
	// minAvailable is how many pods of a slice have to be there: fewer are not placed, and fewer are a breach. Default: the
	// template's replicas. Immutable.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9999
	MinAvailable *int32 `json:"minAvailable,omitempty"`
	// startsAfter names the cliques that have to be up before this one's containers start. They can't wait for this one in
	// turn. Used with CliqueStartupTypeExplicit, otherwise checked but ignored. Immutable.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=31
	// +kubebuilder:validation:items:MaxLength=63
	StartsAfter []string `json:"startsAfter,omitempty"`
	// restartPolicy says what happens to the other pods of a slice when a container of one restarts, or one is lost. Where the
	// clique's scaling group says RecreateGroupOnPodRestart, that goes before. Default None.
	// +optional
	RestartPolicy GroupRestartPolicy `json:"restartPolicy,omitempty"`
	// autoScalingConfig lets a HorizontalPodAutoscaler set replicas.
	// +optional
	AutoScalingConfig *AutoScalingConfig `json:"autoScalingConfig,omitempty"`
}

// AppliedPodCliqueSpec is the PodCliqueSpec of a template as Grove applies it to a PodClique. It has the same fields, so that
// Go converts one into the other, and other rules: podSpec is written by Grove alone, while many may take part in a template's;
// and replicas is what autoscalers write, who know nothing of minAvailable.
type AppliedPodCliqueSpec struct {
	// roleName is the value of the label grove.io/role. Grove gives it always.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
	RoleName string `json:"roleName,omitempty"`
	// podSpec is the spec of the clique's pods, as a whole: what others merge into it goes with Grove's next write.
	// +required
	// +structType=atomic
	PodSpec corev1.PodSpec `json:"podSpec"`
	// replicas is the number of pods in a slice. 0 turns the clique off; a number between that and minAvailable counts as
	// minAvailable, since autoscalers write such numbers. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9999
	Replicas *int32 `json:"replicas,omitempty"`
	// minAvailable is how many pods of a slice have to be there: fewer are not placed, and fewer are a breach. Grove
	// gives it always.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9999
	MinAvailable *int32 `json:"minAvailable,omitempty"`
	// startsAfter names the cliques that have to be up before this one's containers start. Used with
	// CliqueStartupTypeExplicit, otherwise ignored.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=31
	// +kubebuilder:validation:items:MaxLength=63
	StartsAfter []string `json:"startsAfter,omitempty"`
	// restartPolicy says what happens to the other pods of a slice when a container of one restarts, or one is lost. Where the
	// clique's scaling group says RecreateGroupOnPodRestart, that goes before. Default None.
	// +optional
	RestartPolicy GroupRestartPolicy `json:"restartPolicy,omitempty"`
	// autoScalingConfig lets a HorizontalPodAutoscaler set replicas.
	// +optional
	AutoScalingConfig *AutoScalingConfig `json:"autoScalingConfig,omitempty"`
}

// PodCliqueStatus is what Grove observed last. Counts are of pods over all slices, unless they say otherwise.
type PodCliqueStatus struct {
	// observedGeneration is the metadata.generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// replicas is the number of pods.
	// +optional
	Replicas int32 `json:"replicas"`
	// scheduledReplicas is the number of pods bound to a node.
	// +optional
	ScheduledReplicas int32 `json:"scheduledReplicas"`
	// readyReplicas is the number of ready pods.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`
	// updatedReplicas is the number of pods of the current podSpec.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas"`
	// sliceReplicas is the number of pods in the first slice, in the unit of spec.replicas; for the scale subresource.
	// +optional
	SliceReplicas int32 `json:"sliceReplicas"`
	// selector matches the pods of the first slice; for the scale subresource.
	// +optional
	Selector string `json:"selector,omitempty"`
	// firstAvailableTime is when minAvailable was first seen met by ready pods.
	// +optional
	FirstAvailableTime *metav1.Time `json:"firstAvailableTime,omitempty"`
	// conditions are PodCliqueScheduled, MinAvailableBreached and ResourcesApplied.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// GroupRestartPolicy says what happens to pods that work together when a container of one restarts, or one is lost. The terms are those
// of LeaderWorkerSet.
//
// +kubebuilder:validation:Enum=None;RecreateGroupOnPodRestart
type GroupRestartPolicy string

const (
	// RestartPolicyNone: a pod is restarted or replaced alone.
	RestartPolicyNone GroupRestartPolicy = "None"
	// RestartPolicyRecreateGroup: all of them are recreated together, since none can go on without the others.
	RestartPolicyRecreateGroup GroupRestartPolicy = "RecreateGroupOnPodRestart"
)
