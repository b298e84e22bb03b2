package app

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/component-base/metrics/legacyregistry"
)

// try runs the program with an API server that answers as a handler does, and returns its exit code and what it printed.
func try(t *testing.T, handler http.Handler, args ...string) (code int, out, err string) {
	t.Helper()
	if handler != nil {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		args = append(args, "--initc-image=grove:1", "--kubeconfig", kubeconfig(t, server.URL))
	}
	var stdout, stderr bytes.Buffer
	code = Main(append(args, "--health-address=", "--metrics-address="), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`, server)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func serverVersion(gitVersion string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"gitVersion":%q}`, gitVersion) })
	return mux
}

func TestMistakesAreOneClearLine(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.Handler
		args    []string
		code    int
		want    string
	}{
		"an unknown flag":     {args: []string{"--nope"}, code: 2, want: "grove-operator: unknown flag: --nope; see grove-operator --help"},
		"an argument":         {args: []string{"run"}, code: 2, want: `grove-operator: unexpected argument "run": all settings are flags; see grove-operator --help`},
		"a log level":         {args: []string{"--log-level=loud"}, code: 2, want: `grove-operator: --log-level is "loud"; it can be error, info, debug, trace; see grove-operator --help`},
		"a log format":        {args: []string{"--log-format=xml"}, code: 2, want: `grove-operator: --log-format is "xml"; it can be json, console; see grove-operator --help`},
		"a namespace":         {args: []string{"--namespace=A_b"}, code: 2, want: `grove-operator: --namespace is "A_b": a lowercase RFC 1123 label must consist of`},
		"a namespace twice":   {args: []string{"--namespace=a", "--namespace=a"}, code: 2, want: "grove-operator: --namespace a is given twice; see grove-operator --help"},
		"no request":          {args: []string{"--max-requests-in-flight=0"}, code: 2, want: "grove-operator: --max-requests-in-flight is 0; it has to be at least 1; see grove-operator --help"},
		"a short lease":       {args: []string{"--leader-elect-lease-duration=1ms"}, code: 2, want: "grove-operator: --leader-elect-lease-duration is 1ms; it has to be at least 1s; see grove-operator --help"},
		"a short grace":       {args: []string{"--lost-node-grace=-1s"}, code: 2, want: "grove-operator: --lost-node-grace is -1s; it has to be at least 1s, or 0; see grove-operator --help"},
		"a backend":           {args: []string{"--scheduler-backend=volcano"}, code: 2, want: `grove-operator: --scheduler-backend is "volcano"; it can be auto, kubernetes, none; see grove-operator --help`},
		"a topology key":      {args: []string{"--network-topology-key=a b"}, code: 2, want: `grove-operator: --network-topology-key is "a b": name part must consist of`},
		"no init image":       {args: []string{"--kubeconfig=/nowhere"}, code: 2, want: "grove-operator: --initc-image is needed with --kubeconfig: "},
		"no cluster":          {code: 1, want: "grove-operator: not running in a cluster: give --kubeconfig"},
		"no kubeconfig":       {args: []string{"--kubeconfig=/nowhere", "--initc-image=grove:1"}, code: 1, want: "grove-operator: --kubeconfig /nowhere: stat /nowhere: no such file or directory"},
		"not an API server":   {handler: http.NotFoundHandler(), code: 1, want: "doesn't answer: the server could not find the requested resource"},
		"too old a server":    {handler: serverVersion("v1.20.3"), code: 1, want: "is Kubernetes v1.20.3; Grove needs 1.33 or newer"},
		"a server without us": {handler: serverVersion("v1.37.2"), code: 1, want: "install the CustomResourceDefinitions with kubectl apply --server-side -f crds/"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, err := try(t, test.handler, test.args...)
			if code != test.code || out != "" {
				t.Errorf("exit code %d, want %d; printed %q", code, test.code, out)
			}
			if !strings.Contains(err, test.want) || strings.Count(err, "\n") != 1 {
				t.Errorf("said %q, want one line with %q", err, test.want)
			}
		})
	}
}

func TestUnreachableServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	path := kubeconfig(t, server.URL)
	server.Close()
	code, _, err := try(t, nil, "--initc-image=grove:1", "--kubeconfig", path)
	if code != 1 || !strings.Contains(err, "the API server at "+server.URL+" doesn't answer: ") || strings.Count(err, "\n") != 1 {
		t.Errorf("exit code %d, said %q", code, err)
	}
}

// An API server that asks for patience gets it, and then the request again.
func TestRetryAfterIsRespected(t *testing.T) {
	var asked []time.Time
	busy := http.NewServeMux()
	busy.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) {
		if asked = append(asked, time.Now()); len(asked) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		serverVersion("v1.37.2").ServeHTTP(w, r)
	})
	_, _, err := try(t, busy)
	if !strings.Contains(err, "install the CustomResourceDefinitions") {
		t.Errorf("said %q", err)
	}
	if len(asked) != 2 || asked[1].Sub(asked[0]) < time.Second {
		t.Errorf("asked at %v, with Retry-After: 1", asked)
	}
}

func TestProbesAndMetrics(t *testing.T) {
	var ready readiness
	get := func(handler http.Handler, path string) (int, string) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		return recorder.Code, recorder.Body.String()
	}
	if code, _ := get(healthHandler(&ready), "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz answers %d", code)
	}
	if code, _ := get(healthHandler(&ready), "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d before the caches are filled", code)
	}
	ready.ready.Store(true)
	if code, _ := get(healthHandler(&ready), "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz answers %d once the caches are filled", code)
	}
	if code, body := get(metricsHandler(legacyregistry.Handler()), "/metrics"); code != http.StatusOK || !strings.Contains(body, "go_goroutines") {
		t.Errorf("/metrics answers %d, %.100q", code, body)
	}
}

func TestHelp(t *testing.T) {
	code, out, err := try(t, nil, "--help")
	if code != 0 || err != "" {
		t.Errorf("exit code %d, said %q", code, err)
	}
	for _, flag := range []string{"--kubeconfig", "--namespace", "--max-requests-in-flight", "--scheduler-backend", "--network-topology-key", "--initc-image", "--lost-node-grace", "--leader-elect",
		"--leader-elect-namespace", "--leader-elect-lease-duration", "--health-address", "--metrics-address", "--metrics-auth", "--log-level", "--log-format"} {
		if !strings.Contains(out, flag) {
			t.Errorf("help doesn't tell of %s", flag)
		}
	}
}

// Metrics are for those whom the API server allows to get them, and nobody is asked about what isn't served.
func TestMetricsAuth(t *testing.T) {
	kube := fake.NewClientset()
	asked := 0
	kube.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		asked++
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview)
		switch token := review.Spec.Token; token {
		case "broken":
			return true, nil, errors.New("no answer")
		case "forged":
		default:
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: token}}
		}
		return true, review, nil
	})
	kube.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview)
		asks := *review.Spec.NonResourceAttributes
		review.Status.Allowed = review.Spec.User == "prometheus" && asks == authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}
		return true, review, nil
	})
	secure, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(metricsHandler(authorized(kube, legacyregistry.Handler())))
	server.TLS = secure
	server.StartTLS()
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, test := range []struct {
		path, authorization string
		want                int
	}{
		{"/metrics", "", http.StatusUnauthorized},
		{"/metrics", "Basic abc", http.StatusUnauthorized},
		{"/metrics", "Bearer forged", http.StatusUnauthorized},
		{"/metrics", "Bearer stranger", http.StatusForbidden},
		{"/metrics?stranger", "Bearer stranger", http.StatusForbidden},
		{"/metrics", "Bearer broken", http.StatusServiceUnavailable},
		{"/metrics", "Bearer prometheus", http.StatusOK},
		{"/metrics", "Bearer prometheus", http.StatusOK},
		{"/", "Bearer another", http.StatusNotFound},
		{"/metrics/" + strings.Repeat("x", 1<<19), "Bearer another", http.StatusNotFound},
	} {
		request, err := http.NewRequest(http.MethodGet, server.URL+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", test.authorization)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != test.want {
			t.Errorf("%.20q of %.20s: %d; want %d", test.authorization, test.path, response.StatusCode, test.want)
		}
	}
	if asked != 4 {
		t.Errorf("the API server was asked about tokens %d times; want 4, once for each", asked)
	}
}
