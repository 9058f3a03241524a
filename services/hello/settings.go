package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Settings is what the environment asks of this instance.
type Settings struct {
	Service  string
	Revision string
	Instance string
	// Port is where the platform expects answers; ListenPort, when set, is where they are given instead,
	// so that a revision on whose port nobody listens can be made on purpose.
	Port       int
	ListenPort int
	// Calls are the addresses that "/" calls too, by name and in the order given.
	Calls      []Call
	StartDelay time.Duration
	ExitAfter  time.Duration
	// ExitCode is how it ends after that: 0 lets it stand for an init container.
	ExitCode  int
	FailStart string
}

// Call is one other service that "/" calls, and the name its answer is shown under.
type Call struct {
	Name string
	URL  string
}

// The longest delay that any setting or parameter may ask for: Cloud Run's longest request, one hour.
const longestMillis = 3_600_000

// loadSettings reads the environment through lookup; the error names the variable, the rule and the value.
func loadSettings(lookup func(string) (string, bool)) (Settings, error) {
	text := func(name string) string { value, _ := lookup(name); return value }
	settings := Settings{
		Service:   text("K_SERVICE"),
		Revision:  text("K_REVISION"),
		FailStart: text("FAIL_START"),
	}
	// Docker sets the container's short id as its host name; one instance's containers share it.
	if name, err := os.Hostname(); err == nil {
		settings.Instance = name
	}
	var startDelay, exitAfter int
	numbers := []struct {
		name      string
		into      *int
		otherwise int
		highest   int
	}{
		{"PORT", &settings.Port, 8080, 65535},
		{"LISTEN_PORT", &settings.ListenPort, 0, 65535},
		{"START_DELAY_MS", &startDelay, 0, longestMillis},
		{"EXIT_AFTER_MS", &exitAfter, 0, longestMillis},
		{"EXIT_CODE", &settings.ExitCode, 1, 255},
	}
	for _, number := range numbers {
		value, err := parseInteger(number.name, text(number.name), number.otherwise, number.highest)
		if err != nil {
			return Settings{}, err
		}
		*number.into = value
	}
	settings.StartDelay = time.Duration(startDelay) * time.Millisecond
	settings.ExitAfter = time.Duration(exitAfter) * time.Millisecond
	if settings.ListenPort == 0 {
		settings.ListenPort = settings.Port
	}
	calls, err := parseCalls(text("CALLS"))
	settings.Calls = calls
	return settings, err
}

// parseInteger reads a whole number from 0 to highest; an empty text is the default.
func parseInteger(name, text string, otherwise, highest int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 0 || value > highest {
		return 0, fmt.Errorf("%s: must be a whole number from 0 to %d, got %q", name, highest, text)
	}
	return value, nil
}

// parseCalls reads "cart=http://cart.internal/,stock=http://stock.internal/".
func parseCalls(text string) ([]Call, error) {
	var calls []Call
	for _, part := range strings.Split(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, url, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found || name == "" || url == "" {
			return nil, fmt.Errorf("CALLS: must be name=url pairs joined by commas, got %q", part)
		}
		calls = append(calls, Call{Name: name, URL: url})
	}
	return calls, nil
}
