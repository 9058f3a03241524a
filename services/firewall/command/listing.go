package main

import (
	"encoding/json"
	"fmt"
)

// normalise gives of a listing what the rules are, the same text for the same rules: without counts and handles, and
// without the elements of sets. It is packets that put those there: what the plan says in numbers stands in the rules.
func normalise(listing []byte) (string, error) {
	var told struct {
		Objects []map[string]any `json:"nftables"`
	}
	if err := json.Unmarshal(listing, &told); err != nil {
		return "", fmt.Errorf("read what nft lists: %w", err)
	}
	kept := []map[string]any{}
	for _, each := range told.Objects {
		if _, ofProgram := each["metainfo"]; ofProgram {
			continue
		}
		for kind, object := range each {
			if fields, ok := object.(map[string]any); ok {
				delete(fields, "handle")
				if kind == "set" {
					delete(fields, "elem")
				}
			}
		}
		dropCounts(each)
		kept = append(kept, each)
	}
	// Keys of maps are written in order.
	text, err := json.Marshal(kept)
	return string(text), err
}

// dropCounts drops what counters have counted, wherever they stand.
func dropCounts(value any) {
	switch found := value.(type) {
	case map[string]any:
		if counter, ok := found["counter"].(map[string]any); ok {
			delete(counter, "packets")
			delete(counter, "bytes")
		}
		for _, each := range found {
			dropCounts(each)
		}
	case []any:
		for _, each := range found {
			dropCounts(each)
		}
	}
}
