package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// askPeriod is how often a workload asks for its share, and silence after how much of it one that asked counts no more.
	askPeriod, silence = 500 * time.Millisecond, 2 * time.Second
	// slice is how much work is done at a time.
	slice = 50 * time.Millisecond
	// mostOwed bounds what a workload that didn't get the processor makes up for.
	mostOwed = 2 * time.Second
)

// shares are loads that are divided among those that ask for them, as a balancer of requests would. The zero value has none.
type shares struct {
	mu    sync.Mutex
	loads map[string]*load
}

type load struct {
	// milli is the whole, in thousandths of a processor.
	milli float64
	// asked is when each workload asked last.
	asked map[string]time.Time
}

// of finds a load by its name; the lock is held.
func (s *shares) of(name string) *load {
	if s.loads == nil {
		s.loads = map[string]*load{}
	}
	if s.loads[name] == nil {
		s.loads[name] = &load{asked: map[string]time.Time{}}
	}
	return s.loads[name]
}

// set sets the load of a name.
func (s *shares) set(response http.ResponseWriter, request *http.Request) {
	milli, err := strconv.ParseFloat(request.URL.Query().Get("milli"), 64)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of(request.URL.Query().Get("of")).milli = milli
	fmt.Fprint(response, "ok")
}

// give answers with the share of whoever asks.
func (s *shares) give(response http.ResponseWriter, request *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.of(request.URL.Query().Get("of"))
	l.asked[request.URL.Query().Get("by")] = time.Now()
	for who, at := range l.asked {
		if time.Since(at) > silence {
			delete(l.asked, who)
		}
	}
	fmt.Fprint(response, l.milli/float64(len(l.asked)))
}

// work uses as much CPU as a URL answers, in thousandths of a processor, until it is told to end. All that the process uses counts.
func work(ctx context.Context, from string) {
	host, err := os.Hostname()
	if err != nil {
		say(err.Error())
	}
	from += "&by=" + url.QueryEscape(host)
	var milli float64
	var owed time.Duration
	var asked time.Time
	ticker := time.NewTicker(slice)
	defer ticker.Stop()
	for before, used := time.Now(), cpuTime(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if time.Since(asked) >= askPeriod {
			asked, milli = time.Now(), ask(ctx, from)
		}
		now, usedNow := time.Now(), cpuTime()
		owed += time.Duration(milli/1000*float64(now.Sub(before))) - (usedNow - used)
		owed = max(-mostOwed, min(owed, time.Duration(milli/1000*float64(mostOwed))))
		before, used = now, usedNow
		for owed > 0 && cpuTime()-used < min(owed, slice) {
			spin()
		}
	}
}

// ask returns what a URL answers, and 0 if it doesn't.
func ask(ctx context.Context, from string) float64 {
	answer, err := get(ctx, from)
	if err != nil {
		return 0
	}
	milli, err := strconv.ParseFloat(answer, 64)
	if err != nil {
		say(err.Error())
	}
	return milli
}

// cpuTime is what the process has used so far.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// spin keeps a processor busy for some microseconds.
func spin() {
	var block [16 << 10]byte
	_ = sha256.Sum256(block[:])
}
