package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/metrics/legacyregistry"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func limited(inFlight int64, next roundTripper) *limitInFlight {
	return &limitInFlight{next: next, slots: semaphore.NewWeighted(inFlight)}
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const inFlight, requests = 192, 300
		var running atomic.Int32
		proceed := make(chan struct{})
		transport := limited(inFlight, func(*http.Request) (*http.Response, error) {
			running.Add(1)
			<-proceed
			return &http.Response{Body: http.NoBody}, nil
		})
		send := func(method, url string) {
			request, _ := http.NewRequestWithContext(t.Context(), method, url, nil)
			go func() {
				response, err := transport.RoundTrip(request)
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
			}()
		}
		expect := func(what string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := running.Load(); got != want {
				t.Errorf("%d requests are under way after %s; want %d", got, what, want)
			}
		}
		for range requests {
			send(http.MethodPatch, "http://server/apis/grove.io/v1alpha1/namespaces/n/podcliques/a/status")
		}
		expect("statuses", inFlight)
		send(http.MethodGet, "http://server/api/v1/pods?watch=true")
		expect("a watch", inFlight+1)
		close(proceed)
		expect("all were answered", requests+1)
	})
}

// Whatever becomes of a request, its slot is free afterwards, and not before.
func TestSlotsAreHeldUntilTheResponseEnds(t *testing.T) {
	errReset := errors.New("connection reset")
	body := func(r io.Reader) roundTripper {
		return func(*http.Request) (*http.Response, error) { return &http.Response{Body: io.NopCloser(r)}, nil }
	}
	for name, test := range map[string]struct {
		next roundTripper
		end  func(t *testing.T, response *http.Response)
	}{
		"closed": {body(strings.NewReader("a long list")), func(_ *testing.T, r *http.Response) { r.Body.Close() }},
		"closed twice": {body(strings.NewReader("a long list")), func(_ *testing.T, r *http.Response) {
			r.Body.Close()
			r.Body.Close()
		}},
		"read to the end": {body(strings.NewReader("a long list")), func(t *testing.T, r *http.Response) {
			if content, err := io.ReadAll(r.Body); string(content) != "a long list" || err != nil {
				t.Errorf("read %q: %v", content, err)
			}
			r.Body.Close()
		}},
		"cut short": {body(io.MultiReader(strings.NewReader("a lo"), errReader{errReset})), func(t *testing.T, r *http.Response) {
			if _, err := io.ReadAll(r.Body); !errors.Is(err, errReset) {
				t.Errorf("read: %v; want %v", err, errReset)
			}
		}},
		"no answer": {next: func(*http.Request) (*http.Response, error) { return nil, errReset }},
	} {
		t.Run(name, func(t *testing.T) {
			transport := limited(1, test.next)
			request := httptest.NewRequest(http.MethodGet, "http://server/api/v1/pods", nil)
			response, err := transport.RoundTrip(request)
			if test.end == nil {
				if !errors.Is(err, errReset) {
					t.Fatalf("sent: %v; want %v", err, errReset)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				if transport.slots.TryAcquire(1) {
					t.Fatal("the slot is free while the response is under way")
				}
				test.end(t, response)
			}
			if !transport.slots.TryAcquire(1) {
				t.Error("the slot is never free again")
			}
			if transport.slots.TryAcquire(1) {
				t.Error("there is one more slot than before")
			}
		})
	}
}

// A server that takes requests and answers none holds up none for ever.
func TestRequestsWithoutAnAnswerEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := limited(1, func(request *http.Request) (*http.Response, error) {
			<-request.Context().Done()
			return nil, context.Cause(request.Context())
		})
		began := time.Now()
		_, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://server/api/v1/pods/a", nil))
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != requestTimeout {
			t.Errorf("ended after %s: %v", took, err)
		}
		if !transport.slots.TryAcquire(1) {
			t.Error("the slot isn't free again")
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// Who gives up waiting sends nothing, and takes no slot along.
func TestWaitingForASlotEnds(t *testing.T) {
	transport := limited(1, func(*http.Request) (*http.Response, error) { return &http.Response{Body: http.NoBody}, nil })
	first, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://server/api/v1/pods", nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	content := &closable{}
	second := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://server/api/v1/pods", content)
	if _, err := transport.RoundTrip(second); !errors.Is(err, context.Canceled) {
		t.Errorf("sent: %v; want %v", err, context.Canceled)
	}
	if !content.closed {
		t.Error("the request's body was left open")
	}
	first.Body.Close()
	if !transport.slots.TryAcquire(1) {
		t.Error("the slot is never free again")
	}
}

type closable struct {
	strings.Reader
	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}

// busyServer answers requests for leases and reviews, and leaves those for pods unanswered until their clients give up.
func busyServer(t *testing.T, podsAsked, renewed chan<- struct{}) *rest.Config {
	t.Helper()
	answer := func(object any) http.HandlerFunc {
		content, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(content)
		}
	}
	lease := answer(&coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "grove-system", Name: leaseName, ResourceVersion: "1"},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/pods", func(_ http.ResponseWriter, r *http.Request) {
		podsAsked <- struct{}{}
		<-r.Context().Done()
	})
	mux.Handle("GET /apis/coordination.k8s.io/v1/namespaces/grove-system/leases/"+leaseName, lease)
	mux.HandleFunc("PUT /apis/coordination.k8s.io/v1/namespaces/grove-system/leases/"+leaseName, func(w http.ResponseWriter, r *http.Request) {
		lease(w, r)
		select {
		case renewed <- struct{}{}:
		default: // enough are counted
		}
	})
	mux.Handle("POST /apis/authentication.k8s.io/v1/tokenreviews", answer(&authenticationv1.TokenReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"},
		Status:   authenticationv1.TokenReviewStatus{Authenticated: true},
	}))
	mux.Handle("POST /apis/authorization.k8s.io/v1/subjectaccessreviews", answer(&authorizationv1.SubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SubjectAccessReview"},
		Status:   authorizationv1.SubjectAccessReviewStatus{Allowed: true},
	}))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL, QPS: -1}
}

