package main

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Labels of the stack's (runyard/names.py).
const (
	labelStack     = "runyard.dev/stack"
	labelTenant    = "runyard.dev/tenant"
	labelService   = "runyard.dev/service"
	labelRevision  = "runyard.dev/revision"
	labelRole      = "runyard.dev/role"
	labelContainer = "runyard.dev/container"
	labelInstance  = "runyard.dev/instance"
	roleInstance   = "instance"
)

// An instance's id, as the orchestrator makes them.
var instanceID = regexp.MustCompile(`^[0-9a-z]{1,32}$`)

// inspection is a container as the engine describes it.
type inspection struct {
	ID     string `json:"Id"`
	Name   string
	Image  string
	Config struct {
		Labels     map[string]string
		Entrypoint []string
		Cmd        []string
		Env        []string
		User       string
		WorkingDir string
	}
	HostConfig map[string]any
	Mounts     []struct {
		Type, Name, Source, Destination string
		RW                              bool
	}
	NetworkSettings struct {
		Networks map[string]struct {
			IPAMConfig *struct{ IPv4Address string }
		}
	}
}

func (seen *inspection) label(key string) string { return seen.Config.Labels[key] }

// isInstance tells whether it is one of an instance, of a run as well.
func (seen *inspection) isInstance() bool {
	return seen.label(labelRole) == roleInstance || seen.label(labelRole) == roleRun
}

func (seen *inspection) stated() stated {
	return stated{
		tenant: seen.label(labelTenant), revision: seen.label(labelRevision), role: seen.label(labelRole),
		container:  seen.label(labelContainer),
		entrypoint: seen.Config.Entrypoint, command: seen.Config.Cmd, environment: seen.Config.Env,
	}
}

// ours describes a container that has the stack's label; all others do not exist to the orchestrator.
func (ask *asked) ours(name string) (*inspection, error) {
	seen := new(inspection)
	if err := ask.describe("/containers/"+name+"/json", seen); err != nil {
		return nil, err
	}
	if seen.label(labelStack) != ask.settings.Stack {
		return nil, missing("container", name)
	}
	return seen, nil
}

// instance describes a container of one of the stack's instances.
func (ask *asked) instance(name string) (*inspection, error) {
	seen, err := ask.ours(name)
	if err == nil && !seen.isInstance() {
		err = refuse("container must be one of an instance, got %s", shown(seen.Name))
	}
	return seen, err
}

// isPart tells whether a container is a part of the platform, by its name and its label together.
func (ask *asked) isPart(seen *inspection, parts []string) bool {
	role := seen.label(labelRole)
	return slices.Contains(parts, role) && seen.Name == "/runyard."+ask.settings.Stack+"."+role
}

// to goes on to the container that was described, whatever is called by the name meanwhile.
func (ask *asked) to(seen *inspection, verb string) *onward {
	return &onward{path: "/containers/" + seen.ID + verb, query: ask.query}
}

func ofInstance(verb string) func(*asked) (*onward, error) {
	return func(ask *asked) (*onward, error) {
		seen, err := ask.instance(ask.name)
		if err != nil {
			return nil, err
		}
		return ask.to(seen, verb), nil
	}
}

func inspect(ask *asked) (*onward, error) {
	if _, err := ask.ours(ask.name); err != nil {
		return nil, err
	}
	return &onward{known: ask.said}, nil
}

// start lets a container of an instance begin if it is confined as its document says, and any part of the platform.
func start(ask *asked) (*onward, error) {
	seen, err := ask.ours(ask.name)
	if err != nil {
		return nil, err
	}
	if !ask.isPart(seen, ask.settings.Parts) {
		if _, err := ask.signed(seen); err != nil {
			return nil, err
		}
	}
	return ask.to(seen, "/start"), nil
}

