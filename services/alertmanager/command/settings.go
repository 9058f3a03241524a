package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Settings is what the container's environment says.
type Settings struct {
	// Address is where Alertmanager answers, and Directory its volume.
	Address, Directory string
	// Pool is the network from which instances have their addresses.
	Pool *net.IPNet
}

func parseSettings() (Settings, error) {
	_, pool, err := net.ParseCIDR(os.Getenv("RUNYARD_ADDRESS_POOL"))
	if err != nil {
		return Settings{}, fmt.Errorf("RUNYARD_ADDRESS_POOL: must be a network, got %q", os.Getenv("RUNYARD_ADDRESS_POOL"))
	}
	address := os.Getenv("RUNYARD_HTTP_ADDRESS")
	if _, _, err := net.SplitHostPort(address); err != nil {
		return Settings{}, fmt.Errorf("RUNYARD_HTTP_ADDRESS: must be address:port, got %q", address)
	}
	directory := os.Getenv("RUNYARD_DIRECTORY")
	if directory == "" {
		directory = "/var/lib/runyard/alertmanager"
	}
	return Settings{Address: address, Directory: directory, Pool: pool}, nil
}

func (settings Settings) socket() string { return filepath.Join(settings.Directory, "control.sock") }
