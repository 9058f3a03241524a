package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sync"
)

// The kernel starts no program with more arguments and variables than this (a quarter of its stack's 8 MiB: execve(2)),
// and in JSON they are not much longer.
const longestBody = 4 << 20

// filter answers the calls of the orchestrators of one stack.
type filter struct {
	settings  Settings
	engine    *engine
	documents documents
	images    sync.Map
}

// asked is a call as it was understood.
type asked struct {
	*filter
	ctx context.Context
	// version is the prefix of its path, which the engine's answer depends on.
	version string
	// name is what the path names.
	name  string
	query url.Values
	body  []byte
	// said is the last description that the engine gave.
	said *answer
}

func newFilter(settings Settings) *filter {
	store := documents{settings.Documents, settings.Stack, settings.Key}
	return &filter{settings: settings, engine: newEngine(settings.Engine), documents: store}
}

// The engine reads bodies of some calls in older versions which it no longer does in this one, or any newer.
var versioned = regexp.MustCompile(`^(/v1\.(?:4[1-9]|[5-9][0-9]))?(/.*)$`)

func (filter *filter) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	if request.URL.Path == presence {
		writer.WriteHeader(http.StatusNoContent)
		return
	}
	call, err := filter.judge(request)
	switch {
	case err != nil:
	case call.known != nil:
		write(writer, call.known.status, call.known.body)
	case call.upgraded:
		err = filter.engine.join(writer, request.Context(), *call)
	default:
		err = filter.engine.forward(writer, request.Context(), *call)
	}
	var refused *refusal
	var said *engineSaid
	switch {
	case err == nil:
	case errors.As(err, &refused):
		if refused.status == http.StatusForbidden {
			say("refused", "method", request.Method, "path", shown(request.URL.Path), "reason", refused.message)
		}
		message, _ := json.Marshal(map[string]string{"message": refused.message})
		write(writer, refused.status, message)
	case errors.As(err, &said):
		write(writer, said.answer.status, said.answer.body)
	default:
		// The engine is away, or went: so does this connection, as the engine's own would.
		panic(http.ErrAbortHandler)
	}
}

// engineSaid is the engine's own refusal of what the filter had to ask, which is then the answer.
type engineSaid struct{ answer *answer }

func (said *engineSaid) Error() string { return string(said.answer.body) }

func write(writer http.ResponseWriter, status int, body []byte) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	_, _ = writer.Write(body)
}

// judge gives what goes to the engine for a request, or the refusal.
func (filter *filter) judge(request *http.Request) (*onward, error) {
	parts := versioned.FindStringSubmatch(request.URL.Path)
	if parts == nil {
		return nil, refuse("path must be one of version 1.41 or newer, got %s", shown(request.URL.Path))
	}
	for _, each := range calls {
		found := each.path.FindStringSubmatch(parts[2])
		if found == nil || each.method != request.Method {
			continue
		}
		query, err := each.read(request.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(http.MaxBytesReader(nil, request.Body, longestBody))
		if err != nil {
			return nil, refuse("body must be whole and have less than %d bytes", longestBody)
		}
		ask := &asked{filter: filter, ctx: request.Context(), version: parts[1], query: query, body: body}
		if len(found) > 1 {
			ask.name = found[1]
		}
		call, err := each.judge(ask)
		if err != nil {
			return nil, err
		}
		call.method, call.path = each.method, parts[1]+call.path
		return call, nil
	}
	return nil, refuse("the orchestrator may not call %s %s", request.Method, shown(parts[2]))
}

// describe gets a description of the engine's, in the words of the version that was asked for.
func (ask *asked) describe(path string, into any) error {
	said, err := ask.engine.ask(ask.ctx, ask.version+path, into)
	if err == nil && said.status != http.StatusOK {
		return &engineSaid{said}
	}
	ask.said = said
	return err
}
