package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
)

var query = regexp.MustCompile(`\?[^" ]*`)

// serve keeps nginx going, and the sockets at which it listens; the container's signals are passed on to it.
func serve(settings Settings) error {
	if _, err := os.Stat(settings.Configuration); err != nil {
		return fmt.Errorf("no configuration in %s: pulumi refresh, then up, delivers it again", settings.Configuration)
	}
	// A killed nginx leaves its sockets behind, and a new one cannot bind to them.
	if err := removeSockets(settings); err != nil {
		return err
	}
	if err := makeDirectories(settings); err != nil {
		return err
	}
	// What keeps nginx from starting is told before redact is between, because its last lines go with the container.
	if err := test(settings.Configuration); err != nil {
		return err
	}
	if err := removeSockets(settings); err != nil {
		return err
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		return err
	}
	if err := startRedacting(); err != nil {
		return err
	}
	if err := child("rotate").Start(); err != nil {
		return err
	}
	return sustain(nginx, settings)
}

func removeSockets(settings Settings) error {
	for _, socket := range []string{settings.socket(), settings.metricsSocket()} {
		if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// child gives this program with another of its commands, to be started as a child of its own.
func child(command string) *exec.Cmd {
	started := exec.Command("/proc/self/exe", command)
	started.Args[0], started.Stderr = os.Args[0], os.Stderr
	return started
}

// startRedacting puts this program, as a child of its own, between standard error and where it goes. It ends with the
// last process that writes to it.
func startRedacting() error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	defer in.Close()
	redacting := child("redact")
	redacting.Stdin = out
	if err := redacting.Start(); err != nil {
		return err
	}
	return os.NewSyscallError("replace standard error", syscall.Dup3(int(in.Fd()), int(os.Stderr.Fd()), 0))
}

// redact passes nginx's error log on, line by line. nginx writes whole request lines into it, and a query may hold
// secrets; what it says of no client is its own.
func redact(log io.Reader, out io.Writer) error {
	lines := bufio.NewReader(log)
	for {
		line, ended := lines.ReadBytes('\n')
		if bytes.Contains(line, []byte(", client: ")) {
			line = query.ReplaceAll(line, []byte("?"))
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		if ended == io.EOF {
			return nil
		}
		if ended != nil {
			return ended
		}
	}
}
