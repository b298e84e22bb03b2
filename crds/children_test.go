package crds_test

import (
	"context"
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/controllers/plan/plantest"
)

// childResources are where the children of sets are applied, by their kinds.
var childResources = map[string]schema.GroupVersionResource{
	"ServiceAccount":          {Version: "v1", Resource: "serviceaccounts"},
	"Role":                    {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":             {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"Service":                 {Version: "v1", Resource: "services"},
	"ControllerRevision":      {Group: "apps", Version: "v1", Resource: "controllerrevisions"},
	"PodDisruptionBudget":     {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	"HorizontalPodAutoscaler": {Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
	"PodCliqueScalingGroup":   resources["PodCliqueScalingGroup"],
	"PodClique":               resources["PodClique"],
	"PodGang":                 {Group: "grove.io", Version: "v1alpha1", Resource: "podgangs"},
	"Pod":                     {Version: "v1", Resource: "pods"},
}

// triedSets is how many random sets have their children tried, besides the examples.
const triedSets = 40

// mostTried is how many PodCliques a set may have whose children are tried.
const mostTried = 40

// What admission accepts has children that the API server accepts.
func TestChildrenAreAccepted(t *testing.T) {
	server := newApplier(t)
	sets, rules := setExamples(t), newAdmission(t)["PodCliqueSet"]
	tried := map[string]int{}
	for i := range len(sets) + triedSets {
		d := decisions(entropy(byte(i)))
		object := sets[i%len(sets)]
		if i >= len(sets) {
			object = d.mutated(sets)
		}
		if errs, _ := rules.validate(object); len(errs) > 0 {
			continue
		}
		set := setOf(t, object)
		// Classes are the cluster's.
		set.Spec.Template.PriorityClassName = ""
		for i := range set.Spec.Template.Cliques {
			set.Spec.Template.Cliques[i].Spec.PodSpec.PriorityClassName = ""
		}
		w := world(t, set, &d)
		if w == nil || len(w.PodCliques) > mostTried {
			continue
		}
		w.Settle()
		var all []any
		children := w.Children()
		all = append(all, children.ServiceAccount, children.Role, children.RoleBinding, children.Revision)
		all = appended(all, children.Services)
		all = appended(all, children.ScalingGroups)
		all = appended(all, children.PodGangs())
		all = appended(all, children.PodCliques())
		all = appended(all, children.DisruptionBudgets)
		all = appended(all, children.Autoscalers)
		for _, clique := range w.Cliques {
			clique.Pods, clique.InitImage = nil, "grove.io/grove:dev"
			// The pods of a clique are alike.
			for _, pod := range firstOf(clique.Actions(plantest.Now).Create) {
				all = append(all, pod.Config)
			}
		}
		for _, child := range all {
			server.try(t, tried, i, child)
		}
	}
	t.Logf("tried %v", tried)
	for kind := range childResources {
		if tried[kind] == 0 {
			t.Errorf("no %s was tried", kind)
		}
	}
}

func appended[T any](all []any, more []T) []any {
	for _, one := range more {
		all = append(all, one)
	}
	return all
}

// try applies a child, in a dry run unless others need it.
func (a applier) try(t *testing.T, tried map[string]int, set int, child any) {
	t.Helper()
	data, err := json.Marshal(child)
	if err != nil {
		t.Fatal(err)
	}
	var object unstructured.Unstructured
	if err := json.Unmarshal(data, &object.Object); err != nil {
		t.Fatal(err)
	}
	if object.GetKind() == "" {
		return
	}
	resource, known := childResources[object.GetKind()]
	if !known {
		t.Fatalf("nobody knows where to apply a %s", object.GetKind())
	}
	tried[object.GetKind()]++
	options := metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict}
	if object.GetKind() != "ServiceAccount" { // without which pods are refused
		options.DryRun = []string{metav1.DryRunAll}
	}
	_, err = a.client.Resource(resource).Namespace(metav1.NamespaceDefault).Patch(context.Background(), object.GetName(), types.ApplyPatchType, data, options)
	if err != nil {
		t.Errorf("set %d: %s %s: %v", set, object.GetKind(), object.GetName(), err)
	}
}

func firstOf[T any](all []T) []T { return all[:min(1, len(all))] }
