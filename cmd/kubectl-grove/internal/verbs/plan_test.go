package verbs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	grovefake "grove.io/grove/apis/client/clientset/versioned/fake"
	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/cmd/kubectl-grove/internal/cli"
	"grove.io/grove/cmd/kubectl-grove/internal/clitest"
	"grove.io/grove/cmd/kubectl-grove/internal/verbs"
	"grove.io/grove/controllers/plan"
	"grove.io/grove/controllers/plan/plantest"
)

// apiServer makes patches of sets what an API server makes of them in a dry run. It answers with an error where there is one.
func apiServer(t *testing.T, clients *cli.Clients, live *v1alpha1.PodCliqueSet, refuse func(force bool) error) *cli.Clients {
	t.Helper()
	clients.Grove.(*grovefake.Clientset).PrependReactor("patch", "podcliquesets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		patch := action.(clienttesting.PatchActionImpl)
		if len(patch.PatchOptions.DryRun) == 0 || patch.PatchOptions.FieldValidation != metav1.FieldValidationStrict {
			t.Errorf("a patch that is no dry run, or isn't validated strictly: %+v", patch.PatchOptions)
		}
		if err := refuse(ptr.Deref(patch.PatchOptions.Force, true)); err != nil {
			return true, nil, err
		}
		after := &v1alpha1.PodCliqueSet{}
		if patch.PatchType == types.MergePatchType {
			before, err := json.Marshal(live)
			if err != nil {
				t.Fatal(err)
			}
			patch.Patch = mergePatch(t, before, patch.Patch)
		}
		if err := json.Unmarshal(patch.Patch, after); err != nil {
			t.Fatal(err)
		}
		after.UID, after.Generation = "set", 1
		if live != nil {
			after.Status, after.ManagedFields = live.Status, live.ManagedFields
			if after.Generation = live.Generation; !equality.Semantic.DeepEqual(after.Spec, live.Spec) {
				after.Generation++
			}
		}
		return true, after, nil
	})
	return clients
}

