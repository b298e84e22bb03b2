package cases

import (
	"fmt"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

const (
	// trainingMilli is what each pod of newRealTraining requests, in thousandths of a processor.
	trainingMilli = 50
	// workerPercent and psPercent are what its autoscalers want pods to use of that.
	workerPercent, psPercent = 80, 70
	// toleratedRatio is by how much the use may differ from what an autoscaler wants: kube-controller-manager's default.
	toleratedRatio = 0.1
)

// newRealTraining is newTraining with pods that use as much CPU as the coordinator tells them: the leads of group replicas share one load, and
// the parameter servers of each group replica another.
func newRealTraining() *v1alpha1.PodCliqueSet {
	set := newTraining(fmt.Sprintf("%dm", trainingMilli))
	shares := map[string]string{"worker": "worker-$(GROVE_PCLQ_POD_INDEX)", "ps": "ps-$(GROVE_PCSG_INDEX)"}
	for i := range set.Spec.Template.Cliques {
		clique := &set.Spec.Template.Cliques[i]
		var args []string
		if share := shares[clique.Name]; share != "" {
			args = append(args, fmt.Sprintf("-work=http://train-coordinator-0-0.$(GROVE_HEADLESS_SERVICE):%d/share?of=%s", workloadPort, share))
		}
		container := &clique.Spec.PodSpec.Containers[0]
		requests := container.Resources
		*container = workloadContainer(mainContainer, args...)
		container.Resources = requests
	}
	return explicitly(set, map[string][]string{"coordinator": {"ps"}, "worker": {"coordinator"}})
}

// trainFor sets loads that a number of leads, and of parameter servers in the first group replica, are just right for.
func (s *scope) trainFor(leads, servers int) {
	s.Helper()
	for load, milli := range map[string]float64{"worker-0": loadFor(leads, workerPercent), "ps-0": loadFor(servers, psPercent)} {
		s.exec("train-coordinator-0-0", fmt.Sprintf("-fetch=http://localhost:%d/load?of=%s&milli=%f", workloadPort, load, milli))
	}
}

// loadFor is as far from what fewer pods would do as from what more would.
func loadFor(pods int, percent float64) float64 {
	return (float64(pods) - 0.4) * percent / 100 * trainingMilli
}

// AutoscalingByCPU checks Grove's autoscalers with kube-controller-manager, metrics-server, kubelets, and pods that use CPU.
func AutoscalingByCPU() types.Feature {
	scales := func(infra, servers int) features.Func {
		return step(func(s *scope) {
			before := s.podUIDs("train")
			s.trainFor(infra, servers)
			s.mustKeep(before, s.waitForPods("train", trainingPods(infra, servers)))
			s.checkFormula("train-infra", infra, workerPercent)
			s.checkFormula("train-ps-0", servers, psPercent)
			s.checkCounts(infra, scaleTarget{scalingGroups, "train-infra"})
			s.checkCounts(servers, scaleTarget{podCliques, "train-ps-0"})
			s.waitUntilAvailable("train")
		})
	}
	return features.New("autoscaling by CPU").
		Setup(step(func(s *scope) {
			if err := s.Kind.InstallMetricsServer(s.ctx); err != nil {
				s.Fatal(err)
			}
			s.apply(newRealTraining())
			s.waitForPods("train", trainingPods(1, 1))
			s.trainFor(1, 1)
		})).
		Assess("a group grows by what its leads use", scales(3, 1)).
		Assess("it shrinks, from the highest index, while its parameter servers grow by what they use", scales(1, 3)).
		Assess("those shrink, from the highest index", scales(1, 1)).
		Assess("both grow at once", scales(2, 2)).
		Assess("no autoscaler misses its target", step((*scope).mustNotMistarget)).
		Feature()
}

// checkFormula waits until an autoscaler has measured that a number of replicas is what it wants, and compares that with its formula.
func (s *scope) checkFormula(name string, want int, percent float64) {
	s.Helper()
	s.eventually(fmt.Sprintf("autoscaler %s wants %d", name, want), func() (string, error) {
		autoscaler, err := s.core.AutoscalingV2().HorizontalPodAutoscalers(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		status := autoscaler.Status
		used := usedPercent(status)
		if used == nil || int(status.CurrentReplicas) != want || int(status.DesiredReplicas) != want {
			return fmt.Sprintf("%+v", status), nil
		}
		ratio, formula := float64(*used)/percent, status.CurrentReplicas
		if math.Abs(ratio-1) > toleratedRatio {
			formula = int32(math.Ceil(ratio * float64(status.CurrentReplicas)))
		}
		if formula != status.DesiredReplicas {
			return fmt.Sprintf("%d%% of %d replicas are used, which makes %d: %+v", *used, status.CurrentReplicas, formula, status), nil
		}
		s.Logf("%s: %d replicas use %d%%, and shall use %.0f%%", name, want, *used, percent)
		return "", nil
	})
}

// usedPercent is what an autoscaler has measured of the CPU; nil for nothing.
func usedPercent(status autoscalingv2.HorizontalPodAutoscalerStatus) *int32 {
	for _, metric := range status.CurrentMetrics {
		if metric.Resource != nil && metric.Resource.Name == corev1.ResourceCPU {
			return metric.Resource.Current.AverageUtilization
		}
	}
	return nil
}
