package main

import (
	"fmt"
	"os"
)

// Settings is what the container's environment says.
type Settings struct {
	// Table is the stack's table, and Rules what defines it, as nft reads them.
	Table, Rules string
	// Record is where the keeper says what came of the rules, for check to read.
	Record string
}

func parseSettings() (Settings, error) {
	stack := os.Getenv("RUNYARD_STACK")
	if stack == "" {
		return Settings{}, fmt.Errorf("RUNYARD_STACK: must name the stack, got nothing")
	}
	record := os.Getenv("RUNYARD_RECORD")
	if record == "" {
		record = "/run/firewall.json"
	}
	return Settings{Table: "runyard." + stack, Rules: os.Getenv("RUNYARD_RULES"), Record: record}, nil
}

// replacement is the transaction that puts the rules in the place of whatever the table was: no packet sees it half.
func (settings Settings) replacement() string {
	return settings.removal() + settings.Rules
}

// removal is the transaction after which the table is gone; it is made first, as one that is not there cannot be removed.
func (settings Settings) removal() string {
	return fmt.Sprintf("table ip %s\ndelete table ip %s\n", settings.Table, settings.Table)
}