// mergePatch is RFC 7386.
func mergePatch(t *testing.T, document, patch []byte) []byte {
	t.Helper()
	var to, from map[string]any
	if err := json.Unmarshal(document, &to); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(patch, &from); err != nil {
		t.Fatal(err)
	}
	var merge func(to, from map[string]any)
	merge = func(to, from map[string]any) {
		for key, value := range from {
			below, isMap := value.(map[string]any)
			into, wasMap := to[key].(map[string]any)
			switch {
			case value == nil:
				delete(to, key)
			case isMap && wasMap:
				merge(into, below)
			default:
				to[key] = value
			}
		}
	}
	merge(to, from)
	merged, err := json.Marshal(to)
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

// file writes a set into a file, for kubectl to apply.
func file(t *testing.T, set *v1alpha1.PodCliqueSet, more ...string) string {
	t.Helper()
	data, err := yaml.Marshal(&v1alpha1.PodCliqueSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodCliqueSet"},
		ObjectMeta: metav1.ObjectMeta{Name: set.Name, Labels: set.Labels}, Spec: set.Spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "set.yaml")
	if err := os.WriteFile(path, []byte(strings.Join(append([]string{string(data)}, more...), "---\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// up is a set that is up.
func up(t *testing.T) *plantest.World {
	w := plantest.NewWorld(clitest.Set(t, "web.yaml"), plantest.Ready)
	w.Settle()
	return w
}

func image(set *v1alpha1.PodCliqueSet, clique int, image string) {
	set.Spec.Template.Cliques[clique].Spec.PodSpec.Containers[0].Image = image
}

func TestPlan(t *testing.T) {
	set := schema.GroupResource{Group: v1alpha1.GroupName, Resource: "podcliquesets"}
	tests := map[string]struct {
		// found changes what is there, applied the file.
		found   func(w *plantest.World)
		applied func(set *v1alpha1.PodCliqueSet)
		refuse  func(force bool) error
		args    []string
		code    int
	}{
		"plan-same.txt": {},
		"plan-update.txt": {
			applied: func(set *v1alpha1.PodCliqueSet) {
				image(set, 0, "example.com/frontend:v2")
				image(set, 2, "example.com/decode:v2")
			},
			code: 2,
		},
		"plan-update.json": {applied: func(set *v1alpha1.PodCliqueSet) { image(set, 0, "example.com/frontend:v2") }, args: []string{"-o", "json"}, code: 2},
		"plan-steps.txt": {
			applied: func(set *v1alpha1.PodCliqueSet) {
				image(set, 0, "example.com/frontend:v2")
				image(set, 2, "example.com/decode:v2")
			},
			args: []string{"--steps", "2"},
			code: 2,
		},
		"plan-scale.txt": {
			applied: func(set *v1alpha1.PodCliqueSet) {
				set.Spec.Replicas = 3
				set.Labels = map[string]string{"team": "a"}
				set.Spec.Template.PodCliqueScalingGroups[0].Replicas = ptr.To[int32](3)
				set.Spec.Template.Cliques[0].Spec.AutoScalingConfig = &v1alpha1.AutoScalingConfig{MaxReplicas: 4}
			},
			code: 2,
		},
		"plan-in.txt": {applied: func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 1 }, code: 2},
		"plan-scaled-by-others.txt": {
			found: func(w *plantest.World) {
				scaled := w.PodCliques["web-frontend-0"]
				scaled.Spec.Replicas = ptr.To[int32](4)
				scaled.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kube-controller-manager", Subresource: "scale", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}}
			},
			applied: func(set *v1alpha1.PodCliqueSet) { image(set, 0, "example.com/frontend:v2") },
			code:    2,
		},
		"plan-on-delete.txt": {
			applied: func(set *v1alpha1.PodCliqueSet) {
				image(set, 0, "example.com/frontend:v2")
				set.Spec.UpdateStrategy.Type = v1alpha1.OnDelete
			},
			code: 2,
		},
		"plan-refused.txt": {
			refuse: func(bool) error {
				return apierrors.NewInvalid(v1alpha1.SchemeGroupVersion.WithKind("PodCliqueSet").GroupKind(), "web",
					field.ErrorList{field.Invalid(field.NewPath("spec", "template"), nil, "cliques start after each other: leader, worker")})
			},
			code: 1,
		},
		"plan-conflict.txt": {
			applied: func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 3 },
			refuse:  conflict(set),
			code:    1,
		},
		"plan-forced.txt": {
			applied: func(set *v1alpha1.PodCliqueSet) { set.Spec.Replicas = 3 },
			refuse:  conflict(set),
			args:    []string{"--force-conflicts"},
			code:    2,
		},
		"plan-client-side.txt": {
			found: func(w *plantest.World) {
				w.Object.Labels = map[string]string{"team": "a", "added-by": "another"}
				w.Object.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: `{"metadata":{"labels":{"team":"a"}}}`}
			},
			applied: func(set *v1alpha1.PodCliqueSet) { set.Labels = map[string]string{"tier": "b"} },
			code:    2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := up(t)
			if test.found != nil {
				test.found(w)
			}
			changed := w.Object.DeepCopy()
			if test.applied != nil {
				test.applied(changed)
			}
			refuse := func(bool) error { return nil }
			if test.refuse != nil {
				refuse = test.refuse
			}
			clients := clitest.WorldClients(w, &corev1.Service{ObjectMeta: metav1.ObjectMeta{
				Namespace: "default", Name: "web-headless", Labels: plan.SetLabels(w.Object),
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(w.Object, v1alpha1.SchemeGroupVersion.WithKind("PodCliqueSet"))},
			}})
			out, code := clitest.Run(t, apiServer(t, clients, w.Object, refuse), verbs.Plan, append([]string{"-f", file(t, changed)}, test.args...)...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			clitest.Golden(t, name, out)
		})
	}
}

// conflict is what an API server says of a field that an autoscaler of the set owns.
func conflict(set schema.GroupResource) func(force bool) error {
	return func(force bool) error {
		if force {
			return nil
		}
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: 409, Reason: metav1.StatusReasonConflict,
			Message: "Apply failed with 1 conflict",
			Details: &metav1.StatusDetails{Group: set.Group, Kind: set.Resource, Causes: []metav1.StatusCause{{
				Type: metav1.CauseTypeFieldManagerConflict, Field: ".spec.replicas", Message: `conflict with "kube-controller-manager" with subresource "scale" using grove.io/v1alpha1`,
			}}},
		}}
	}
}

func TestPlanOfNewSetAmongOthers(t *testing.T) {
	clients := apiServer(t, clitest.Clients(nil), nil, func(bool) error { return nil })
	path := file(t, clitest.Set(t, "web.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
	out, code := clitest.Run(t, clients, verbs.Plan, "-f", path)
	if code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	clitest.Golden(t, "plan-new.txt", strings.ReplaceAll(out, filepath.Dir(path)+"/", ""))
}

func TestPlanRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ args, says []string }{
		{[]string{"-o", "json"}, []string{"error: required flag(s) \"filename\" not set\n"}},
		{[]string{"-f", path + ".none"}, []string{"no such file or directory\n"}},
		{[]string{"-f", path}, []string{"passed over: ConfigMap web", "error: no PodCliqueSet in "}},
		{[]string{"-f", path, "-o", "name"}, []string{"unknown output format \"name\""}},
	} {
		out, code := clitest.Run(t, clitest.Clients(nil), verbs.Plan, test.args...)
		for _, says := range test.says {
			if code != 1 || !strings.Contains(out, says) {
				t.Errorf("%v: exit code %d, says %q; want %q", test.args, code, out, says)
			}
		}
	}
}
