package suites

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"

	"grove.io/grove/apis/grove/v1alpha1"
	"grove.io/grove/e2e/cluster"
)

// operatorUser is the operator's name in audit logs.
const operatorUser = "system:serviceaccount:" + cluster.OperatorNamespace + ":" + cluster.OperatorName

// checkedRights are those that the admission plugin OwnerReferencesPermissionEnforcement asks for, and no request of the operator's does:
// an owner's finalizers for blockOwnerDeletion, and the deletion of what is adopted but never deleted by itself.
var checkedRights = sets.New(
	action("update", v1alpha1.GroupName, "podcliquesets/finalizers"),
	action("update", v1alpha1.GroupName, "podcliques/finalizers"),
	action("delete", v1alpha1.GroupName, "podcliquescalinggroups"),
	action("delete", corev1.GroupName, "serviceaccounts"),
	action("delete", rbacv1.GroupName, "roles"),
	action("delete", rbacv1.GroupName, "rolebindings"),
)

// checkRole returns an error unless what the operator may do, by its ClusterRole and Role, is what it has done and what was checked
// as it did.
func checkRole(ctx context.Context, local *cluster.Cluster) error {
	may, err := allowed(ctx, local)
	if err != nil {
		return err
	}
	requests, err := cluster.Requests(local.AuditLog, "", time.Time{}, time.Now())
	if err != nil {
		return err
	}
	did := done(requests)
	var errs []error
	if asked := checkedRights.Intersection(did); len(asked) > 0 {
		errs = append(errs, fmt.Errorf("the operator did what only admission was thought to ask for:\n%s", strings.Join(sets.List(asked), "\n")))
	}
	did = did.Union(checkedRights)
	if unused := may.Difference(did); len(unused) > 0 {
		errs = append(errs, fmt.Errorf("deploy/rbac.yaml allows what the operator didn't do in all of this run:\n%s", strings.Join(sets.List(unused), "\n")))
	}
	if missing := did.Difference(may); len(missing) > 0 {
		errs = append(errs, fmt.Errorf("deploy/rbac.yaml doesn't allow what the operator did or tried:\n%s", strings.Join(sets.List(missing), "\n")))
	}
	return errors.Join(errs...)
}

// allowed is what the operator's roles say, as "verb group/resource".
func allowed(ctx context.Context, local *cluster.Cluster) (sets.Set[string], error) {
	client, err := kubernetes.NewForConfig(local.RESTConfig())
	if err != nil {
		return nil, err
	}
	everywhere, err := client.RbacV1().ClusterRoles().Get(ctx, cluster.OperatorName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	inNamespace, err := client.RbacV1().Roles(cluster.OperatorNamespace).Get(ctx, cluster.OperatorName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	may := sets.New[string]()
	for _, rule := range append(append([]rbacv1.PolicyRule{}, everywhere.Rules...), inNamespace.Rules...) {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					may.Insert(action(verb, group, resource))
				}
			}
		}
	}
	return may, nil
}

// done is what the operator asked for, in the same form. What every client may do, such as discovery, names no resource.
func done(requests []cluster.Request) sets.Set[string] {
	did := sets.New[string]()
	for _, r := range requests {
		if r.User != operatorUser || r.Resource == "" {
			continue
		}
		did.Insert(action(r.Verb, r.Group, r.Resource))
		switch {
		case r.Verb == "watch":
			// What an informer watches it lists, too, if an API server can't begin a watch with what there is; and it is read by name
			// where the cache turns out to be behind.
			did.Insert(action("list", r.Group, r.Resource), action("get", r.Group, r.Resource))
		case r.Verb == "patch" && r.Code == http.StatusCreated:
			did.Insert(action("create", r.Group, r.Resource))
		}
	}
	return did
}

func action(verb, group, resource string) string { return verb + " " + group + "/" + resource }
