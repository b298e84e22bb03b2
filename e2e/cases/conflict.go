package cases

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	frameworktypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// taken is a name of a child that belongs to something else.
type taken struct {
	// set is the set that wants the name. Each has one clique, "a", of two pods.
	set string
	// kind and object are what has the name.
	kind   schema.GroupVersionResource
	object runtime.Object
	// reporter is what reports the conflict, the set or one of its PodCliques.
	reporterKind schema.GroupVersionResource
	reporter     string
	// message is a part of what it reports.
	message string
	// pods are those that come up all the same.
	pods []string
}

// takenNames are names that nobody's objects have, but for that of the Service, which owner controls.
func takenNames(owner *metav1.OwnerReference) []taken {
	return []taken{{
		set:          "by-podclique",
		kind:         podCliques,
		object:       &v1alpha1.PodClique{ObjectMeta: metav1.ObjectMeta{Name: "by-podclique-a-0"}, Spec: v1alpha1.AppliedPodCliqueSpec(newClique("a", 1, 1).Spec)},
		reporterKind: podCliqueSets,
		reporter:     "by-podclique",
		message:      "PodClique by-podclique-a-0 exists and isn't controlled by anything",
	}, {
		set:  "by-service",
		kind: services,
		object: &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "by-service-headless", OwnerReferences: []metav1.OwnerReference{*owner}},
			Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone},
		},
		reporterKind: podCliqueSets,
		reporter:     "by-service",
		message:      "Service by-service-headless exists and is controlled by ConfigMap owner",
		pods:         podNames("by-service-a-0", 2),
	}, {
		set:          "by-account",
		kind:         serviceAccounts,
		object:       &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "grove-by-account"}},
		reporterKind: podCliqueSets,
		reporter:     "by-account",
		message:      "ServiceAccount grove-by-account exists and isn't controlled by anything",
		pods:         podNames("by-account-a-0", 2),
	}, {
		set:  "by-pod",
		kind: pods,
		object: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "by-pod-a-0-1"},
			Spec: corev1.PodSpec{ // gated, so that nothing happens to it
				Containers:      []corev1.Container{{Name: "main", Image: image}},
				SchedulingGates: []corev1.PodSchedulingGate{{Name: "example.com/never"}},
			},
		},
		reporterKind: podCliques,
		reporter:     "by-pod-a-0",
		message:      "Pod by-pod-a-0-1 exists and isn't controlled by anything",
		pods:         podNames("by-pod-a-0", 1),
	}}
}

// NameConflicts checks that a child's name that something else has is reported, and taken once it is free.
func NameConflicts() frameworktypes.Feature {
	var conflicts []taken
	versions := map[types.UID]string{}
	return features.New("name conflicts").
		Assess("are reported, once, and hold up nothing else", step(func(s *scope) {
			conflicts = takenNames(s.newOwner())
			for _, c := range conflicts {
				foreign := s.createObject(c.kind, c.object)
				versions[foreign.GetUID()] = foreign.GetResourceVersion()
			}
			for _, c := range conflicts {
				s.create(newSet(c.set, 1, newClique("a", 2, 1)))
			}
			for _, c := range conflicts {
				s.waitForProblem(c.reporterKind, c.reporter, v1alpha1.ReasonNameConflict, c.message)
				s.waitForPods(c.set, c.pods)
				s.waitForEvent(c.reporter, v1alpha1.ReasonNameConflict, c.message)
			}
		})).
		Assess("leave the other object untouched", step(func(s *scope) {
			for _, c := range conflicts {
				foreign := s.get(c.kind, nameOf(c.object))
				if got, want := foreign.GetResourceVersion(), versions[foreign.GetUID()]; got != want {
					s.Errorf("%s %s was touched: resourceVersion %s, was %s", c.kind.Resource, foreign.GetName(), got, want)
				}
			}
		})).
		Assess("end when it goes", step(func(s *scope) {
			for _, c := range conflicts {
				s.delete(c.kind, nameOf(c.object), metav1.DeleteOptions{})
			}
			for _, c := range conflicts {
				s.waitForPods(c.set, podNames(c.set+"-a-0", 2))
				s.waitForSolution(c.reporterKind, c.reporter)
				s.waitUntilAvailable(c.set)
				s.waitForEvent(c.reporter, v1alpha1.ReasonNameConflict, c.message)
			}
		})).
		Feature()
}

// SetsOfOneName checks two sets that generate the same name for a PodClique: the first has it, the second says so.
func SetsOfOneName() frameworktypes.Feature {
	return features.New("two sets that generate one name").
		Assess("the first has it", step(func(s *scope) {
			s.create(newSet("a", 1, newClique("b-c", 1, 1)))
			s.waitUntilAvailable("a")
			before := s.waitForPods("a", podNames("a-b-c-0", 1))
			s.create(newSet("a-b", 1, newClique("c", 1, 1), newClique("d", 1, 1)))
			s.waitForProblem(podCliqueSets, "a-b", v1alpha1.ReasonNameConflict, "PodClique a-b-c-0 exists and is controlled by PodCliqueSet a")
			s.waitForCondition("a-b-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, "1 of its 2 pods exist")
			s.mustExist("a-b", podNames("a-b-d-0", 1))
			s.mustKeep(before, s.waitForPods("a", podNames("a-b-c-0", 1)))
			s.waitUntilAvailable("a")
		})).
		Assess("the second has it after the first", step(func(s *scope) {
			s.delete(podCliqueSets, "a", metav1.DeleteOptions{})
			s.waitForPods("a-b", podNames("a-b-c-0", 1), podNames("a-b-d-0", 1))
			s.waitForSolution(podCliqueSets, "a-b")
			s.waitUntilAvailable("a-b")
		})).
		Feature()
}

// newOwner creates an object that can control others.
func (s *scope) newOwner() *metav1.OwnerReference {
	s.Helper()
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}
	owner, err := s.core.CoreV1().ConfigMaps(s.namespace).Create(s.ctx, configMap, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))
}
