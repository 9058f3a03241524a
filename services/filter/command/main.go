// The filter: it alone holds the engine's socket, and offers the orchestrators one of its own, through which the engine
// makes what a signed document says and nothing else.
//
// What is not in the table of calls is refused, and so is what a call says beyond what it may. Nothing of a request goes
// on as it came: path, query and body are made anew from what was understood, so that no other reader of the same bytes
// finds more in them.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	settings, err := parseSettings()
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	failed := make(chan error, 1)
	go func() { failed <- keepPlace(settings, newFilter(settings)) }()
	select {
	case err := <-failed:
		return err
	case <-stop:
		// What is under way is the engine's to end; who asked sees the connection go, and asks the other filter.
		return nil
	}
}
