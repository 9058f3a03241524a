package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// callTimeout is long enough for a service that is being woken, which the gateway holds for 10 s.
	callTimeout = 15 * time.Second
	// answerLimit keeps a sample's memory small whatever it calls.
	answerLimit = 1 << 20
)

// Headers that tie a call to the request that caused it, for traces and logs.
var passedOn = []string{"Traceparent", "Tracestate", "X-Request-Id"}

// Answer is what a called service said; Status is 0 and Error is set when it said nothing.
type Answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"`
	Error  string          `json:"error,omitempty"`
}

func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Calls go where the manifest says, never through a proxy that the environment happens to name.
	transport.Proxy = nil
	return &http.Client{Timeout: callTimeout, Transport: transport}
}

// call asks another service by GET, as part of answering r.
// A host other than "" is sent in place of the address's own, as a caller that goes around name resolution would.
func (instance *Instance) call(r *http.Request, address, host string) Answer {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, address, nil)
	if err != nil {
		return Answer{Error: err.Error()}
	}
	request.Host = host
	for _, name := range passedOn {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := instance.client.Do(request)
	if err != nil {
		return Answer{Error: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return Answer{Status: response.StatusCode, Error: fmt.Sprintf("read answer of %s: %v", address, err)}
	}
	return Answer{Status: response.StatusCode, Body: asJSON(body)}
}

// asJSON keeps a JSON body as it is and quotes any other.
func asJSON(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	quoted, _ := json.Marshal(string(body)) // a string always marshals
	return quoted
}

// answerCall calls ?url= (with ?host= as its Host header, if given) and shows its status and body; 502 when nothing
// answered there in ?timeout_ms=.
func (instance *Instance) answerCall(w http.ResponseWriter, r *http.Request) {
	address := r.URL.Query().Get("url")
	parsed, err := url.Parse(address)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		refuse(w, fmt.Errorf("url: must be an http address, got %q", address))
		return
	}
	longest := int(callTimeout / time.Millisecond)
	millis, err := integer(r, "timeout_ms", longest, 1, longest)
	if err != nil {
		refuse(w, err)
		return
	}
	within, cancel := context.WithTimeout(r.Context(), time.Duration(millis)*time.Millisecond)
	defer cancel()
	answer := instance.call(r.WithContext(within), address, r.URL.Query().Get("host"))
	status := http.StatusOK
	if answer.Status == 0 {
		status = http.StatusBadGateway
	}
	reply(w, status, answer)
}
