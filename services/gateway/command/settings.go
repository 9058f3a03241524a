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
	// Directory is the volume that outlives the container, and Temporary the container's own memory.
	Directory, Temporary string
	// Configuration is the file that nginx reads. One for each image: it calls functions of the image's Lua.
	Configuration string
	// UID and GID are those of the workers.
	UID, GID int
}

func parseSettings() (Settings, error) {
	name := os.Getenv("RUNYARD_CONFIGURATION")
	if name == "" {
		return Settings{}, fmt.Errorf("RUNYARD_CONFIGURATION: must name the configuration of this image, got nothing")
	}
	settings := Settings{
		Directory: variable("RUNYARD_DIRECTORY", "/var/lib/runyard/gateway"),
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
