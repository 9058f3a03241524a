package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// refusal is what the filter itself answers: the sentence says what must be, and what was seen.
type refusal struct {
	status  int
	message string
}

func (refused *refusal) Error() string { return refused.message }

func refuse(format string, arguments ...any) error {
	return &refusal{http.StatusForbidden, "filter: " + fmt.Sprintf(format, arguments...)}
}

// missing is for what is not of this stack: to the orchestrator it does not exist.
func missing(kind, name string) error {
	message := fmt.Sprintf("No such %s: %s is none of this stack's", kind, shown(name))
	return &refusal{http.StatusNotFound, message}
}

// As much of a value as a sentence shows.
const longestShown = 120

func shown(value any) string {
	written, err := canonical(value)
	if err != nil {
		return "what is no JSON"
	}
	text := []rune(string(written))
	if len(text) > longestShown {
		return string(text[:longestShown]) + "…"
	}
	return string(text)
}

// canonical writes JSON with sorted keys and without spaces, and escapes nothing that need not be.
func canonical(value any) ([]byte, error) {
	var written bytes.Buffer
	writer := json.NewEncoder(&written)
	writer.SetEscapeHTML(false)
	err := writer.Encode(value)
	return bytes.TrimRight(written.Bytes(), "\n"), err
}

// decoded reads one JSON value whose numbers stay as they are written.
func decoded(text []byte) (any, error) {
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.UseNumber()
	var value any
	if err := reader.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := reader.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value")
	}
	return value, nil
}
