package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"syscall"
)

const (
	// As much as a container may be given: Kubernetes bounds a secret at 1 MiB, and a document names a few.
	longestDelivery = 8 << 20
	// The orchestrator writes at once; without it (somebody started the container by hand) a start must end and be seen
	// to have failed, and not wait forever.
	longestSilenceSeconds = 10
	// A usual delivery comes in one read of this size: it is that of a pipe.
	firstRoom = 64 << 10
)

// Delivery is what standard input carries, to its end.
type Delivery struct {
	// Environment has variables by name; they replace those of the container.
	Environment map[string]string `json:"environment"`
	// Files are written before the command runs.
	Files []File `json:"files"`
}

// File is one file: an absolute path, its permission bits, and its content, in base64 on the wire.
type File struct {
	Path    string `json:"path"`
	Mode    uint32 `json:"mode"`
	Content []byte `json:"content"`
}

// readDelivery reads all of the input; errors tell how much came, never what it says.
func readDelivery(input int) (Delivery, error) {
	text := make([]byte, 0, firstRoom)
	for len(text) <= longestDelivery {
		if err := awaitInput(input); err != nil {
			return Delivery{}, fmt.Errorf("standard input: %w", err)
		}
		text = slices.Grow(text, firstRoom)
		count, err := syscall.Read(input, text[len(text):cap(text)])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return Delivery{}, fmt.Errorf("standard input: %w", err)
		case count == 0:
			return parseDelivery(text)
		default:
			text = text[:len(text)+count]
		}
	}
	return Delivery{}, fmt.Errorf("standard input: must be at most %d bytes", longestDelivery)
}

// awaitInput waits until something, or the end, can be read.
func awaitInput(input int) error {
	patience := syscall.Timeval{Sec: longestSilenceSeconds}
	for {
		waiting := syscall.FdSet{Bits: [16]int64{1 << input}}
		count, err := syscall.Select(input+1, &waiting, nil, nil, &patience)
		switch {
		case err == syscall.EINTR: // the runtime's own signals
		case err != nil:
			return err
		case count == 0:
			return fmt.Errorf("must come and end, got nothing for %d s", longestSilenceSeconds)
		default:
			return nil
		}
	}
}

func parseDelivery(text []byte) (Delivery, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Both sides come from one image: what this program does not know would be a secret that is silently not given.
	decoder.DisallowUnknownFields()
	var delivery *Delivery
	err := decoder.Decode(&delivery)
	_, rest := decoder.Token()
	if err != nil || delivery == nil || rest != io.EOF {
		// Not in the decoder's own words: they quote values.
		return Delivery{}, fmt.Errorf(
			"standard input: must be one JSON object of environment and files, got %d bytes of something else", len(text),
		)
	}
	return *delivery, nil
}
