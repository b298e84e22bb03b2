package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	e2etypes "sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// The cases of this file take a node away, so that nothing else can run beside them.

// Drain checks that the pods of a drained node come up elsewhere under their names, and the others stay.
func Drain() e2etypes.Feature {
	all := podNames("web-a-0", 4)
	var node string
	return features.New("a node is drained").
		Assess("and its pods move", step(func(s *scope) {
			s.apply(newSet("web", 1, s.spreadOverHosts(newRealClique("a", 4, 4))))
			s.waitUntilAvailable("web")
			node = s.pod(all[0]).Spec.NodeName
			stay := s.uidsOn("web", node, false)
			s.mustKubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=2m")
			s.mustKeep(stay, s.waitForPods("web", all))
			s.waitUntilAvailable("web")
			if left := s.uidsOn("web", node, true); len(left) > 0 {
				s.Errorf("pods are on the drained node: %v", left)
			}
		})).
		Teardown(step(func(s *scope) { s.mustKubectl("uncordon", node) })).
		Feature()
}

// DrainGang goes through docs/draining.md: what can be spared is evicted, and never more; of a gang that can spare nothing the drain waits,
// until somebody deletes its pods.
func DrainGang() e2etypes.Feature {
	spares, solid := podNames("web-spares-0", 4), podNames("web-solid-0", 2)
	var node string
	return features.New("a node is drained under a gang").
		Setup(step(func(s *scope) {
			set := newSet("web", 1, s.spreadOverHosts(newRealClique("spares", 4, 3)), s.spreadOverHosts(newRealClique("solid", 2, 2)))
			set.Spec.Template.PodDisruptionBudget = &v1alpha1.PodDisruptionBudgetConfig{}
			s.apply(set)
			s.waitForPods("web", spares, solid)
			s.waitUntilAvailable("web")
			s.waitForBudget("web-spares-0", 3, 1)
			s.waitForBudget("web-solid-0", 2, 0)
			node = s.pod(solid[0]).Spec.NodeName
		})).
		Assess("as far as it can spare pods", step(func(s *scope) {
			s.mustKubectl("cordon", node)
			here := s.mustKubectl("get", "pods", "-A", "--field-selector", "spec.nodeName="+node, "-l", "app.kubernetes.io/managed-by=grove", "-L", "grove.io/podgang")
			for name := range s.uidsOn("web", node, true) {
				if !strings.Contains(here, name) || !strings.Contains(here, "web-0") {
					s.Errorf("%s isn't listed:\n%s", name, here)
				}
			}
			stay, watched := s.uidsOn("web", node, false), s.watchPods("web", spares, sparesOne)
			_, err := s.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=30s")
			if err == nil || !strings.Contains(err.Error(), "disruption budget") {
				s.Errorf("the drain ended while a gang can spare nothing: %v", err)
			}
			for name := range s.uidsOn("web", node, true) {
				if !strings.HasPrefix(name, "web-solid-0-") {
					s.Errorf("%s is on the node still", name)
				}
			}
			s.mustKeep(stay, s.waitForPods("web", spares, solid))
			watched.check(s)
		})).
		Assess("and to the end once the gang's pods there are deleted", step(func(s *scope) {
			stay := s.uidsOn("web", node, false)
			s.mustKubectl("delete", "pods", "-l", "grove.io/podgang=web-0", "--field-selector", "spec.nodeName="+node)
			s.mustKubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=1m")
			s.mustKeep(stay, s.waitForPods("web", spares, solid))
			s.waitUntilAvailable("web")
			if left := s.uidsOn("web", node, true); len(left) > 0 {
				s.Errorf("pods are on the drained node: %v", left)
			}
		})).
		Teardown(step(func(s *scope) { s.mustKubectl("uncordon", node) })).
		Feature()
}

// sparesOne says what is wrong where more than one of the clique's pods is away that can spare one.
func sparesOne(ready map[string]bool) string {
	away := slices.Sorted(maps.Keys(ready))
	away = slices.DeleteFunc(away, func(name string) bool { return ready[name] || !strings.HasPrefix(name, "web-spares-0-") })
	if len(away) > 1 {
		return fmt.Sprintf("%v are away", away)
	}
	return ""
}

// spreadOverHosts puts about as many of a clique's pods on one worker as on the other, if it can.
func (s *scope) spreadOverHosts(clique v1alpha1.PodCliqueTemplateSpec) v1alpha1.PodCliqueTemplateSpec {
	clique.Spec.PodSpec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}},
	}}
	return clique
}

