package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

var autoscalers = autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers")

// newServing is a set named serve with a standalone clique, a scaling group of two cliques, one of which is autoscaled, and what it takes to
// see that a configuration is passed on as it is: no metrics, and a behavior with gaps, which the API server fills.
func newServing() *v1alpha1.PodCliqueSet {
	set := newSet("serve", 1, newClique("router", 1, 1), newClique("prefill", 2, 2), newClique("decode", 2, 2))
	template := &set.Spec.Template
	template.Cliques[0].Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MinReplicas: ptr.To[int32](2), MaxReplicas: 4}
	template.Cliques[2].Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{
		MinReplicas: ptr.To[int32](1),
		MaxReplicas: 6,
		Behavior:    &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](0)}},
	}
	template.PodCliqueScalingGroups = []v1alpha1.PodCliqueScalingGroupConfig{newGroup("engine", 1, 1, "prefill", "decode")}
	template.PodCliqueScalingGroups[0].ScaleConfig = &v1alpha1.AutoScalingConfig{MinReplicas: ptr.To[int32](2), MaxReplicas: 3}
	return set
}

// servingPods are the pods of the set that newServing makes, with some replicas of it, routers in each, and group replicas.
func servingPods(replicas, routers, engines int) []string {
	var all []string
	for i := range replicas {
		all = append(all, podNames(fmt.Sprintf("serve-router-%d", i), routers)...)
		for g := range engines {
			all = append(all, podNames(fmt.Sprintf("serve-prefill-%d-%d", i, g), 2)...)
			all = append(all, podNames(fmt.Sprintf("serve-decode-%d-%d", i, g), 2)...)
		}
	}
	return all
}

// Autoscaling checks that autoscalers are made, kept and removed, and that what they set stays. Nothing is measured: an autoscaler whose
// floor is above what there is scales all the same.
func Autoscaling() types.Feature {
	return features.New("autoscaling").
		Assess("has an autoscaler for each that asks for one, which scales to its floor", step(func(s *scope) {
			s.apply(newServing())
			s.waitForAutoscalers("serve", "serve-router-0", "serve-decode-0", "serve-engine")
			s.waitForPods("serve", servingPods(1, 2, 2))
			s.waitUntilAvailable("serve")
			s.checkAutoscaler("serve-router-0", "PodClique", 2, 4)
			s.checkAutoscaler("serve-decode-0", "PodClique", 2, 6)
			s.checkAutoscaler("serve-engine", "PodCliqueScalingGroup", 2, 3)
			s.waitForSet("serve", "says that a floor was raised", func(set *v1alpha1.PodCliqueSet) string {
				raised := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionAutoscalingFloorRaised)
				if raised == nil || !strings.Contains(raised.Message, "clique decode: minReplicas is 1, and minAvailable 2") {
					return fmt.Sprint(raised)
				}
				return ""
			})
			s.checkScaledBy("kube-controller-manager", scaleTarget{podCliques, "serve-router-0"})
			s.checkScaledBy("kube-controller-manager", scaleTarget{scalingGroups, "serve-engine"})
		})).
		Assess("counts no pod twice, beside a user's own for the set", step(func(s *scope) {
			s.createObject(autoscalers, &autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: metav1.ObjectMeta{Name: "mine", Namespace: s.namespace},
				Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
					ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodCliqueSet", Name: "serve"},
					MinReplicas:    ptr.To[int32](2), MaxReplicas: 2,
				},
			})
			s.waitForAutoscalers("serve", "serve-router-0", "serve-decode-0", "serve-router-1", "serve-decode-1", "serve-engine")
			s.waitForPods("serve", servingPods(2, 2, 2))
			s.waitUntilAvailable("serve")
			s.checkCounts(2, scaleTarget{podCliqueSets, "serve"})
			for i := range 2 {
				s.checkCounts(2, scaleTarget{podCliques, fmt.Sprintf("serve-router-%d", i)})
				s.checkCounts(2, scaleTarget{podCliques, fmt.Sprintf("serve-decode-%d", i)})
			}
			s.checkCounts(2, scaleTarget{scalingGroups, "serve-engine"})
			s.checkDisjoint(scaleTarget{podCliqueSets, "serve"}, scaleTarget{scalingGroups, "serve-engine"},
				scaleTarget{podCliques, "serve-router-0"}, scaleTarget{podCliques, "serve-router-1"},
				scaleTarget{podCliques, "serve-decode-0"}, scaleTarget{podCliques, "serve-decode-1"})
			s.mustNotMistarget()
			s.delete(autoscalers, "mine", metav1.DeleteOptions{})
			s.mustKubectl("scale", "podcliqueset/serve", "--replicas=1")
			s.waitForAutoscalers("serve", "serve-router-0", "serve-decode-0", "serve-engine")
			s.waitForPods("serve", servingPods(1, 2, 2))
		})).
		Assess("is put back where it is edited or deleted", step(func(s *scope) {
			s.checkPutBack(autoscalers, "serve-router-0", `{"spec": {"maxReplicas": 9}}`)
			s.checkPutBack(autoscalers, "serve-decode-0", `{"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 7}}}}`)
			s.checkPutBack(autoscalers, "serve-engine", `{"metadata": {"labels": {"grove.io/podcliqueset": "other"}}}`)
			was := s.get(autoscalers, "serve-engine")
			s.delete(autoscalers, "serve-engine", metav1.DeleteOptions{})
			s.waitForReplacement(autoscalers, "serve-engine", was.GetUID())
		})).
		Assess("keeps its replicas when the template says others", step(func(s *scope) {
			before := s.podUIDs("serve")
			set := newServing()
			set.Spec.Template.Cliques[0].Spec.Replicas = ptr.To[int32](3)
			set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](3)
			s.apply(set)
			s.mark(set)
			s.mustKeep(before, s.waitForPods("serve", servingPods(1, 2, 2)))
		})).
		Assess("follows its floor and ceiling", step(func(s *scope) {
			set := newServing()
			set.Spec.Template.Cliques[0].Spec.AutoScalingConfig.MinReplicas = ptr.To[int32](3)
			s.apply(set)
			s.waitForPods("serve", servingPods(1, 3, 2))
			set.Spec.Template.Cliques[0].Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 2}
			s.apply(set)
			s.waitForPods("serve", servingPods(1, 2, 2))
		})).
		Assess("leaves off what somebody turned off, and makes a gang of what comes back", step(func(s *scope) {
			s.mustKubectl("scale", "podcliquescalinggroup/serve-engine", "--replicas=0")
			s.waitForPods("serve", servingPods(1, 2, 0))
			s.waitUntilAvailable("serve")
			s.mustKubectl("scale", "podcliquescalinggroup/serve-engine", "--replicas=1")
			s.waitForPods("serve", servingPods(1, 2, 2))
			s.waitUntilAvailable("serve")
			s.mustBeGang("serve-prefill-0-0-0", "serve-decode-0-0-0", "serve-decode-0-0-1")
		})).
		Assess("goes when nobody asks for it, and leaves replicas as they are", step(func(s *scope) {
			before := s.podUIDs("serve")
			set := newServing()
			set.Spec.Template.Cliques[0].Spec.Replicas = ptr.To[int32](4)
			s.apply(set)
			s.mark(set)
			set.Spec.Template.Cliques[0].Spec.AutoScalingConfig = nil
			set.Spec.Template.PodCliqueScalingGroups[0].ScaleConfig = nil
			s.apply(set)
			s.waitForAutoscalers("serve", "serve-decode-0")
			s.mark(set)
			s.mustKeep(before, s.waitForPods("serve", servingPods(1, 2, 2)))
			set.Spec.Template.Cliques[0].Spec.Replicas = ptr.To[int32](1)
			s.apply(set)
			s.waitForPods("serve", servingPods(1, 1, 2))
		})).
		Assess("goes with its set", step(func(s *scope) {
			s.delete(podCliqueSets, "serve", metav1.DeleteOptions{})
			s.waitForAutoscalers("serve")
		})).
		Feature()
}

