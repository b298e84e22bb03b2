package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of requests and queues
	"k8s.io/klog/v2"
)

// shutdownTimeout is how long a request to one of the operator's servers may delay its end.
const shutdownTimeout = 2 * time.Second

// readiness is when the operator is ready: once its caches are filled, whether it leads or not.
type readiness struct{ ready atomic.Bool }

func healthHandler(r *readiness) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !r.ready.Load() {
			http.Error(w, "the caches are being filled", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// metricsPath is the only path that is served with the metrics.
const metricsPath = "/metrics"

func metricsHandler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, metrics)
	return mux
}

// servers answer HTTP requests until their context ends.
type servers struct {
	ctx     context.Context
	running sync.WaitGroup
}

// newServers returns servers and what ends them.
func newServers(ctx context.Context) (*servers, func()) {
	ctx, cancel := context.WithCancel(ctx)
	s := &servers{ctx: ctx}
	return s, func() {
		cancel()
		s.running.Wait()
	}
}

// serve answers requests at an address, unless that is empty. It returns once it listens.
// With a TLS configuration it speaks HTTPS.
func (s *servers) serve(what, address string, handler http.Handler, secure *tls.Config) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serving %s: %w", what, err)
	}
	logger := klog.FromContext(s.ctx).WithValues("what", what)
	logger.Info("Serving", "address", listener.Addr().String())
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: shutdownTimeout}
	s.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error(err, "Serving ended")
		}
	})
	s.running.Go(func() {
		<-s.ctx.Done()
		within, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(within); err != nil {
			logger.Error(err, "Serving was cut short")
		}
	})
	return nil
}
