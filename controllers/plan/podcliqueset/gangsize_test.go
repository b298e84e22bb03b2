package podcliqueset_test

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// mostBytes is what etcd takes of one object.
const mostBytes = 3 << 19

// A replica that one object can't describe keeps the PodGang that it has, and the set says so; what is applied fits with any status.
func TestGangsThatAreTooLarge(t *testing.T) {
	refused, applied := 0, 0
	for _, replicas := range []int32{10, 300, 500, 600, 700, 800} {
		set := plantest.Workers()
		set.Spec.Replicas = 1
		set.Name = "a-name-that-is-nearly-too-long-for"
		observed := plantest.Observed(set)
		for _, scalingGroup := range observed.ScalingGroups {
			scalingGroup.Spec.Replicas = ptr.To(replicas * 2)
		}
		children := observed.Children()
		if len(children.PodGangs()) == 0 {
			refused++
			if problem := children.Problems[0]; problem.Reason != v1alpha1.ReasonTooLarge || !strings.Contains(problem.Message, "would be larger than etcd takes") {
				t.Errorf("%d group replicas: %+v", replicas, problem)
			}
			continue
		}
		applied++
		gang := plan.Configuration[v1alpha1.PodGang](children.PodGangs()[0])
		gang.Status = fullStatus(gang)
		if content, err := json.Marshal(gang); err != nil || len(content) > mostBytes {
			t.Errorf("%d group replicas: %d bytes, %v", replicas, len(content), err)
		}
	}
	if refused == 0 || applied == 0 {
		t.Errorf("%d are refused, %d applied", refused, applied)
	}
}

// fullStatus is as large as a gang's status may become.
func fullStatus(gang *v1alpha1.PodGang) v1alpha1.PodGangStatus {
	var status v1alpha1.PodGangStatus
	now := ptr.To(metav1.NewMicroTime(plantest.Now))
	for _, unit := range plan.UnitsOf(gang) {
		status.Units = append(status.Units, v1alpha1.UnitStatus{
			Name: unit.Name, AvailableSince: now, BreachedSince: now, BreachReported: true, TerminatedAt: now, Restarts: 9999,
		})
		for _, group := range unit.PodGroups {
			status.PodGroups = append(status.PodGroups, v1alpha1.PodGroupStatus{
				Name: group.Name, Desired: 9999, Scheduled: 9999, Available: 9999, Ready: 9999, Succeeded: 9999, TemplateHash: "0123456789", Updated: 9999, Outdated: 9999,
				Awaited: true, Created: 9999, Restarts: 9999, RestartedAt: now, RestartsInARow: 9999,
			})
		}
	}
	return status
}
