package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	// So long nobody answers who asks the engine after the filter in place has died.
	lookEvery = 500 * time.Millisecond
	// One that is paused or stopped takes connections, and says nothing.
	answerWithin = 2 * time.Second
	// A head that takes longer is nobody's that has the socket beside it.
	headWithin = 10 * time.Second
	// Where a filter says that it is there, without the engine.
	presence = "/_filter"
)

// keepPlace puts this filter's socket where the orchestrators look for it whenever none there answers, for ever. Two
// filters share the place; as neither has a memory, it does no harm if both come to it at once, and the last one has it.
func keepPlace(settings Settings, handler http.Handler) error {
	var listener net.Listener
	for {
		if !answers(settings.Socket) {
			if listener != nil {
				// Moved away from, and nobody can come to it any more.
				_ = listener.Close()
			}
			var err error
			if listener, err = take(settings.Socket); err != nil {
				return err
			}
			say("listening", "socket", settings.Socket)
			// One that lost the place goes on with the connections that it has.
			server := &http.Server{Handler: handler, ReadHeaderTimeout: headWithin, MaxHeaderBytes: 64 << 10}
			go func(own net.Listener) { _ = server.Serve(own) }(listener)
		}
		time.Sleep(lookEvery)
	}
}

// answers tells whether a filter is at a socket, this one or another.
func answers(socket string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), answerWithin)
	defer cancel()
	request, err := onward{method: http.MethodGet, path: presence}.request(ctx)
	if err != nil {
		return false
	}
	request.Close = true
	response, err := newEngine(socket).client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusNoContent
}

// take listens at a socket of its own and moves it into the place, so that whoever connects meets the old one or this.
func take(socket string) (net.Listener, error) {
	// By chance, as two containers may have one number of a process; and short, as a socket's path has 107 bytes.
	own := filepath.Join(filepath.Dir(socket), fmt.Sprintf("%08x", rand.Uint32()))
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: own, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// It is moved, and whoever comes to the place next replaces it.
	listener.SetUnlinkOnClose(false)
	if err := os.Chmod(own, 0o600); err != nil {
		return nil, err
	}
	return listener, os.Rename(own, socket)
}
