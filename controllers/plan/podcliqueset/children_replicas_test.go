package podcliqueset_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// A replica that is scaled too far keeps the PodGang that it has, and the others go on.
func TestScaledTooFar(t *testing.T) {
	observed := plantest.Observed(plantest.Workers())
	observed.PodCliques["train-worker-1"].Spec.Replicas = ptr.To[int32](plan.MostPods)
	children := observed.Children()
	if len(children.Problems) != 1 || children.Problems[0].Reason != v1alpha1.ReasonTooManyPods ||
		!strings.Contains(children.Problems[0].Message, "replica 1 is scaled to 10003 pods") {
		t.Errorf("problems %v", children.Problems)
	}
	if len(children.PodGangs()) != 1 || *children.PodGangs()[0].Name != "train-0" {
		t.Errorf("%d PodGangs are applied", len(children.PodGangs()))
	}
	if len(children.PodCliques()) != 6 {
		t.Errorf("%d PodCliques are applied", len(children.PodCliques()))
	}
	if removals := observed.Removals(); len(removals.PodGangs) > 0 {
		t.Errorf("PodGang %s is removed", removals.PodGangs[0].Name)
	}
}

// An autoscaler that knows no minimum writes 1. The gang is told of as many as are made.
func TestReplicasBelowTheMinimumAreRaised(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Replicas = 1
	set.Spec.Template.Cliques[2].Spec.Replicas = ptr.To[int32](3) // and so is its minimum
	set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](4)
	set.Spec.Template.PodCliqueScalingGroups[0].MinAvailable = ptr.To[int32](3)
	observed := plantest.Observed(set)
	others := []metav1.ManagedFieldsEntry{{Manager: "keda", Operation: "Update", Subresource: "scale", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}}
	alone, group := observed.PodCliques["train-alone-0"], observed.ScalingGroups["train-group"]
	alone.Spec.Replicas, alone.ManagedFields = ptr.To[int32](1), others
	group.Spec.Replicas, group.ManagedFields = ptr.To[int32](1), others
	children := observed.Children()
	var podGroups []string
	for _, podGroup := range children.PodGangs()[0].Spec.PodGroups {
		podGroups = append(podGroups, fmt.Sprintf("%s %d", *podGroup.Name, *podGroup.MinReplicas))
	}
	if diff := cmp.Diff([]string{
		"train-alone-0 3", "train-lead-0-0 1", "train-worker-0-0 2", "train-lead-0-1 1", "train-worker-0-1 2", "train-lead-0-2 1", "train-worker-0-2 2",
	}, podGroups); diff != "" {
		t.Errorf("the base unit (-want +got):\n%s", diff)
	}
	if scaled := children.PodGangs()[0].Spec.ScaledGroups; len(scaled) > 0 {
		t.Errorf("%d scaled units", len(scaled))
	}
	for _, podClique := range children.PodCliques() {
		if *podClique.Name == "train-alone-0" && podClique.Spec.Replicas != nil {
			t.Errorf("what the autoscaler wrote is overwritten with %d", *podClique.Spec.Replicas)
		}
	}
	alone.Spec.Replicas, group.Spec.Replicas = ptr.To[int32](0), ptr.To[int32](0)
	if podGroups := observed.Children().PodGangs()[0].Spec.PodGroups; len(podGroups) > 0 {
		t.Errorf("everything is off, and the base unit has %d pod groups", len(podGroups))
	}
}

// An autoscaler keeps a PodClique below the template's new replicas, which are the minimum where the template says none.
func TestMinAvailableIsTheTemplatesReplicas(t *testing.T) {
	set := plantest.Workers()
	clique := &set.Spec.Template.Cliques[2]
	clique.Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 5}
	observed := plantest.Observed(set)
	clique.Spec.Replicas = ptr.To[int32](3)
	podClique := plantest.Live(set, observed.Children()).PodCliques["train-alone-0"]
	if *podClique.Spec.Replicas != 1 || *podClique.Spec.MinAvailable != 3 || plan.CliqueReplicas(podClique) != 3 {
		t.Errorf("replicas %d, which amount to %d, minAvailable %d", *podClique.Spec.Replicas, plan.CliqueReplicas(podClique), *podClique.Spec.MinAvailable)
	}
}

// Whoever deleted a set with --cascade=orphan, and makes it anew, keeps what its children were scaled to.
func TestAdoptionKeepsReplicas(t *testing.T) {
	set := plantest.Workers()
	observed := plantest.Observed(set)
	for _, podClique := range observed.PodCliques {
		podClique.OwnerReferences = nil
	}
	orphan, group := observed.PodCliques["train-alone-0"], observed.ScalingGroups["train-group"]
	orphan.Spec.Replicas, group.Spec.Replicas, group.OwnerReferences = ptr.To[int32](4), ptr.To[int32](3), nil
	set.UID = "anew"
	adopted := plantest.Live(set, observed.Children())
	if got := *adopted.PodCliques["train-alone-0"].Spec.Replicas; got != 4 || !metav1.IsControlledBy(adopted.PodCliques["train-alone-0"], set) {
		t.Errorf("an adopted PodClique has %d replicas, and owners %v", got, adopted.PodCliques["train-alone-0"].OwnerReferences)
	}
	if got := *adopted.ScalingGroups["train-group"].Spec.Replicas; got != 3 {
		t.Errorf("an adopted scaling group has %d replicas", got)
	}
}
