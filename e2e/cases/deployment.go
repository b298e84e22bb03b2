package cases

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"
)

// Deployment checks the cluster itself, without Grove: pods of a plain Deployment become ready, and go when it is deleted.
func Deployment() types.Feature {
	const replicas = 5
	return features.New("deployment").
		Assess("pods become ready", step(func(s *scope) {
			s.mustKubectl("create", "deployment", "web", "--image=web", fmt.Sprintf("--replicas=%d", replicas))
			s.waitForReadyPods("app=web", replicas)
		})).
		Assess("pods go with it", step(func(s *scope) {
			s.mustKubectl("delete", "deployment", "web")
			s.waitForReadyPods("app=web", 0)
		})).
		Feature()
}

// waitForReadyPods waits until exactly n pods match the selector, all of them ready and none of them being deleted.
func (s *scope) waitForReadyPods(selector string, n int) []corev1.Pod {
	s.Helper()
	var pods []corev1.Pod
	s.eventually(fmt.Sprintf("%d ready pods of %s", n, selector), func() (string, error) {
		list, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return "", err
		}
		pods = list.Items
		ready := 0
		for i := range pods {
			if isReady(&pods[i]) {
				ready++
			}
		}
		if ready == n && len(pods) == n {
			return "", nil
		}
		return fmt.Sprintf("%d pods, %d of them ready", len(pods), ready), nil
	})
	return pods
}
