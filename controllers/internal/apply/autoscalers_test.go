package apply

import (
	"context"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	autoscalingv2ac "k8s.io/client-go/applyconfigurations/autoscaling/v2"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/controllers/internal/consistency"
	"grove.io/grove/controllers/plan/plantest"
)

// oddConfigs are autoscaling configurations that say things in ways that the API server changes, or adds to.
var oddConfigs = map[string]string{
	"nothing said":                         `{maxReplicas: 3}`,
	"no metrics, no behavior":              `{maxReplicas: 3, metrics: [], behavior: {}}`,
	"nothing but null":                     `{minReplicas: null, maxReplicas: 3, metrics: null, behavior: null}`,
	"empty rules":                          `{maxReplicas: 3, behavior: {scaleUp: {}, scaleDown: {}}}`,
	"empty policies":                       `{maxReplicas: 3, behavior: {scaleUp: {policies: []}, scaleDown: {policies: [], selectPolicy: Min}}}`,
	"one way only":                         `{maxReplicas: 3, behavior: {scaleUp: {stabilizationWindowSeconds: 0}}}`,
	"one way, and an empty one":            `{maxReplicas: 3, behavior: {scaleUp: {}, scaleDown: {selectPolicy: Disabled}}}`,
	"policies without a choice of them":    `{maxReplicas: 3, behavior: {scaleDown: {policies: [{type: Percent, value: 50, periodSeconds: 30}, {type: Pods, value: 1, periodSeconds: 60}]}}}`,
	"a tolerance":                          `{maxReplicas: 3, behavior: {scaleUp: {tolerance: "0.050"}, scaleDown: {tolerance: "50e-3"}}}`,
	"no tolerance at all":                  `{maxReplicas: 3, behavior: {scaleDown: {tolerance: "0"}}}`,
	"a resource, by value":                 `{maxReplicas: 3, metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1024Mi}}}]}`,
	"a resource of a container":            `{maxReplicas: 3, metrics: [{type: ContainerResource, containerResource: {name: cpu, container: main, target: {type: Utilization, averageUtilization: 60}}}]}`,
	"a metric of pods":                     `{maxReplicas: 3, metrics: [{type: Pods, pods: {metric: {name: streams, selector: {matchLabels: {}}}, target: {type: AverageValue, averageValue: "0.5"}}}]}`,
	"a metric of an object":                `{maxReplicas: 3, metrics: [{type: Object, object: {metric: {name: hits}, describedObject: {kind: Service, name: front}, target: {type: Value, value: "1e3"}}}]}`,
	"an external metric":                   `{minReplicas: 0, maxReplicas: 3, metrics: [{type: External, external: {metric: {name: queue, selector: {}}, target: {type: AverageValue, averageValue: "0.50"}}}]}`,
	"an external metric with a selector":   `{maxReplicas: 3, metrics: [{type: External, external: {metric: {name: queue, selector: {matchExpressions: [{key: q, operator: Exists}]}}, target: {type: Value, value: 1000m}}}]}`,
	"several metrics, one of them twice":   `{maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}, {type: External, external: {metric: {name: q}, target: {type: Value, value: "2"}}}, {type: External, external: {metric: {name: q}, target: {type: Value, value: 2}}}]}`,
	"a quantity with more than it can say": `{maxReplicas: 3, metrics: [{type: External, external: {metric: {name: q}, target: {type: Value, value: "0.0000000001"}}}]}`,
}

// An autoscaler is applied once, whatever the API server makes of it: neither an operator that starts anew, and remembers nothing, nor one
// that sees it after others have written to it finds a difference.
func TestAutoscalersAreAppliedOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("needs an API server")
	}
	kube := kubernetes.NewForConfigOrDie(apiServer.RESTConfig())
	namespace, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "autoscalers-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, spelled := range oddConfigs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := oddSet(t, namespace.Name, strings.NewReplacer(" ", "-", ",", "").Replace(name), spelled)
			world := plantest.NewWorld(set, plantest.Ready)
			world.Settle()
			checkAppliedOnce(t, kube, set, func() *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration {
				return world.Children().Autoscalers[0]
			})
		})
	}
}

// oddSet is a set of one clique with an autoscaling configuration.
func oddSet(t *testing.T, namespace, name, spelled string) *v1alpha1.PodCliqueSet {
	t.Helper()
	var config v1alpha1.AutoScalingConfig
	if err := yaml.UnmarshalStrict([]byte(spelled), &config); err != nil {
		t.Fatal(err)
	}
	set := &v1alpha1.PodCliqueSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name)}}
	set.Spec.Replicas = 1
	set.Spec.Template.Cliques = []v1alpha1.PodCliqueTemplateSpec{{Name: "a", Spec: v1alpha1.PodCliqueSpec{
		PodSpec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image"}}}, AutoScalingConfig: &config,
	}}}
	return set
}

func checkAppliedOnce(t *testing.T, kube kubernetes.Interface, set *v1alpha1.PodCliqueSet, plan func() *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration) {
	t.Helper()
	autoscalers := kube.AutoscalingV2().HorizontalPodAutoscalers(set.Namespace)
	owner := Owner{Object: set, Kind: "PodCliqueSet", Set: set.Name, Live: func(context.Context) (metav1.Object, error) { return set, nil }}
	var live *autoscalingv2.HorizontalPodAutoscaler
	// apply applies the configuration as an operator does that has just started, and returns what there is afterwards.
	apply := func() *autoscalingv2.HorizontalPodAutoscaler {
		store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, nil)
		if live != nil {
			if err := store.Add(live); err != nil {
				t.Fatal(err)
			}
		}
		kind := NewKind("HorizontalPodAutoscaler", manager, &consistency.Tracker{}, store, kube.AutoscalingV2().HorizontalPodAutoscalers,
			autoscalingv2ac.ExtractHorizontalPodAutoscaler)
		recorded := &recordingClient{Client: autoscalers}
		kind.client = func(string) Client[*autoscalingv2.HorizontalPodAutoscaler, *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration] {
			return recorded
		}
		if err := kind.Apply(t.Context(), owner, plan()); err != nil {
			t.Fatal(err)
		}
		switch {
		case live == nil && recorded.applied != 1:
			t.Errorf("created by %d applies", recorded.applied)
		case live != nil && recorded.applied > 0:
			t.Errorf("applied again to %+v", live.Spec)
		}
		current, err := autoscalers.Get(t.Context(), *plan().Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return current
	}
	live = apply()
	live = apply()
	live.Status.CurrentReplicas, live.Status.DesiredReplicas = 1, 2
	var err error
	if live, err = autoscalers.UpdateStatus(t.Context(), live, metav1.UpdateOptions{FieldManager: "kube-controller-manager"}); err != nil {
		t.Fatal(err)
	}
	live = apply()
	note := []byte(`{"metadata": {"annotations": {"example.com/note": "seen"}}}`)
	if live, err = autoscalers.Patch(t.Context(), live.Name, types.MergePatchType, note, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	apply()
}

// recordingClient counts what is applied.
type recordingClient struct {
	Client[*autoscalingv2.HorizontalPodAutoscaler, *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration]
	applied int
}

func (c *recordingClient) Apply(ctx context.Context, config *autoscalingv2ac.HorizontalPodAutoscalerApplyConfiguration, options metav1.ApplyOptions) (
	*autoscalingv2.HorizontalPodAutoscaler, error) {
	c.applied++
	return c.Client.Apply(ctx, config, options)
}
