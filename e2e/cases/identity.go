package cases

import (
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// UsersPods checks that what users put into a clique reaches its pods beside what Grove puts there.
func UsersPods() types.Feature {
	return features.New("users' own settings of pods").
		Setup(step(func(s *scope) {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "own"}}
			if _, err := s.core.CoreV1().ServiceAccounts(s.namespace).Create(s.ctx, account, metav1.CreateOptions{}); err != nil {
				s.Fatal(err)
			}
			s.create(newSet("web", 1, usersClique(), newClique("plain", 1, 1)))
			s.waitForPods("web", podNames("web-front-0", 1), podNames("web-plain-0", 1))
		})).
		Assess("come after Grove's environment, in every container", step(func(s *scope) {
			pod, err := s.core.CoreV1().Pods(s.namespace).Get(s.ctx, "web-front-0-0", metav1.GetOptions{})
			if err != nil {
				s.Fatal(err)
			}
			want := []string{
				"GROVE_PCS_NAME", "GROVE_PCS_INDEX", "GROVE_PCLQ_NAME", "GROVE_PCLQ_POD_INDEX", "GROVE_HEADLESS_SERVICE",
				"GROVE_POD_ADDRESS", "FIRST", "ADDRESS",
			}
			if diff := cmp.Diff(want, envNames(pod.Spec.InitContainers[0])); diff != "" {
				s.Errorf("init container (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, envNames(pod.Spec.Containers[0])); diff != "" {
				s.Errorf("container (-want +got):\n%s", diff)
			}
		})).
		Assess("reach metadata, where Grove's keys win", step(func(s *scope) {
			for kind, name := range frontAndPod {
				object := s.get(kind, name)
				if got := object.GetLabels()["example.com/team"]; got != "blue" {
					s.Errorf("label of %s is %q", name, got)
				}
				if got := object.GetAnnotations()["example.com/note"]; got != "mine" {
					s.Errorf("annotation of %s is %q", name, got)
				}
				if got := object.GetLabels()[v1alpha1.LabelPodCliqueSet]; got != "web" {
					s.Errorf("Grove's label of %s is %q", name, got)
				}
			}
		})).
		Assess("name a service account, which may see PodGangs too", step(func(s *scope) {
			pod, err := s.core.CoreV1().Pods(s.namespace).Get(s.ctx, "web-front-0-0", metav1.GetOptions{})
			if err != nil {
				s.Fatal(err)
			}
			if pod.Spec.ServiceAccountName != "own" {
				s.Errorf("the pod runs as %q", pod.Spec.ServiceAccountName)
			}
			s.waitForChildren("web", names{roleBindings: {"grove-web"}}) // it comes once the operator has seen the Role
			binding, err := s.core.RbacV1().RoleBindings(s.namespace).Get(s.ctx, "grove-web", metav1.GetOptions{})
			if err != nil {
				s.Fatal(err)
			}
			want := []rbacv1.Subject{
				{Kind: "ServiceAccount", Name: "grove-web", Namespace: s.namespace},
				{Kind: "ServiceAccount", Name: "own", Namespace: s.namespace},
			}
			if diff := cmp.Diff(want, binding.Subjects); diff != "" {
				s.Errorf("subjects (-want +got):\n%s", diff)
			}
		})).
		Assess("change metadata without a restart", step(func(s *scope) {
			before := s.podUIDs("web")
			s.change("web", func(set *v1alpha1.PodCliqueSet) { set.Spec.Template.Cliques[0].Labels["example.com/team"] = "red" })
			s.eventually("changed label", func() (string, error) {
				for kind, name := range frontAndPod {
					if got := s.get(kind, name).GetLabels()["example.com/team"]; got != "red" {
						return name + " has " + got, nil
					}
				}
				return "", nil
			})
			s.mustKeep(before, s.waitForPods("web", podNames("web-front-0", 1), podNames("web-plain-0", 1)))
		})).
		Feature()
}

// frontAndPod are the PodClique of usersClique and its pod.
var frontAndPod = map[schema.GroupVersionResource]string{podCliques: "web-front-0", pods: "web-front-0-0"}

// usersClique has everything that a user may add.
func usersClique() v1alpha1.PodCliqueTemplateSpec {
	clique := newClique("front", 1, 1)
	clique.Labels = map[string]string{"example.com/team": "blue", v1alpha1.LabelPodCliqueSet: "other"}
	clique.Annotations = map[string]string{"example.com/note": "mine"}
	clique.Spec.PodSpec.ServiceAccountName = "own"
	own := []corev1.EnvVar{{Name: "FIRST", Value: "1"}, {Name: "ADDRESS", Value: "$(GROVE_HEADLESS_SERVICE)"}}
	clique.Spec.PodSpec.Containers[0].Env = own
	clique.Spec.PodSpec.InitContainers = []corev1.Container{{Name: "prepare", Image: image, Env: own}}
	return clique
}

func envNames(container corev1.Container) []string {
	var names []string
	for _, variable := range container.Env {
		names = append(names, variable.Name)
	}
	return names
}
