package main

import (
	"reflect"
	"slices"
)

// prepareExec lets a command be run in an instance that one of its probes is, by the launcher where there are secrets;
// as its own user and with its own environment.
func prepareExec(ask *asked) (*onward, error) {
	seen, err := ask.instance(ask.name)
	if err != nil {
		return nil, err
	}
	value, err := decoded(ask.body)
	body, isObject := value.(map[string]any)
	if err != nil || !isObject {
		return nil, refuse("body must be a JSON object, got %s", shown(string(ask.body)))
	}
	may := map[string][]any{
		"Container": {ask.name}, "AttachStdin": {true, false}, "AttachStdout": {true}, "AttachStderr": {true},
		"Tty": {false}, "Privileged": {false}, "User": {""}, "Env": {nil}, "WorkingDir": {""}, "detachKeys": {""},
	}
	for key, here := range body {
		if key == "Cmd" {
			continue
		}
		if !slices.ContainsFunc(may[key], func(each any) bool { return reflect.DeepEqual(each, here) }) {
			return nil, refuse("exec: %s must be one of %s, got %s", shown(key), shown(may[key]), shown(here))
		}
	}
	command := texts(body["Cmd"])
	if err := ask.isProbe(seen, command); err != nil {
		return nil, err
	}
	written, err := canonical(object{
		"AttachStdin": body["AttachStdin"] == true, "AttachStdout": true, "AttachStderr": true, "Cmd": command,
	})
	return &onward{path: "/containers/" + seen.ID + "/exec", body: written}, err
}

// execution is an exec as the engine describes it.
type execution struct {
	ContainerID   string
	ProcessConfig struct {
		Entrypoint string
		Arguments  []string
		Privileged bool
		Tty        bool
		User       string
	}
}

func (ask *asked) execution() (*execution, error) {
	found := new(execution)
	if err := ask.describe("/exec/"+ask.name+"/json", found); err != nil {
		return nil, err
	}
	seen, err := ask.instance(found.ContainerID)
	if err != nil {
		return nil, err
	}
	process := found.ProcessConfig
	if process.Privileged || process.Tty || process.User != "" {
		return nil, refuse("exec must be as the container is, got another user or rights")
	}
	return found, ask.isProbe(seen, append([]string{process.Entrypoint}, process.Arguments...))
}

func startExec(ask *asked) (*onward, error) {
	if _, err := ask.execution(); err != nil {
		return nil, err
	}
	body := []byte(`{"Detach":false,"Tty":false}`)
	return &onward{path: "/exec/" + ask.name + "/start", body: body, upgraded: true}, nil
}

func inspectExec(ask *asked) (*onward, error) {
	if _, err := ask.execution(); err != nil {
		return nil, err
	}
	return &onward{path: "/exec/" + ask.name + "/json"}, nil
}

// isProbe refuses a command that is no probe of a container's document.
func (ask *asked) isProbe(seen *inspection, command []string) error {
	candidates, err := ask.describing(seen.stated())
	if err != nil {
		return err
	}
	for _, document := range candidates {
		part := document.part(seen.label(labelContainer))
		if part != nil && slices.ContainsFunc(part.probes(), func(each []string) bool { return slices.Equal(each, command) }) {
			return nil
		}
	}
	return refuse("exec: Cmd must be a probe's of %s, got %s", shown(seen.Name), shown(command))
}

// probes gives the commands that are run inside a container to see how it is.
func (container *Container) probes() [][]string {
	var found [][]string
	for _, each := range []*Probe{container.Startup, container.Liveness, container.Readiness} {
		if each == nil || each.Kind != "exec" {
			continue
		}
		command := each.Command
		if container.hasSecrets() {
			command = append([]string{launch, "--"}, command...)
		}
		found = append(found, command)
	}
	return found
}

func texts(value any) []string {
	list, _ := value.([]any)
	found := make([]string, 0, len(list))
	for _, each := range list {
		word, isText := each.(string)
		if !isText {
			return nil
		}
		found = append(found, word)
	}
	return found
}
