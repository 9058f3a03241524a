// Hello is Runyard's sample service: it shows what an instance is given, and misbehaves on request.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	settings, err := loadSettings(os.LookupEnv)
	if err != nil {
		logLine("refused", map[string]any{"error": err.Error()})
		os.Exit(2)
	}
	signals := make(chan os.Signal, 1)
	// SIGTERM is the platform's stop, SIGINT a person's at a terminal.
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	os.Exit(run(settings, signals))
}
