package podgang_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
	"grove.io/grove/controllers/plan/podgang"
)

// Between a clique's scaling to 0 and the gang's new spec, the gang has a pod group that wants no pods. That isn't success.
func TestAnEmptyPodGroupHasNotSucceeded(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	w.Settle()
	w.PodCliques["train-alone-0"].Spec.Replicas = ptr.To[int32](0)
	w.Settle()
	if phase := w.PodGangs["train-0"].Status.Phase; phase == v1alpha1.PodGangSucceeded {
		t.Errorf("the gang is %s", phase)
	}
}

// The phases of a gang, from how it was and how its pods are.
func TestPhase(t *testing.T) {
	for name, test := range map[string]struct {
		before v1alpha1.PodGangPhase
		state  plantest.State
		want   v1alpha1.PodGangPhase
	}{
		"nothing yet":                     {"", plantest.Pending, v1alpha1.PodGangPending},
		"scheduled":                       {v1alpha1.PodGangPending, plantest.Scheduled, v1alpha1.PodGangStarting},
		"never ran, and a pod is unready": {v1alpha1.PodGangStarting, plantest.Unready, v1alpha1.PodGangStarting},
		"ready":                           {v1alpha1.PodGangStarting, plantest.Ready, v1alpha1.PodGangRunning},
		"ran, and pods are unready":       {v1alpha1.PodGangRunning, plantest.Unready, v1alpha1.PodGangStarting},
		"ran, and pods start again":       {v1alpha1.PodGangRunning, plantest.Scheduled, v1alpha1.PodGangStarting},
		"ran, and pods are lost":          {v1alpha1.PodGangRunning, plantest.Terminating, v1alpha1.PodGangPending},
		"recovered":                       {v1alpha1.PodGangFailed, plantest.Ready, v1alpha1.PodGangRunning},
		"ran to its end":                  {v1alpha1.PodGangRunning, plantest.Succeeded, v1alpha1.PodGangSucceeded},
		"ended, and its pods are gone":    {v1alpha1.PodGangSucceeded, plantest.Terminating, v1alpha1.PodGangSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			w := plantest.NewWorld(plantest.Workers(), test.state)
			gang := w.Gang("train-0")
			gang.Object().Status.Phase = test.before
			status := gang.Status(plantest.Applied(gang.Object()), plantest.Now)
			if status.Phase != test.want {
				t.Errorf("the gang is %s, want %s", status.Phase, test.want)
			}
			ended := test.want == v1alpha1.PodGangSucceeded
			if ready := condition(t, status, v1alpha1.ConditionReady); ended && (ready.Status != metav1.ConditionTrue || ready.Reason != v1alpha1.ReasonSucceeded) {
				t.Errorf("%+v", ready)
			}
		})
	}
}

// What was created is remembered when pods are lost, and forgotten when the pod group shrinks.
func TestCreatedIsRemembered(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[2].Spec.Replicas, set.Spec.Template.Cliques[2].Spec.MinAvailable = ptr.To[int32](4), ptr.To[int32](1)
	w := plantest.NewWorld(set, plantest.Ready)
	created := func() int32 {
		w.Settle()
		for _, podGroup := range w.PodGangs["train-0"].Status.PodGroups {
			if podGroup.Name == "train-alone-0" {
				return podGroup.Created
			}
		}
		t.Fatal("no pod group train-alone-0")
		return 0
	}
	if got := created(); got != 4 {
		t.Errorf("%d of 4 that exist", got)
	}
	for i := range w.Cliques {
		w.Cliques[i].Pods = nil
	}
	if got := created(); got != 4 {
		t.Errorf("%d of 4 that were lost", got)
	}
	w.PodCliques["train-alone-0"].Spec.Replicas = ptr.To[int32](2)
	if got := created(); got != 2 {
		t.Errorf("%d of 2 that are left", got)
	}
	w.PodCliques["train-alone-0"].Spec.Replicas = ptr.To[int32](4)
	if got := created(); got != 2 {
		t.Errorf("%d of 2 that existed, now that there are to be 4 again", got)
	}
}

