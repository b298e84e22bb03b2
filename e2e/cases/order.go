package cases

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/startup"
	"grove.io/grove/e2e/cluster"
)

// StartupOrder checks who gets an init container, and runs that with what a kubelet would give it: its arguments, its pod's
// identity, and a token of its pod's account. Nobody runs the pods, so that the case decides which are ready.
func StartupOrder() types.Feature {
	var last, member, scaled *initRun
	return features.New("startup order").
		Setup(step(func(s *scope) {
			set := newSet("train", 1, newClique("ps", 2, 2), newClique("lead", 1, 1), newClique("worker", 1, 1), newClique("last", 1, 1))
			set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeInOrder
			set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("g", 2, 1, "lead", "worker")}
			for i := range set.Spec.Template.Cliques {
				set.Spec.Template.Cliques[i].Annotations = map[string]string{cluster.AnnotationNobody: cluster.AnnotationNobodyValue}
			}
			own := &set.Spec.Template.Cliques[1].Spec.PodSpec
			own.InitContainers = []corev1.Container{{Name: "own", Image: image}}
			own.ServiceAccountName = "default"
			own.AutomountServiceAccountToken = ptr.To(false)
			s.create(set)
			s.waitForBound(podNames("train-ps-0", 2), podNames("train-lead-0-0", 1), podNames("train-worker-0-0", 1),
				podNames("train-lead-0-1", 1), podNames("train-worker-0-1", 1), podNames("train-last-0", 1))
		})).
		Assess("only pods with ancestors wait, before all else", step(func(s *scope) {
			s.checkInitContainers("train-ps-0-0")
			s.checkInitContainers("train-lead-0-0-0", startup.ContainerName, "own")
			s.checkInitContainers("train-worker-0-1-0", startup.ContainerName)
			s.checkTokens("train-lead-0-0-0", "")
			s.checkTokens("train-worker-0-1-0", "kube-api-access-")
		})).
		Assess("for all before them, in their own group replica", step(func(s *scope) {
			lead := s.startInit("train-lead-0-0-0")
			member, scaled = s.startInit("train-worker-0-0-0"), s.startInit("train-worker-0-1-0")
			last = s.startInit("train-last-0-0")
			s.makeReady("train-ps-0-0")
			s.waitForLog(lead, "train-ps-0: 1 of 2 pods ready")
			s.waitForLog(scaled, "train-ps-0: 1 of 2 pods ready; train-lead-0-1: 0 of 1 pods ready")
			s.makeReady("train-ps-0-1")
			s.waitForEnd(lead)
			s.makeReady("train-lead-0-1-0")
			s.waitForEnd(scaled)
			s.waitForLog(member, `"for":"train-lead-0-0: 0 of 1 pods ready"`)
		})).
		Assess("over a PodGang that is deleted", step(func(s *scope) {
			before := s.get(podGangs, "train-0").GetUID()
			s.delete(podGangs, "train-0", metav1.DeleteOptions{})
			s.waitForReplacement(podGangs, "train-0", before)
			s.makeReady("train-lead-0-0-0")
			s.waitForEnd(member)
			s.makeReady("train-worker-0-0-0")
			s.waitForEnd(last)
			if !strings.HasPrefix(last.said, "waited ") {
				s.Errorf("the termination message is %q", last.said)
			}
		})).
		Assess("again when those are down", step(func(s *scope) {
			s.mustEndAtOnce(s.startInit("train-last-0-0"))
			s.patch(pods, "train-ps-0-0", `{"status": {"conditions": [{"type": "Ready", "status": "False"}]}}`, "status")
			s.waitForCondition("train-0", v1alpha1.ConditionReady, metav1.ConditionFalse, "train-ps-0: 1 of 2 pods ready")
			again := s.startInit("train-last-0-0")
			s.waitForLog(again, "train-ps-0: 1 of 2 pods ready")
			s.makeReady("train-ps-0-0")
			s.waitForEnd(again)
		})).
		Feature()
}

func (s *scope) checkInitContainers(pod string, want ...string) {
	s.Helper()
	var got []string
	for _, container := range s.pod(pod).Spec.InitContainers {
		got = append(got, container.Name)
		if container.Name == startup.ContainerName && container.Image != cluster.InitImage {
			s.Errorf("%s: the image of %s is %s", pod, container.Name, container.Image)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("%s has the init containers %v; want %v", pod, got, want)
	}
}

// checkTokens checks that the init container has its own token alone, and other containers that of a volume, or none.
func (s *scope) checkTokens(name, others string) {
	s.Helper()
	pod := s.pod(name)
	const path = "/var/run/secrets/kubernetes.io/serviceaccount"
	for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		want := others
		if container.Name == startup.ContainerName {
			want = startup.ContainerName
		}
		var mounted []string
		for _, mount := range container.VolumeMounts {
			if mount.MountPath == path {
				mounted = append(mounted, mount.Name)
			}
		}
		if len(mounted) > 1 || (want == "") != (len(mounted) == 0) || (want != "" && !strings.HasPrefix(mounted[0], want)) {
			s.Errorf("%s: container %s has %v at %s; want %q", name, container.Name, mounted, path, want)
		}
	}
}
