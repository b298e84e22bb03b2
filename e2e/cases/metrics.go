package cases

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"grove.io/grove/apis/grove/v1alpha1"
)

// metricsURL is where pods find the operator's metrics.
const metricsURL = "https://grove-operator-metrics.grove-system.svc:8080/metrics"

// MetricsInCluster checks that the operator's metrics are reached through their Service, by those who may.
func MetricsInCluster() types.Feature {
	return features.New("metrics, by their Service").
		Assess("are for those who may get them", step(func(s *scope) {
			s.bindMetricsReader("default")
			s.apply(newSet("prometheus", 1, newRealClique("a", 1, 1), withAccount("default", newRealClique("b", 1, 1))))
			s.waitUntilAvailable("prometheus")
			out, err := s.kubectl("exec", "prometheus-a-0-0", "--container", mainContainer, "--", "/workload", "-fetch="+metricsURL)
			if err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
				s.Errorf("an account without rights got %q, error %v; want 403", out, err)
			}
			if out := s.exec("prometheus-b-0-0", "-fetch="+metricsURL); !strings.Contains(out, "\nworkqueue_adds_total{") {
				s.Errorf("metrics have no workqueue_adds_total:\n%.2000s", out)
			}
		})).
		Feature()
}

func withAccount(account string, clique v1alpha1.PodCliqueTemplateSpec) v1alpha1.PodCliqueTemplateSpec {
	clique.Spec.PodSpec.ServiceAccountName = account
	return clique
}

// bindMetricsReader lets an account of the case's namespace read metrics, until the case ends.
func (s *scope) bindMetricsReader(account string) {
	s.Helper()
	bindings := s.core.RbacV1().ClusterRoleBindings()
	binding, err := bindings.Create(s.ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace + "-metrics"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "grove-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.namespace, Name: account}},
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := bindings.Delete(s.ctx, binding.Name, metav1.DeleteOptions{}); err != nil {
			s.Error(err)
		}
	})
}

// Metrics checks who gets the metrics of an operator that runs beside the cluster.
func Metrics() types.Feature {
	return features.New("metrics").
		Assess("are for those who may get them", step(func(s *scope) {
			s.bindMetricsReader("reader")
			for _, account := range []string{"reader", "stranger"} {
				if _, err := s.core.CoreV1().ServiceAccounts(s.namespace).Create(s.ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{}); err != nil {
					s.Fatal(err)
				}
			}
			s.checkMetrics("", "401 Unauthorized")
			s.checkMetrics("forged", "401 Unauthorized")
			s.checkMetrics(s.tokenOf("stranger"), "403 Forbidden")
			s.checkMetrics(s.tokenOf("reader"), "200 OK")
		})).
		Assess("tell of gangs, and of the work that they were", step(func(s *scope) {
			s.bindMetricsReader("reader")
			s.create(newSet("seen", 1, newClique("a", 2, 2)))
			s.waitUntilAvailable("seen")
			token := s.tokenOf("reader")
			s.eventually("metrics of a gang that runs", func() (string, error) {
				return zeros(s.checkMetrics(token, "200 OK"), gangMetrics), nil
			})
		})).
		Feature()
}

// gangMetrics are series that are greater than zero once a gang runs.
var gangMetrics = []string{
	`grove_podgangs{phase="Running"}`,
	`grove_podgang_time_to_scheduled_seconds_count`,
	`grove_podgang_time_to_ready_seconds_count`,
	`grove_apply_requests_total{kind="PodGang",result="success",subresource=""}`,
	`grove_apply_requests_total{kind="PodGang",result="success",subresource="status"}`,
	`grove_reconcile_duration_seconds_count{loop="podgang"}`,
}

// zeros are those of some series that metrics don't have, or have as 0, one a line.
func zeros(metrics string, series []string) string {
	var lacking []string
	for _, one := range series {
		if _, after, ok := strings.Cut("\n"+metrics, "\n"+one+" "); !ok || strings.HasPrefix(after, "0\n") {
			lacking = append(lacking, one)
		}
	}
	return strings.Join(lacking, "\n")
}

// checkMetrics asks for the metrics with a token, if there is one, compares the status of the answer, and returns the rest of it.
func (s *scope) checkMetrics(token, want string) string {
	s.Helper()
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.MetricsURL, nil)
	if err != nil {
		s.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	if response.Status != want {
		s.Errorf("metrics: %s; want %s", response.Status, want)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return string(body)
}
