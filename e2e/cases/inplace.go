package cases

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// newInPlace is newRolling with pods that are changed where they are, if possible, and group replicas that a restart has recreated.
func newInPlace(replicas int32) *v1alpha1.PodCliqueSet {
	set := newRolling(replicas)
	set.Spec.UpdateStrategy.InPlace = v1alpha1.InPlaceIfPossible
	set.Spec.Template.PodCliqueScalingGroups[0].RestartPolicy = v1alpha1.RestartPolicyRecreateGroup
	for i := range set.Spec.Template.Cliques {
		set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}
	}
	return set
}

// setCPU gives all containers of a set another request.
func (s *scope) setCPU(set, request string) {
	s.Helper()
	s.change(set, func(set *v1alpha1.PodCliqueSet) {
		for i := range set.Spec.Template.Cliques {
			set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse(request)
		}
	})
}

// withImage are the names of those pods of a set that have an image.
func (s *scope) withImage(set, image string) map[string]bool {
	s.Helper()
	all, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	names := map[string]bool{}
	for i := range all {
		if all[i].Spec.Containers[0].Image == image {
			names[all[i].Name] = true
		}
	}
	return names
}

// mustBeAt fails the test unless all pods of a set say what their spec says: the hash of their PodClique and the image and CPU of the template.
func (s *scope) mustBeAt(set, image, cpu string) {
	s.Helper()
	all, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	for i := range all {
		pod := &all[i]
		clique := s.get(podCliques, pod.Labels[v1alpha1.LabelPodClique])
		request := pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU]
		if pod.Labels[v1alpha1.LabelPodTemplateHash] != clique.GetLabels()[v1alpha1.LabelPodTemplateHash] ||
			pod.Spec.Containers[0].Image != image || request.String() != cpu {
			s.Errorf("pod %s: labels %v, image %s, CPU %s; want those of %s, with image %s and CPU %s",
				pod.Name, pod.Labels, pod.Spec.Containers[0].Image, request.String(), clique.GetName(), image, cpu)
		}
	}
}

// mustNotRecreate fails the test if a restartPolicy has recreated something of a set's replicas.
func (s *scope) mustNotRecreate(set string, replicas int) {
	s.Helper()
	s.mustHaveRestarts(set, make([]int32, replicas)...)
	for i := range replicas {
		gang, err := s.grove.GroveV1alpha1().PodGangs(s.namespace).Get(s.ctx, fmt.Sprintf("%s-%d", set, i), metav1.GetOptions{})
		if err != nil {
			s.Fatal(err)
		}
		for _, group := range gang.Status.PodGroups {
			if group.Restarts > 0 {
				s.Errorf("pod group %s was recreated %d times", group.Name, group.Restarts)
			}
		}
	}
}

// UpdateInPlace checks that pods are changed where they are if possible, as slowly as they would be replaced, and are replaced otherwise.
func UpdateInPlace() e2etypes.Feature {
	const second, third = "grove.test/workload:2", "grove.test/workload:3"
	var before map[string]types.UID
	var kubelet *kubelet
	return features.New("update in place").
		Assess("of images keeps the pods, and takes one unit at a time", step(func(s *scope) {
			s.create(newInPlace(2))
			before = s.waitForPods("web", rollingPods(2))
			kubelet = s.startKubelet("web")
			defer kubelet.end()
			s.waitUntilAvailable("web")
			s.waitForIDs("web")
			watched := s.watchPods("web", rollingPods(2), rollsByOne)
			s.setImage("web", second)
			s.waitUntilUpdated("web")
			watched.check(s)
			s.mustKeep(before, s.podUIDs("web"))
			s.mustBeAt("web", second, "10m")
			s.mustNotRecreate("web", 2)
		})).
		Assess("waits until the kubelet has done it", step(func(s *scope) {
			s.setImage("web", third)
			team := map[string]bool{"web-worker-0-0-0": true, "web-worker-0-0-1": true}
			patched := func() bool { return maps.Equal(s.withImage("web", third), team) }
			s.eventually("the first group replica with another image", func() (string, error) {
				if patched() {
					return "", nil
				}
				return fmt.Sprint(s.withImage("web", third)), nil
			})
			s.bringUpAnother()
			set := s.waitForSet("web", "replicas that aren't updated", func(set *v1alpha1.PodCliqueSet) string {
				if set.Status.Phase == v1alpha1.PodCliqueSetUpdating && set.Status.ObservedGeneration == set.Generation {
					return ""
				}
				return fmt.Sprintf("%+v", set.Status)
			})
			if set.Status.UpdatedReplicas > 0 || !patched() {
				s.Errorf("%d replicas are updated, and pods %v have the new image; want %v only", set.Status.UpdatedReplicas, s.withImage("web", third), team)
			}
			kubelet = s.startKubelet("web")
			defer kubelet.end()
			s.waitUntilUpdated("web")
			s.mustKeep(before, s.podUIDs("web"))
			s.mustNotRecreate("web", 2)
		})).
		Assess("of resources", step(func(s *scope) {
			kubelet = s.startKubelet("web")
			defer kubelet.end()
			watched := s.watchPods("web", rollingPods(2), rollsByOne)
			s.setCPU("web", "20m")
			s.waitUntilUpdated("web")
			watched.check(s)
			s.mustKeep(before, s.podUIDs("web"))
			s.mustBeAt("web", third, "20m")
		})).
		Assess("of what can't be changed replaces pods", step(func(s *scope) {
			kubelet = s.startKubelet("web")
			defer kubelet.end()
			watched := s.watchPods("web", rollingPods(2), rollsByOne)
			s.roll("web", "1")
			s.waitUntilUpdated("web")
			watched.check(s)
			s.mustBeVersion("web", "1")
			s.mustReplaceAll("web", before)
		})).
		Assess("where the node can't, replaces pods", step(func(s *scope) {
			kubelet = s.startKubelet("web")
			defer kubelet.end()
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 1 })
			before = s.waitForPods("web", rollingPods(1))
			s.waitUntilAvailable("web")
			s.waitForIDs("web")
			kubelet.infeasible.Store(true)
			s.setCPU("web", "30m")
			s.waitUntilUpdated("web")
			s.mustBeAt("web", third, "30m")
			s.mustReplaceAll("web", before)
			s.mustNotRecreate("web", 1)
		})).
		Feature()
}