// KubeletStopped checks that a node that falls silent is told of, and that all is well once it is back, without a pod lost.
func KubeletStopped() e2etypes.Feature {
	all := podNames("web-a-0", 4)
	var node string
	var before map[string]types.UID
	return features.New("a kubelet is stopped").
		Assess("and its pods count no more", step(func(s *scope) {
			s.apply(newSet("web", 1, s.spreadOverHosts(newRealClique("a", 4, 4))))
			before = s.waitForPods("web", all)
			s.waitUntilAvailable("web")
			node = s.pod(all[0]).Spec.NodeName
			silent := len(s.uidsOn("web", node, true))
			s.onNode(node, "systemctl", "stop", "kubelet")
			s.waitForCondition("web-0", v1alpha1.ConditionReady, metav1.ConditionFalse, fmt.Sprintf("web-a-0: %d of 4 pods ready", 4-silent))
			s.waitForSet("web", "not available", func(set *v1alpha1.PodCliqueSet) string {
				if set.Status.AvailableReplicas == 0 && meta.IsStatusConditionFalse(set.Status.Conditions, v1alpha1.ConditionAvailable) {
					return ""
				}
				return fmt.Sprintf("%+v", set.Status)
			})
		})).
		Assess("until it is back", step(func(s *scope) {
			s.onNode(node, "systemctl", "start", "kubelet")
			s.mustKeep(before, s.waitForPods("web", all))
			s.waitUntilAvailable("web")
		})).
		Teardown(step(func(s *scope) {
			s.onNode(node, "systemctl", "start", "kubelet")
			if err := s.Kind.AddGPUs(s.ctx); err != nil {
				s.Error(err)
			}
		})).
		Feature()
}

// shortGrace is for how long a node may be silent in a case that waits for it.
const shortGrace = 5 * time.Second

// KubeletLost checks that the pods of a node that stays silent for the grace come up on another, each in its gang.
func KubeletLost() e2etypes.Feature {
	all := podNames("web-a-0", 4)
	var node, args string
	return features.New("a kubelet doesn't come back").
		Setup(step(func(s *scope) {
			args = s.operatorArgs()
			s.restartOperator(fmt.Sprintf("%s, %q]", strings.TrimSuffix(args, "]"), "--lost-node-grace="+shortGrace.String()))
		})).
		Assess("and its pods come up elsewhere", step(func(s *scope) {
			s.apply(newSet("web", 1, s.spreadOverHosts(newRealClique("a", 4, 4))))
			s.waitForPods("web", all)
			s.waitUntilAvailable("web")
			node = s.pod(all[0]).Spec.NodeName
			stay, lost := s.uidsOn("web", node, false), s.uidsOn("web", node, true)
			s.onNode(node, "systemctl", "stop", "kubelet")
			for name, uid := range lost {
				successor := s.waitForReplacement(pods, name, uid)
				if since := s.silentSince(node); successor.GetCreationTimestamp().Time.Before(since.Add(shortGrace).Truncate(time.Second)) {
					s.Errorf("%s was lost by %s; %s is silent since %s", name, successor.GetCreationTimestamp(), node, since)
				}
			}
			s.mustKeep(stay, s.waitForPods("web", all))
			s.waitUntilAvailable("web")
			if left := s.uidsOn("web", node, true); len(left) > 0 {
				s.Errorf("pods are on the silent node: %v", left)
			}
			s.waitForAnEvent("web", v1alpha1.ReasonNodeLost, node+" has been silent since")
		})).
		Teardown(step(func(s *scope) {
			s.onNode(node, "systemctl", "start", "kubelet")
			s.restartOperator(args)
			s.eventually(node+" is heard again", func() (string, error) {
				if since := s.silentSince(node); !since.IsZero() {
					return "silent since " + since.String(), nil
				}
				return "", nil
			})
			if err := s.Kind.AddGPUs(s.ctx); err != nil {
				s.Error(err)
			}
		})).
		Feature()
}

// operatorArgs are the arguments of the installed operator, as a JSON list.
func (s *scope) operatorArgs() string {
	s.Helper()
	operators := *s
	operators.namespace = cluster.OperatorNamespace
	return operators.mustKubectl("get", "deployment", cluster.OperatorName, "--output=jsonpath={.spec.template.spec.containers[0].args}")
}

// restartOperator gives the installed operator other arguments.
func (s *scope) restartOperator(args string) {
	s.Helper()
	operators := *s
	operators.namespace = cluster.OperatorNamespace
	operators.mustKubectl("patch", "deployment", cluster.OperatorName, "--type=json",
		`--patch=[{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": `+args+`}]`)
	operators.mustKubectl("rollout", "status", "deployment/"+cluster.OperatorName, "--timeout=2m")
}

// silentSince is since when nothing was heard of a node; the zero time if it is heard.
func (s *scope) silentSince(node string) time.Time {
	s.Helper()
	object, err := s.core.CoreV1().Nodes().Get(s.ctx, node, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	for _, condition := range object.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionUnknown {
			return condition.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// uidsOn are those of a set's pods that are on a node, or not.
func (s *scope) uidsOn(set, node string, on bool) map[string]types.UID {
	s.Helper()
	pods, err := s.podsOf(set)
	if err != nil {
		s.Fatal(err)
	}
	uids := map[string]types.UID{}
	for _, pod := range pods {
		if (pod.Spec.NodeName == node) == on {
			uids[pod.Name] = pod.UID
		}
	}
	return uids
}
