package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Settings is what the container's environment says; paths are only ever set by tests.
type Settings struct {
	// Stack is the one whose containers, networks and volumes there are; Parts are those of its platform.
	Stack string
	Parts []string
	// Key is the one with which the stack's revisions are signed.
	Key ed25519.PublicKey
	// Engine is the engine's socket, and Socket the one that is offered.
	Engine, Socket string
	// Documents is the directory in which the orchestrator keeps what was signed.
	Documents string
	// Seccomp is the security option that has the profile of system calls, as the engine takes it.
	Seccomp string
}

func parseSettings() (Settings, error) {
	settings := Settings{
		Stack:     os.Getenv("RUNYARD_STACK"),
		Parts:     strings.FieldsFunc(os.Getenv("RUNYARD_PARTS"), func(r rune) bool { return r == ',' }),
		Engine:    fallback("RUNYARD_ENGINE", "/var/run/docker.sock"),
		Socket:    fallback("RUNYARD_SOCKET", "/var/lib/runyard/engine/engine.sock"),
		Documents: fallback("RUNYARD_DOCUMENTS", "/var/lib/runyard/orchestrator/documents"),
	}
	if settings.Stack == "" {
		return Settings{}, fmt.Errorf("RUNYARD_STACK: must name the stack, got nothing")
	}
	key, err := base64.StdEncoding.DecodeString(os.Getenv("RUNYARD_PUBLIC_KEY"))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return Settings{}, fmt.Errorf("RUNYARD_PUBLIC_KEY: must be the base64 of %d bytes, got %q",
			ed25519.PublicKeySize, os.Getenv("RUNYARD_PUBLIC_KEY"))
	}
	settings.Key = key
	settings.Seccomp, err = readProfile(fallback("RUNYARD_SECCOMP", "/seccomp.json"))
	return settings, err
}

func fallback(variable, otherwise string) string {
	if found := os.Getenv(variable); found != "" {
		return found
	}
	return otherwise
}

// readProfile gives the security option with the profile in a file, written in the one way of the orchestrator: keys
// sorted and no spaces. The engine keeps it to the byte.
func readProfile(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var profile any
	reader := json.NewDecoder(bytes.NewReader(content))
	// A number stays as it is written.
	reader.UseNumber()
	if err := reader.Decode(&profile); err != nil {
		return "", fmt.Errorf("%s: must be JSON: %w", path, err)
	}
	written, err := canonical(profile)
	return "seccomp=" + string(written), err
}
