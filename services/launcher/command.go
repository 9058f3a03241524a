package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

const standardInput = 0

// commandError is a command that cannot be run, with the exit code that says so.
type commandError struct {
	command string
	cause   error
	code    int
}

func (refused *commandError) Error() string {
	return fmt.Sprintf("run %s: %v", refused.command, refused.cause)
}

// launch takes the delivery and executes the command; it returns only with an error, which names no value.
func launch(arguments []string) error {
	if len(arguments) < 2 || arguments[0] != "--" {
		return errors.New("must be called as: launch -- command arguments…")
	}
	delivery, err := readDelivery(standardInput)
	if err != nil {
		return err
	}
	if err := writeFiles(delivery.Files); err != nil {
		return err
	}
	environment, err := mergeEnvironment(os.Environ(), delivery.Environment)
	if err != nil {
		return err
	}
	if err := emptyInput(); err != nil {
		return err
	}
	return execute(arguments[1:], environment)
}

// mergeEnvironment gives the container's variables in their order, then those of the delivery by name: where both have a
// name, it is the delivery's.
func mergeEnvironment(variables []string, delivered map[string]string) ([]string, error) {
	merged := make([]string, 0, len(variables)+len(delivered))
	for _, variable := range variables {
		name, _, _ := strings.Cut(variable, "=")
		if _, replaced := delivered[name]; !replaced {
			merged = append(merged, variable)
		}
	}
	names := make([]string, 0, len(delivered))
	for name, value := range delivered {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, fmt.Errorf("environment: name: must not be empty nor have = or NUL, got %q", name)
		}
		if strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("environment: %s: value must have no NUL", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		merged = append(merged, name+"="+delivered[name])
	}
	return merged, nil
}

// emptyInput replaces standard input, which carried the secrets, by one that is at its end.
func emptyInput() error {
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	// Without O_CLOEXEC: this copy is the command's.
	if err := syscall.Dup3(null, standardInput, 0); err != nil {
		return fmt.Errorf("replace standard input: %w", err)
	}
	return nil
}

// execute becomes the command; it returns only when that fails.
func execute(command, environment []string) error {
	file, err := find(command[0], environment)
	if err == nil {
		// argv[0] stays as it was written, as the engine leaves it.
		err = syscall.Exec(file, command, environment)
	}
	code := exitNotExecutable
	if err == syscall.ENOENT || err == syscall.ENOTDIR {
		code = exitNotFound
	}
	return &commandError{command[0], err, code}
}

// find resolves a command as the engine does: with a slash as it is, from the working directory; else in the absolute
// directories of PATH in the container's environment. One that was found without the right to execute it is told apart.
func find(command string, environment []string) (string, error) {
	if strings.Contains(command, "/") {
		return command, nil
	}
	var err error = syscall.ENOENT
	for _, directory := range strings.Split(lookup("PATH", environment), ":") {
		// The engine refuses what lies in the working directory only because PATH says so.
		if command == "" || !strings.HasPrefix(directory, "/") {
			continue
		}
		file := directory + "/" + command
		var found syscall.Stat_t
		if syscall.Stat(file, &found) != nil || found.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			continue
		}
		if found.Mode&0o111 != 0 {
			return file, nil
		}
		err = syscall.EACCES
	}
	return "", err
}

// lookup gives a variable's value, empty without one.
func lookup(name string, environment []string) string {
	for _, variable := range environment {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			return value
		}
	}
	return ""
}
