package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	// The kernel tells of every change; this is for what it could not tell, and for a host that refused.
	lookEvery = 30 * time.Second
	// A change is a burst of messages, and the engine makes many: five looks a second are enough, each a few milliseconds.
	settleFor = 200 * time.Millisecond
)

// keep holds the rules in force until the container ends, which leaves them there: they go with the stack, by remove.
func keep(settings Settings) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	changes := watch()
	said := ""
	for {
		if outcome := hold(settings); outcome != said {
			fmt.Fprintln(os.Stderr, outcome)
			said = outcome
		}
		select {
		case <-stop:
			return nil
		case <-changes:
			time.Sleep(settleFor)
			// What came meanwhile is seen by the look that follows.
			select {
			case <-changes:
			default:
			}
		case <-time.After(lookEvery):
		}
	}
}

// hold puts the rules in force unless they are, and says how it stands.
func hold(settings Settings) string {
	record, err := readRecord(settings)
	if err == nil && record.differs(settings) == nil {
		return "the rules are in force"
	}
	record, err = put(settings)
	if err == nil {
		err = writeRecord(settings, record)
	}
	if err != nil {
		// Told to check as well, which asks from outside this process.
		_ = writeRecord(settings, Record{Refused: err.Error()})
		return fmt.Sprintf("the rules are not in force: %v", err)
	}
	return "the rules are in force"
}

// put puts the rules in force and gives what the kernel then has.
func put(settings Settings) (Record, error) {
	if err := change(settings.replacement()); err != nil {
		return Record{}, err
	}
	listing, err := list(settings)
	if err != nil {
		return Record{}, err
	}
	applied, err := normalise(listing)
	return Record{Applied: applied}, err
}
