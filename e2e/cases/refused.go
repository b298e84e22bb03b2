package cases

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// The cases of this file start operators of their own.

// RefusedProbe checks that a quota without PodGroups, under which an operator can't find out what the scheduler can do, takes nothing from a
// gang that runs in several groups.
func RefusedProbe() types.Feature {
	all := slices.Concat(podNames("ml-router-0", 1), podNames("ml-worker-0", 2))
	var operator *cluster.Operator
	var groups map[string]apitypes.UID
	return features.New("no quota for PodGroups").
		Setup(step(func(s *scope) {
			operator = s.startOperator()
			s.addNodes("zone-a", "rack-a", 2)
			s.addNodes("zone-a", "rack-b", 1)
			set := s.onOwnNodes(newSet("ml", 1, newClique("router", 1, 1), newClique("worker", 2, 2)))
			set.Spec.Template.SchedulingPolicyConfig = packed(cluster.LabelRack, "worker")
			set.Spec.ReplicaSpreadConstraints = spreadOver(corev1.LabelTopologyZone)
			s.create(set)
			s.waitForPods("ml", all)
			s.waitForChildren("ml", names{compositePodGroups: {"ml-0"}})
			groups = s.livingGroups()
		})).
		Assess("leaves the groups of a running gang where they are, and brings its lost pods back, also once there is quota again", step(func(s *scope) {
			s.forbidPodGroups("default")
			s.forbidPodGroups(s.namespace)
			s.stop(operator)
			operator = s.startOperator()
			s.bringUpAnother()
			s.mustKeepAll(groups, s.livingGroups())
			s.loseAndFind("ml", all, "ml-worker-0-1")
			s.mustKeepAll(groups, s.livingGroups())
			s.delete(resourceQuotas, quotaName, metav1.DeleteOptions{})
			s.loseAndFind("ml", all, "ml-worker-0-0")
			s.waitUntilAvailable("ml")
			s.mustKeepAll(groups, s.livingGroups())
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}

var resourceQuotas = corev1.SchemeGroupVersion.WithResource("resourcequotas")

const quotaName = "no-pod-groups"

// forbidPodGroups takes all quota for PodGroups from a namespace, until the end of the step at the latest, and waits until that holds.
func (s *scope) forbidPodGroups(namespace string) {
	s.Helper()
	quotas := s.core.CoreV1().ResourceQuotas(namespace)
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: quotaName},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/podgroups.scheduling.k8s.io": resource.MustParse("0")}},
	}
	if _, err := quotas.Create(s.ctx, quota, metav1.CreateOptions{}); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := quotas.Delete(s.ctx, quotaName, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			s.Error(err)
		}
	})
	s.eventually("no quota for PodGroups in "+namespace, func() (string, error) {
		group := &schedulingv1beta1.PodGroup{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: schedulingv1beta1.PodGroupSpec{
			SchedulingPolicy: schedulingv1beta1.PodGroupSchedulingPolicy{Gang: &schedulingv1beta1.GangSchedulingPolicy{MinCount: 1}},
		}}
		_, err := s.core.SchedulingV1beta1().PodGroups(namespace).Create(s.ctx, group, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsForbidden(err) {
			return "", nil
		}
		return "a PodGroup would be created", err
	})
}

// livingGroups are the UIDs of the PodGroups of the namespace that aren't being deleted, by name.
func (s *scope) livingGroups() map[string]apitypes.UID {
	s.Helper()
	list, err := s.core.SchedulingV1beta1().PodGroups(s.namespace).List(s.ctx, metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	uids := map[string]apitypes.UID{}
	for _, group := range list.Items {
		if group.DeletionTimestamp == nil {
			uids[group.Name] = group.UID
		}
	}
	return uids
}

// mustKeepAll is mustKeep, and fails, too, if one is missing.
func (s *scope) mustKeepAll(before, after map[string]apitypes.UID) {
	s.Helper()
	s.mustKeep(before, after)
	if len(after) < len(before) || len(before) == 0 {
		s.Errorf("before there were %v, now there are %v", before, after)
	}
}

// loseAndFind deletes a pod of a set, and waits until all are ready again, the others untouched.
func (s *scope) loseAndFind(set string, all []string, pod string) {
	s.Helper()
	before := s.podUIDs(set)
	s.delete(pods, pod, metav1.DeleteOptions{})
	s.waitForReplacement(pods, pod, before[pod])
	delete(before, pod)
	s.mustKeep(before, s.waitForPods(set, all))
}

// SpreadAlone checks that replicas are inside one zone each although the scheduler places pods one by one.
func SpreadAlone() types.Feature {
	const replicas, workers = 20, 8
	replica := func(i int) []string {
		return append(podNames(fmt.Sprintf("ha-lead-%d", i), 1), podNames(fmt.Sprintf("ha-worker-%d", i), workers)...)
	}
	return features.New("spread without gangs").
		Assess("no replica is in two zones", step(func(s *scope) {
			operator := s.startOperator("--scheduler-backend=none")
			set := newSet("ha", replicas, newClique("lead", 1, 1), newClique("worker", workers, workers))
			set.Spec.ReplicaSpreadConstraints = spreadOver(corev1.LabelTopologyZone)
			s.create(set)
			var all []string
			for i := range replicas {
				all = append(all, replica(i)...)
			}
			nodes := s.waitForBound(all)
			zones := map[string]int{}
			for i := range replicas {
				zones[s.mustShare(corev1.LabelTopologyZone, nodes, replica(i))]++
			}
			if len(zones) != 2 || zones["zone-0"] != replicas/2 {
				s.Errorf("replicas by zone: %v", zones)
			}
			s.waitUntilAvailable("ha")
			s.stop(operator)
		})).
		Feature()
}

// TooLarge checks that a set is told at once of a child that etcd doesn't take, and that it isn't tried over and over.
func TooLarge() types.Feature {
	const window, most = 5 * time.Second, 5
	var operator *cluster.Operator
	return features.New("an object that etcd doesn't take").
		Setup(step(func(s *scope) {
			operator = s.startOperator()
			set := newSet("wide", 1, newClique("a", 1, 1), newClique("b", 1, 1), newClique("c", 1, 1), newClique("d", 1, 1))
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("x", 1, 1, "a", "b", "c", "d")}
			s.create(set)
			s.waitUntilAvailable("wide")
		})).
		Assess("is told", step(func(s *scope) {
			s.mustKubectl("scale", "podcliquescalinggroup/wide-x", "--replicas=999")
			// Nearly 4000 pods are planned meanwhile.
			s.within(3*atOnce, "the problem", func() (string, error) { return s.withoutProblem("wide") })
			s.waitForProblem(podCliqueSets, "wide", v1alpha1.ReasonTooLarge, "would be larger than etcd takes")
			s.waitForEvent("wide", v1alpha1.ReasonTooLarge, "would be larger than etcd takes")
		})).
		Assess("isn't tried in a loop", step(func(s *scope) {
			if got := s.requestsWithin(window, s.isWorkHere); len(got) > most {
				s.Errorf("%d requests within %s, at most %d expected: %s", len(got), window, most, got)
			}
		})).
		Assess("and is over once it is scaled in", step(func(s *scope) {
			s.mustKubectl("scale", "podcliquescalinggroup/wide-x", "--replicas=2")
			s.waitForSolution(podCliqueSets, "wide")
			s.waitUntilAvailable("wide")
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}
