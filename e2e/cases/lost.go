package cases

import (
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// LostNodeGrace is for how long a node of a local cluster may be silent before its pods are lost. It is short, so that nobody else deletes them:
// kube-controller-manager looks every 20 s for pods of nodes that don't exist, and evicts those of a silent one after 5 min.
const LostNodeGrace = 2 * time.Second

// LostNodes checks that pods come up elsewhere when their node is gone, silent for too long or out of service, and not when it is back in time.
func LostNodes() types.Feature {
	all := podNames("web-w-0", 3)
	return features.New("nodes are lost").
		Setup(step(func(s *scope) {
			s.addNodes(zone, rack, 6)
			s.create(s.onDeadNodes(newSet("web", 1, newClique("w", 3, 3))))
			s.waitForBound(all)
		})).
		Assess("one that is silent for the grace", step(func(s *scope) {
			since := time.Now().Truncate(time.Second)
			s.loses(all, all[0], func(node string) { s.silence(node, since) }, "has been silent since")
			if moved := s.pod(all[0]).CreationTimestamp; moved.Time.Before(since.Add(LostNodeGrace)) {
				s.Errorf("the pod was lost by %s; its node is silent since %s", moved, since)
			}
		})).
		Assess("one that is out of service", step(func(s *scope) {
			// With the effect NoExecute, kube-controller-manager evicts pods, too, by name: it may hit the successor, which here nobody ends.
			s.loses(all, all[1], func(node string) {
				s.mustKubectl("taint", "node", node, corev1.TaintNodeOutOfService+"=nodeshutdown:NoSchedule")
			}, "has the taint "+corev1.TaintNodeOutOfService)
		})).
		Assess("one that is deleted", step(func(s *scope) {
			s.loses(all, all[2], func(node string) {
				if err := s.core.CoreV1().Nodes().Delete(s.ctx, node, metav1.DeleteOptions{}); err != nil {
					s.Fatal(err)
				}
			}, "doesn't exist any more")
		})).
		Assess("but not one that is back in time", step(func(s *scope) {
			before := s.podUIDs("web")
			back, away := s.pod(all[0]).Spec.NodeName, s.pod(all[1]).Spec.NodeName
			s.unmanage(back)
			s.unmanage(away)
			s.patchReadiness(back, silent(time.Now()))
			s.patchReadiness(back, heard())
			s.patchReadiness(away, silent(time.Now()))
			s.waitForReplacement(pods, all[1], before[all[1]])
			delete(before, all[1])
			s.mustKeep(before, s.podUIDs("web"))
		})).
		Feature()
}

// LostTerminating checks that a pod that was deleted, and whose node can't end it, doesn't hold its name for ever: against its own PodClique,
// nor against that of the next set of the name.
func LostTerminating() types.Feature {
	all := podNames("web-w-0", 2)
	return features.New("a pod terminates on a lost node").
		Setup(step(func(s *scope) {
			s.addNodes(zone, rack, 4)
			s.create(s.onDeadNodes(newSet("web", 1, newClique("w", 2, 2))))
			s.waitForBound(all)
		})).
		Assess("and its successor comes", step(func(s *scope) {
			before := s.podUIDs("web")
			s.delete(pods, all[0], metav1.DeleteOptions{})
			if s.get(pods, all[0]).GetDeletionTimestamp() == nil {
				s.Fatal("the pod doesn't terminate")
			}
			s.silence(s.pod(all[0]).Spec.NodeName, time.Now())
			s.waitForReplacement(pods, all[0], before[all[0]])
			delete(before, all[0])
			s.mustKeep(before, s.podUIDs("web"))
			s.waitForBound(all)
		})).
		Assess("and that of another set", step(func(s *scope) {
			before := s.podUIDs("web")
			s.delete(podCliqueSets, "web", metav1.DeleteOptions{})
			s.waitUntilGone("web")
			s.create(s.onDeadNodes(newSet("web", 1, newClique("w", 2, 2))))
			for _, name := range all {
				s.silence(s.pod(name).Spec.NodeName, time.Now())
			}
			for _, name := range all {
				s.waitForReplacement(pods, name, before[name])
			}
		})).
		Feature()
}

// onDeadNodes is onOwnNodes with pods that nobody runs, nor ends, as on machines that are dead.
func (s *scope) onDeadNodes(set *v1alpha1.PodCliqueSet) *v1alpha1.PodCliqueSet {
	for i := range set.Spec.Template.Cliques {
		set.Spec.Template.Cliques[i].Annotations = map[string]string{cluster.AnnotationNobody: cluster.AnnotationNobodyValue}
	}
	return s.onOwnNodes(set)
}

// loses waits until one pod of the set web, and no other, has a successor on another node, after something was done to its node, and
// until it is told why.
func (s *scope) loses(all []string, name string, do func(node string), why string) {
	s.Helper()
	before := s.podUIDs("web")
	node, began := s.pod(name).Spec.NodeName, time.Now()
	do(node)
	s.waitForReplacement(pods, name, before[name])
	// kube-controller-manager takes 20 to 60 s to delete pods of a node that is gone, and 5 min for one that is silent.
	if took := time.Since(began); took > 15*time.Second {
		s.Errorf("it took %s", took)
	}
	nodes := s.waitForBound(all)
	if nodes[name].Name == node {
		s.Errorf("pod %s is on %s again", name, node)
	}
	delete(before, name)
	s.mustKeep(before, s.podUIDs("web"))
	for _, object := range []string{"web", "web-w-0", name} {
		s.waitForAnEvent(object, v1alpha1.ReasonNodeLost, node+" "+why)
	}
}

// silence makes a node silent since a time: its fake kubelet looks after it no more.
func (s *scope) silence(node string, since time.Time) {
	s.Helper()
	s.unmanage(node)
	s.patchReadiness(node, silent(since))
}

// unmanage takes a node from its fake kubelet.
func (s *scope) unmanage(node string) {
	s.Helper()
	s.mustKubectl("annotate", "--overwrite", "node", node, cluster.AnnotationNobody+"="+cluster.AnnotationNobodyValue)
}

func silent(since time.Time) corev1.NodeCondition {
	return corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, LastTransitionTime: metav1.NewTime(since), Reason: "NodeStatusUnknown"}
}

func heard() corev1.NodeCondition {
	return corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(), Reason: "KubeletReady"}
}

// patchReadiness says of a node what its kubelet or kube-controller-manager would, within milliseconds.
func (s *scope) patchReadiness(node string, condition corev1.NodeCondition) {
	s.Helper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{condition}}})
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.core.CoreV1().Nodes().Patch(s.ctx, node, apitypes.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		s.Fatal(err)
	}
}
