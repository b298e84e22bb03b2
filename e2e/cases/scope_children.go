package cases

import (
	"maps"
	"reflect"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// The set, and the kinds that belong to it.
var (
	podCliqueSets       = v1alpha1.SchemeGroupVersion.WithResource("podcliquesets")
	podCliques          = v1alpha1.SchemeGroupVersion.WithResource("podcliques")
	podGangs            = v1alpha1.SchemeGroupVersion.WithResource("podgangs")
	scalingGroups       = v1alpha1.SchemeGroupVersion.WithResource("podcliquescalinggroups")
	services            = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	serviceAccounts     = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	pods                = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	podGroups           = schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1beta1", Resource: "podgroups"}
	compositePodGroups  = schema.GroupVersionResource{Group: "scheduling.k8s.io", Version: "v1alpha3", Resource: "compositepodgroups"}
	controllerRevisions = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "controllerrevisions"}
	roles               = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}
	roleBindings        = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}
)

// names are those of the objects of each kind.
type names map[schema.GroupVersionResource][]string

// waitForChildren waits until the objects that are labelled as a set's, of the kinds in want, are exactly those in want.
func (s *scope) waitForChildren(set string, want names) {
	s.Helper()
	s.eventually("children of "+set, func() (string, error) {
		got, err := s.childrenOf(set, slices.Collect(maps.Keys(want)))
		if err != nil {
			return "", err
		}
		unordered := cmpopts.SortSlices(func(a, b string) bool { return a < b })
		return cmp.Diff(want, got, unordered, cmpopts.EquateEmpty()), nil
	})
}

func (s *scope) childrenOf(set string, kinds []schema.GroupVersionResource) (names, error) {
	found := names{}
	for _, kind := range kinds {
		list, err := s.dynamic.Resource(kind).Namespace(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: ofSet(set)})
		if err != nil {
			return nil, err
		}
		found[kind] = nil
		for _, child := range list.Items {
			found[kind] = append(found[kind], child.GetName())
		}
	}
	return found, nil
}

// noChildren has every kind, and no objects.
func noChildren() names {
	return names{podCliques: nil, podGangs: nil, scalingGroups: nil, autoscalers: nil, services: nil, serviceAccounts: nil, pods: nil, roles: nil, roleBindings: nil}
}

func (s *scope) get(kind schema.GroupVersionResource, name string) *unstructured.Unstructured {
	s.Helper()
	object, err := s.dynamic.Resource(kind).Namespace(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return object
}

// patch applies a JSON merge patch.
func (s *scope) patch(kind schema.GroupVersionResource, name, patch string, subresources ...string) {
	s.Helper()
	client := s.dynamic.Resource(kind).Namespace(s.namespace)
	_, err := client.Patch(s.ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
	if err != nil {
		s.Fatalf("patch %s %s: %v", kind.Resource, name, err)
	}
}

func (s *scope) delete(kind schema.GroupVersionResource, name string, options metav1.DeleteOptions) {
	s.Helper()
	if err := s.dynamic.Resource(kind).Namespace(s.namespace).Delete(s.ctx, name, options); err != nil {
		s.Fatalf("delete %s %s: %v", kind.Resource, name, err)
	}
}

// waitForReplacement waits until another object has the name of one that had a UID.
func (s *scope) waitForReplacement(kind schema.GroupVersionResource, name string, uid types.UID) *unstructured.Unstructured {
	s.Helper()
	var object *unstructured.Unstructured
	s.eventually("another "+kind.Resource+" "+name, func() (string, error) {
		var err error
		object, err = s.dynamic.Resource(kind).Namespace(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
		switch {
		case err != nil:
			return "", err
		case object.GetUID() == uid:
			return "still the one with UID " + string(uid), nil
		default:
			return "", nil
		}
	})
	return object
}

// drifting is a child of the set that createTeam makes, with a JSON merge patch of what is Grove's in it.
type drifting struct {
	kind schema.GroupVersionResource
	name string
	edit string
}

// driftingChildren has one child of each kind, in the order of how much depends on them.
var driftingChildren = []drifting{
	{pods, "job-worker-0-1-0", `{"metadata": {"labels": {"grove.io/pod-index": "7"}}}`},
	{serviceAccounts, "grove-job", `{"metadata": {"labels": {"grove.io/podcliqueset": "other"}}}`},
	{roles, "grove-job", `{"rules": []}`},
	{roleBindings, "grove-job", `{"subjects": []}`},
	{services, "job-headless", `{"spec": {"publishNotReadyAddresses": false, "selector": {"grove.io/podcliqueset": "other"}}}`},
	{podGangs, "job-0", `{"spec": {"podGroups": []}}`},
	{scalingGroups, "job-team", `{"spec": {"minAvailable": 2}}`},
	{podCliques, "job-worker-0", `{"spec": {"minAvailable": 2, "roleName": "other"}}`},
}

func teamChildren() names {
	return names{
		podCliques:      {"job-worker-0", "job-proxy-0"},
		podGangs:        {"job-0"},
		scalingGroups:   {"job-team"},
		services:        {"job-headless"},
		serviceAccounts: {"grove-job"},
		roles:           {"grove-job"},
		roleBindings:    {"grove-job"},
	}
}

func (s *scope) createObject(kind schema.GroupVersionResource, object runtime.Object) *unstructured.Unstructured {
	s.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		s.Fatal(err)
	}
	manifest := &unstructured.Unstructured{Object: content}
	manifest.SetGroupVersionKind(kind.GroupVersion().WithKind(reflect.TypeOf(object).Elem().Name()))
	created, err := s.dynamic.Resource(kind).Namespace(s.namespace).Create(s.ctx, manifest, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return created
}

func nameOf(object runtime.Object) string { return object.(metav1.Object).GetName() }
