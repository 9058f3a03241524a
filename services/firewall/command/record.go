package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

const recordMode = 0o600

// Record is what came of the rules: what the kernel had right after they were put, or why it has none.
type Record struct {
	Applied string `json:"applied"`
	Refused string `json:"refused"`
}

// check fails unless the kernel still has what the keeper put.
func check(settings Settings) error {
	record, err := readRecord(settings)
	if err != nil {
		return fmt.Errorf("nothing was put yet: %w", err)
	}
	return record.differs(settings)
}

// differs says what the kernel has instead of what was put, nil if it is the same.
func (record Record) differs(settings Settings) error {
	if record.Refused != "" {
		return errors.New(record.Refused)
	}
	listing, err := list(settings)
	if err != nil {
		return err
	}
	found, err := normalise(listing)
	if err != nil {
		return err
	}
	if found != record.Applied {
		return fmt.Errorf("table ip %s is not as it was put: somebody changed it", settings.Table)
	}
	return nil
}

func readRecord(settings Settings) (Record, error) {
	var record Record
	text, err := os.ReadFile(settings.Record)
	if err != nil {
		return record, err
	}
	return record, json.Unmarshal(text, &record)
}

// writeRecord writes beside and renames, so that check reads the old record or the new one.
func writeRecord(settings Settings, record Record) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	beside := settings.Record + ".new"
	if err := os.WriteFile(beside, text, recordMode); err != nil {
		return err
	}
	return os.Rename(beside, settings.Record)
}
