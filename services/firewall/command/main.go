// The firewall's commands, in its image beside nft:
//
//	keep     put the stack's rules into the host's packet filter and keep them there; what the container does
//	try      have the kernel judge the rules without putting them in force
//	check    say whether the rules that the container put are in force, or why not
//	remove   remove the stack's rules
//
// The rules are one table of the stack's own, so that nothing else of the host's is ever read or changed.
package main

import (
	"fmt"
	"os"
)

// verbs has what each command does; none takes arguments.
var verbs = map[string]func(Settings) error{"keep": keep, "try": try, "check": check, "remove": remove}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		arguments = []string{"keep"}
	}
	verb, known := verbs[arguments[0]]
	if !known || len(arguments) != 1 {
		return fmt.Errorf("must be keep, try, check or remove, got %q", arguments)
	}
	settings, err := parseSettings()
	if err != nil {
		return err
	}
	return verb(settings)
}
