// Alertmanager's commands, in its image:
//
//	serve    start Alertmanager behind the guard, and take its configuration; what the container does
//	relay    join standard input and output to the socket on which serve takes the configuration
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	settings, err := parseSettings()
	if err != nil {
		return err
	}
	switch {
	case len(arguments) == 0 || (len(arguments) == 1 && arguments[0] == "serve"):
		return serve(settings)
	case len(arguments) == 1 && arguments[0] == "relay":
		return relay(settings.socket())
	}
	return fmt.Errorf("must be serve or relay, got %q", arguments)
}

// relay ends when the answers do; where nobody asks any more, they do once the last is through.
func relay(socket string) error {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		_, _ = io.Copy(connection, os.Stdin)
		_ = connection.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, connection)
	return err
}
