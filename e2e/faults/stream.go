package faults

import (
	"io"
	"sync"
	"time"
)

const (
	// cutPeriod is how often it is decided whether a watch ends.
	cutPeriod = 100 * time.Millisecond
	// mostHeld bounds how much of a watch is held back; beyond it the API server waits.
	mostHeld = 4096
	// pieceSize is how much of a watch is read at a time, at most. Events come in one piece mostly, since each is flushed.
	pieceSize = 32 << 10
)

// eventStream is the answer to a watch, which may be late and cut off.
type eventStream struct {
	proxy    *Proxy
	resource string
	upstream io.ReadCloser
	pieces   chan piece
	ticker   *time.Ticker
	// left is what hasn't been read of the piece that is due, and err what comes after it.
	left []byte
	err  error

	end   sync.Once
	ended chan struct{}
}

// piece is what was read of a watch at a time, or why there is no more.
type piece struct {
	data []byte
	err  error
	due  time.Time
}

func newEventStream(p *Proxy, resource string, upstream io.ReadCloser) *eventStream {
	s := &eventStream{proxy: p, resource: resource, upstream: upstream, pieces: make(chan piece, mostHeld), ticker: time.NewTicker(cutPeriod), ended: make(chan struct{})}
	go s.receive()
	return s
}

// receive takes what the API server sends until that or the stream ends.
func (s *eventStream) receive() {
	for {
		data := make([]byte, pieceSize)
		n, err := s.upstream.Read(data)
		next := piece{data: data[:n:n], err: err, due: time.Now().Add(s.proxy.delay(s.resource, n))}
		select {
		case s.pieces <- next:
		case <-s.ended:
			return
		}
		if err != nil {
			return
		}
	}
}

// delay is by how much events of a resource come late, of which some bytes have come.
func (p *Proxy) delay(resource string, bytes int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	delay := p.faults.Delays[resource]
	if delay > 0 && bytes > 0 {
		p.counts.Add("watch events of " + resource + " late")
	}
	return delay
}

// cut tells, at each period, whether a watch ends now, and how.
func (p *Proxy) cut() fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.Cuts == 0 || p.random.Float64() >= float64(cutPeriod)/float64(p.faults.Cuts) {
		return none
	}
	chosen := watchReset
	if p.random.IntN(2) == 0 {
		chosen = watchClosed
	}
	p.counts.Add(string(chosen))
	return chosen
}

// Read returns what is due.
func (s *eventStream) Read(into []byte) (int, error) {
	if len(s.left) == 0 && s.err == nil {
		s.next()
	}
	n := copy(into, s.left)
	s.left = s.left[n:]
	if len(s.left) > 0 {
		return n, nil
	}
	return n, s.err
}

// next waits until the next piece is due, or the watch is cut.
func (s *eventStream) next() {
	var held piece
	var due <-chan time.Time
	pieces := s.pieces
	for {
		select {
		case <-s.ended:
			s.err = io.ErrClosedPipe
			return
		case <-s.ticker.C:
			switch s.proxy.cut() {
			case watchReset:
				s.err = errNoAnswer
				return
			case watchClosed:
				s.err = io.EOF
				return
			}
		case held = <-pieces:
			pieces, due = nil, time.After(time.Until(held.due))
		case <-due:
			s.left, s.err = held.data, held.err
			return
		}
	}
}

// Close ends the watch.
func (s *eventStream) Close() error {
	s.end.Do(func() {
		s.ticker.Stop()
		close(s.ended)
	})
	return s.upstream.Close()
}
