package main

import (
	"fmt"
	"os"
	"os/exec"
)

const fileMode = 0o644

// configure puts the configuration of the environment in place if nginx takes it. It is written beside, flushed and
// renamed: whoever is killed here leaves the old file or the new one, never half of it.
func configure(settings Settings) error {
	text, given := os.LookupEnv("RUNYARD_NGINX_CONF")
	if !given {
		return fmt.Errorf("RUNYARD_NGINX_CONF: must be the configuration, got nothing")
	}
	if err := makeDirectories(settings); err != nil {
		return err
	}
	beside := settings.Configuration + ".new"
	if err := write(beside, text); err != nil {
		return err
	}
	if err := test(beside); err != nil {
		return err
	}
	if err := keep(settings.Configuration); err != nil {
		return err
	}
	return os.Rename(beside, settings.Configuration)
}

// restore puts the configuration before the last one back.
func restore(settings Settings) error {
	return os.Rename(settings.Configuration+".before", settings.Configuration)
}

// keep gives a configuration the further name that restore takes; the first one has none before it.
func keep(configuration string) error {
	before := configuration + ".before"
	if _, err := os.Stat(configuration); os.IsNotExist(err) {
		return nil
	}
	if err := os.Remove(before); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Link(configuration, before)
}

// test has nginx try a configuration; what it does not like, it says itself.
func test(configuration string) error {
	nginx := exec.Command("nginx", "-t", "-q", "-c", configuration)
	nginx.Stdout, nginx.Stderr = os.Stdout, os.Stderr
	return nginx.Run()
}

func write(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	if _, err = file.WriteString(text); err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	return err
}
