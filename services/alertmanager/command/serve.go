package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// In memory alone: it has the password of the proxy and of mail servers, and is made anew at each start.
	prepared = "/run/alertmanager.yml"
	// Of all receivers of all tenants.
	mostBytes = 4 << 20
	// A reload reads a file; an Alertmanager that just started takes some tenths of a second to listen.
	reloadTimeout = 15 * time.Second
)

// Keeper has the configuration in force, and puts another in its place.
type Keeper struct {
	settings Settings
	ways     *Ways
	turn     sync.Mutex
}

func (keeper *Keeper) file() string {
	return filepath.Join(keeper.settings.Directory, "configuration.json")
}

// kept gives the configuration that was put last.
func (keeper *Keeper) kept() []byte {
	text, err := os.ReadFile(keeper.file())
	if err != nil {
		return []byte(nobody)
	}
	return text
}

func (keeper *Keeper) prepare(text []byte) error {
	made, places, err := keeper.ways.prepare(text)
	if err != nil {
		return err
	}
	keeper.ways.proxy.lead(places)
	return os.WriteFile(prepared, made, 0o600)
}

// put has Alertmanager take a configuration, and keeps it; one that is refused leaves the old one in force.
func (keeper *Keeper) put(text []byte) error {
	keeper.turn.Lock()
	defer keeper.turn.Unlock()
	if err := keeper.prepare(text); err != nil {
		return err
	}
	if err := keeper.reload(); err != nil {
		return errors.Join(err, keeper.prepare(keeper.kept()))
	}
	whole := keeper.file() + ".new"
	if err := os.WriteFile(whole, text, 0o600); err != nil {
		return err
	}
	return os.Rename(whole, keeper.file())
}

func (keeper *Keeper) reload() error {
	until := time.Now().Add(reloadTimeout)
	for {
		answer, err := http.Post("http://"+keeper.settings.Address+"/-/reload", "", nil)
		if err == nil {
			defer answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			why, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
			return fmt.Errorf("Alertmanager refuses the configuration: %s", bytes.TrimSpace(why))
		}
		if time.Now().After(until) {
			return fmt.Errorf("Alertmanager does not answer: %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// ServeHTTP takes the configuration with PUT, and tells its digest with GET.
func (keeper *Keeper) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	switch {
	case request.URL.Path != "/v1/configuration":
		http.Error(answer, "no such operation", http.StatusNotFound)
	case request.Method == http.MethodGet:
		digest := sha256.Sum256(keeper.kept())
		fmt.Fprint(answer, hex.EncodeToString(digest[:]))
	case request.Method == http.MethodPut:
		text, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, mostBytes))
		if err == nil {
			err = keeper.put(text)
		}
		if err != nil {
			http.Error(answer, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		answer.WriteHeader(http.StatusNoContent)
	default:
		http.Error(answer, "must be GET or PUT", http.StatusMethodNotAllowed)
	}
}

func serve(settings Settings) error {
	guard := newGuard(settings.Pool)
	proxy, err := startProxy(guard)
	if err != nil {
		return err
	}
	mail := &Mail{guard: guard, ports: map[string]string{}}
	keeper := &Keeper{settings: settings, ways: &Ways{guard: guard, proxy: proxy, mail: mail}}
	if err := keeper.prepare(keeper.kept()); err != nil {
		// Its network has changed since: nobody is told rather than somebody who must not be, and /metrics says so.
		log.Printf("the kept configuration is not used: %v", err)
		if err := keeper.prepare([]byte(nobody)); err != nil {
			return err
		}
	}
	// A socket of an earlier life would be in the way.
	_ = os.Remove(settings.socket())
	listener, err := net.Listen("unix", settings.socket())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: keeper, ReadHeaderTimeout: 10 * time.Second}
	go func() { log.Fatal(server.Serve(listener)) }()
	return supervise(exec.Command("prometheus-alertmanager",
		"--config.file="+prepared,
		"--storage.path="+filepath.Join(settings.Directory, "data"),
		"--web.listen-address="+settings.Address,
		// One alone: there is nobody to gossip with.
		"--cluster.listen-address=",
		"--log.level=warn",
	))
}

// supervise runs a command to its end and passes signals on; its end is ours.
func supervise(command *exec.Cmd) error {
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := command.Start(); err != nil {
		return err
	}
	go func() {
		for each := range signals {
			_ = command.Process.Signal(each)
		}
	}()
	return command.Wait()
}
