package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
)

// answerHealth is /healthz: 200 while the instance is ready and live, else 503.
func (instance *Instance) answerHealth(w http.ResponseWriter, _ *http.Request) {
	status := http.StatusOK
	if !instance.serving() {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, map[string]bool{"ready": instance.ready.Load(), "live": instance.live.Load()})
}

func (instance *Instance) serving() bool { return instance.ready.Load() && instance.live.Load() }

// answerToggle is /ready and /live: 200 or 503 by the state; with ?ok= it sets the state and answers 200.
func answerToggle(name string, state *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if text := r.URL.Query().Get("ok"); text != "" {
			value, err := strconv.ParseBool(text)
			if err != nil {
				refuse(w, fmt.Errorf("ok: must be true or false, got %q", text))
				return
			}
			state.Store(value)
			reply(w, http.StatusOK, map[string]bool{name: value})
			return
		}
		status := http.StatusOK
		if !state.Load() {
			status = http.StatusServiceUnavailable
		}
		reply(w, status, map[string]bool{name: state.Load()})
	}
}

// Of the gRPC health protocol, in the numbers of its .proto file and of gRPC's status codes.
const (
	grpcServing       = 1
	grpcNotServing    = 2
	grpcOK            = 0
	grpcNotFound      = 5
	grpcUnimplemented = 12
	grpcBadMessage    = 13
	// healthRequestLimit is far more than a message that holds one service name needs.
	healthRequestLimit = 4096
)

// answerGRPC is grpc.health.v1.Health/Check, written out: one method of two one-field messages does not need
// a gRPC library, and without one the sample needs no modules to build.
func (instance *Instance) answerGRPC(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	finish := func(code int, message string) {
		w.Header().Set("Grpc-Status", strconv.Itoa(code))
		w.Header().Set("Grpc-Message", message)
	}
	if r.URL.Path != "/grpc.health.v1.Health/Check" {
		finish(grpcUnimplemented, "only Check is here")
		return
	}
	service, err := readHealthRequest(r.Body)
	switch {
	case err != nil:
		finish(grpcBadMessage, err.Error())
	case service != "" && service != instance.settings.Service:
		finish(grpcNotFound, "no such service: "+service)
	default:
		status := byte(grpcServing)
		if !instance.serving() {
			status = grpcNotServing
		}
		// One uncompressed message of two bytes: field 1, a varint, the status.
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 0x08, status})
		finish(grpcOK, "")
	}
}

// readHealthRequest reads the length-prefixed message {string service = 1}.
func readHealthRequest(body io.Reader) (string, error) {
	frame, err := io.ReadAll(io.LimitReader(body, healthRequestLimit))
	if err != nil {
		return "", fmt.Errorf("read message: %w", err)
	}
	if len(frame) < 5 || frame[0] != 0 || int(binary.BigEndian.Uint32(frame[1:5])) != len(frame)-5 {
		return "", fmt.Errorf("message must be one uncompressed frame, got %d bytes", len(frame))
	}
	message := bytes.NewReader(frame[5:])
	if message.Len() == 0 {
		return "", nil
	}
	tag, _ := message.ReadByte()
	length, err := binary.ReadUvarint(message)
	if tag != 0x0a || err != nil || length != uint64(message.Len()) {
		return "", fmt.Errorf("message must hold field 1, a service name, and nothing else")
	}
	name := make([]byte, length)
	_, err = io.ReadFull(message, name)
	return string(name), err
}
