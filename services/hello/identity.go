package main

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// longestAge is a year in seconds, the most that HTTP's caches are asked for.
const longestAge = 365 * 24 * 60 * 60

// Identity says which service, revision and instance answered, and what the services it calls answered.
type Identity struct {
	Service  string            `json:"service"`
	Revision string            `json:"revision"`
	Instance string            `json:"instance"`
	Calls    map[string]Answer `json:"calls,omitempty"`
}

// answerIdentity is "/": 200 with who answered, or 502 when a service it calls (CALLS) does not answer 2xx. With
// ?max_age_s= caches may keep the answer for so long.
func (instance *Instance) answerIdentity(w http.ResponseWriter, r *http.Request) {
	age, err := integer(r, "max_age_s", 0, 0, longestAge)
	if err != nil {
		refuse(w, err)
		return
	}
	if age > 0 {
		w.Header().Set("Cache-Control", "max-age="+strconv.Itoa(age))
	}
	settings := instance.settings
	identity := Identity{Service: settings.Service, Revision: settings.Revision, Instance: settings.Instance}
	status := http.StatusOK
	if len(settings.Calls) > 0 {
		identity.Calls = make(map[string]Answer, len(settings.Calls))
	}
	for _, call := range settings.Calls {
		answer := instance.call(r, call.URL, "")
		identity.Calls[call.Name] = answer
		if answer.Status < 200 || answer.Status > 299 {
			status = http.StatusBadGateway
		}
	}
	reply(w, status, identity)
}

// answerHeaders shows the request as it arrived: what the gateway added, and what it passed on.
func (instance *Instance) answerHeaders(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"method": r.Method, "path": r.URL.RequestURI(), "protocol": r.Proto, "host": r.Host,
		"from": r.RemoteAddr, "headers": r.Header,
	})
}

// answerEnvironment shows every variable and its value: a sample may, a service with secrets must not.
func (instance *Instance) answerEnvironment(w http.ResponseWriter, _ *http.Request) {
	environment := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		environment[name] = value
	}
	reply(w, http.StatusOK, environment)
}

// answerEcho sends the body back as it comes, of any length.
func (instance *Instance) answerEcho(w http.ResponseWriter, r *http.Request) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	// An answer that starts before its request has ended needs this on HTTP/1.1; HTTP/2 always can.
	_ = http.NewResponseController(w).EnableFullDuplex()
	if _, err := io.Copy(w, r.Body); err != nil {
		// The answer has begun, so cutting the connection is the one way left to say that it is not whole.
		panic(http.ErrAbortHandler)
	}
}