// limit holds a container to the CPU that its document gives it after its start; nothing else of it changes.
func limit(ask *asked) (*onward, error) {
	seen, err := ask.ours(ask.name)
	if err != nil {
		return nil, err
	}
	value, err := decoded(ask.body)
	if err != nil {
		return nil, refuse("body must be a JSON object, got %s", shown(string(ask.body)))
	}
	// Of revisions that share a name, only the one that it was made of says how much.
	part, err := ask.signed(seen)
	if err != nil {
		return nil, err
	}
	must := object{"CpuQuota": cpuQuota(part.CPUMillis)}
	if found := difference("", value, again(must)); found != "" {
		return nil, refuse("container %s must be held to its document's limit: %s", shown(seen.Name), found)
	}
	written, err := canonical(must)
	return &onward{path: "/containers/" + seen.ID + "/update", body: written}, err
}

func unpause(ask *asked) (*onward, error) {
	seen, err := ask.ours(ask.name)
	if err == nil && !seen.isInstance() && !ask.isPart(seen, ask.settings.Parts) {
		err = refuse("container must be one of an instance or a part of the platform, got %s", shown(seen.Name))
	}
	if err != nil {
		return nil, err
	}
	return ask.to(seen, "/unpause"), nil
}

// kill ends a container of an instance, and of the platform an orchestrator: the other one must, before it leads.
func kill(ask *asked) (*onward, error) {
	seen, err := ask.ours(ask.name)
	if err == nil && !seen.isInstance() && !ask.isPart(seen, []string{"orchestrator", "standby"}) {
		err = refuse("container must be one of an instance or an orchestrator, got %s", shown(seen.Name))
	}
	if err != nil {
		return nil, err
	}
	return ask.to(seen, "/kill"), nil
}

// attach joins standard input alone, by which a container gets its secrets.
func attach(ask *asked) (*onward, error) {
	seen, err := ask.instance(ask.name)
	if err != nil {
		return nil, err
	}
	call := ask.to(seen, "/attach")
	call.upgraded = true
	return call, nil
}

// create makes what a document says: of what was asked, only who it is for and where it lives are taken over, and the
// rest must be what the document makes anyway.
func create(ask *asked) (*onward, error) {
	value, err := decoded(ask.body)
	body, isObject := value.(map[string]any)
	if err != nil || !isObject {
		return nil, refuse("body must be a JSON object, got %s", shown(string(ask.body)))
	}
	name, instance := text(body, "Labels", labelContainer), text(body, "Labels", labelInstance)
	candidates, err := ask.describing(stated{
		tenant: text(body, "Labels", labelTenant), revision: text(body, "Labels", labelRevision),
		role: text(body, "Labels", labelRole), container: name,
		entrypoint: texts(body["Entrypoint"]), command: texts(body["Cmd"]), environment: texts(body["Env"]),
	})
	if err != nil {
		return nil, err
	}
	if !instanceID.MatchString(instance) {
		return nil, refuse("Labels.%s: must be an instance's id, got %s", labelInstance, shown(instance))
	}
	var refused error
	for _, document := range candidates {
		made, err := ask.made(document, name, instance, body)
		if err == nil {
			written, err := canonical(made)
			return &onward{path: "/containers/create", query: ask.query, body: written}, err
		}
		refused = err
	}
	return nil, refused
}

// made gives what a document makes of a container, if that is what was asked.
func (ask *asked) made(document *Document, name, instance string, body map[string]any) (object, error) {
	part := document.part(name)
	if part == nil {
		return nil, refuse("revision %s must have a container %s", document.key(), shown(name))
	}
	called := strings.Join([]string{"runyard", document.Stack, document.Tenant, document.Name, name, instance}, ".")
	if ask.query.Get("name") != called {
		return nil, refuse("name must be %s, got %s", called, shown(ask.query.Get("name")))
	}
	at, err := ask.place(document, name, instance, body)
	if err != nil {
		return nil, err
	}
	from, err := ask.image(document.image(part))
	if err != nil {
		return nil, err
	}
	made := document.configuration(part, at, from, ask.settings.Seccomp)
	if found := difference("", body, again(made)); found != "" {
		return nil, refuse("container %s of revision %s: %s", name, document.key(), found)
	}
	return made, nil
}