func TestGangStatusCounts(t *testing.T) {
	w := plantest.NewWorld(plantest.Workers(), plantest.Ready)
	plantest.Succeeded(w.Pod(t, "train-worker-0-0-0"))
	plantest.Unready(w.Pod(t, "train-worker-0-0-1"))
	plantest.Terminating(w.Pod(t, "train-lead-0-0-0"))
	w.Settle()
	got := w.PodGangs["train-0"].Status.PodGroups
	for i := range got {
		if got[i].TemplateHash == "" {
			t.Errorf("no hash: %+v", got[i])
		}
		got[i].TemplateHash = ""
	}
	want := []v1alpha1.PodGroupStatus{
		{Name: "train-alone-0", Desired: 1, Scheduled: 1, Available: 1, Ready: 1, Updated: 1, Created: 1},
		{Name: "train-lead-0-0", Desired: 1, Created: 1},
		{Name: "train-worker-0-0", Desired: 2, Scheduled: 2, Available: 1, Succeeded: 1, Updated: 2, Created: 2},
		{Name: "train-lead-0-1", Desired: 1, Scheduled: 1, Available: 1, Ready: 1, Updated: 1, Created: 1},
		{Name: "train-worker-0-1", Desired: 2, Scheduled: 2, Available: 2, Ready: 2, Updated: 2, Created: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGangUrgency(t *testing.T) {
	live := v1alpha1.PodGangStatus{
		PodGroups: []v1alpha1.PodGroupStatus{{Name: "a", Desired: 3, Available: 2}},
		Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionScheduled, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonInsufficientPods},
			{Type: v1alpha1.ConditionGangScheduling, Status: metav1.ConditionTrue},
		},
	}
	for name, test := range map[string]struct {
		ordered bool
		change  func(status *v1alpha1.PodGangStatus)
		want    plan.Urgency
	}{
		"as ever":                               {true, func(*v1alpha1.PodGangStatus) {}, plan.None},
		"one is bound":                          {true, func(s *v1alpha1.PodGangStatus) { s.PodGroups[0].Scheduled = 1 }, plan.Numbers},
		"a group is ready":                      {true, func(s *v1alpha1.PodGangStatus) { s.PodGroups[0].Ready = 2 }, plan.Urgent},
		"a group has done what others wait for": {true, func(s *v1alpha1.PodGangStatus) { s.PodGroups[0].Ready, s.PodGroups[0].Succeeded = 1, 1 }, plan.Urgent},
		"a group is ready that nothing starts after": {false, func(s *v1alpha1.PodGangStatus) { s.PodGroups[0].Ready = 2 }, plan.Numbers},
		"all are ready": {true, func(s *v1alpha1.PodGangStatus) {
			s.Conditions = append(s.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue})
		}, plan.Urgent},
		"too few are left":         {false, func(s *v1alpha1.PodGangStatus) { s.PodGroups[0].Available = 1 }, plan.Urgent},
		"more are available":       {true, func(s *v1alpha1.PodGangStatus) { s.PodGroups[0].Available = 3 }, plan.Numbers},
		"one is ready":             {true, func(s *v1alpha1.PodGangStatus) { s.PodGroups[0].Ready = 1 }, plan.Numbers},
		"scheduled":                {true, func(s *v1alpha1.PodGangStatus) { s.Conditions[0].Status = metav1.ConditionTrue }, plan.Urgent},
		"why it isn't scheduled":   {true, func(s *v1alpha1.PodGangStatus) { s.Conditions[0].Reason = v1alpha1.ReasonUnschedulable }, plan.Numbers},
		"how far the pods are":     {true, func(s *v1alpha1.PodGangStatus) { s.Conditions[0].Message = "other" }, plan.Words},
		"gangs aren't enforced":    {true, func(s *v1alpha1.PodGangStatus) { s.Conditions[1].Status = metav1.ConditionFalse }, plan.Urgent},
		"ended":                    {true, func(s *v1alpha1.PodGangStatus) { s.Phase = v1alpha1.PodGangSucceeded }, plan.Urgent},
		"failed":                   {true, func(s *v1alpha1.PodGangStatus) { s.Phase = v1alpha1.PodGangFailed }, plan.Urgent},
		"starting":                 {true, func(s *v1alpha1.PodGangStatus) { s.Phase = v1alpha1.PodGangStarting }, plan.Numbers},
		"observed":                 {true, func(s *v1alpha1.PodGangStatus) { s.ObservedGeneration++ }, plan.Numbers},
		"nothing is said any more": {true, func(s *v1alpha1.PodGangStatus) { *s = v1alpha1.PodGangStatus{} }, plan.Urgent},
	} {
		t.Run(name, func(t *testing.T) {
			set := &v1alpha1.PodCliqueSet{}
			set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeAnyOrder
			if test.ordered {
				set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeInOrder
			}
			gang := podgang.Gang{Replica: plan.Replica{Set: set, Gang: &v1alpha1.PodGang{
				Spec:   v1alpha1.PodGangSpec{PodGroups: []v1alpha1.PodGroup{{Name: "a", MinReplicas: 2}}},
				Status: live,
			}}}
			after := live.DeepCopy()
			test.change(after)
			if got := gang.Urgency(after); got != test.want {
				t.Errorf("urgency %d, want %d", got, test.want)
			}
		})
	}
}