// The work's own requests keep neither a renewal of the lease nor a review of a token waiting.
func TestLeasesAndReviewsDoNotWaitBehindTheWork(t *testing.T) {
	const inFlight, renewals = 3, 3
	podsAsked, renewed := make(chan struct{}, inFlight), make(chan struct{}, renewals)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	clients, err := newClients(busyServer(t, podsAsked, renewed), inFlight)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{LeaderElectNamespace: "grove-system", LeaseDuration: 3 * time.Second}
	err = lead(ctx, o, clients.unlimited.CoordinationV1(), func(working context.Context) error {
		working, stop := context.WithCancel(working)
		var listing sync.WaitGroup
		defer listing.Wait()
		defer stop()
		for range inFlight {
			listing.Go(func() {
				if _, err := clients.kube.CoreV1().Pods("").List(working, metav1.ListOptions{}); !errors.Is(err, context.Canceled) {
					t.Errorf("listing pods: %v; want %v", err, context.Canceled)
				}
			})
			receive(t, working, podsAsked)
		}
		short, cancel := context.WithTimeout(working, 100*time.Millisecond)
		defer cancel()
		if _, err := clients.kube.CoreV1().Pods("").List(short, metav1.ListOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("listing pods beyond the limit: %v; want %v", err, context.DeadlineExceeded)
		}
		for range renewals {
			receive(t, working, renewed)
		}
		recorder := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(working, http.MethodGet, metricsPath, nil)
		request.Header.Set("Authorization", "Bearer prometheus")
		metricsHandler(authorized(clients.unlimited, legacyregistry.Handler())).ServeHTTP(recorder, request)
		if recorder.Code != http.StatusOK {
			t.Errorf("asked for metrics: %d, %s", recorder.Code, recorder.Body)
		}
		return errWorked
	})
	if !errors.Is(err, errWorked) {
		t.Errorf("led: %v; want %v", err, errWorked)
	}
}

var errWorked = errors.New("the work has ended")

func receive(t *testing.T, ctx context.Context, from <-chan struct{}) {
	t.Helper()
	select {
	case <-from:
	case <-ctx.Done():
		t.Errorf("waiting: %v", context.Cause(ctx))
	}
}