// place takes over where a container lives, as far as that is not the document's to say.
func (ask *asked) place(document *Document, name, instance string, body map[string]any) (placement, error) {
	at := placement{instance: instance}
	switch owner := document.owner(); name {
	case owner:
		at.address = text(body, "NetworkingConfig", "EndpointsConfig", document.Network, "IPAMConfig", "IPv4Address")
		address, err := netip.ParseAddr(at.address)
		if err != nil || !address.Is4() || address.String() != at.address {
			return at, refuse("container %s of revision %s must have an IPv4 address in %s, got %s",
				name, document.key(), document.Network, shown(at.address))
		}
	case preparer, keeper:
	default:
		mode := text(body, "HostConfig", "NetworkMode")
		id, joins := strings.CutPrefix(mode, "container:")
		if !joins || !containerID.MatchString(id) {
			return at, refuse("HostConfig.NetworkMode: must be container: and the id of %s, got %s", owner, shown(mode))
		}
		at.owner = id
		return at, ask.owns(id, document, instance)
	}
	return at, nil
}

// owns refuses a container whose network is not an instance's of the document to share.
func (ask *asked) owns(id string, document *Document, instance string) error {
	seen, err := ask.instance(id)
	if err != nil {
		return err
	}
	must := map[string]string{
		labelTenant: document.Tenant, labelRevision: document.Name, labelInstance: instance,
		labelContainer: document.owner(), labelRole: document.role(),
	}
	for key, value := range must {
		if seen.label(key) != value {
			return refuse("HostConfig.NetworkMode: must be of the same instance, got %s", shown(seen.Name))
		}
	}
	return nil
}

var containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// signed gives what a container is by a signed document, and refuses one that is not, whoever made it.
func (ask *asked) signed(seen *inspection) (*Container, error) {
	if !seen.isInstance() {
		return nil, refuse("container must be one of an instance or a part of the platform, got %s", shown(seen.Name))
	}
	candidates, err := ask.describing(seen.stated())
	if err != nil {
		return nil, err
	}
	var refused error
	for _, document := range candidates {
		part := document.part(seen.label(labelContainer))
		if part == nil {
			refused = refuse("revision %s must have a container %s", document.key(), shown(seen.label(labelContainer)))
			continue
		}
		from, err := ask.image(document.image(part))
		if err != nil {
			return nil, err
		}
		// What it has more of at its start may be over.
		if later := cpuQuota(part.CPUMillis); shown(seen.HostConfig["CpuQuota"]) == shown(later) {
			part.StartupCPU = 0
		}
		at := seen.placement(document)
		if found := departure(seen, document.configuration(part, at, from, ask.settings.Seccomp)); found != "" {
			refused = refuse("container %s must be as its document says: %s", shown(seen.Name), found)
			continue
		}
		if at.owner != "" {
			if err := ask.owns(at.owner, document, at.instance); err != nil {
				return nil, err
			}
		}
		return part, nil
	}
	return nil, refused
}

func (seen *inspection) placement(document *Document) placement {
	at := placement{instance: seen.label(labelInstance)}
	mode, _ := seen.HostConfig["NetworkMode"].(string)
	at.owner, _ = strings.CutPrefix(mode, "container:")
	if at.owner != mode {
		return at
	}
	at.owner = ""
	if settings := seen.NetworkSettings.Networks[document.Network].IPAMConfig; settings != nil {
		at.address = settings.IPv4Address
	}
	return at
}

// text gives a text deep in a value, empty where there is none.
func text(value any, path ...string) string {
	for _, key := range path {
		inside, _ := value.(map[string]any)
		value = inside[key]
	}
	found, _ := value.(string)
	return found
}
