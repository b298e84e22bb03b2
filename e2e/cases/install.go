package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/e2e/cluster"
)

// The cases of this file change the operator of the cluster, so that nothing else can run beside them.

// Upgrade checks that another version of the operator takes over without touching a pod.
func Upgrade() types.Feature {
	return features.New("upgrade in place").
		Assess("restarts no pod", step(func(s *scope) {
			s.createPair("web")
			before := s.containersOf("web")
			s.mustInstall(cluster.NextOperatorImage)
			s.mustKubectl("scale", "podclique/web-b-0", "--replicas=2")
			s.waitForPods("web", podNames("web-a-0", 2), podNames("web-b-0", 2))
			if got := s.pod("web-b-0-1").Spec.InitContainers[0].Image; got != cluster.NextOperatorImage {
				s.Errorf("a new pod's init container has the image %s; want %s", got, cluster.NextOperatorImage)
			}
			s.mustBeUntouched(before)
		})).
		Teardown(step(func(s *scope) { s.mustInstall(cluster.OperatorImage) })).
		Feature()
}

// createPair creates a set of real pods, of which some start after others, and waits until it is available.
func (s *scope) createPair(name string) {
	s.Helper()
	s.apply(inOrder(newSet(name, 1, newRealClique("a", 2, 2), newRealClique("b", 1, 1))))
	s.waitUntilAvailable(name)
}

// containersOf are the containers that have run so far of a set's pods, by their runtime's ids.
func (s *scope) containersOf(set string) map[string]string {
	s.Helper()
	pods, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	ids := map[string]string{}
	for _, pod := range pods {
		for _, container := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			ids[pod.Name+" "+container.Name] = container.ContainerID
		}
	}
	return ids
}

// mustBeUntouched fails the test unless containers are still those that they were.
func (s *scope) mustBeUntouched(before map[string]string) {
	s.Helper()
	after := map[string]string{}
	for _, set := range []string{"web", "keep"} {
		maps.Copy(after, s.containersOf(set))
	}
	maps.DeleteFunc(after, func(name, _ string) bool { _, was := before[name]; return !was })
	if diff := cmp.Diff(before, after); diff != "" {
		s.Errorf("containers that should have been left alone (-before +after):\n%s", diff)
	}
}

func (s *scope) mustInstall(image string) {
	s.Helper()
	if err := s.Kind.Install(s.ctx, image); err != nil {
		s.Fatal(err)
	}
}

// NoOperator checks that nothing depends on the operator but change: without it pods run, a set's deletion cleans up, and a new
// operator goes on where the old one ended.
func NoOperator() types.Feature {
	var before map[string]string
	return features.New("no operator").
		Setup(step(func(s *scope) {
			s.createPair("keep")
			s.createPair("drop")
			before = s.containersOf("keep")
		})).
		Assess("pods run on, and a deleted set is cleaned up", step(func(s *scope) {
			s.uninstall()
			s.mustKubectl("delete", "podcliqueset/drop")
			s.waitForChildren("drop", noChildren())
			s.mustBeUntouched(before)
		})).
		Assess("installed anew, it goes on", step(func(s *scope) {
			s.mustInstall(cluster.OperatorImage)
			s.mustKubectl("scale", "podclique/keep-b-0", "--replicas=2")
			s.waitForPods("keep", podNames("keep-a-0", 2), podNames("keep-b-0", 2))
			s.waitUntilAvailable("keep")
			s.mustBeUntouched(before)
		})).
		Feature()
}

// uninstall deletes the operator with its namespace and its rights, and leaves the CustomResourceDefinitions.
func (s *scope) uninstall() {
	s.Helper()
	s.mustKubectl("delete", "namespace/"+cluster.OperatorNamespace, "--wait=true", "--timeout=2m")
	s.mustKubectl("delete", "clusterrole/"+cluster.OperatorName, "clusterrolebinding/"+cluster.OperatorName)
}

const (
	// leaseDuration and retryPeriod are those of the operator, by default.
	leaseDuration, retryPeriod = 15 * time.Second, 2 * time.Second
	// takeover is the time until another holds the lease of one that died: it looks every retry period or, with jitter, a bit more than
	// two, and the lease is over when it hasn't changed for its duration.
	takeover = leaseDuration + 2*time.Duration((1+leaderelection.JitterFactor)*float64(retryPeriod))
)

// LeaderKilled checks that a scale-out whose leader dies is completed by the other operator, within the time of the lease.
func LeaderKilled() types.Feature {
	const replicas = 12
	return features.New("the leader is killed").
		Assess("and the other goes on", step(func(s *scope) {
			s.apply(newSet("web", 1, newRealClique("a", 1, 1)))
			s.waitUntilAvailable("web")
			leader := s.leaderPod()
			s.mustKubectl("scale", "podcliqueset/web", fmt.Sprintf("--replicas=%d", replicas))
			s.eventually("a part of the scale-out", func() (string, error) {
				pods, err := s.podsOf("web")
				if err != nil || len(pods) > 1 {
					return "", err
				}
				return "no new pod", nil
			})
			killed := time.Now()
			s.onNode(leader.Spec.NodeName, "pkill", "-KILL", "-x", cluster.OperatorName)
			var all []string
			for i := range replicas {
				all = append(all, fmt.Sprintf("web-a-%d-0", i))
			}
			s.waitForPods("web", all)
			s.waitUntilAvailable("web")
			s.checkTakeover(leader.Name, killed)
		})).
		Feature()
}

// leaderPod is the operator's pod that holds the lease.
func (s *scope) leaderPod() *corev1.Pod {
	s.Helper()
	operators := *s
	operators.namespace = cluster.OperatorNamespace
	var pod *corev1.Pod
	s.eventually("a pod that leads", func() (string, error) {
		name, _, held := strings.Cut(operators.leader(), "_")
		if !held {
			return "nobody leads", nil
		}
		var err error
		pod, err = s.core.CoreV1().Pods(cluster.OperatorNamespace).Get(s.ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return name + " leads and doesn't exist", nil
		}
		return "", err
	})
	return pod
}

// checkTakeover checks that the lease of a pod that was killed has passed on in time.
func (s *scope) checkTakeover(leader string, killed time.Time) {
	s.Helper()
	lease, err := s.core.CoordinationV1().Leases(cluster.OperatorNamespace).Get(s.ctx, cluster.OperatorName, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if took := lease.Spec.AcquireTime.Sub(killed); took < 0 || took > takeover {
		s.Errorf("%s acquired the lease %s after %s was killed; want at most %s", *lease.Spec.HolderIdentity, took, leader, takeover)
	}
}
