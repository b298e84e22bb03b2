// Package coalesce turns many changes into one write.
package coalesce

import (
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
)

// Window is how long a change of a status may wait for others before it is written.
const Window = 100 * time.Millisecond

// Writes remembers since when an object's status is due to be written. The zero value is ready for use.
type Writes struct {
	mu    sync.Mutex
	since map[cache.ObjectName]time.Time
}

// Due tells whether a status that differs may be written now; if not, how long to wait. The first difference opens a window,
// and all others until its end are written with it.
func (w *Writes) Due(key cache.ObjectName, now time.Time) (wait time.Duration, due bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since == nil {
		w.since = map[cache.ObjectName]time.Time{}
	}
	since, open := w.since[key]
	if !open {
		w.since[key] = now
		return Window, false
	}
	if wait := since.Add(Window).Sub(now); wait > 0 {
		return wait, false
	}
	delete(w.since, key)
	return 0, true
}

// Forget closes the window of an object that has no difference any more, or is gone.
func (w *Writes) Forget(key cache.ObjectName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.since, key)
}
