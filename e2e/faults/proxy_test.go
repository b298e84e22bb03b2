package faults

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// started is a proxy before a server, with a client.
func started(t *testing.T, server http.Handler) (*Proxy, kubernetes.Interface) {
	t.Helper()
	upstream := httptest.NewServer(server)
	t.Cleanup(upstream.Close)
	p, err := Start(&rest.Config{Host: upstream.URL}, 1, &Counts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	client, err := kubernetes.NewForConfig(p.Config())
	if err != nil {
		t.Fatal(err)
	}
	return p, client
}

func TestRequestsFail(t *testing.T) {
	const timeout = 20 * time.Millisecond
	for name, test := range map[string]struct {
		faults Faults
		want   func(error) bool
		fault  fault
		// carriedOut tells whether the request reaches the API server.
		carriedOut bool
	}{
		"not":                  {want: func(err error) bool { return err == nil }, carriedOut: true},
		"by 429":               {faults: Faults{TooManyRequests: 1}, want: apierrors.IsTooManyRequests, fault: tooManyRequests},
		"by 500":               {faults: Faults{InternalErrors: 1}, want: apierrors.IsInternalError, fault: internalError},
		"unsent":               {faults: Faults{Unsent: 1, Timeout: timeout}, want: func(err error) bool { return err != nil }, fault: unsent},
		"but are carried out":  {faults: Faults{Unanswered: 1, Timeout: timeout}, want: func(err error) bool { return err != nil }, fault: unanswered, carriedOut: true},
		"as watches, not this": {faults: Faults{Expired: 1}, want: func(err error) bool { return err == nil }, carriedOut: true},
	} {
		t.Run(name, func(t *testing.T) {
			var reached atomic.Int32
			p, client := started(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				reached.Add(1)
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}`)
			}))
			p.Set(test.faults)
			// No retry of the client's own shall hide the answer.
			err := client.CoreV1().RESTClient().Delete().AbsPath("/api/v1/namespaces/n/pods/a").MaxRetries(0).Do(t.Context()).Error()
			if !test.want(err) {
				t.Errorf("the client sees %v", err)
			}
			if got := reached.Load() > 0; got != test.carriedOut {
				t.Errorf("carried out: %t", got)
			}
			if test.fault != none && p.counts.Of(string(test.fault)) == 0 {
				t.Errorf("not counted among\n%s", p.counts)
			}
			if test.fault == none && p.counts.String() != "" {
				t.Errorf("counted:\n%s", p.counts)
			}
		})
	}
}

// podEvents serves one event to each watch, which stays open.
func podEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"type": "ADDED", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}}}`+"\n")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func TestWatches(t *testing.T) {
	p, client := started(t, http.HandlerFunc(podEvents))
	first, err := client.CoreV1().Pods("n").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if event := <-first.ResultChan(); event.Type != watch.Added {
		t.Errorf("got %v", event)
	}
	p.Set(Faults{Cuts: time.Nanosecond})
	for range first.ResultChan() {
	}
	if p.counts.Of(string(watchReset))+p.counts.Of(string(watchClosed)) != 1 {
		t.Errorf("a watch was cut, and counted:\n%s", p.counts)
	}
	p.Set(Faults{Expired: 1})
	if _, err := client.CoreV1().Pods("n").Watch(t.Context(), metav1.ListOptions{}); !apierrors.IsResourceExpired(err) {
		t.Errorf("got %v", err)
	}
}

func TestEventsAreLateInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Proxy{counts: &Counts{}}
		upstream, server := io.Pipe()
		stream := newEventStream(p, "pods", upstream)
		p.Set(Faults{Delays: map[string]time.Duration{"pods": 3 * time.Second, "nodes": time.Hour}})
		begin := time.Now()
		go func() {
			io.WriteString(server, "first ")
			synctest.Wait()
			p.Set(Faults{})
			io.WriteString(server, "second")
			server.Close()
		}()
		all, err := io.ReadAll(stream)
		if err != nil || string(all) != "first second" {
			t.Errorf("read %q: %v", all, err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("took %s", took)
		}
		if got := strings.TrimSpace(p.counts.String()); got != "1 watch events of pods late" {
			t.Errorf("counted %s", got)
		}
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAClosedStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstream, _ := io.Pipe()
		stream := newEventStream(&Proxy{counts: &Counts{}}, "pods", upstream)
		ended := make(chan error)
		go func() {
			_, err := stream.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err == nil {
			t.Error("read after the end")
		}
	})
}
