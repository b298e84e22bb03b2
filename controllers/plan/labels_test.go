package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
)

// A tool that finds its own mark on a child would take the child for one of its own, and prune it.
func TestMirrored(t *testing.T) {
	got := plan.Mirrored(map[string]string{
		"kueue.x-k8s.io/queue-name": "q",
		"team":                      "a",
		"nothelm.sh/kept":           "1",
		"grove.io/anything":         "ours",
		v1alpha1.LabelManagedBy:     "helm",
		"kubectl.kubernetes.io/last-applied-configuration": "{}",
		"app.kubernetes.io/instance":                       "web",
		"argocd.argoproj.io/instance":                      "web",
		"argocd.argoproj.io/tracking-id":                   "web:grove.io/PodCliqueSet:ns/web",
		"kustomize.toolkit.fluxcd.io/name":                 "web",
		"helm.toolkit.fluxcd.io/name":                      "web",
		"meta.helm.sh/release-name":                        "web",
		"helm.sh/chart":                                    "web-1",
	})
	if diff := cmp.Diff(map[string]string{"kueue.x-k8s.io/queue-name": "q", "team": "a", "nothelm.sh/kept": "1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
