package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"grove.io/grove/apis/grove/v1alpha1"
)

func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: server}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c"}
	config.CurrentContext = "c"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func try(t *testing.T, server string, args ...string) (code int, log, message string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "termination-log")
	if server != "" {
		args = append(args, "--kubeconfig="+kubeconfig(t, server), "--termination-message-path="+path)
	}
	var out, err bytes.Buffer
	code = Main(args, &out, &err)
	said, problem := os.ReadFile(path)
	if problem != nil && !os.IsNotExist(problem) {
		t.Fatal(problem)
	}
	return code, err.String(), string(said)
}

func TestUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing":         {nil, "grove-initc: --namespace, --podgang and --pod-group are needed"},
		"an argument":     {[]string{"wait"}, `grove-initc: unexpected argument "wait": all settings are flags`},
		"an unknown flag": {[]string{"--nope"}, "grove-initc: unknown flag: --nope"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, log, _ := try(t, "", test.args...); code != exitUsage || !strings.Contains(log, test.want) {
				t.Errorf("exit code %d, said %q; want %q", code, log, test.want)
			}
		})
	}
}

// An API server that is away, busy, or has forgotten what was asked for, is asked again. That it isn't asked for more than the one
// PodGang is part of the test.
func TestSurvivesAnUnwellServer(t *testing.T) {
	gang := &v1alpha1.PodGang{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "PodGang"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "s-0", ResourceVersion: "7"},
		Spec: v1alpha1.PodGangSpec{PodGroups: []v1alpha1.PodGroup{
			{Name: "s-a-0", PodCliqueName: "s-a-0", MinReplicas: 1}, {Name: "s-b-0", PodCliqueName: "s-b-0", MinReplicas: 1},
		}},
	}
	ready := gang.DeepCopy()
	ready.ResourceVersion = "8"
	ready.Status.PodGroups = []v1alpha1.PodGroupStatus{{Name: "s-a-0", Ready: 1}}
	ended := gang.DeepCopy()
	ended.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}

	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); r.URL.Path != "/apis/grove.io/v1alpha1/namespaces/ns/podgangs" || query.Get("fieldSelector") != "metadata.name=s-0" || query.Get("watch") == "" {
			t.Errorf("asked for %s", r.URL)
		}
		send := func(kind string, object any) {
			if err := json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": object}); err != nil {
				t.Error(err)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		switch asked.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3: // the state, then the watch expires
			send("ADDED", gang)
			send("BOOKMARK", ended)
			send("ERROR", metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired})
		case 4: // the PodGang is deleted, and the watch ends
			send("BOOKMARK", ended)
		default: // it is made again, and what was waited for is ready
			send("ADDED", ready)
			send("BOOKMARK", ended)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	code, log, message := try(t, server.URL, "--namespace=ns", "--podgang=s-0", "--pod-group=s-b-0", "--after-pod-clique=s-a-0")
	if code != exitOK || !strings.HasPrefix(message, "waited ") {
		t.Errorf("exit code %d, message %q; its log:\n%s", code, message, log)
	}
	if got := strings.Count(log, `"msg":"Waiting"`); got != 2 || !strings.Contains(log, "s-a-0: 0 of 1 pods ready") || !strings.Contains(log, "the PodGang doesn't exist") {
		t.Errorf("said %d times what it waits for; want 2; its log:\n%s", got, log)
	}
}