// waitForIDs waits until all containers of a set have IDs, as a kubelet gives them.
func (s *scope) waitForIDs(set string) {
	s.Helper()
	s.eventually("IDs of containers", func() (string, error) {
		all, err := s.podsOf(set)
		if err != nil {
			return "", err
		}
		for i := range all {
			if statuses := all[i].Status.ContainerStatuses; len(statuses) == 0 || statuses[0].ContainerID == "" {
				return all[i].Name + " has none", nil
			}
		}
		return "", nil
	})
}

// mustReplaceAll fails the test if one of some pods still is there.
func (s *scope) mustReplaceAll(set string, before map[string]types.UID) {
	s.Helper()
	for name, uid := range s.podUIDs(set) {
		if before[name] == uid {
			s.Errorf("pod %s is still the same", name)
		}
	}
}

// places are the nodes of a set's pods, and their UIDs, which a change in place keeps.
func (s *scope) places(set string) map[string]string {
	s.Helper()
	all, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	places := map[string]string{}
	for i := range all {
		places[all[i].Name] = all[i].Spec.NodeName + " " + string(all[i].UID)
	}
	return places
}

// UpdateInPlaceOfContainers checks on real kubelets that a changed pod has the same node and UID and another container, is waited for until it is
// ready, starts after nobody anew, and isn't taken for one whose container has failed.
func UpdateInPlaceOfContainers() e2etypes.Feature {
	var before map[string]string
	all := rollingPods(1)
	mustStay := func(s *scope, image, cpu string, restarts int32) {
		s.Helper()
		if after := s.places("web"); !maps.Equal(before, after) {
			s.Errorf("pods were on %v, and are on %v", before, after)
		}
		s.mustBeAt("web", image, cpu)
		s.mustNotRecreate("web", 1)
		for _, name := range all {
			pod := s.pod(name)
			if got := pod.Status.ContainerStatuses[0].RestartCount; got != restarts {
				s.Errorf("the container of pod %s has restarted %d times, want %d", name, got, restarts)
			}
			for _, status := range pod.Status.InitContainerStatuses {
				if status.RestartCount > 0 {
					s.Errorf("pod %s has waited for its turn again", name)
				}
			}
		}
	}
	return features.New("update of containers in place").
		Setup(step(func(s *scope) {
			set := newInPlace(1)
			set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeInOrder
			for i := range set.Spec.Template.Cliques {
				podSpec := &set.Spec.Template.Cliques[i].Spec.PodSpec
				requests := podSpec.Containers[0].Resources
				podSpec.Containers[0] = workloadContainer(mainContainer, "-ready-after=2s")
				podSpec.Containers[0].Resources = requests
			}
			s.create(set)
			s.waitUntilReady(all)
			s.waitUntilAvailable("web")
			s.mustStartAfter(podNames("web-worker-0-0", 2), podNames("web-front-0", 1))
			before = s.places("web")
		})).
		Assess("another image", step(func(s *scope) {
			watched := s.watchPods("web", all, rollsByOne)
			s.setImage("web", cluster.NextWorkloadImage)
			s.waitUntilUpdated("web")
			watched.check(s)
			mustStay(s, cluster.NextWorkloadImage, "10m", 1)
		})).
		Assess("the same image by another name", step(func(s *scope) {
			s.setImage("web", cluster.SameWorkloadImage)
			s.waitUntilUpdated("web")
			mustStay(s, cluster.SameWorkloadImage, "10m", 2)
		})).
		Assess("other resources", step(func(s *scope) {
			s.setCPU("web", "20m")
			s.waitUntilUpdated("web")
			mustStay(s, cluster.SameWorkloadImage, "20m", 2)
			status := s.pod(all[0]).Status.ContainerStatuses[0]
			if got := status.Resources.Requests[corev1.ResourceCPU]; got.String() != "20m" {
				s.Errorf("pod %s has %s CPU on its node", all[0], got.String())
			}
		})).
		Assess("an image that doesn't exist stops the update, and is repaired in place", step(func(s *scope) {
			front := func(image string) {
				s.Helper()
				s.change("web", func(set *v1alpha1.PodCliqueSet) {
					set.Spec.Template.Cliques[0].Spec.PodSpec.Containers[0].Image = image
				})
			}
			const missing = "grove.test/missing:1"
			front(missing)
			s.eventually("a pod without its image", func() (string, error) {
				for name := range s.withImage("web", missing) {
					if waiting := s.pod(name).Status.ContainerStatuses[0].State.Waiting; waiting != nil && strings.Contains(waiting.Reason, "Image") {
						return "", nil
					}
				}
				return "none", nil
			})
			if got := s.withImage("web", missing); len(got) != 1 {
				s.Errorf("pods %v have an image that doesn't exist; want one", got)
			}
			front(cluster.SameWorkloadImage)
			s.waitUntilUpdated("web")
			if after := s.places("web"); !maps.Equal(before, after) {
				s.Errorf("pods were on %v, and are on %v", before, after)
			}
			s.mustNotRecreate("web", 1)
		})).
		Feature()
}
