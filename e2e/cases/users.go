package cases

import (
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"
)

// Users checks what those may do who have the roles that every cluster has.
func Users() types.Feature {
	return features.New("users").
		Assess("with view look", step(func(s *scope) {
			s.bind("view")
			s.checkMay("view", true, "list", podCliqueSets, "")
			s.checkMay("view", true, "watch", podGangs, "")
			s.checkMay("view", false, "patch", podCliqueSets, "")
			s.checkMay("view", false, "update", podCliques, "scale")
		})).
		Assess("with edit and admin change sets, and scale and delete the rest", step(func(s *scope) {
			for _, role := range []string{"edit", "admin"} {
				s.bind(role)
				s.checkMay(role, true, "create", podCliqueSets, "")
				s.checkMay(role, true, "patch", podCliqueSets, "scale")
				s.checkMay(role, true, "update", scalingGroups, "scale")
				s.checkMay(role, true, "delete", podCliques, "")
				s.checkMay(role, false, "patch", podCliques, "")
				s.checkMay(role, false, "patch", podCliqueSets, "status")
			}
		})).
		Feature()
}

// bind gives a user of the role's name that role in the case's namespace.
func (s *scope) bind(role string) {
	s.Helper()
	_, err := s.core.RbacV1().RoleBindings(s.namespace).Create(s.ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: s.namespace + role}},
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
}

// checkMay waits until the user of a role may do something, or may not: roles are aggregated a moment later.
func (s *scope) checkMay(role string, want bool, verb string, kind schema.GroupVersionResource, subresource string) {
	s.Helper()
	s.eventually(role+" and "+verb+" "+kind.Resource+"/"+subresource, func() (string, error) {
		review, err := s.core.AuthorizationV1().SubjectAccessReviews().Create(s.ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: s.namespace + role, ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: s.namespace, Verb: verb, Group: kind.Group, Resource: kind.Resource, Subresource: subresource,
			}},
		}, metav1.CreateOptions{})
		if err != nil || review.Status.Allowed == want {
			return "", err
		}
		return "allowed: " + review.Status.String(), nil
	})
}
