package podclique

import (
	"testing"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"grove.io/grove/apis/grove/v1alpha1"
)

// What the cache says of the hash may be older than what the PodGang's controller has made of it.
func TestTheHashIsNotTheCliques(t *testing.T) {
	hash := func(value string) map[string]string { return map[string]string{v1alpha1.LabelPodTemplateHash: value} }
	wanted := func() *corev1ac.PodApplyConfiguration {
		return corev1ac.Pod("a", "ns").WithLabels(hash("cached")).WithLabels(map[string]string{"team": "x"})
	}
	for name, test := range map[string]struct {
		owned *corev1ac.PodApplyConfiguration
		want  string
	}{
		"as it was made":                 {corev1ac.Pod("a", "ns").WithLabels(hash("live")), "live"},
		"of a pod that was changed":      {corev1ac.Pod("a", "ns").WithLabels(map[string]string{"team": "y"}), ""},
		"of a pod that is to be adopted": {&corev1ac.PodApplyConfiguration{}, ""},
	} {
		changed := metadataOnly(test.owned, wanted())
		if changed.Labels[v1alpha1.LabelPodTemplateHash] != test.want || changed.Labels["team"] != "x" {
			t.Errorf("%s: labels %v, want the hash %q", name, changed.Labels, test.want)
		}
	}
}
