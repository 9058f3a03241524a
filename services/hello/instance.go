package main

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// Instance is the state of this running copy: what it was told to be, and what requests have asked of it.
type Instance struct {
	settings Settings
	client   *http.Client
	ready    atomic.Bool
	live     atomic.Bool
	// requests numbers the calls of /fail, so that a rate is exact and not a matter of luck.
	requests atomic.Uint64
	// exit carries the code that /exit asks the process to end with.
	exit chan int
	// draining is closed at SIGTERM: endless answers end, so that the process can.
	draining chan struct{}
	sockets  group

	// ballastLock guards ballast, which parallel calls of /allocate change.
	ballastLock sync.Mutex
	ballast     [][]byte
}

func newInstance(settings Settings) *Instance {
	instance := &Instance{
		settings: settings,
		client:   newClient(),
		exit:     make(chan int, 1),
		draining: make(chan struct{}),
	}
	instance.ready.Store(true)
	instance.live.Store(true)
	return instance
}

func (instance *Instance) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/{$}", instance.answerIdentity)
	routes.HandleFunc("/headers", instance.answerHeaders)
	routes.HandleFunc("/env", instance.answerEnvironment)
	routes.HandleFunc("/echo", instance.answerEcho)
	routes.HandleFunc("/call", instance.answerCall)
	routes.HandleFunc("/healthz", instance.answerHealth)
	routes.HandleFunc("/ready", answerToggle("ready", &instance.ready))
	routes.HandleFunc("/live", answerToggle("live", &instance.live))
	routes.HandleFunc("/grpc.health.v1.Health/", instance.answerGRPC)
	routes.HandleFunc("/sleep", instance.answerSleep)
	routes.HandleFunc("/fail", instance.answerFail)
	routes.HandleFunc("/exit", instance.answerExit)
	routes.HandleFunc("/burn", instance.answerBurn)
	routes.HandleFunc("/allocate", instance.answerAllocate)
	routes.HandleFunc("/write", instance.answerWrite)
	routes.HandleFunc("/stream", instance.answerStream)
	routes.HandleFunc("/events", instance.answerEvents)
	routes.HandleFunc("/socket", instance.answerSocket)
	return routes
}
