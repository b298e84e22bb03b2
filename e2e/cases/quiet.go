package cases

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers"
	"grove.io/grove/e2e/cluster"
)

// Quietness checks that an operator with nothing to change sends no requests. The cases of this file start operators, so that
// only one of them can run on a cluster at a time.
func Quietness(manifest string) types.Feature {
	const restWindow = controllers.LongestHold
	var operator *cluster.Operator
	return features.New("quietness").
		Setup(step(func(s *scope) {
			operator = s.startOperator()
			s.mustKubectl("apply", "--server-side", "-f", manifest)
			s.create(newTeam())
			s.apply(newServing())
			s.mustKubectl("apply", "--server-side", "--validate=strict", "-f", s.fileOf([]byte(oddAutoscaling)))
			s.waitUntilAvailable(example)
			s.waitUntilAvailable("job")
			s.waitForPods("serve", servingPods(1, 2, 2))
			s.waitForAutoscalers("odd", "odd-a-0", "odd-b-0", "odd-c-0", "odd-d-0")
			s.waitUntilQuiet()
		})).
		Assess("a set of ten pods costs few requests, and then none", step(func(s *scope) {
			const most = 40
			other := s.inAnotherNamespace()
			from := time.Now()
			other.create(newTen(2, 3, 1))
			other.waitUntilAvailable("ten")
			other.waitUntilQuiet()
			got := other.requests(from, time.Now(), other.isWorkHere)
			if len(got) > most {
				s.Errorf("%d requests for a set of ten pods, at most %d expected: %s", len(got), most, got)
			}
			if late := other.requestsWithin(controllers.LongestHold, other.isWorkHere); len(late) > 0 {
				s.Errorf("requests for a set that is as it should be: %s", late)
			}
		})).
		Assess("a new operator writes nothing", step(func(s *scope) {
			s.stop(operator)
			from := time.Now()
			operator = s.startOperator()
			s.bringUpAnother()
			s.mustNotHaveWritten(from)
			s.waitForPods("serve", servingPods(1, 2, 2))
		})).
		Assess("an annotation of a set changes nothing", step(func(s *scope) {
			from := time.Now()
			s.patch(podCliqueSets, example, `{"metadata": {"annotations": {"example.com/note": "changed"}}}`)
			s.bringUpAnother()
			s.mustNotHaveWritten(from)
		})).
		Assess("an operator at rest watches", step(func(s *scope) {
			s.waitUntilQuiet()
			if got := s.requestsWithin(restWindow, s.isWorkHere); len(got) > 0 {
				s.Errorf("the operator sent requests within %s at rest: %s", restWindow, got)
			}
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}

// oddAutoscaling says things in ways that the API server changes, or adds to.
const oddAutoscaling = `
apiVersion: grove.io/v1alpha1
kind: PodCliqueSet
metadata: {name: odd}
spec:
  replicas: 1
  template:
    cliques:
    - name: a
      spec:
        podSpec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        autoScalingConfig:
          maxReplicas: 3
          metrics:
          - {type: External, external: {metric: {name: queue, selector: {}}, target: {type: AverageValue, averageValue: "0.50"}}}
          - {type: Pods, pods: {metric: {name: streams}, target: {type: AverageValue, averageValue: 1000m}}}
          behavior: {}
    - name: b
      spec:
        podSpec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        autoScalingConfig:
          maxReplicas: 3
          metrics:
          - {type: Object, object: {metric: {name: hits}, describedObject: {kind: Service, name: front}, target: {type: Value, value: "1e3"}}}
          - {type: ContainerResource, containerResource: {name: cpu, container: main, target: {type: Utilization, averageUtilization: 60}}}
          behavior: {scaleUp: {}, scaleDown: {selectPolicy: Disabled}}
    - name: c
      spec:
        podSpec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        autoScalingConfig: {maxReplicas: 3, metrics: [], behavior: {scaleUp: {policies: [{type: Percent, value: 50, periodSeconds: 30}], tolerance: "0.05"}}}
    - name: d
      spec:
        podSpec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
        autoScalingConfig:
          minReplicas: 0
          maxReplicas: 3
          metrics:
          - {type: External, external: {metric: {name: queue, selector: {matchExpressions: [{key: q, operator: Exists}]}}, target: {type: Value, value: 20}}}
`

// InvalidChild checks that a pod that the API server refuses is reported in its words, and isn't tried over and over.
func InvalidChild() types.Feature {
	const window, most = 5 * time.Second, 3
	var operator *cluster.Operator
	return features.New("a child that the API server refuses").
		Setup(step(func(s *scope) { operator = s.startOperator() })).
		Assess("is reported, once", step(func(s *scope) {
			broken := newClique("broken", 1, 1)
			broken.Spec.PodSpec.Containers[0].Image = ""
			s.create(newSet("web", 1, broken, newClique("sound", 1, 1)))
			s.waitForProblem(podCliques, "web-broken-0", v1alpha1.ReasonInvalidChild, "spec.containers[0].image: Required value")
			s.waitForEvent("web-broken-0", v1alpha1.ReasonInvalidChild, "spec.containers[0].image: Required value")
			s.waitForCondition("web-0", v1alpha1.ConditionScheduled, metav1.ConditionFalse, "1 of its 2 pods exist")
			s.mustExist("web", podNames("web-sound-0", 1))
		})).
		Assess("is not tried in a loop", step(func(s *scope) {
			s.waitUntilQuiet()
			if got := s.requestsWithin(window, s.isWorkHere); len(got) > most {
				s.Errorf("%d requests within %s, at most %d expected: %s", len(got), window, most, got)
			}
		})).
		Assess("comes up once it is right", step(func(s *scope) {
			s.change("web", func(set *v1alpha1.PodCliqueSet) {
				set.Spec.Template.Cliques[0].Spec.PodSpec.Containers[0].Image = image
			})
			s.waitForPods("web", podNames("web-broken-0", 1), podNames("web-sound-0", 1))
			s.waitForSolution(podCliques, "web-broken-0")
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}

// Namespaces checks that an operator for some namespaces leaves the others alone.
func Namespaces() types.Feature {
	return features.New("an operator for two namespaces").
		Assess("works in both and nowhere else", step(func(s *scope) {
			second, outside := s.inAnotherNamespace(), s.inAnotherNamespace()
			outside.create(newSet("web", 1, newClique("front", 1, 1)))
			from := time.Now()
			operator := s.startOperator("--namespace", s.namespace, "--namespace", second.namespace)
			for _, inside := range []*scope{s, second} {
				inside.create(newSet("web", 1, newClique("front", 1, 1)))
				inside.waitUntilAvailable("web")
			}
			elsewhere := func(r cluster.Request) bool {
				return r.Resource != "" && r.Resource != "nodes" && r.Namespace != s.namespace && r.Namespace != second.namespace
			}
			if got := s.requests(from, time.Now(), elsewhere); len(got) > 0 {
				s.Errorf("the operator sent requests about other namespaces: %s", got)
			}
			s.stop(operator)
		})).
		Feature()
}

// LeaderElection checks that of two operators one works, and that the other goes on when that one dies.
func LeaderElection() types.Feature {
	return features.New("two operators").
		Assess("take turns", step(func(s *scope) {
			flags := []string{"--leader-elect", "--leader-elect-namespace", s.namespace, "--leader-elect-lease-duration", "3s"}
			first := s.startOperator(flags...)
			s.create(newSet("one", 1, newClique("front", 1, 1)))
			s.waitUntilAvailable("one")
			leader := s.leader()

			second := s.startOperator(flags...)
			s.create(newSet("two", 1, newClique("front", 1, 1)))
			s.waitUntilAvailable("two")
			if got := s.leader(); got != leader {
				s.Errorf("the second operator took the lease: %s, was %s", got, leader)
			}

			if err := first.Kill(); err != nil {
				s.Fatal(err)
			}
			s.create(newSet("three", 1, newClique("front", 1, 1)))
			s.waitUntilAvailable("three")
			if got := s.leader(); got == leader {
				s.Errorf("the lease is still the dead leader's: %s", got)
			}
			s.stop(second)
			if got := s.leader(); got != "" {
				s.Errorf("the lease wasn't released, but is held by %s", got)
			}
		})).
		Feature()
}
