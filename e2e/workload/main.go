// Command workload is what pods of the end-to-end tests run on real kubelets: it says when it started and when it became ready, and
// waits. Its other faces are run in its containers, by kubectl exec.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// retry is when something that has failed is tried again.
	retry = 200 * time.Millisecond
	// tokenFile has the token of the pod's account, if that is mounted.
	tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "workload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var w workload
	flag.DurationVar(&w.readyAfter, "ready-after", 0, "how long after its start it becomes ready; less than 0 for when it is told to")
	flag.StringVar(&w.call, "call", "", "become ready once this URL has answered, and log the answer")
	flag.StringVar(&w.work, "work", "", "use as much CPU as this URL of another workload answers, which gives each that asks its share")
	lookup := flag.String("lookup", "", "look up these host names, separated by commas, and end")
	fetch := flag.String("fetch", "", "print what this URL answers to the pod's token, and end")
	printEnv := flag.Bool("env", false, "print the environment, and end")
	flag.Parse()
	switch {
	case *lookup != "":
		return lookUp(ctx, strings.Split(*lookup, ","))
	case *fetch != "":
		answer, err := get(ctx, *fetch)
		fmt.Print(answer)
		return err
	case *printEnv:
		fmt.Println(strings.Join(os.Environ(), "\n"))
		return nil
	default:
		return w.serve(ctx)
	}
}

type workload struct {
	readyAfter time.Duration
	call       string
	work       string
	ready      atomic.Bool
	shares     shares
}

// serve answers until it is told to end.
func (w *workload) serve(ctx context.Context) error {
	say("started")
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(response http.ResponseWriter, _ *http.Request) {
		if !w.ready.Load() {
			http.Error(response, "not ready", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/name", func(response http.ResponseWriter, _ *http.Request) {
		host, err := os.Hostname()
		fmt.Fprint(response, host)
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/become", func(response http.ResponseWriter, request *http.Request) {
		w.become(request.URL.Query().Get("ready") == "true")
		fmt.Fprint(response, "ok")
	})
	fails, answered := make(chan struct{}), make(chan error, 1)
	mux.HandleFunc("/fail", func(response http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(response, "ok")
		close(fails)
	})
	mux.HandleFunc("/load", w.shares.set)
	mux.HandleFunc("/share", w.shares.give)
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: time.Second, Handler: mux}
	go w.getReady(ctx)
	if w.work != "" {
		go work(ctx, w.work)
	}
	go func() {
		select {
		case <-fails:
			// Whoever asked for it has its answer first.
			answered <- errors.Join(errors.New("told to fail"), server.Shutdown(ctx))
		case <-ctx.Done():
			answered <- server.Close()
		}
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return <-answered
}

// getReady makes it ready when its flags say so.
func (w *workload) getReady(ctx context.Context) {
	switch {
	case w.call != "":
		for {
			answer, err := get(ctx, w.call)
			if err == nil {
				say("called " + answer)
				break
			}
			say(err.Error())
			select {
			case <-time.After(retry):
			case <-ctx.Done():
				return
			}
		}
	case w.readyAfter < 0:
		return
	default:
		select {
		case <-time.After(w.readyAfter):
		case <-ctx.Done():
			return
		}
	}
	w.become(true)
}

func (w *workload) become(ready bool) {
	w.ready.Store(ready)
	if ready {
		say("ready")
	}
}

// say logs something with the time.
func say(what string) { fmt.Printf("%d %s\n", time.Now().UnixNano(), what) }

// client doesn't care for certificates.
var client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// get asks a URL with the token of the pod's account. Its answers other than 200 are errors.
func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if token, err := os.ReadFile(tokenFile); err == nil {
		request.Header.Set("Authorization", "Bearer "+string(token))
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(answer)))
	}
	return string(answer), err
}

// lookUp prints the addresses of each host. One that has just got its address is known a moment later.
func lookUp(ctx context.Context, hosts []string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, host := range hosts {
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		for err != nil && ctx.Err() == nil {
			time.Sleep(retry)
			addresses, err = net.DefaultResolver.LookupHost(ctx, host)
		}
		if err != nil {
			return err
		}
		fmt.Println(host, strings.Join(addresses, " "))
	}
	return nil
}
