package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// drainLimit ends requests still in flight after SIGTERM: one second before the platform's 10 s kill.
const drainLimit = 9 * time.Second

// headerLimit closes connections that never finish their headers, so idle half-requests cannot pile up.
const headerLimit = 10 * time.Second

// run serves until a signal or a fault asked for in the settings; it returns the exit code.
func run(settings Settings, signals <-chan os.Signal) int {
	if settings.FailStart != "" {
		logLine("failed", map[string]any{"error": settings.FailStart})
		return 1
	}
	select {
	case <-time.After(settings.StartDelay):
	case <-signals:
		return 0
	}
	listener, err := net.Listen("tcp", ":"+strconv.Itoa(settings.ListenPort))
	if err != nil {
		logLine("failed", map[string]any{"error": err.Error()})
		return 1
	}
	return serve(settings, listener, signals)
}

// serve answers on the listener until it is told to stop, then drains.
func serve(settings Settings, listener net.Listener, signals <-chan os.Signal) int {
	instance := newInstance(settings)
	server := newServer(instance)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	logLine("started", map[string]any{
		"service": settings.Service, "revision": settings.Revision, "instance": settings.Instance,
		"address": listener.Addr().String(),
	})
	var expired <-chan time.Time
	if settings.ExitAfter > 0 {
		expired = time.After(settings.ExitAfter)
	}
	select {
	case err := <-failed:
		logLine("failed", map[string]any{"error": err.Error()})
		return 1
	case <-expired:
		logLine("stopped", map[string]any{"reason": "EXIT_AFTER_MS is over"})
		return settings.ExitCode
	case code := <-instance.exit:
		logLine("stopped", map[string]any{"reason": "/exit was called", "code": code})
		return code
	case signal := <-signals:
		return drain(instance, server, signal.String())
	}
}

// newServer speaks HTTP/1.1, and HTTP/2 without TLS (h2c) for gRPC probes and for h2c services.
func newServer(instance *Instance) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: instance.routes(), Protocols: protocols, ReadHeaderTimeout: headerLimit}
}

// drain lets requests in flight finish and streams end early, and takes no new ones; 0 when all finished.
func drain(instance *Instance, server *http.Server, reason string) int {
	began := time.Now()
	close(instance.draining)
	ending, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	err := server.Shutdown(ending)
	// Shutdown does not know connections that were taken over, which is what WebSockets are.
	if err == nil {
		err = instance.sockets.wait(ending)
	}
	facts := map[string]any{"reason": reason, "drained_ms": time.Since(began).Milliseconds()}
	if err != nil {
		facts["error"] = "requests were still in flight: " + err.Error()
	}
	logLine("stopped", facts)
	if err != nil {
		return 1
	}
	return 0
}

// logLine writes one JSON object to standard output; requests are in the gateway's log, so not in this one.
func logLine(event string, facts map[string]any) {
	facts["event"] = event
	facts["time"] = time.Now().UTC().Format(time.RFC3339Nano)
	// Standard output is all there is: if it is gone there is nowhere left to say so.
	_ = json.NewEncoder(os.Stdout).Encode(facts)
}