// AutoscalerConflict checks that an autoscaler of somebody else's is left alone, and told of.
func AutoscalerConflict() types.Feature {
	return features.New("an autoscaler of somebody else's").
		Assess("is told of, and stays", step(func(s *scope) {
			mine := &autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: metav1.ObjectMeta{Name: "serve-router-0", Namespace: s.namespace},
				Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
					ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "other"}, MaxReplicas: 5,
				},
			}
			created := s.createObject(autoscalers, mine)
			s.create(newServing())
			s.waitForProblem(podCliqueSets, "serve", v1alpha1.ReasonNameConflict, "HorizontalPodAutoscaler serve-router-0 exists")
			s.waitForPods("serve", servingPods(1, 1, 2))
			if got := s.get(autoscalers, "serve-router-0"); got.GetUID() != created.GetUID() || len(got.GetOwnerReferences()) > 0 {
				s.Errorf("somebody else's autoscaler was changed: %v", got)
			}
			s.delete(autoscalers, "serve-router-0", metav1.DeleteOptions{})
			s.change("serve", func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.Cliques[0].Spec.AutoScalingConfig.MaxReplicas = 5 })
			s.waitForPods("serve", servingPods(1, 2, 2))
			s.waitForSolution(podCliqueSets, "serve")
		})).
		Assess("one that counts the same pods under another name, as KEDA's would, stops both, which kube-controller-manager tells, and stays", step(func(s *scope) {
			before := s.podUIDs("serve")
			s.createObject(autoscalers, &autoscalingv2.HorizontalPodAutoscaler{
				ObjectMeta: metav1.ObjectMeta{Name: "keda-hpa-router", Namespace: s.namespace},
				Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
					ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodClique", Name: "serve-router-0"},
					MinReplicas:    ptr.To[int32](2), MaxReplicas: 5,
				},
			})
			for _, name := range []string{"serve-router-0", "keda-hpa-router"} {
				s.waitForAnEvent(name, "AmbiguousSelector", "keda-hpa-router")
			}
			s.mustKeep(before, s.waitForPods("serve", servingPods(1, 2, 2)))
			s.delete(autoscalers, "keda-hpa-router", metav1.DeleteOptions{})
		})).
		Assess("one that the API server refuses is told of, too", step(func(s *scope) {
			s.change("serve", func(set *v1alpha1.PodCliqueSet) {
				// Which metric it is, isn't said.
				set.Spec.Template.Cliques[0].Spec.AutoScalingConfig.Metrics = []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType}}
			})
			s.waitForProblem(podCliqueSets, "serve", v1alpha1.ReasonInvalidChild, "HorizontalPodAutoscaler serve-router-0")
		})).
		Feature()
}