// In the middle of an update nobody waits for what its steps turn, but for the end of its replica, of which the set's update goes on with the next.
func TestGangUrgencyInAnUpdate(t *testing.T) {
	w := rolling(func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeAnyOrder })
	updates := metav1.Condition{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUpdating}
	w.Object.Status.Conditions = []metav1.Condition{updates}
	describe := func() plan.Urgency {
		gang := w.Gang("train-0")
		after := gang.Status(plantest.Applied(gang.Object()), plantest.Now)
		urgency := gang.Urgency(&after)
		w.PodGangs["train-0"].Status = after
		return urgency
	}
	each := func(match string, change func(pod *corev1.Pod)) {
		for _, clique := range w.Cliques {
			for _, pod := range clique.Pods {
				if strings.HasPrefix(pod.Name, match) {
					change(pod)
				}
			}
		}
	}
	current := map[string]string{}
	each("train", func(pod *corev1.Pod) {
		current[pod.Name], pod.Labels[v1alpha1.LabelPodTemplateHash] = pod.Labels[v1alpha1.LabelPodTemplateHash], "old"
	})
	renew := func(pod *corev1.Pod) { pod.Labels[v1alpha1.LabelPodTemplateHash] = current[pod.Name] }
	describe()
	for _, step := range []struct {
		what string
		do   func()
		want plan.Urgency
	}{
		{"the base unit goes", func() { each("train-lead-0-0", plantest.Terminating) }, plan.Numbers},
		{"it comes back", func() {
			each("train-lead", renew)
			each("train-worker", renew)
			each("train-lead-0-0", func(pod *corev1.Pod) { pod.DeletionTimestamp = nil })
		}, plan.Numbers},
		{"the last but one", func() { each("train-alone-0-1", renew); each("train-alone-0-2", renew) }, plan.Numbers},
		{"the last goes", func() { each("train-alone-0-0", plantest.Terminating) }, plan.Numbers},
		{"the end", func() {
			each("train-alone-0-0", func(pod *corev1.Pod) { pod.DeletionTimestamp = nil; renew(pod) })
		}, plan.Urgent},
		{"one of enough isn't ready", func() { each("train-alone-0-0", plantest.Unready) }, plan.Numbers},
		{"it is again, and the next replica may go", func() { each("train-alone-0-0", plantest.Ready) }, plan.Urgent},
		{"one is lost, later", func() { w.Object.Status.Conditions = nil; each("train-alone-0-0", plantest.Unready) }, plan.Numbers},
		{"it is back, and nobody waits", func() { each("train-alone-0-0", plantest.Ready) }, plan.Numbers},
		{"the base unit is lost", func() { each("train-lead-0-0", plantest.Terminating) }, plan.Urgent},
	} {
		step.do()
		if got := describe(); got != step.want {
			t.Errorf("%s: urgency %d, want %d", step.what, got, step.want)
		}
	}
}
