// Package v1alpha1 is version v1alpha1 of the grove.io API group.
//
// A user writes one PodCliqueSet. Grove creates the other three kinds from it: a PodClique for each component in each
// replica of the set, a PodCliqueScalingGroup for each group of components that scale together, and a PodGang for each
// replica, which says what is to be placed all or nothing.
//
// Everything that can be checked is checked at admission, by the schema and by CEL rules in it; there is no webhook.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package=../../applyconfiguration
// +groupName=grove.io
// +groupGoName=Grove
package v1alpha1
