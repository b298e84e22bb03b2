package verbs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podcliqueset"
)

// edits make the templates of a set's history, one after the other.
var edits = []func(*v1alpha1.PodCliqueSet){
	func(*v1alpha1.PodCliqueSet) {},
	func(set *v1alpha1.PodCliqueSet) {
		set.Spec.Template.Cliques[2].Spec.PodSpec.Containers[0].Image = "example.com/decode:v2"
	},
	func(set *v1alpha1.PodCliqueSet) {
		set.Annotations = map[string]string{v1alpha1.AnnotationRestartedAt: "2026-11-25T12:00:00Z"}
	},
	func(set *v1alpha1.PodCliqueSet) {
		set.Spec.Template.Cliques[0].Annotations = map[string]string{v1alpha1.AnnotationRestartedAt: "2026-11-25T13:00:00Z", "team": "x"}
		set.Spec.Template.Cliques[1].Spec.PodSpec.TerminationGracePeriodSeconds = new(int64)
	},
}

// withHistory is a set after all edits, with a ControllerRevision of each.
func withHistory(t *testing.T) (*v1alpha1.PodCliqueSet, *cli.Clients) {
	set := clitest.Set(t, "web.yaml")
	set.ResourceVersion = "7"
	var records []runtime.Object
	for n, edit := range edits {
		edit(set)
		record := plan.Configuration[appsv1.ControllerRevision](plantest.Observed(set).Children().Revision)
		record.Revision, record.CreationTimestamp = int64(n+1), clitest.Ago(time.Duration(len(edits)-n)*time.Hour)
		records = append(records, record)
	}
	set.Status = v1alpha1.PodCliqueSetStatus{ObservedGeneration: 1, AvailableReplicas: 2, UpdatedReplicas: 2}
	return set, clitest.Clients(records, set)
}

func TestRolloutGoldens(t *testing.T) {
	for name, args := range map[string][]string{
		"rollout-history.txt":          {"history", "web"},
		"rollout-history.json":         {"history", "web", "-o", "json"},
		"rollout-history-revision.txt": {"history", "web", "--revision=2"},
		"rollout-status.txt":           {"status", "web"},
		"rollout-pause.txt":            {"pause", "web"},
		"rollout-undo.txt":             {"undo", "web", "--to-revision=2"},
		"rollout-restart.txt":          {"restart", "pcs/web", "--clique", "worker"},
	} {
		t.Run(name, func(t *testing.T) {
			_, clients := withHistory(t)
			out, code := clitest.Run(t, clients, verbs.Rollout, args...)
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			clitest.Golden(t, name, out)
		})
	}
}

func TestRolloutRefuses(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"resume web", "error: podcliquesets.grove.io \"web\" is not paused\n"},
		{"undo web --to-revision 9", "error: unable to find revision 9 of podcliqueset \"web\": its revisions are 1, 2, 3, 4\n"},
		{"restart web --clique wrker", "error: podcliqueset \"web\" has no clique \"wrker\": it has frontend, leader, worker\n"},
		{"status web --revision 2", "error: desired revision (2) is different from the running revision (4)\n"},
		{"status nobody", "Error from server (NotFound): podcliquesets.grove.io \"nobody\" not found\n"},
	} {
		_, clients := withHistory(t)
		if out, code := clitest.Run(t, clients, verbs.Rollout, strings.Fields(test.args)...); code != 1 || out != test.says {
			t.Errorf("rollout %s: exit code %d, %q; want 1, %q", test.args, code, out, test.says)
		}
	}
}

// What is brought back is the very template that was recorded, by its hash, and nothing else changes.
func TestUndo(t *testing.T) {
	for revision := range edits {
		t.Run(fmt.Sprint(revision+1), func(t *testing.T) {
			before, clients := withHistory(t)
			if out, code := clitest.Run(t, clients, verbs.Rollout, "undo", "web", fmt.Sprintf("--to-revision=%d", revision+1)); code != 0 {
				t.Fatal(out)
			}
			after, err := clients.Grove.GroveV1alpha1().PodCliqueSets("default").Get(t.Context(), "web", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			wanted := clitest.Set(t, "web.yaml")
			for _, edit := range edits[:revision+1] {
				edit(wanted)
			}
			if podcliqueset.RevisionName(after) != podcliqueset.RevisionName(wanted) {
				t.Errorf("the set is of %s, want %s", podcliqueset.RevisionName(after), podcliqueset.RevisionName(wanted))
			}
			for i := range after.Spec.Template.Cliques {
				after.Spec.Template.Cliques[i].Spec.PodSpec = before.Spec.Template.Cliques[i].Spec.PodSpec
				delete(after.Spec.Template.Cliques[i].Annotations, v1alpha1.AnnotationRestartedAt)
				delete(before.Spec.Template.Cliques[i].Annotations, v1alpha1.AnnotationRestartedAt)
				if len(after.Spec.Template.Cliques[i].Annotations) == 0 {
					after.Spec.Template.Cliques[i].Annotations = nil
				}
			}
			if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
				t.Errorf("beside the podSpecs, this changed:\n%s", diff)
			}
		})
	}
}

// An update that ends while it is waited for.
func TestRolloutStatusWaits(t *testing.T) {
	set, clients := withHistory(t)
	api := clients.Grove.GroveV1alpha1().PodCliqueSets("default")
	set.Status.RollingUpdateProgress = &v1alpha1.PodCliqueSetRollingUpdateProgress{UpdateStartedAt: &metav1.Time{Time: clitest.Now}}
	if _, err := api.UpdateStatus(t.Context(), set, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	out, code := clitest.Run(t, clients, verbs.Rollout, "status", "web", "--timeout=50ms")
	if want := "Waiting for podcliqueset \"web\" rollout to finish: 2 of 2 replicas updated; nothing is known yet...\nerror: timed out waiting for the condition\n"; code != 1 || out != want {
		t.Errorf("exit code %d, %q; want 1, %q", code, out, want)
	}
	set.Status.RollingUpdateProgress.UpdateEndedAt = &metav1.Time{Time: clitest.Now}
	if _, err := api.UpdateStatus(t.Context(), set, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, code = clitest.Run(t, clients, verbs.Rollout, "status", "web", "--timeout=1m"); code != 0 {
		t.Errorf("exit code %d, %q", code, out)
	}
}
