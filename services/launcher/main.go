// Launch gives a container its secrets and then becomes the image's own command: `launch -- command arguments…`.
//
// Two more verbs are for containers of an instance that run nothing of its image. `launch hold` stays until it is told
// to stop, and so keeps the instance's network and volumes. `launch prepare volume [directory…]…` makes volumes fit to
// be mounted (see prepare.go).
//
// The secrets come as JSON on standard input (see Delivery), so that no inspection of the container shows them. The
// command is executed in this process's place: process id, user, working directory and limits stay as the engine made
// them, signals and the exit code are the command's, and its standard input is empty.
//
// Executing drops all memory of this program, so no copy of a secret stays behind. What the command gets as variables
// stands in its /proc/<pid>/environ, as every variable does: its own user can read it there, and nobody else in the
// container. What must not be seen there comes as a file.
package main

import "os"

// The codes of Docker and of shells: an error of this program itself, a command that cannot be executed, and none.
const (
	exitOwnError      = 125
	exitNotExecutable = 126
	exitNotFound      = 127
)

func main() {
	err := run(os.Args[1:])
	if err == nil {
		return
	}
	// One line, in one write, so that lines of others do not run into it.
	os.Stderr.WriteString("launch: " + err.Error() + "\n")
	code := exitOwnError
	if refused, ok := err.(*commandError); ok {
		code = refused.code
	}
	os.Exit(code)
}

// run carries out a verb; with a command it returns only with an error.
func run(arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "hold":
		hold()
		return nil
	case len(arguments) > 1 && arguments[0] == "prepare":
		return prepare(arguments[1:])
	default:
		return launch(arguments)
	}
}
