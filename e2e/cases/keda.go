package cases

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"
	"sigs.k8s.io/yaml"

	"grove.io/grove/e2e/cluster"
)

// yamlBlock is a block of YAML in a page of documentation.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// scaledObject is what a test reads of KEDA's ScaledObject.
type scaledObject struct {
	Metadata metav1.ObjectMeta
	Spec     struct {
		ScaleTargetRef  autoscalingv2.CrossVersionObjectReference
		MaxReplicaCount int32
		Triggers        []struct{ Metadata struct{ Threshold string } }
	}
}

// documented are a page's manifests of a kind about an object whose name begins with a prefix.
func (s *scope) documented(page, kind, prefix string) []string {
	s.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		s.Fatal(err)
	}
	var manifests []string
	for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
		for _, manifest := range strings.Split(block[1], "---\n") {
			if strings.Contains(manifest, "\nkind: "+kind+"\nmetadata:\n  name: "+prefix) {
				manifests = append(manifests, manifest)
			}
		}
	}
	if len(manifests) == 0 {
		s.Fatalf("%s has no %s %s", page, kind, prefix)
	}
	return manifests
}

// scaleByKEDA makes the autoscaler that KEDA makes of a ScaledObject, by the metric that the test serves. It scales in at once: otherwise it would,
// for five minutes, go back to what there was before a part went off.
func (s *scope) scaleByKEDA(manifest string) {
	s.Helper()
	var object scaledObject
	if err := yaml.Unmarshal([]byte(manifest), &object); err != nil {
		s.Fatal(err)
	}
	target := scaleTarget{podCliques, object.Spec.ScaleTargetRef.Name}
	if object.Spec.ScaleTargetRef.Kind == "PodCliqueScalingGroup" {
		target.kind = scalingGroups
	}
	// The status that has it may come a moment after the set is available.
	s.eventually("a selector of "+target.name, func() (string, error) {
		if s.scaleOf(target).Status.Selector == "" {
			return "none", nil
		}
		return "", nil
	})
	like := oftenMeasured(1, object.Spec.MaxReplicaCount, queueOf(object.Spec.Triggers[0].Metadata.Threshold)) // 1: KEDA itself turns off and on
	s.createObject(autoscalers, &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "keda-hpa-" + object.Metadata.Name, Namespace: s.namespace},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: object.Spec.ScaleTargetRef,
			MinReplicas:    like.MinReplicas,
			MaxReplicas:    like.MaxReplicas,
			Metrics:        like.Metrics,
			Behavior:       like.Behavior,
		},
	})
}

// AutoscalingByKEDA checks that what a page says of KEDA works with what KEDA would do: its autoscalers, and its writes to the scale subresource
// that turn a part off and on. It starts an operator.
func AutoscalingByKEDA(page string) types.Feature {
	var operator *cluster.Operator
	var metrics *measured
	engine := scaleTarget{scalingGroups, "chat-engine"}
	pods := func(engines, decode int) []string {
		var all []string
		for g := range engines {
			all = slices.Concat(all, podNames(fmt.Sprintf("chat-prefill-0-%d", g), 1), podNames(fmt.Sprintf("chat-decode-0-%d", g), decode))
		}
		return all
	}
	return features.New("autoscaling by KEDA").
		Setup(step(func(s *scope) {
			operator = s.startOperator()
			metrics = s.serveMetrics()
			metrics.set(func(m *measured) { m.queue = 35 }) // 10 for each engine, and 32 for each of decode's
			s.mustKubectl("apply", "--server-side", "--validate=strict", "-f", s.fileOf([]byte(s.documented(page, "PodCliqueSet", "chat")[0])))
			s.waitForPods("chat", pods(2, 2))
			s.waitUntilAvailable("chat")
		})).
		Assess("grows, without a pod that two autoscalers count", step(func(s *scope) {
			before := s.podUIDs("chat")
			for _, manifest := range s.documented(page, "ScaledObject", "chat") {
				s.scaleByKEDA(manifest)
			}
			s.mustKeep(before, s.waitForPods("chat", pods(4, 2)))
			s.waitUntilAvailable("chat")
			s.checkScaledBy("kube-controller-manager", engine)
			s.mustNotMistarget()
		})).
		Assess("goes off, which breaches nothing, and stays off", step(func(s *scope) {
			s.scaleAs("keda-operator", engine, `{"spec": {"replicas": 0}}`)
			s.waitForPods("chat", nil)
			s.waitUntilAvailable("chat")
			metrics.set(func(m *measured) { m.queue = 5 })
			s.bringUpAnother()
			s.mustExist("chat")
		})).
		Assess("comes back as a gang of minAvailable, and grows on", step(func(s *scope) {
			s.scaleAs("keda-operator", engine, `{"spec": {"replicas": 1}}`)
			s.waitForPods("chat", pods(2, 1))
			s.waitUntilAvailable("chat")
			s.mustBeGang("chat-prefill-0-0-0", "chat-decode-0-0-0", "chat-prefill-0-1-0", "chat-decode-0-1-0")
			metrics.set(func(m *measured) { m.queue = 59 }) // 55 is within the tolerance of five
			s.waitForPods("chat", pods(6, 2))
			s.waitUntilAvailable("chat")
			s.mustNotMistarget()
		})).
		Teardown(step(func(s *scope) { s.stop(operator) })).
		Feature()
}
