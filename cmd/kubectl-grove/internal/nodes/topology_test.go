package nodes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// zones are nodes a1, a2, b1 of the zones a and b, and c of none.
func zones() []*corev1.Node {
	return []*corev1.Node{node("a1", labelled("zone", "a")), node("a2", labelled("zone", "a")), node("b1", labelled("zone", "b")), node("c")}
}

func bears(pairs ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		for i := 0; i < len(pairs); i += 2 {
			pod.Labels[pairs[i]] = pairs[i+1]
		}
	}
}

func selects(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func near(terms ...corev1.PodAffinityTerm) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
	}
}

func apart(terms ...corev1.PodAffinityTerm) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
	}
}

func spreads(constraint corev1.TopologySpreadConstraint) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{constraint}
	}
}

func TestFiltersByPlace(t *testing.T) {
	term := func(key, value string) corev1.PodAffinityTerm {
		return corev1.PodAffinityTerm{TopologyKey: "zone", LabelSelector: selects(key, value)}
	}
	inNamespaces := func(selector map[string]string) corev1.PodAffinityTerm {
		of := term("app", "a")
		of.NamespaceSelector = &metav1.LabelSelector{MatchLabels: selector}
		return of
	}
	foreign := func(pod *corev1.Pod) { pod.Namespace = "other" }
	one := func(selector *metav1.LabelSelector) corev1.TopologySpreadConstraint {
		return corev1.TopologySpreadConstraint{TopologyKey: "zone", MaxSkew: 1, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector}
	}
	tests := map[string]struct {
		pods []*corev1.Pod
		pod  *corev1.Pod
		// want are the nodes that fit.
		want string
		// words are those on node a1.
		words string
	}{
		"near another": {pods: []*corev1.Pod{pod("o", on("b1"))}, pod: pod("p", near(term("app", "a"))), want: "b1",
			words: "InterPodAffinity: pod affinity: none of the pods to be near is in its zone"},
		"the first of its own":            {pod: pod("p", near(term("app", "a"))), want: "a1 a2 b1"},
		"near none that exist":            {pod: pod("p", near(term("app", "b"))), words: "InterPodAffinity: pod affinity: none of the pods to be near is in its zone"},
		"near one that has all":           {pods: []*corev1.Pod{pod("o", on("a1")), pod("q", on("b1"), bears("rank", "1"))}, pod: pod("p", near(term("app", "a"), term("rank", "1"))), want: "b1", words: "InterPodAffinity: pod affinity: none of the pods to be near is in its zone"},
		"near one whose node has no zone": {pods: []*corev1.Pod{pod("o", on("c"))}, pod: pod("p", near(term("app", "a"))), want: "a1 a2 b1"},
		"of another namespace":            {pods: []*corev1.Pod{pod("o", on("b1"), foreign)}, pod: pod("p", near(term("app", "a"))), want: "a1 a2 b1"},
		"of all namespaces":               {pods: []*corev1.Pod{pod("o", on("b1"), foreign)}, pod: pod("p", near(inNamespaces(nil))), want: "b1", words: "InterPodAffinity: pod affinity: none of the pods to be near is in its zone"},
		"of namespaces with a label":      {pods: []*corev1.Pod{pod("o", on("b1"), foreign), pod("q", on("a1"))}, pod: pod("p", near(inNamespaces(map[string]string{"team": "x"}))), want: "b1", words: "InterPodAffinity: pod affinity: none of the pods to be near is in its zone"},
		"apart from another":              {pods: []*corev1.Pod{pod("o", on("a2"))}, pod: pod("p", apart(term("app", "a"))), want: "b1 c", words: "InterPodAffinity: pod anti-affinity: o is in the same zone"},
		"another apart from it":           {pods: []*corev1.Pod{pod("o", on("a2"), bears("app", "b"), apart(term("app", "a")))}, pod: pod("p"), want: "b1 c", words: "InterPodAffinity: anti-affinity of pod o, which is in the same zone"},
		"apart from those of its revision": {pods: []*corev1.Pod{pod("o", on("a1"), bears("rev", "1")), pod("q", on("b1"), bears("rev", "2"))},
			pod:  pod("p", bears("rev", "2"), apart(corev1.PodAffinityTerm{TopologyKey: "zone", LabelSelector: selects("app", "a"), MatchLabelKeys: []string{"rev"}})),
			want: "a1 a2 c"},
		"apart from others than its revision": {pods: []*corev1.Pod{pod("o", on("a1"), bears("rev", "1")), pod("q", on("b1"), bears("rev", "2"))},
			pod:  pod("p", bears("rev", "2"), apart(corev1.PodAffinityTerm{TopologyKey: "zone", LabelSelector: selects("app", "a"), MismatchLabelKeys: []string{"rev"}})),
			want: "b1 c", words: "InterPodAffinity: pod anti-affinity: o is in the same zone"},
		"spread": {pods: []*corev1.Pod{pod("o", on("a1"))}, pod: pod("p", spreads(one(selects("app", "a")))), want: "b1",
			words: "PodTopologySpread: topology spread: zone a would be 2 ahead of the least, and 1 is allowed"},
		"spread of others":   {pods: []*corev1.Pod{pod("o", on("a1"), bears("app", "b"))}, pod: pod("p", spreads(one(selects("app", "b")))), want: "a1 a2 b1"},
		"spread, if it goes": {pods: []*corev1.Pod{pod("o", on("a1"))}, pod: pod("p", spreads(corev1.TopologySpreadConstraint{TopologyKey: "zone", MaxSkew: 1, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: selects("app", "a")})), want: "a1 a2 b1 c"},
		"spread over more domains than there are": {pods: []*corev1.Pod{pod("o", on("a1")), pod("q", on("b1"))},
			pod:   pod("p", spreads(corev1.TopologySpreadConstraint{TopologyKey: "zone", MaxSkew: 1, MinDomains: ptr.To[int32](3), WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selects("app", "a")})),
			words: "PodTopologySpread: topology spread: zone a would be 2 ahead of the least, and 1 is allowed"},
		"spread over what its selector leaves": {pods: []*corev1.Pod{pod("o", on("a1"))},
			pod:  pod("p", spreads(one(selects("app", "a"))), func(pod *corev1.Pod) { pod.Spec.NodeSelector = map[string]string{"zone": "a"} }),
			want: "a1 a2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := Snapshot{Nodes: zones(), Pods: test.pods, Namespaces: map[string]map[string]string{"other": {"team": "x"}}}
			var fit []string
			for _, verdict := range s.Verdicts(test.pod) {
				if verdict.Fits() {
					fit = append(fit, verdict.Node)
				}
				if got := words(verdict); verdict.Node == "a1" && got != test.words {
					t.Errorf("words on a1: got %q, want %q", got, test.words)
				}
			}
			if got := strings.Join(fit, " "); got != test.want {
				t.Errorf("fits on %q, want %q", got, test.want)
			}
		})
	}
}

// Preferred affinity goes before what is left of a node.
func TestBestFollowsPreferredAffinity(t *testing.T) {
	c := NewCluster(Snapshot{Nodes: zones(), Pods: []*corev1.Pod{pod("o", on("b1"), asks("cpu", "3"))}})
	follower := pod("p", asks("cpu", "1"), func(pod *corev1.Pod) {
		pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{TopologyKey: "zone", LabelSelector: selects("app", "a")},
		}}}}
	})
	if best := c.Candidate(follower).Best(c.Nodes()); best != "b1" {
		t.Errorf("the best is %q, and b1 is in the zone of the pod to be near", best)
	}
}
