package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// statusOf is the status of a container by its name.
type statusOf map[string]corev1.ContainerStatus

var (
	waiting     = corev1.ContainerStatus{Started: ptr.To(false), State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}
	starting    = corev1.ContainerStatus{Started: ptr.To(false), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	ready       = corev1.ContainerStatus{Started: ptr.To(true), Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	unready     = corev1.ContainerStatus{Started: ptr.To(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	restarted   = corev1.ContainerStatus{Started: ptr.To(false), RestartCount: 1, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	crashed     = corev1.ContainerStatus{Started: ptr.To(false), RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}
	endedWell   = ended(0)
	endedBadly  = ended(1)
	killedByEnd = ended(137)
)

func ended(code int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{Started: ptr.To(false), State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}}
}

// podWith is a pod that is bound, has the containers main and other and the init containers load and, as a sidecar, proxy.
func podWith(policy corev1.RestartPolicy, phase corev1.PodPhase, statuses statusOf) *corev1.Pod {
	pod := &corev1.Pod{
		Spec: corev1.PodSpec{
			NodeName:      "node",
			RestartPolicy: policy,
			Containers:    []corev1.Container{{Name: "main"}, {Name: "other"}},
			InitContainers: []corev1.Container{
				{Name: "load"},
				{Name: "proxy", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)},
			},
		},
		Status: corev1.PodStatus{Phase: phase},
	}
	add := func(containers []corev1.Container, to *[]corev1.ContainerStatus) {
		for _, container := range containers {
			if status, ok := statuses[container.Name]; ok {
				status.Name = container.Name
				*to = append(*to, status)
			}
		}
	}
	add(pod.Spec.Containers, &pod.Status.ContainerStatuses)
	add(pod.Spec.InitContainers, &pod.Status.InitContainerStatuses)
	return pod
}

// The table of what counts towards minAvailable.
func TestWhatCountsAsAvailable(t *testing.T) {
	const always, onFailure, never = corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	const pending, running = corev1.PodPending, corev1.PodRunning
	own := func(policy corev1.ContainerRestartPolicy, pod *corev1.Pod) *corev1.Pod {
		pod.Spec.Containers[0].RestartPolicy = &policy
		return pod
	}
	changed := func(pod *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod {
		change(pod)
		return pod
	}
	bothReady := statusOf{"main": ready, "other": ready, "load": endedWell, "proxy": ready}
	with := func(container string, status corev1.ContainerStatus) statusOf {
		all := statusOf{}
		for name, is := range bothReady {
			all[name] = is
		}
		all[container] = status
		return all
	}
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want bool
	}{
		"pending":                {&corev1.Pod{Status: corev1.PodStatus{Phase: pending}}, false},
		"scheduled":              {podWith(always, pending, nil), true},
		"containers are created": {podWith(always, pending, statusOf{"main": waiting, "other": waiting, "load": waiting, "proxy": waiting}), true},
		"init container runs":    {podWith(always, pending, statusOf{"main": waiting, "other": waiting, "load": ready, "proxy": waiting}), true},
		"init container crashes": {podWith(always, pending, statusOf{"main": waiting, "other": waiting, "load": crashed, "proxy": waiting}), true},
		"starting":               {podWith(always, running, with("main", starting)), true},
		"ready":                  {podWith(always, running, bothReady), true},
		"running and unready":    {podWith(always, running, with("main", unready)), false},
		"unready, readiness gate of the pod alone": {changed(podWith(always, running, bothReady), func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
		}), true},
		"restarted, starting again":                          {podWith(always, running, with("main", restarted)), false},
		"crash-looping":                                      {podWith(always, running, with("main", crashed)), false},
		"crashed, about to be restarted":                     {podWith(always, running, with("main", endedBadly)), false},
		"ended beside a running one, Always":                 {podWith(always, running, with("main", endedWell)), false},
		"ended beside a running one, OnFailure":              {podWith(onFailure, running, with("main", endedWell)), true},
		"ended beside a running one, Never":                  {podWith(never, running, with("main", endedWell)), true},
		"ended badly beside a running one, OnFailure":        {podWith(onFailure, running, with("main", endedBadly)), false},
		"ended badly beside a running one, Never":            {podWith(never, running, with("main", endedBadly)), false},
		"ended beside an unready one, Never":                 {podWith(never, running, statusOf{"main": endedWell, "other": unready}), false},
		"ended under a Never of its own":                     {own(corev1.ContainerRestartPolicyNever, podWith(always, running, with("main", endedWell))), true},
		"ended under an OnFailure of its own":                {own(corev1.ContainerRestartPolicyOnFailure, podWith(always, running, with("main", endedWell))), true},
		"ended under an Always of its own":                   {own(corev1.ContainerRestartPolicyAlways, podWith(never, running, with("main", endedWell))), false},
		"ended badly under a Never of its own":               {own(corev1.ContainerRestartPolicyNever, podWith(always, running, with("main", endedBadly))), false},
		"sidecar starts":                                     {podWith(always, pending, statusOf{"main": waiting, "other": waiting, "load": endedWell, "proxy": starting}), true},
		"sidecar unready":                                    {podWith(always, running, with("proxy", unready)), false},
		"sidecar crash-looping":                              {podWith(never, running, with("proxy", crashed)), false},
		"sidecar ended well while containers run":            {podWith(never, running, with("proxy", endedWell)), false},
		"sidecar stopped while the pod ends":                 {podWith(never, running, statusOf{"main": endedWell, "other": endedWell, "proxy": killedByEnd}), true},
		"sidecar being stopped while the pod ends":           {podWith(onFailure, running, statusOf{"main": endedWell, "other": endedWell, "proxy": unready}), true},
		"sidecar stopped though a container is started anew": {podWith(always, running, statusOf{"main": endedWell, "other": endedWell, "proxy": killedByEnd}), false},
		"failed":      {podWith(never, corev1.PodFailed, statusOf{"main": endedBadly, "other": endedWell}), false},
		"evicted":     {changed(podWith(always, corev1.PodFailed, nil), func(p *corev1.Pod) { p.Status.Reason = "Evicted" }), false},
		"succeeded":   {podWith(never, corev1.PodSucceeded, statusOf{"main": endedWell, "other": endedWell, "proxy": killedByEnd}), true},
		"terminating": {changed(podWith(always, running, bothReady), plantest.Terminating), false},
		"succeeded and terminating": {changed(podWith(never, corev1.PodSucceeded, nil), func(p *corev1.Pod) {
			p.DeletionTimestamp = ptr.To(metav1.NewTime(plantest.Now))
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := plan.IsAvailable(test.pod); got != test.want {
				t.Errorf("it counts: %v, want %v", got, test.want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	for name, test := range map[string]struct {
		state plantest.State
		want  plan.Counts
	}{
		"pending":     {plantest.Pending, plan.Counts{Pods: 1, Created: 1}},
		"scheduled":   {plantest.Scheduled, plan.Counts{Pods: 1, Scheduled: 1, Available: 1, Created: 1}},
		"ready":       {plantest.Ready, plan.Counts{Pods: 1, Scheduled: 1, Available: 1, Ready: 1, Created: 1}},
		"unready":     {plantest.Unready, plan.Counts{Pods: 1, Scheduled: 1, Created: 1}},
		"succeeded":   {plantest.Succeeded, plan.Counts{Pods: 1, Scheduled: 1, Available: 1, Succeeded: 1, Created: 1}},
		"terminating": {plantest.Terminating, plan.Counts{Created: 1}},
		"readiness gate of the pod alone": {func(pod *corev1.Pod) {
			plantest.Ready(pod)
			pod.Status.Conditions[0].Status = corev1.ConditionFalse
		}, plan.Counts{Pods: 1, Scheduled: 1, Available: 1, Created: 1}},
		"crash-looping": {func(pod *corev1.Pod) {
			plantest.Unready(pod)
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{crashed}
		}, plan.Counts{Pods: 1, Scheduled: 1, Created: 1}},
		"failed": {failed, plan.Counts{Pods: 1, Scheduled: 1, Created: 1}},
		"evicted by its kubelet": {func(pod *corev1.Pod) {
			failed(pod)
			pod.Status.Reason = "Evicted"
			disrupted(pod, corev1.PodReasonTerminationByKubelet)
		}, plan.Counts{Pods: 1, Scheduled: 1, Created: 1}},
		"evicted by a drain": {func(pod *corev1.Pod) {
			plantest.Terminating(pod)
			disrupted(pod, "EvictionByEvictionAPI")
		}, plan.Counts{Created: 1}},
		"preempted": {func(pod *corev1.Pod) {
			plantest.Terminating(pod)
			disrupted(pod, corev1.PodReasonPreemptionByScheduler)
		}, plan.Counts{Created: 1}},
		// kube-controller-manager makes such a pod unready, and the kubelet's last word on its containers stands.
		"its node is silent": {func(pod *corev1.Pod) {
			plantest.Ready(pod)
			pod.Status.Conditions[0].Status, pod.Status.Conditions[0].Reason = corev1.ConditionFalse, "NodeNotReady"
		}, plan.Counts{Pods: 1, Scheduled: 1, Available: 1, Created: 1}},
		"lost with its node": {func(pod *corev1.Pod) {
			plantest.Terminating(pod)
			pod.DeletionGracePeriodSeconds = ptr.To[int64](0)
		}, plan.Counts{Created: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			clique := plantest.Clique(t, plantest.Workers(), "train-alone-0", plantest.AllPods)
			test.state(clique.Pods[0])
			// All are of the podSpec that the PodClique has.
			test.want.Updated = test.want.Pods
			if diff := cmp.Diff(map[string]*plan.Counts{"train-alone-0": &test.want}, clique.Counts()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// failed is a pod whose container has ended badly for good.
func failed(pod *corev1.Pod) {
	plantest.Scheduled(pod)
	pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{endedBadly}}
}

func disrupted(pod *corev1.Pod, reason string) {
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason})
}

// What was created is told by the highest index that exists, even if those below are gone.
func TestCountsOfPodGroups(t *testing.T) {
	set := plantest.Workers()
	set.Spec.Template.Cliques[1].Spec.Replicas, set.Spec.Template.Cliques[1].Spec.MinAvailable = ptr.To[int32](4), ptr.To[int32](1)
	clique := plantest.Clique(t, set, "train-worker-0", plantest.AllPods)
	clique.Pods = []*corev1.Pod{clique.PodsByName()["train-worker-0-0-2"]}
	plantest.Ready(clique.Pods[0])
	if diff := cmp.Diff(map[string]*plan.Counts{
		"train-worker-0-0": {Pods: 1, Scheduled: 1, Available: 1, Ready: 1, Updated: 1, Created: 3},
		"train-worker-0-1": {},
	}, clique.Counts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// However far somebody scales a clique, planning counts no more pods than a replica may have.
func TestCountsAreBounded(t *testing.T) {
	clique := plantest.Clique(t, plantest.Workers(), "train-worker-0", nil)
	clique.Object.Spec.Replicas, clique.ScalingGroup.Spec.Replicas = ptr.To[int32](9999), ptr.To[int32](999)
	n := 0
	for range clique.Identities() {
		n++
	}
	if n != plan.MostPods {
		t.Errorf("%d pods are planned", n)
	}
	if podGroups := len(clique.Counts()); podGroups > plan.MostPods+1 {
		t.Errorf("%d pod groups are counted", podGroups)
	}
}

func podGroup(name string, minReplicas int32, scalingGroup string, g int32) v1alpha1.PodGroup {
	group := v1alpha1.PodGroup{Name: name, PodCliqueName: name, MinReplicas: minReplicas}
	if scalingGroup != "" {
		group.PodCliqueScalingGroupName, group.GroupReplicaIndex = scalingGroup, &g
	}
	return group
}

func TestUnitsOfAGang(t *testing.T) {
	gang := &v1alpha1.PodGang{
		ObjectMeta: metav1.ObjectMeta{Name: "s-0"},
		Spec: v1alpha1.PodGangSpec{
			PodGroups: []v1alpha1.PodGroup{podGroup("a", 2, "", 0)},
			ScaledGroups: []v1alpha1.ScaledGroup{
				// Nobody but a person at the keyboard makes such a one.
				{Name: "empty"},
				{Name: "scaled", PodGroups: []v1alpha1.PodGroup{podGroup("m-1", 1, "s-g", 1), podGroup("n-1", 1, "s-g", 1)}},
			},
		},
		Status: v1alpha1.PodGangStatus{PodGroups: []v1alpha1.PodGroupStatus{
			{Name: "a", Desired: 3, Scheduled: 3, Available: 2, Ready: 1, Succeeded: 0},
			{Name: "m-1", Desired: 1, Scheduled: 1, Available: 1, Ready: 1},
			{Name: "gone", Desired: 1},
		}},
	}
	units := plan.UnitsOf(gang)
	if len(units) != 2 || units[0].Name != "s-0" || units[1].Name != "scaled" || units[0].ScalingGroup() != "" || units[1].ScalingGroup() != "s-g" {
		t.Fatalf("units %+v", units)
	}
	got := []string{
		units[0].Missing(plan.Scheduled), units[0].Missing(plan.Available), units[0].Missing(plan.Ready),
		units[1].Missing(plan.Scheduled), units[1].Missing(plan.Ready),
	}
	if diff := cmp.Diff([]string{
		"", "", "a: 1 of 3 pods ready, at least 2 needed",
		"n-1: 0 of 0 pods scheduled, at least 1 needed", "n-1: 0 of 0 pods ready, at least 1 needed",
	}, got); diff != "" {
		t.Errorf("what is missing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int32]plan.GroupReplica{1: {}}, plan.GroupReplicasOf(units, "s-g")); diff != "" {
		t.Errorf("group replicas (-want +got):\n%s", diff)
	}
	if why := plan.WhyUnavailable(gang); why != "a: 1 of 3 pods ready, at least 2 needed" {
		t.Errorf("the replica is unavailable because of %q", why)
	}
	gang.Status.PodGroups[0].Succeeded = 1 // one pod has ended, which others needn't wait for
	if why := plan.WhyUnavailable(gang); why != "" {
		t.Errorf("the replica is unavailable because of %q", why)
	}
}

// A unit has succeeded once all of its pods have, those above the minimum too; one that wants no pods hasn't.
func TestSucceededUnits(t *testing.T) {
	for name, test := range map[string]struct {
		groups []plan.PodGroup
		want   bool
	}{
		"no pod groups":      {nil, false},
		"all":                {[]plan.PodGroup{{Desired: 2, Counts: plan.Counts{Succeeded: 2}}}, true},
		"only the minimum":   {[]plan.PodGroup{{Desired: 2, PodGroup: v1alpha1.PodGroup{MinReplicas: 1}, Counts: plan.Counts{Succeeded: 1}}}, false},
		"one group of two":   {[]plan.PodGroup{{Desired: 1, Counts: plan.Counts{Succeeded: 1}}, {Desired: 1}}, false},
		"no pods are wanted": {[]plan.PodGroup{{}}, false},
	} {
		if got := (plan.Unit{PodGroups: test.groups}).Succeeded(); got != test.want {
			t.Errorf("%s: succeeded is %v", name, got)
		}
	}
}
