package main

import (
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
	"time"
)

// One that ends sooner than this after its start would end again: the engine starts the container with longer and
// longer pauses then.
const restless = time.Second

// ended says how a process has ended.
type ended struct {
	pid    int
	status syscall.WaitStatus
}

// sustain runs nginx with the sockets at which it listens, and again when somebody killed it: they stay open, so that
// connections wait for the next one instead of being refused. It ends with an nginx that was told to end.
func sustain(nginx string, settings Settings) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	deaths := make(chan ended)
	held := sockets{}
	for first := true; ; first = false {
		wanted, err := addresses(settings.Configuration)
		if err != nil {
			return err
		}
		held.closeBut(wanted)
		held.open(wanted)
		began := time.Now()
		pid, err := start(nginx, settings, held)
		if err != nil {
			return err
		}
		if first {
			go reap(deaths)
		}
		status, asked := attend(pid, func(each os.Signal) { held.heed(each, settings) }, signals, deaths)
		// The workers of one that was killed go on by themselves.
		syscall.Kill(-pid, syscall.SIGKILL)
		if asked && status.ExitStatus() == 0 {
			return nil
		}
		if asked || time.Since(began) < restless {
			return fmt.Errorf("nginx has ended: %s", describe(status))
		}
		fmt.Fprintf(os.Stderr, "nginx has ended: %s: it is started again\n", describe(status))
		// A killed nginx leaves its sockets behind, and a new one cannot bind to them.
		if err := removeSockets(settings); err != nil {
			return err
		}
	}
}

// start starts nginx, which takes over the sockets that its variable NGINX names by their numbers, as from an older
// nginx that it replaces (its documented way to upgrade itself). Its workers are of its process group.
func start(nginx string, settings Settings, held sockets) (int, error) {
	files := []uintptr{0, 1, 2}
	var inherited strings.Builder
	names := make([]string, 0, len(held))
	for address := range held {
		names = append(names, address)
	}
	sort.Strings(names)
	for _, address := range names {
		fmt.Fprintf(&inherited, "%d;", len(files))
		files = append(files, uintptr(held[address]))
	}
	environment := append(os.Environ(), "NGINX="+inherited.String())
	pid, err := syscall.ForkExec(nginx, []string{"nginx", "-c", settings.Configuration}, &syscall.ProcAttr{
		Env: environment, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	return pid, os.NewSyscallError("start nginx", err)
}

// attend passes signals on, heeding each first, until nginx ends; it was asked to if one of them says so.
func attend(pid int, heed func(os.Signal), signals <-chan os.Signal, deaths <-chan ended) (syscall.WaitStatus, bool) {
	asked := false
	for {
		select {
		case each := <-signals:
			heed(each)
			asked = asked || ends(each)
			syscall.Kill(pid, each.(syscall.Signal))
		case death := <-deaths:
			if death.pid == pid {
				return death.status, asked
			}
		}
	}
}

// ends tells whether a signal has nginx end.
func ends(signal os.Signal) bool {
	return signal == syscall.SIGQUIT || signal == syscall.SIGTERM || signal == syscall.SIGINT
}

// heed lets go of the sockets at which nginx will listen no longer when it gets a signal.
func (held sockets) heed(signal os.Signal, settings Settings) {
	if ends(signal) {
		held.closeBut(nil)
	} else if wanted, err := addresses(settings.Configuration); err == nil && signal == syscall.SIGHUP {
		held.closeBut(wanted)
	}
}

// reap tells of every child that ends: the container's first process has those too whose parents are gone.
func reap(deaths chan<- ended) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch err {
		case nil:
			deaths <- ended{pid, status}
		case syscall.ECHILD:
			// Between the end of one nginx and the start of the next there may be none.
			time.Sleep(time.Millisecond)
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "killed by " + status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}
