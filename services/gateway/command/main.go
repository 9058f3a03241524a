// The gateway's commands, in its image beside nginx:
//
//	serve                    keep nginx going; what the container does without a command
//	configure                test the configuration in $RUNYARD_NGINX_CONF and, if nginx takes it, put it in place
//	confirm DIGEST SECONDS   wait until the gateway serves the configuration with this digest
//	restore                  put the configuration before the last one back
//	purge JSON               forget what the cache keeps of a service or path
//	redact                   pass nginx's error log on without queries; serve starts it
//	rotate                   put the request log aside when it is large, and remove the oldest; serve starts it
package main

import (
	"fmt"
	"os"
	"os/exec"
)

// verbs has what each command does and how many arguments it takes.
var verbs = map[string]struct {
	arguments int
	run       func(settings Settings, arguments []string) error
}{
	"serve":     {0, func(settings Settings, _ []string) error { return serve(settings) }},
	"configure": {0, func(settings Settings, _ []string) error { return configure(settings) }},
	"confirm":   {2, confirm},
	"restore":   {0, func(settings Settings, _ []string) error { return restore(settings) }},
	"purge":     {1, purge},
	"redact":    {0, func(Settings, []string) error { return redact(os.Stdin, os.Stderr) }},
	"rotate":    {0, func(settings Settings, _ []string) error { return rotate(settings) }},
}

func main() {
	err := run(os.Args[1:])
	if err == nil {
		return
	}
	// nginx has said itself what it did not like; whoever asked shows that as it is.
	if refused, ok := err.(*exec.ExitError); ok {
		os.Exit(refused.ExitCode())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		arguments = []string{"serve"}
	}
	verb, known := verbs[arguments[0]]
	if !known || len(arguments)-1 != verb.arguments {
		return fmt.Errorf("must be serve, configure, confirm DIGEST SECONDS, restore or purge JSON, got %q", arguments)
	}
	settings, err := parseSettings()
	if err != nil {
		return err
	}
	return verb.run(settings, arguments[1:])
}
