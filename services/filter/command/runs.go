package main

import "strings"

// roleRun is what runs once as an instance of a revision, beside those that serve (runyard/names.py).
const roleRun = "run"

// stated is what a container says of itself, asked for or made: whose it is, and what it runs.
type stated struct {
	tenant, revision, role, container string
	entrypoint, command, environment  []string
}

func (document *Document) role() string {
	if document.run {
		return roleRun
	}
	return roleInstance
}

// describing gives the documents of which a container may be; of a run those that it makes of them.
func (ask *asked) describing(said stated) ([]*Document, error) {
	found, err := ask.documents.of(said.tenant, said.revision)
	if err != nil || said.role != roleRun {
		return found, err
	}
	var runs []*Document
	for _, document := range found {
		for _, each := range document.Containers {
			// A helper goes with whichever container the run is of.
			if isHelper(said.container) || said.container == each.Name {
				runs = append(runs, document.ofRun(each, said))
			}
		}
	}
	if len(runs) == 0 {
		return nil, refuse("revision %s must have a container %s", found[0].key(), shown(said.container))
	}
	return runs, nil
}

// ofRun gives what a run makes of a document, as services/orchestrator/model/run.py does: one of its containers that
// serve, with the command and the variables of whoever asked for it. Those alone are taken over, as nobody signed them.
func (document *Document) ofRun(of Container, said stated) *Document {
	words, launched := said.words(of)
	given := map[string]bool{}
	var environment []Variable
	for _, each := range said.environment {
		name, value, _ := strings.Cut(each, "=")
		given[name] = true
		environment = append(environment, Variable{Name: name, Value: value})
	}
	for _, each := range of.Environment {
		// The launcher brings a secret in the place of what the image says, unless whoever asked took its place.
		if !given[each.Name] || launched && each.isSecret() {
			environment = append(environment, each)
		}
	}
	of.Environment = environment
	of.Entrypoint, of.Command = words, nil
	if len(words) > 0 {
		of.Entrypoint, of.Command = words[:1], words[1:]
	}
	of.Startup, of.Liveness, of.Readiness, of.DependsOn = nil, nil, nil, nil
	// It is never ready, so the CPU of a start would never end.
	of.StartupCPU = 0
	made := *document
	made.Containers, made.InitContainers, made.run = []Container{of}, nil, true
	made.Volumes = nil
	for _, each := range document.Volumes {
		if of.hasVolume(each.Name) {
			made.Volumes = append(made.Volumes, each)
		}
	}
	return &made
}

// words gives a run's command, and whether the launcher brings it its secrets first.
func (said stated) words(of Container) ([]string, bool) {
	launched := of.hasSecrets() && len(said.entrypoint) == 1 && said.entrypoint[0] == launch && len(said.command) > 0
	if launched {
		return said.command[1:], true
	}
	return append(listed(said.entrypoint), said.command...), false
}

func (container Container) hasVolume(name string) bool {
	for _, each := range container.VolumeMounts {
		if each.Volume == name {
			return true
		}
	}
	return false
}
