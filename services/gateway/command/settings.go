package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// Settings is what the container's environment says.
type Settings struct {
	// Directory and Requests are the volumes that outlive the container, the second for readers too; Temporary is the
	// container's own memory.
	Directory, Requests, Temporary string
	// Configuration is the file that nginx reads. One for each image: it calls functions of the image's Lua.
	Configuration string
	// UID and GID are those of the workers.
	UID, GID int
	// LogBytes is the size at which the request log is put aside for another; only tests set it.
	LogBytes int64
}

func parseSettings() (Settings, error) {
	name := os.Getenv("RUNYARD_CONFIGURATION")
	if name == "" {
		return Settings{}, fmt.Errorf("RUNYARD_CONFIGURATION: must name the configuration of this image, got nothing")
	}
	settings := Settings{
		Directory: variable("RUNYARD_DIRECTORY", "/var/lib/runyard/gateway"),
		Requests:  variable("RUNYARD_REQUESTS", "/var/lib/runyard/requests"),
		Temporary: variable("RUNYARD_TEMPORARY", "/tmp/gateway"),
	}
	settings.Configuration = filepath.Join(settings.Directory, name)
	worker, err := user.Lookup(variable("RUNYARD_USER", "www-data"))
	if err != nil {
		return Settings{}, fmt.Errorf("find the workers' user: %w", err)
	}
	if settings.UID, err = strconv.Atoi(worker.Uid); err != nil {
		return Settings{}, fmt.Errorf("find the workers' user: %w", err)
	}
	if settings.GID, err = strconv.Atoi(worker.Gid); err != nil {
		return Settings{}, fmt.Errorf("find the workers' group: %w", err)
	}
	if settings.LogBytes, err = strconv.ParseInt(variable("RUNYARD_LOG_BYTES", "134217728"), 10, 64); err != nil {
		return Settings{}, fmt.Errorf("RUNYARD_LOG_BYTES: must be a number of bytes: %w", err)
	}
	return settings, nil
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// socket is where the gateway answers whoever may change it.
func (settings Settings) socket() string {
	return filepath.Join(settings.Directory, "admin.sock")
}

// metricsSocket is where it answers whoever may only read.
func (settings Settings) metricsSocket() string {
	return filepath.Join(settings.Requests, "metrics.sock")
}

// requestLog is where nginx writes a line for each request.
func (settings Settings) requestLog() string {
	return filepath.Join(settings.Requests, "requests.log")
}
