package cases

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	frameworktypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// Deletion checks each way of deleting a set, and what comes back when a part of one is deleted.
func Deletion() frameworktypes.Feature {
	return features.New("deletion").
		Assess("takes everything along", step(func(s *scope) {
			s.createTeam()
			s.mustKubectl("delete", "podcliqueset", "job", "--wait=false")
			s.waitForChildren("job", noChildren())
			s.waitUntilGone("job")
		})).
		Assess("in the foreground ends when everything is gone", step(func(s *scope) {
			s.createTeam()
			s.delete(podCliqueSets, "job", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)})
			s.waitUntilGone("job")
			left, err := s.childrenOf("job", slices.Collect(maps.Keys(noChildren())))
			if err != nil {
				s.Fatal(err)
			}
			if diff := cmp.Diff(noChildren(), left); diff != "" {
				s.Errorf("the set went before its children (-want +got):\n%s", diff)
			}
		})).
		Assess("can leave everything running, for a successor to adopt", step(func(s *scope) {
			before := s.createTeam()
			s.mustKubectl("delete", "podcliqueset", "job", "--cascade=orphan")
			s.waitUntilGone("job")
			s.mustKeep(before, s.waitForPods("job", teamPods()))
			s.waitForChildren("job", teamChildren())

			set := s.create(newTeam())
			s.waitUntilAvailable("job")
			s.mustKeep(before, s.waitForPods("job", teamPods()))
			s.waitForAdoption(set)
		})).
		Assess("leaves what was scaled as it is, and what an earlier set of the name left on purpose", step(func(s *scope) {
			s.create(newSet("left", 2, newClique("a", 2, 1)))
			s.waitUntilAvailable("left")
			s.mustKubectl("scale", "podclique/left-a-0", "--replicas=4")
			before := s.waitForPods("left", podNames("left-a-0", 4), podNames("left-a-1", 2))
			s.mustKubectl("delete", "podcliqueset", "left", "--cascade=orphan")
			s.waitUntilGone("left")

			set := s.create(newSet("left", 1, newClique("a", 2, 1)))
			s.waitUntilAvailable("left")
			s.eventually("adoption of left-a-0", func() (string, error) {
				if !metav1.IsControlledBy(s.get(podCliques, "left-a-0"), set) {
					return "it isn't controlled by the new set", nil
				}
				return "", nil
			})
			s.mustKeep(before, s.waitForPods("left", podNames("left-a-0", 4), podNames("left-a-1", 2)))

			s.mustKubectl("delete", "podcliqueset", "left", "--wait=false")
			s.mustKeep(before, s.waitForPods("left", podNames("left-a-1", 2)))
		})).
		Assess("of a PodClique is undone", step(func(s *scope) {
			before := s.podUIDs("job")
			was := s.get(podCliques, "job-worker-0")
			s.mustKubectl("delete", "podclique", "job-worker-0", "--wait=false")
			s.waitForReplacement(podCliques, "job-worker-0", was.GetUID())
			s.eventually("new pods", func() (string, error) {
				for name, uid := range s.podUIDs("job") {
					if name != "job-proxy-0-0" && uid == before[name] {
						return name + " is still the one before", nil
					}
				}
				return "", nil
			})
			s.waitForPods("job", teamPods())
			s.waitUntilAvailable("job")
		})).
		Feature()
}

func (s *scope) waitUntilGone(set string) {
	s.Helper()
	s.eventually(fmt.Sprintf("PodCliqueSet %s is gone", set), func() (string, error) {
		_, err := s.grove.GroveV1alpha1().PodCliqueSets(s.namespace).Get(s.ctx, set, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return "", nil
		}
		return "it is still there", err
	})
}

// waitForAdoption waits until a set controls all of its children.
func (s *scope) waitForAdoption(set *v1alpha1.PodCliqueSet) {
	s.Helper()
	s.eventually("adoption by "+set.Name, func() (string, error) {
		for kind, names := range teamChildren() {
			for _, name := range names {
				if !metav1.IsControlledBy(s.get(kind, name), set) {
					return kind.Resource + " " + name + " isn't controlled by it", nil
				}
			}
		}
		return "", nil
	})
}
