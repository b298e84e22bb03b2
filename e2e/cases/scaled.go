package cases

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// newScaled is a set whose template asks for one of everything, and whose routers have an autoscaler that wants three of them at least.
func newScaled() *v1alpha1.PodCliqueSet {
	set := newSet("web", 1, newClique("lead", 1, 1), newClique("router", 1, 1), newClique("front", 1, 1), newClique("worker", 2, 2))
	set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("team", 1, 1, "worker")}
	set.Spec.Template.Cliques[1].Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MinReplicas: ptr.To[int32](3), MaxReplicas: 5}
	set.Spec.Template.TerminationDelay = &metav1.Duration{Duration: longDelay}
	return set
}

// scalers are who scales what of it, to how many.
var scalers = []struct {
	target  scaleTarget
	manager string
	to      int
}{
	{scaleTarget{podCliques, "web-router-0"}, "kube-controller-manager", 3},
	{scaleTarget{podCliques, "web-front-0"}, "kubectl", 2},
	{scaleTarget{scalingGroups, "web-team"}, "keda", 2},
}

func scaledPods() []string {
	return slices.Concat(podNames("web-lead-0", 1), podNames("web-router-0", 3), podNames("web-front-0", 2), podNames("web-worker-0-0", 2), podNames("web-worker-0-1", 2))
}

// ScaledReplicas checks that replicas that others have set outlast whatever happens to their set, one thing after the other. It starts operators.
func ScaledReplicas() types.Feature {
	var operator *cluster.Operator
	var before map[string]apitypes.UID
	set := newScaled()
	return features.New("what others have scaled").
		Setup(step(func(s *scope) {
			operator = s.startOperator()
			s.apply(set)
			s.waitUntilAvailable("web")
			s.mustKubectl("scale", "podclique/web-front-0", "--replicas=2")
			s.scaleAs("keda", scaleTarget{scalingGroups, "web-team"}, `{"spec": {"replicas": 2}}`)
			before = s.mustBeScaled()
		})).
		Assess("outlasts that the set is applied again", step(func(s *scope) {
			s.apply(set)
			s.mark(set)
			s.mustKeep(before, s.mustBeScaled())
		})).
		Assess("outlasts an operator that is killed, and one that starts anew", step(func(s *scope) {
			s.kill(operator)
			operator = s.startOperator()
			s.bringUpAnother()
			s.mustKeep(before, s.mustBeScaled())
		})).
		Assess("outlasts an edit of the template, of the number too where something autoscales", step(func(s *scope) {
			set.Spec.Template.Cliques[1].Spec.Replicas = ptr.To[int32](2)
			set.Spec.Template.Cliques[2].Labels = map[string]string{"example.com/edited": "yes"}
			s.apply(set)
			s.eventually("the label", func() (string, error) {
				return cmp.Diff("yes", s.pod("web-front-0-1").Labels["example.com/edited"]), nil
			})
			s.mustKeep(before, s.mustBeScaled())
		})).
		Assess("outlasts a rolling update", step(func(s *scope) {
			setVersion(set, "1")
			s.apply(set)
			s.waitUntilUpdated("web")
			before = s.mustBeScaled()
			s.mustBeVersion("web", "1")
		})).
		Assess("outlasts a gang termination", step(func(s *scope) {
			s.breakPod("web-lead-0-0")
			s.waitForDegraded("web", "gang unit web-0")
			set.Spec.Template.TerminationDelay.Duration = time.Second
			s.apply(set)
			s.waitForSuccessors("web", before, scaledPods()...)
			s.mustBeScaled()
			s.mustHaveRestarts("web", 1)
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}

// mustBeScaled waits until everything has as many pods as its scaler asked for, and fails the test unless the number is that scaler's alone. It
// returns the pods' UIDs.
func (s *scope) mustBeScaled() map[string]apitypes.UID {
	s.Helper()
	uids := s.waitForPods("web", scaledPods())
	for _, scaler := range scalers {
		if got := s.replicasOf(scaler.target.kind, scaler.target.name); int(got) != scaler.to {
			s.Errorf("%s has %d replicas, want %d", scaler.target.name, got, scaler.to)
		}
		s.checkScaledBy(scaler.manager, scaler.target)
	}
	return uids
}

// scaleAs patches a scale subresource under a field manager.
func (s *scope) scaleAs(manager string, target scaleTarget, patch string) {
	s.Helper()
	_, err := s.dynamic.Resource(target.kind).Namespace(s.namespace).Patch(s.ctx, target.name, apitypes.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager}, "scale")
	if err != nil {
		s.Fatal(err)
	}
}

// checkScaledBy fails the test unless a field manager, and no other, owns the number of replicas, by the scale subresource.
func (s *scope) checkScaledBy(manager string, target scaleTarget) {
	s.Helper()
	var owners []string
	for _, entry := range s.get(target.kind, target.name).GetManagedFields() {
		var fields fieldpath.Set
		if err := fields.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			s.Fatal(err)
		}
		if fields.Has(fieldpath.MakePathOrDie("spec", "replicas")) {
			owners = append(owners, entry.Manager+" by "+entry.Subresource)
		}
	}
	if diff := cmp.Diff([]string{manager + " by scale"}, owners); diff != "" {
		s.Errorf("who owns the replicas of %s (-want +got):\n%s", target.name, diff)
	}
}