// scaleTarget is something with a scale subresource.
type scaleTarget struct {
	kind schema.GroupVersionResource
	name string
}

func (s *scope) waitForAutoscalers(set string, want ...string) {
	s.Helper()
	s.waitForChildren(set, names{autoscalers: want})
}

// checkAutoscaler compares an autoscaler with what it shall scale, in which bounds; its metrics are the API server's default.
func (s *scope) checkAutoscaler(name, kind string, floor, ceiling int32) {
	s.Helper()
	autoscaler, err := s.core.AutoscalingV2().HorizontalPodAutoscalers(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	spec, owner := autoscaler.Spec, metav1.GetControllerOfNoCopy(autoscaler)
	want := autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: kind, Name: name}
	if spec.ScaleTargetRef != want || *spec.MinReplicas != floor || spec.MaxReplicas != ceiling || len(spec.Metrics) != 1 {
		s.Errorf("autoscaler %s: %+v", name, spec)
	}
	if owner == nil || owner.Kind != "PodCliqueSet" {
		s.Errorf("autoscaler %s is controlled by %v", name, owner)
	}
}

func (s *scope) scaleOf(of scaleTarget) autoscalingv1.Scale {
	s.Helper()
	object, err := s.dynamic.Resource(of.kind).Namespace(s.namespace).Get(s.ctx, of.name, metav1.GetOptions{}, "scale")
	if err != nil {
		s.Fatal(err)
	}
	var scale autoscalingv1.Scale
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &scale); err != nil {
		s.Fatal(err)
	}
	return scale
}

// countedFor are the names of the pods that an autoscaler of a target counts.
func (s *scope) countedFor(of scaleTarget) []string {
	s.Helper()
	pods, err := s.core.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: s.scaleOf(of).Status.Selector})
	if err != nil {
		s.Fatal(err)
	}
	var counted []string
	for _, pod := range pods.Items {
		counted = append(counted, pod.Name)
	}
	return counted
}

// checkCounts waits until as many pods are counted as a target says that it has replicas.
func (s *scope) checkCounts(want int, of scaleTarget) {
	s.Helper()
	s.eventually(fmt.Sprintf("%d counted for %s", want, of.name), func() (string, error) {
		counted, replicas := s.countedFor(of), s.scaleOf(of).Status.Replicas
		if len(counted) == want && int(replicas) == want {
			return "", nil
		}
		return fmt.Sprintf("%d replicas, and counted are %v", replicas, counted), nil
	})
}

// checkDisjoint fails the test if a pod is counted for two targets.
func (s *scope) checkDisjoint(targets ...scaleTarget) {
	s.Helper()
	by := map[string]string{}
	for _, target := range targets {
		for _, pod := range s.countedFor(target) {
			if by[pod] != "" {
				s.Errorf("pod %s is counted for %s and for %s", pod, by[pod], target.name)
			}
			by[pod] = target.name
		}
	}
	s.Logf("counted: %v", slices.Sorted(maps.Keys(by)))
}

// mustNotMistarget fails the test if kube-controller-manager has warned of a target that has no selector, or shares pods.
func (s *scope) mustNotMistarget() {
	s.Helper()
	events, err := s.core.CoreV1().Events(s.namespace).List(s.ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=HorizontalPodAutoscaler"})
	if err != nil {
		s.Fatal(err)
	}
	for _, event := range events.Items {
		if slices.Contains([]string{"SelectorRequired", "InvalidSelector", "AmbiguousSelector", "FailedUpdateScale"}, event.Reason) {
			s.Errorf("event %s of %s: %s", event.Reason, event.InvolvedObject.Name, event.Message)
		}
	}
}

// mustBeGang fails the test unless each of some pods is in a group of the scheduler.
func (s *scope) mustBeGang(names ...string) {
	s.Helper()
	for _, name := range names {
		if group := s.pod(name).Spec.SchedulingGroup; group == nil || group.PodGroupName == nil {
			s.Errorf("pod %s is in no group of the scheduler", name)
		}
	}
}
