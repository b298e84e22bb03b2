package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// retryAfter is what a client is told that sent too many requests, in seconds.
const retryAfter = 1

// errNoAnswer is that of a request that times out.
var errNoAnswer = errors.New("no answer")

// Proxy passes requests on to an API server, apart from those that fail.
type Proxy struct {
	server *httptest.Server
	next   http.RoundTripper
	counts *Counts

	mu     sync.Mutex
	faults Faults
	random *rand.Rand
}

// Start starts a proxy, without faults, that passes requests on with the credentials of a configuration: whoever reaches it has its rights.
// Equal seeds make equal choices.
func Start(server *rest.Config, seed uint64, counts *Counts) (*Proxy, error) {
	target, err := url.Parse(server.Host)
	if err != nil {
		return nil, fmt.Errorf("the API server's address: %w", err)
	}
	next, err := rest.TransportFor(server)
	if err != nil {
		return nil, err
	}
	p := &Proxy{next: next, counts: counts, random: rand.New(rand.NewPCG(seed, 1))}
	// What fails is no news to those who asked for it.
	silent := log.New(io.Discard, "", 0)
	p.server = httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     p,
		FlushInterval: -1,
		ErrorLog:      silent,
		// The client's stream is reset, as when the API server dies.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	p.server.EnableHTTP2 = true
	p.server.Config.ErrorLog = silent
	p.server.StartTLS()
	return p, nil
}

// Config is for clients that go through the proxy.
func (p *Proxy) Config() *rest.Config {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	return &rest.Config{Host: p.server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: certificate}}
}

// Set replaces what goes wrong from now on, with watches that are open, too.
func (p *Proxy) Set(faults Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = faults
}

// Close ends what is under way, and the proxy.
func (p *Proxy) Close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// RoundTrip answers a request of a client, or lets the API server do it.
func (p *Proxy) RoundTrip(request *http.Request) (*http.Response, error) {
	watch := request.URL.Query().Get("watch") == "true"
	now, chosen := p.choose(watch)
	switch chosen {
	case tooManyRequests:
		return refuse(request, apierrors.NewTooManyRequests("injected", retryAfter))
	case internalError:
		return refuse(request, apierrors.NewInternalError(errors.New("injected")))
	case expired:
		return refuse(request, apierrors.NewResourceExpired("injected"))
	case unsent:
		return p.timeOut(request, now.Timeout)
	case unanswered:
		response, err := p.next.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return nil, err
		}
		return p.timeOut(request, now.Timeout)
	}
	response, err := p.next.RoundTrip(request)
	if err == nil && watch && response.StatusCode == http.StatusOK {
		response.Body = newEventStream(p, path.Base(request.URL.Path), response.Body)
	}
	return response, err
}

// choose chooses what happens to a request, and counts it.
func (p *Proxy) choose(watch bool) (Faults, fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	chosen := p.faults.choose(p.random, watch)
	if chosen != none {
		p.counts.Add(string(chosen))
	}
	return p.faults, chosen
}

// timeOut ends a request without the answer that it would have had.
func (p *Proxy) timeOut(request *http.Request, after time.Duration) (*http.Response, error) {
	select {
	case <-request.Context().Done():
		return nil, context.Cause(request.Context())
	case <-time.After(after):
	}
	if p.even() {
		return nil, errNoAnswer
	}
	return refuse(request, apierrors.NewTimeoutError("injected", 0))
}

// even is a toss.
func (p *Proxy) even() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(2) == 0
}

// refuse answers as an API server does that refuses a request.
func refuse(request *http.Request, err *apierrors.StatusError) (*http.Response, error) {
	status := err.Status()
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	body, marshalErr := json.Marshal(status)
	if marshalErr != nil {
		return nil, marshalErr
	}
	header := http.Header{"Content-Type": []string{"application/json"}}
	if status.Code == http.StatusTooManyRequests {
		header.Set("Retry-After", fmt.Sprint(retryAfter))
	}
	return &http.Response{
		StatusCode: int(status.Code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: request,
	}, nil
}
