package main

import (
	"fmt"
	"net/http"
	"time"
)

// The most pieces that one answer may be asked to have; 0 asks for one without end.
const mostPieces = 1_000_000

// pieces calls send once for each of count pieces, interval apart, until the caller goes; with a count of 0 it
// has no end but a drain's. It tells whether the answer ended as asked.
func (instance *Instance) pieces(r *http.Request, count int, interval time.Duration, send func(int) error) bool {
	ticks := time.NewTicker(max(interval, time.Nanosecond))
	defer ticks.Stop()
	// A counted answer is a request in flight, which a drain lets finish.
	var draining <-chan struct{}
	if count == 0 {
		draining = instance.draining
	}
	for number := 1; count == 0 || number <= count; number++ {
		if send(number) != nil {
			return false
		}
		if number == count {
			break
		}
		select {
		case <-ticks.C:
		case <-r.Context().Done():
			return false
		case <-draining:
			return false
		}
	}
	return true
}

// cadence reads how many pieces to send under this name, and how far apart.
func cadence(r *http.Request, name string, otherwise int) (int, time.Duration, error) {
	count, err := integer(r, name, otherwise, 0, mostPieces)
	if err != nil {
		return 0, 0, err
	}
	millis, err := integer(r, "interval_ms", 100, 0, longestMillis)
	return count, time.Duration(millis) * time.Millisecond, err
}

// answerStream sends ?chunks= lines (0: without end), ?interval_ms= apart, each as it is made.
func (instance *Instance) answerStream(w http.ResponseWriter, r *http.Request) {
	count, interval, err := cadence(r, "chunks", 10)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	whole := instance.pieces(r, count, interval, func(number int) error {
		if _, err := fmt.Fprintf(w, "chunk %d\n", number); err != nil {
			return err
		}
		return http.NewResponseController(w).Flush()
	})
	if !whole {
		// Cut, so that the caller cannot take a part for the whole.
		panic(http.ErrAbortHandler)
	}
}

// answerEvents sends server-sent events, ?count= of them or (0) without end; a drain says goodbye first.
func (instance *Instance) answerEvents(w http.ResponseWriter, r *http.Request) {
	count, interval, err := cadence(r, "count", 0)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	flush := http.NewResponseController(w).Flush
	whole := instance.pieces(r, count, interval, func(number int) error {
		if _, err := fmt.Fprintf(w, "id: %d\ndata: {\"revision\":%q}\n\n", number, instance.settings.Revision); err != nil {
			return err
		}
		return flush()
	})
	if !whole && r.Context().Err() == nil {
		_, _ = fmt.Fprint(w, "event: goodbye\ndata: {}\n\n")
	}
}
