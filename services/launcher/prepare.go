package main

import (
	"fmt"
	"path"
	"strings"
	"syscall"
)

const (
	// As /tmp has: any user of any image may write, and none may take away what is another's.
	sharedMode = 0o1777
	// How the engine makes a new volume: root's own, and writable for nobody else.
	newVolumeMode = 0o755
	modeBits      = 0o7777
)

// prepare makes volumes fit to be mounted: an absolute path is that of a volume, and those that follow it are directories
// in it. A volume that is new is made writable for all, and directories are made where they are missing.
//
// No symbolic link is followed: the engine mounts these directories by their paths on the host, where a link that an
// instance made would lead out of the volume.
func prepare(paths []string) error {
	volume := ""
	for _, each := range paths {
		if path.Clean(each) != each || each == "/" || each == "." || each == ".." || strings.HasPrefix(each, "../") {
			return fmt.Errorf("prepare: paths must be plain, got %q", each)
		}
		var err error
		switch {
		case path.IsAbs(each):
			volume = each
			err = openUp(volume)
		case volume == "":
			err = fmt.Errorf("prepare: the first path must be absolute, got %q", each)
		default:
			err = makeParts(volume, strings.Split(each, "/"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func openDirectory(at int, name string) (int, error) {
	return syscall.Openat(at, name, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
}

// openUp makes a volume writable for every user, once: what its owner has set is left alone.
func openUp(volume string) error {
	directory, err := openDirectory(0, volume)
	if err != nil {
		return fmt.Errorf("prepare %s: %w", volume, err)
	}
	defer syscall.Close(directory)
	var found syscall.Stat_t
	if err = syscall.Fstat(directory, &found); err == nil && found.Uid == 0 && found.Mode&modeBits == newVolumeMode {
		err = syscall.Fchmod(directory, sharedMode)
	}
	if err != nil {
		return fmt.Errorf("prepare %s: %w", volume, err)
	}
	return nil
}

// makeParts makes a directory of a volume and those above it, as far as they are not there.
func makeParts(volume string, parts []string) error {
	directory, err := openDirectory(0, volume)
	for index := 0; err == nil && index < len(parts); index++ {
		var next int
		next, err = makePart(directory, parts[index])
		syscall.Close(directory)
		directory = next
	}
	if err != nil {
		return fmt.Errorf("prepare %s: directory %s: %w", volume, strings.Join(parts, "/"), err)
	}
	return syscall.Close(directory)
}

// makePart makes one directory in another and opens it.
func makePart(parent int, name string) (int, error) {
	made := syscall.Mkdirat(parent, name, parentMode)
	if made != nil && made != syscall.EEXIST {
		return -1, made
	}
	directory, err := openDirectory(parent, name)
	if err == nil && made == nil {
		// Not by making it: there the umask would take bits away.
		err = syscall.Fchmod(directory, sharedMode)
	}
	return directory, err
}
