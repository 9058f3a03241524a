package main

import (
	"bufio"
	"context"
	"crypto/sha1" // RFC 6455 names this hash; it protects nothing
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Of RFC 6455: the string that a handshake adds to the key, the frames that are known here, and the limits.
const (
	socketMagic    = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	frameText      = 1
	frameBinary    = 2
	frameClose     = 8
	framePing      = 9
	framePong      = 10
	closeGoingAway = 1001
	closeRefused   = 1003
	frameLimit     = 1 << 20
	// farewellLimit is how long a caller that was told goodbye may take to say so too.
	farewellLimit = 2 * time.Second
)

var errFrame = errors.New("not a whole masked frame of text or data up to 1 MiB")

// group counts connections that outlive their handler's server.
type group struct{ open atomic.Int64 }

// wait returns when none is open, or with the context's error.
func (g *group) wait(ending context.Context) error {
	// Polled, because this happens once in a process's life and 10 ms are nothing beside a drain.
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for g.open.Load() > 0 {
		select {
		case <-ticks.C:
		case <-ending.Done():
			return ending.Err()
		}
	}
	return nil
}

// answerSocket is a WebSocket that sends every message back; at a drain it closes with 1001, going away.
func (instance *Instance) answerSocket(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || key == "" {
		w.Header().Set("Upgrade", "websocket")
		reply(w, http.StatusUpgradeRequired, map[string]string{"error": "this path speaks WebSocket only"})
		return
	}
	instance.sockets.open.Add(1)
	defer instance.sockets.open.Add(-1)
	connection, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		reply(w, http.StatusNotImplemented, map[string]string{"error": err.Error()})
		return
	}
	defer connection.Close()
	hash := sha1.Sum([]byte(key + socketMagic))
	accept := base64.StdEncoding.EncodeToString(hash[:])
	_, err = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: "+accept+"\r\n\r\n")
	if err == nil {
		instance.echoFrames(connection, buffer.Reader)
	}
}

// echoFrames sends frames back until either side closes.
func (instance *Instance) echoFrames(connection net.Conn, reader *bufio.Reader) {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-instance.draining:
			// The reader below wakes at this deadline unless the caller answers the farewell first.
			_ = connection.SetReadDeadline(time.Now().Add(farewellLimit))
			_ = writeFrame(connection, frameClose, binary.BigEndian.AppendUint16(nil, closeGoingAway))
		case <-ended:
		}
	}()
	for {
		kind, payload, err := readFrame(reader)
		if errors.Is(err, errFrame) {
			_ = writeFrame(connection, frameClose, binary.BigEndian.AppendUint16(nil, closeRefused))
		}
		if err != nil {
			return
		}
		if kind == framePing {
			kind = framePong
		}
		if writeFrame(connection, kind, payload) != nil || kind == frameClose {
			return
		}
	}
}

// readFrame reads one unfragmented frame from a client, which RFC 6455 obliges to mask it.
func readFrame(reader io.Reader) (kind byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(reader, head[:]); err != nil {
		return 0, nil, err
	}
	kind = head[0] & 0x0f
	known := kind == frameText || kind == frameBinary || kind == frameClose || kind == framePing
	if head[0]&0xf0 != 0x80 || !known || head[1]&0x80 == 0 {
		return 0, nil, errFrame
	}
	length := uint64(head[1] & 0x7f)
	if length >= 126 {
		// 126 says that the length is in the next two bytes, 127 that it is in the next eight.
		wide := make([]byte, 8)
		if _, err = io.ReadFull(reader, wide[map[uint64]int{126: 6, 127: 0}[length]:]); err != nil {
			return 0, nil, err
		}
		length = binary.BigEndian.Uint64(wide)
	}
	if length > frameLimit {
		return 0, nil, errFrame
	}
	masked := make([]byte, 4+length)
	if _, err = io.ReadFull(reader, masked); err != nil {
		return 0, nil, err
	}
	payload = masked[4:]
	for at := range payload {
		payload[at] ^= masked[at%4]
	}
	return kind, payload, nil
}

// writeFrame writes one whole frame in one call, so that the farewell cannot land inside an echo.
func writeFrame(connection io.Writer, kind byte, payload []byte) error {
	frame := []byte{0x80 | kind}
	switch length := len(payload); {
	case length < 126:
		frame = append(frame, byte(length))
	case length < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(length))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 127), uint64(length))
	}
	_, err := connection.Write(append(frame, payload...))
	return err
}
