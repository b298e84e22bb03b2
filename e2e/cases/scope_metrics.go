package cases

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"grove.io/grove/apis/grove/v1alpha1"
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// metricsAPIs are the APIs that autoscalers read, and what each serves.
var metricsAPIs = map[string]metav1.APIResource{
	"metrics.k8s.io":          {Name: "pods", Namespaced: true, Kind: "PodMetrics", Verbs: []string{"get", "list"}},
	"external.metrics.k8s.io": {Name: "queue", Namespaced: true, Kind: "ExternalMetricValueList", Verbs: []string{"get"}},
}

// measured is what a test lets autoscalers measure, behind the API server, which has to be on the test's machine.
type measured struct {
	scope *scope
	mu    sync.Mutex
	// asked is how often autoscalers have asked.
	asked int
	// queue is the value of the external metric of that name.
	queue int64
	// load is the work of each role, in thousandths of a processor, which those of its pods share that an autoscaler asks about and that run.
	load map[string]int64
}

// set changes what is measured from now on.
func (m *measured) set(change func(m *measured)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// waitUntilAsked waits until autoscalers have asked so many times more.
func (m *measured) waitUntilAsked(s *scope, times int) {
	s.Helper()
	var from int
	m.set(func(m *measured) { from = m.asked })
	s.eventually("autoscalers that ask again", func() (string, error) {
		var asked int
		m.set(func(m *measured) { asked = m.asked - from })
		if asked < times {
			return fmt.Sprintf("asked %d times", asked), nil
		}
		return "", nil
	})
}

// serveMetrics makes the API server ask the test for metrics, until the case ends.
func (s *scope) serveMetrics() *measured {
	s.Helper()
	m := &measured{scope: s, load: map[string]int64{}}
	server := httptest.NewTLSServer(m)
	s.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		s.Fatal(err)
	}
	port, err := strconv.ParseInt(address.Port(), 10, 64)
	if err != nil {
		s.Fatal(err)
	}
	s.createObject(services, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "measured", Namespace: s.namespace},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	})
	for group := range metricsAPIs {
		service := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
			"metadata": map[string]any{"name": "v1beta1." + group},
			"spec": map[string]any{
				"group": group, "version": "v1beta1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100), "insecureSkipTLSVerify": true,
				"service": map[string]any{"name": "measured", "namespace": s.namespace, "port": port},
			},
		}}
		if _, err := s.dynamic.Resource(apiServices).Create(s.ctx, service, metav1.CreateOptions{}); err != nil {
			s.Fatal(err)
		}
		// Without a server behind it, it would keep namespaces from being deleted.
		s.Cleanup(func() {
			if err := s.dynamic.Resource(apiServices).Delete(s.ctx, service.GetName(), metav1.DeleteOptions{}); err != nil {
				s.Error(err)
			}
		})
	}
	return m
}

func (m *measured) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	group, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/apis/"), "/v1beta1")
	served, known := metricsAPIs[group]
	parts := strings.Split(path, "/")
	switch {
	case known && path == "":
		answer(w, metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: group + "/v1beta1", APIResources: []metav1.APIResource{served},
		})
	case known && len(parts) == 4 && parts[3] == "queue":
		m.mu.Lock()
		defer m.mu.Unlock()
		answer(w, list(group, served.Kind, map[string]any{"metricName": "queue", "timestamp": metav1.Now(), "value": fmt.Sprint(m.queue)}))
	case known && len(parts) == 4 && parts[3] == "pods":
		m.servePods(w, r, parts[2])
	default:
		http.NotFound(w, r)
	}
}

// servePods answers with the use of the pods that an autoscaler asks about.
func (m *measured) servePods(w http.ResponseWriter, r *http.Request, namespace string) {
	pods, err := m.scope.core.CoreV1().Pods(namespace).List(r.Context(), metav1.ListOptions{LabelSelector: r.URL.Query().Get("labelSelector")})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	running := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.Status.Phase != corev1.PodRunning })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	var items []any
	for _, pod := range running {
		items = append(items, map[string]any{
			"metadata": map[string]any{"name": pod.Name, "namespace": pod.Namespace}, "timestamp": metav1.Now(), "window": time.Millisecond.String(),
			"containers": []any{map[string]any{"name": "main", "usage": map[string]any{
				"cpu": fmt.Sprintf("%dm", m.load[pod.Labels[v1alpha1.LabelRole]]/int64(len(running))),
			}}},
		})
	}
	answer(w, list("metrics.k8s.io", "PodMetricsList", items...))
}

func list(group, kind string, items ...any) map[string]any {
	return map[string]any{"apiVersion": group + "/v1beta1", "kind": kind, "metadata": map[string]any{}, "items": items}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone
}
