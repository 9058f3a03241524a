package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

const (
	// The gateway answers from memory; it is silent for as long only when its machine is.
	askTimeout = 2 * time.Second
	// A reload takes a tenth of a second.
	lookEvery = 100 * time.Millisecond
)

// confirm waits until the gateway serves the configuration with this digest, for so many seconds at most.
func confirm(settings Settings, arguments []string) error {
	seconds, err := strconv.Atoi(arguments[1])
	if err != nil {
		return fmt.Errorf("confirm: seconds: must be a whole number, got %q", arguments[1])
	}
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	for {
		served, failure := served(settings)
		if failure == nil && served == arguments[0] {
			return nil
		}
		if !time.Now().Before(deadline) {
			if failure == nil {
				failure = fmt.Errorf("it serves %s", served)
			}
			return fmt.Errorf("the gateway does not serve the configuration %s: %w", arguments[0], failure)
		}
		time.Sleep(lookEvery)
	}
}

// purge prints the gateway's answer; whether it was a good one is in its first line.
func purge(settings Settings, arguments []string) error {
	answer, err := ask(settings, "POST /v1/purge", arguments[0])
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(answer)
	return err
}

// served gives the digest of the configuration that the gateway serves.
func served(settings Settings) (string, error) {
	answer, err := ask(settings, "GET /healthz", "")
	if err != nil {
		return "", err
	}
	_, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	var health struct {
		Configuration string `json:"configuration"`
	}
	if err := json.Unmarshal(body, &health); err != nil {
		return "", fmt.Errorf("read the gateway's health: %w", err)
	}
	return health.Configuration, nil
}

// ask gives the gateway's whole answer as it came. HTTP/1.0, so that the answer ends with the connection.
func ask(settings Settings, request, body string) ([]byte, error) {
	connection, err := net.DialTimeout("unix", settings.socket(), askTimeout)
	if err != nil {
		return nil, fmt.Errorf("ask the gateway: %w", err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, fmt.Errorf("ask the gateway: %w", err)
	}
	if _, err := fmt.Fprintf(connection, "%s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", request, len(body), body); err != nil {
		return nil, fmt.Errorf("ask the gateway: %w", err)
	}
	answer, err := io.ReadAll(connection)
	if err != nil {
		return nil, fmt.Errorf("hear the gateway: %w", err)
	}
	return answer, nil
}
