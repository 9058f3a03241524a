package main

import (
	"fmt"
	"os"
	"path"
	"syscall"
)

const (
	permissionBits = 0o777
	parentMode     = 0o755
)

// writeFiles writes each file with its mode, and makes the directories above it.
func writeFiles(files []File) error {
	for _, file := range files {
		if err := checkFile(file); err != nil {
			return err
		}
	}
	for _, file := range files {
		if err := writeFile(file); err != nil {
			return err
		}
	}
	return nil
}

func checkFile(file File) error {
	if !path.IsAbs(file.Path) || path.Clean(file.Path) != file.Path || file.Path == "/" {
		return fmt.Errorf("file: path: must be absolute, without . and .. and double slashes, got %q", file.Path)
	}
	if file.Mode > permissionBits {
		return fmt.Errorf("file %s: mode: must be from 0 to 0%o, got 0%o", file.Path, permissionBits, file.Mode)
	}
	return nil
}

func writeFile(file File) error {
	if err := makeDirectories(path.Dir(file.Path)); err != nil {
		return err
	}
	// What stands there is taken away and not written into: a symbolic link would lead elsewhere, and a file of another
	// mode would hold the secret in that mode for a moment. Directories are left alone, and the opening fails.
	if err := syscall.Unlink(file.Path); err != nil && err != syscall.ENOENT {
		return &os.PathError{Op: "replace", Path: file.Path, Err: err}
	}
	// O_EXCL follows no symbolic link either. Only the owner may read until the mode is set.
	opened, err := os.OpenFile(file.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if _, err = opened.Write(file.Content); err == nil {
		// Not by opening: there the umask would take bits away.
		err = opened.Chmod(os.FileMode(file.Mode))
	}
	if closing := opened.Close(); err == nil {
		err = closing
	}
	return err
}

// makeDirectories makes a directory and those above it, as far as they are not there.
func makeDirectories(directory string) error {
	err := syscall.Mkdir(directory, parentMode)
	if err == syscall.ENOENT {
		if err := makeDirectories(path.Dir(directory)); err != nil {
			return err
		}
		err = syscall.Mkdir(directory, parentMode)
	}
	// Whether it is a directory, what is opened below it will tell.
	if err != nil && err != syscall.EEXIST {
		return &os.PathError{Op: "mkdir", Path: directory, Err: err}
	}
	return nil
}
