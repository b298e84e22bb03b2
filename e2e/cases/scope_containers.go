package cases

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

const (
	// mainContainer is the container of a case's pods.
	mainContainer = "main"
	// workloadPort is where e2e/workload answers.
	workloadPort = 8080
	// untilTold makes a workload become ready when it is told to, by become.
	untilTold = "-ready-after=-1s"
)

// newRealClique is newClique with pods that run e2e/workload with some arguments.
func newRealClique(name string, replicas, minAvailable int32, args ...string) v1alpha1.PodCliqueTemplateSpec {
	clique := newClique(name, replicas, minAvailable)
	clique.Spec.PodSpec.Containers[0] = workloadContainer(mainContainer, args...)
	return clique
}

func workloadContainer(name string, args ...string) corev1.Container {
	return corev1.Container{
		Name:            name,
		Image:           cluster.WorkloadImage,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Args:            args,
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(workloadPort)}},
			PeriodSeconds: 1,
		},
	}
}

// become tells a pod's workload to be ready, or not to be.
func (s *scope) become(pod string, ready bool) {
	s.Helper()
	s.exec(pod, fmt.Sprintf("-fetch=http://localhost:%d/become?ready=%t", workloadPort, ready))
}

// fail has a pod's workload end with 1.
func (s *scope) fail(pod string) {
	s.Helper()
	s.exec(pod, fmt.Sprintf("-fetch=http://localhost:%d/fail", workloadPort))
}

// exec runs a face of the workload in a pod, and returns what it printed.
func (s *scope) exec(pod string, args ...string) string {
	s.Helper()
	return s.mustKubectl(append([]string{"exec", pod, "--container", mainContainer, "--", "/workload"}, args...)...)
}

// logOf is the log of a container so far.
func (s *scope) logOf(pod, container string) (string, error) {
	log, err := s.core.CoreV1().Pods(s.namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container}).DoRaw(s.ctx)
	return string(log), err
}

// waitForContainerLog waits until a container has logged a text.
func (s *scope) waitForContainerLog(pod, container, text string) {
	s.Helper()
	s.eventually(fmt.Sprintf("container %s of pod %s logs %q", container, pod, text), func() (string, error) {
		log, err := s.logOf(pod, container)
		if err != nil || strings.Contains(log, text) {
			return "", err
		}
		return "its log: " + log, nil
	})
}

// saidAt is when a pod's workload said something first.
func (s *scope) saidAt(pod, what string) time.Time {
	s.Helper()
	log, err := s.logOf(pod, mainContainer)
	if err != nil {
		s.Fatalf("log of pod %s: %v", pod, err)
	}
	for line := range strings.Lines(log) {
		at, said, _ := strings.Cut(strings.TrimSpace(line), " ")
		if said != what {
			continue
		}
		nanos, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			s.Fatal(err)
		}
		return time.Unix(0, nanos)
	}
	s.Fatalf("pod %s has not said %q; its log:\n%s", pod, what, log)
	return time.Time{}
}

// mustStartAfter fails the test unless all of some pods started after all of others had become ready, by their own account.
func (s *scope) mustStartAfter(pods, others []string) {
	s.Helper()
	for _, pod := range pods {
		started := s.saidAt(pod, "started")
		for _, other := range others {
			if ready := s.saidAt(other, "ready"); !started.After(ready) {
				s.Errorf("pod %s started %s before %s was ready", pod, ready.Sub(started), other)
			}
		}
	}
}

// mustWait fails the test if the containers of pods have started.
func (s *scope) mustWait(pods ...string) {
	s.Helper()
	for _, name := range pods {
		for _, container := range s.pod(name).Status.ContainerStatuses {
			if container.State.Waiting == nil {
				s.Errorf("container %s of pod %s has started: %+v", container.Name, name, container.State)
			}
		}
	}
}

// waitUntilStarted waits until pods' workloads run.
func (s *scope) waitUntilStarted(pods ...[]string) {
	s.Helper()
	for _, pod := range slices.Concat(pods...) {
		s.waitForContainerLog(pod, mainContainer, " started\n")
	}
}

// waitUntilReady waits until pods are ready.
func (s *scope) waitUntilReady(pods ...[]string) {
	s.Helper()
	for _, name := range slices.Concat(pods...) {
		s.eventually("pod "+name+" is ready", func() (string, error) {
			pod, err := s.core.CoreV1().Pods(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
			if err != nil || isReady(pod) {
				return "", err
			}
			return fmt.Sprintf("%+v", pod.Status), nil
		})
	}
}
