package main

import (
	"encoding/json"
	"slices"
	"strings"
)

// filters reads the engine's filters in the one form that the orchestrator writes: a word, and a list of texts.
func (ask *asked) filters() (map[string][]string, error) {
	found := map[string][]string{}
	if err := json.Unmarshal([]byte(ask.query.Get("filters")), &found); err != nil {
		return nil, refuse("filters must be lists of texts, got %s", shown(ask.query.Get("filters")))
	}
	return found, nil
}

// onwardWith writes the filters anew.
func (ask *asked) onwardWith(path string, filters map[string][]string) (*onward, error) {
	written, err := canonical(filters)
	ask.query.Set("filters", string(written))
	return &onward{path: path, query: ask.query}, err
}

func (ask *asked) isOurs(filters map[string][]string) bool {
	return slices.Contains(filters["label"], labelStack+"="+ask.settings.Stack)
}

// list tells of the stack's own containers, and of all that have a volume of the stack's.
func list(ask *asked) (*onward, error) {
	filters, err := ask.filters()
	if err != nil {
		return nil, err
	}
	ours := ask.isOurs(filters)
	for _, each := range filters["volume"] {
		ours = ours || strings.HasPrefix(each, "runyard."+ask.settings.Stack+".") && len(filters["volume"]) == 1
	}
	if !ours {
		return nil, refuse("filters must have the stack's label or one of its volumes, got %s", shown(filters))
	}
	return ask.onwardWith("/containers/json", filters)
}

// watch tells what happens to the stack's own containers, and who joins or leaves a network; those events have no label.
func watch(ask *asked) (*onward, error) {
	filters, err := ask.filters()
	if err != nil {
		return nil, err
	}
	networks := slices.Equal(filters["type"], []string{"network"}) && len(filters["event"]) > 0
	for _, each := range filters["event"] {
		networks = networks && (each == "connect" || each == "disconnect")
	}
	if !networks && !(slices.Equal(filters["type"], []string{"container"}) && ask.isOurs(filters)) {
		return nil, refuse("filters must be of the stack's containers or of joining networks, got %s", shown(filters))
	}
	return ask.onwardWith("/events", filters)
}
