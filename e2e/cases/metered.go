package cases

import (
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// oftenMeasured is a configuration whose autoscaler takes away at once what isn't used any more.
func oftenMeasured(floor, ceiling int32, metric autoscalingv2.MetricSpec) *v1alpha1.AutoScalingConfig {
	return &v1alpha1.AutoScalingConfig{
		MinReplicas: &floor, MaxReplicas: ceiling, Metrics: []autoscalingv2.MetricSpec{metric},
		Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](0)}},
	}
}

func cpuOf(percent int32) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
		Name:   corev1.ResourceCPU,
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent},
	}}
}

func queueOf(each string) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
		Metric: autoscalingv2.MetricIdentifier{Name: "queue"},
		Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: ptr.To(resource.MustParse(each))},
	}}
}

// newTraining is the documentation's example, cut down: a group of two workers and of parameter servers, both of which are autoscaled, the
// latter in each group replica. Each pod requests some CPU.
func newTraining(request string) *v1alpha1.PodCliqueSet {
	set := newSet("train", 1, newClique("ps", 1, 1), newClique("coordinator", 1, 1), newClique("worker", 2, 2))
	template := &set.Spec.Template
	template.Cliques[0].Spec.AutoScalingConfig = oftenMeasured(1, 3, cpuOf(70))
	template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("infra", 1, 1, "worker", "ps")}
	template.PodCliqueScalingGroups[0].ScaleConfig = oftenMeasured(1, 5, cpuOf(80))
	for i := range template.Cliques {
		template.Cliques[i].Spec.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(request)}
	}
	return set
}

// trainingPods are the pods of the set that newTraining makes, with some group replicas, and parameter servers in each.
func trainingPods(infra, ps int) []string { return trainingPodsOf(0, infra, ps) }

// trainingPodsOf are those of one replica of the set.
func trainingPodsOf(i, infra, ps int) []string {
	all := podNames(fmt.Sprintf("train-coordinator-%d", i), 1)
	for g := range infra {
		all = slices.Concat(all, podNames(fmt.Sprintf("train-worker-%d-%d", i, g), 2), podNames(fmt.Sprintf("train-ps-%d-%d", i, g), ps))
	}
	return all
}

