package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// try has the kernel judge the whole transaction and then leave everything as it was.
func try(settings Settings) error {
	return change(settings.replacement(), "--check")
}

func remove(settings Settings) error {
	return change(settings.removal())
}

// change carries out a transaction of nft's: all of it, or nothing.
func change(transaction string, options ...string) error {
	_, err := nft(transaction, append(options, "--file", "-")...)
	return err
}

// list gives the kernel's table as nft tells it in JSON.
func list(settings Settings) ([]byte, error) {
	return nft("", "--json", "list", "table", "ip", settings.Table)
}

// nft runs the program; the error is what it says, on one line.
func nft(input string, arguments ...string) ([]byte, error) {
	command := exec.Command("nft", arguments...)
	var out, said bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &said
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("nft: %w: %s", err, strings.Join(strings.Fields(said.String()), " "))
	}
	return out.Bytes(), nil
}
