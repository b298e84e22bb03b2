package cases

import (
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
)

// image is what pods of cases run, where the suite has no other.
const image = "registry.k8s.io/pause:3.10"

func newSet(name string, replicas int32, cliques ...v1alpha1.PodCliqueTemplateSpec) *v1alpha1.PodCliqueSet {
	set := &v1alpha1.PodCliqueSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodCliqueSet"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}
	set.Spec.Replicas = replicas
	set.Spec.Template.Cliques = cliques
	return set
}

func newClique(name string, replicas, minAvailable int32) v1alpha1.PodCliqueTemplateSpec {
	return v1alpha1.PodCliqueTemplateSpec{
		Name: name,
		Spec: v1alpha1.PodCliqueSpec{
			Replicas:     ptr.To(replicas),
			MinAvailable: ptr.To(minAvailable),
			PodSpec:      corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
		},
	}
}

func newGroup(name string, replicas, minAvailable int32, cliques ...string) v1alpha1.PodCliqueScalingGroupConfig {
	return v1alpha1.PodCliqueScalingGroupConfig{
		Name: name,
		PodCliqueScalingGroupSpec: v1alpha1.PodCliqueScalingGroupSpec{
			CliqueNames:  cliques,
			Replicas:     ptr.To(replicas),
			MinAvailable: ptr.To(minAvailable),
		},
	}
}

// create creates a set.
func (s *scope) create(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSet {
	s.Helper()
	s.useImage(set)
	created, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Create(s.ctx, set, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return created
}

// useImage gives containers the suite's image, if it has one.
func (s *scope) useImage(set *v1alpha1.PodCliqueSet) {
	for i := range set.Spec.Template.Cliques {
		for j := range set.Spec.Template.Cliques[i].Spec.PodSpec.Containers {
			if container := &set.Spec.Template.Cliques[i].Spec.PodSpec.Containers[j]; container.Image == image && s.Image != "" {
				container.Image = s.Image
			}
		}
	}
}

// change updates a set.
func (s *scope) change(name string, change func(set *v1alpha1.PodCliqueSet)) {
	s.Helper()
	sets := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		set, err := sets.Get(s.ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(set)
		_, err = sets.Update(s.ctx, set, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}

// apply applies a set as users do, with kubectl apply --server-side.
func (s *scope) apply(set *v1alpha1.PodCliqueSet) {
	s.Helper()
	s.useImage(set)
	manifest, err := yaml.Marshal(set)
	if err != nil {
		s.Fatal(err)
	}
	s.mustKubectl("apply", "--server-side", "--validate=strict", "-f", s.fileOf(manifest))
}

// fileOf writes a manifest to a file. kubectl splits paths at commas, which the test's own directory may have.
func (s *scope) fileOf(manifest []byte) string {
	s.Helper()
	file, err := os.CreateTemp("", "grove-e2e-*.yaml")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.Remove(file.Name()) })
	if _, err := file.Write(manifest); err != nil {
		s.Fatal(err)
	}
	if err := file.Close(); err != nil {
		s.Fatal(err)
	}
	return file.Name()
}

// waitForSet waits until missing finds nothing missing of a set.
func (s *scope) waitForSet(name, what string, missing func(set *v1alpha1.PodCliqueSet) string) *v1alpha1.PodCliqueSet {
	s.Helper()
	var set *v1alpha1.PodCliqueSet
	s.eventually(fmt.Sprintf("PodCliqueSet %s: %s", name, what), func() (string, error) {
		var err error
		if set, err = s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Get(s.ctx, name, metav1.GetOptions{}); err != nil {
			return "", err
		}
		return missing(set), nil
	})
	return set
}

func (s *scope) waitUntilAvailable(name string) *v1alpha1.PodCliqueSet {
	s.Helper()
	return s.waitForSet(name, "available", func(set *v1alpha1.PodCliqueSet) string {
		if set.Status.Phase == v1alpha1.PodCliqueSetAvailable && set.Status.ObservedGeneration == set.Generation {
			return ""
		}
		return fmt.Sprintf("generation %d, status %+v", set.Generation, set.Status)
	})
}

// ofSet selects what is labelled as a set's.
func ofSet(set string) string { return v1alpha1.LabelPodCliqueSet + "=" + set }

func newTeam() *v1alpha1.PodCliqueSet {
	set := newSet("job", 1, newClique("worker", 2, 1), newClique("proxy", 1, 1))
	set.Spec.Template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("team", 2, 1, "worker")}
	return set
}

func teamPods() []string {
	return append(podNames("job-worker-0-0", 2), append(podNames("job-worker-0-1", 2), "job-proxy-0-0")...)
}

// createTeam creates a set with a scaling group, and returns the UIDs of its ready pods.
func (s *scope) createTeam() map[string]types.UID {
	s.Helper()
	s.create(newTeam())
	s.waitUntilAvailable("job")
	return s.waitForPods("job", teamPods())
}

// inOrder makes the cliques of a set start in their order.
func inOrder(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSet {
	set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeInOrder
	return set
}

// explicitly makes the cliques of a set start after those that are given by their names.
func explicitly(set *v1alpha1.PodCliqueSet, startsAfter map[string][]string) *v1alpha1.PodCliqueSet {
	set.Spec.Template.CliqueStartupType = v1alpha1.CliqueStartupTypeExplicit
	for i := range set.Spec.Template.Cliques {
		clique := &set.Spec.Template.Cliques[i]
		clique.Spec.StartsAfter = startsAfter[clique.Name]
	}
	return set
}

func spreadOver(key string) []corev1.TopologySpreadConstraint {
	return []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule}}
}

func packed(key string, cliques ...string) *v1alpha1.SchedulingPolicyConfig {
	return &v1alpha1.SchedulingPolicyConfig{NetworkPackGroups: []v1alpha1.NetworkPackGroupConfig{
		{CliqueNames: cliques, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule},
	}}
}