// AutoscalingByMetrics checks the arithmetic of kube-controller-manager's autoscaler with Grove's selectors, by metrics that the test serves.
func AutoscalingByMetrics() types.Feature {
	var operator *cluster.Operator
	var metrics *measured
	scales := func(s *scope, infra, ps int, change func(m *measured)) {
		s.Helper()
		before := s.podUIDs("train")
		metrics.set(change)
		s.mustKeep(before, s.waitForPods("train", trainingPods(infra, ps)))
		s.waitUntilAvailable("train")
	}
	return features.New("autoscaling by metrics").
		Setup(step(func(s *scope) {
			operator = s.startOperator()
			metrics = s.serveMetrics()
			metrics.set(func(m *measured) { m.load["worker"], m.load["ps"] = 800, 700 })
			s.addNodes(zone, rack, len(trainingPods(4, 1)))
			s.apply(s.onOwnNodes(newTraining("1")))
			s.waitForPods("train", trainingPods(1, 1))
		})).
		Assess("a group grows by its leads' use, its parameter servers by theirs, and back", step(func(s *scope) {
			scales(s, 3, 1, func(m *measured) { m.load["worker"] = 2400 }) // 240% of one request, where 80% shall be
			scales(s, 3, 2, func(m *measured) { m.load["ps"] = 1400 })     // 140%, where 70% shall be
			scales(s, 1, 2, func(m *measured) { m.load["worker"] = 800 })
			scales(s, 2, 3, func(m *measured) { m.load["worker"], m.load["ps"] = 1600, 2100 })
			scales(s, 1, 1, func(m *measured) { m.load["worker"], m.load["ps"] = 800, 700 })
			s.mustNotMistarget()
		})).
		Assess("the set grows by its leads' use where a user's own autoscaler scales it, and back", step(func(s *scope) {
			s.createObject(autoscalers, &autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: metav1.ObjectMeta{Name: "mine", Namespace: s.namespace},
				Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
					ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodCliqueSet", Name: "train"},
					MaxReplicas:    5, Metrics: []autoscalingv2.MetricSpec{cpuOf(50)}, Behavior: oftenMeasured(1, 5, cpuOf(50)).Behavior,
				},
			})
			for _, to := range []struct {
				load     int64
				replicas int
			}{{1300, 3}, {900, 2}, {300, 1}} { // in thousandths of the one request, of which 50% shall be
				before := s.podUIDs("train")
				metrics.set(func(m *measured) { m.load["coordinator"] = to.load })
				var want []string
				for i := range to.replicas {
					want = append(want, trainingPodsOf(i, 1, 1)...)
				}
				s.mustKeep(before, s.waitForPods("train", want))
				s.waitUntilAvailable("train")
				s.checkCounts(to.replicas, scaleTarget{podCliqueSets, "train"})
			}
			s.mustNotMistarget()
			s.delete(autoscalers, "mine", metav1.DeleteOptions{})
		})).
		Assess("a group grows by an external metric, to nothing and back", step(func(s *scope) {
			metrics.set(func(m *measured) { m.queue = 35 })
			set := s.onOwnNodes(newTraining("1"))
			set.Spec.Template.PodCliqueScalingGroups[0].ScaleConfig = oftenMeasured(0, 5, queueOf("10"))
			s.apply(set)
			scales(s, 4, 1, func(m *measured) {})
			scales(s, 0, 1, func(m *measured) { m.queue = 0 })
			scales(s, 1, 1, func(m *measured) { m.queue = 5 })
			s.mustBeGang("train-worker-0-0-0", "train-worker-0-0-1", "train-ps-0-0-0")
			scales(s, 4, 1, func(m *measured) { m.queue = 40 })
		})).
		Assess("what doesn't fit leaves alone what runs, and is told", step(func(s *scope) {
			before := s.podUIDs("train")
			metrics.set(func(m *measured) { m.queue = 50 })
			s.waitForCondition("train-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, says, "train-ps-0-4")
			s.waitForSet("train", "says what waits", func(set *v1alpha1.PodCliqueSet) string {
				waits := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionScaledGroupsScheduled)
				if waits == nil || !strings.HasPrefix(waits.Message, "train-0: ") || !meta.IsStatusConditionTrue(set.Status.Conditions, v1alpha1.ConditionAvailable) {
					return fmt.Sprint(set.Status.Conditions)
				}
				return ""
			})
			s.checkCounts(5, scaleTarget{scalingGroups, "train-infra"})
			s.waitForBound(trainingPods(4, 1))
			s.addNodes(zone, rack, 3)
			s.mustKeep(before, s.waitForPods("train", trainingPods(5, 1)))
			s.waitForSet("train", "has no more to say", func(set *v1alpha1.PodCliqueSet) string {
				if waits := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionScaledGroupsScheduled); waits != nil {
					return waits.Message
				}
				return ""
			})
		})).
		Assess("and the autoscaler doesn't run away", step(func(s *scope) {
			before := s.podUIDs("train")
			metrics.set(func(m *measured) { m.load["worker"] = 6400 }) // 8 times 80% of one request, and more than the tolerance above 7; there is room for 5
			set := s.onOwnNodes(newTraining("1"))
			set.Spec.Template.PodCliqueScalingGroups[0].ScaleConfig = oftenMeasured(1, 50, cpuOf(80))
			s.apply(set)
			s.checkCounts(8, scaleTarget{scalingGroups, "train-infra"})
			s.waitForCondition("train-0", v1alpha1.ConditionScaledGroupsScheduled, metav1.ConditionFalse, says, "train-ps-0-5")
			metrics.waitUntilAsked(s, 20)
			if got := s.replicasOf(scalingGroups, "train-infra"); got != 8 {
				s.Errorf("the autoscaler asks for %d, want 8", got)
			}
			s.mustKeep(before, s.podUIDs("train"))
			s.waitForBound(trainingPods(5, 1))
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}
