package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

const (
	stateMode  = 0o770
	sharedMode = os.ModeSticky | 0o777
	parentMode = 0o755
)

// What nginx keeps aside, and its cache, below the temporary directory.
var ownDirectories = []string{"body", "proxy", "fastcgi", "uwsgi", "scgi", "cache/kept"}

// makeDirectories makes what the workers write to. Root here has neither CAP_CHOWN nor CAP_DAC_OVERRIDE, so nothing
// changes its owner: what the workers own is made as their user.
func makeDirectories(settings Settings) error {
	for _, directory := range []string{filepath.Join(settings.Directory, "state"), settings.Requests} {
		if err := makeShared(directory, settings.GID); err != nil {
			return err
		}
	}
	if err := makeLog(settings); err != nil {
		return err
	}
	// The cache's is memory of its own, but for the container that only tests a configuration.
	for _, directory := range []string{settings.Temporary, filepath.Join(settings.Temporary, "cache")} {
		if err := os.MkdirAll(directory, parentMode); err != nil {
			return err
		}
		if err := os.Chmod(directory, sharedMode); err != nil {
			return err
		}
	}
	return makeOwn(settings)
}

// makeShared makes where the workers keep the snapshot, or write the request log. The owner may give a file to a group that it is in, without
// CAP_CHOWN, so this process is in the workers' group for that moment.
func makeShared(directory string, gid int) (err error) {
	if err := os.MkdirAll(directory, parentMode); err != nil {
		return err
	}
	groups, err := syscall.Getgroups()
	if err != nil {
		return os.NewSyscallError("getgroups", err)
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	defer func() {
		if back := syscall.Setgroups(groups); err == nil {
			err = os.NewSyscallError("setgroups", back)
		}
	}()
	if err := os.Chown(directory, -1, gid); err != nil {
		return err
	}
	return os.Chmod(directory, stateMode)
}

// makeLog makes the request log, unless there is one. It is the workers', who open it anew when it was put aside, and
// of root's group, for nginx's first process and whoever reads it: neither of the two may write to every file.
func makeLog(settings Settings) error {
	if _, err := os.Stat(settings.requestLog()); !os.IsNotExist(err) {
		return err
	}
	making := exec.Command("install", "--mode=0660", "/dev/null", settings.requestLog())
	making.Stderr = os.Stderr
	making.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(settings.UID), Gid: 0, Groups: []uint32{uint32(settings.GID)}},
	}
	return making.Run()
}

// makeOwn makes the workers' own directories, in a process of theirs. nginx would make these and change their owner; it
// leaves alone what has the right one already.
func makeOwn(settings Settings) error {
	arguments := []string{"--mode=0700"}
	for _, name := range ownDirectories {
		directory := filepath.Join(settings.Temporary, name)
		if _, err := os.Stat(directory); os.IsNotExist(err) {
			arguments = append(arguments, directory)
		}
	}
	if len(arguments) == 1 {
		return nil
	}
	making := exec.Command("mkdir", arguments...)
	making.Stderr = os.Stderr
	making.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(settings.UID), Gid: uint32(settings.GID)},
	}
	return making.Run()
}
