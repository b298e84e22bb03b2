// Package podcliqueset decides about the children of a PodCliqueSet, and describes the set.
package podcliqueset

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Set is a PodCliqueSet with what belongs to it, as the caches have it. Children are those that the set controls, and those of its
// kinds, by name, that it may adopt.
type Set struct {
	Object        *v1alpha1.PodCliqueSet
	Account       *corev1.ServiceAccount
	Role          *rbacv1.Role
	Services      []*corev1.Service
	ScalingGroups map[string]*v1alpha1.PodCliqueScalingGroup
	PodGangs      map[string]*v1alpha1.PodGang
	PodCliques    map[string]*v1alpha1.PodClique
	// Revisions are the ControllerRevisions of podSpecs that the set has, or had.
	Revisions []*appsv1.ControllerRevision
	// DisruptionBudgets are those that the set controls.
	DisruptionBudgets []*policyv1.PodDisruptionBudget
	Autoscalers       map[string]*autoscalingv2.HorizontalPodAutoscaler
	// ImagePullSecrets are those of the namespace's default ServiceAccount.
	ImagePullSecrets []corev1.LocalObjectReference
}
