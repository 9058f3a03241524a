package main

import (
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
)

// ofStack lets a network or a volume be described that is the stack's by its name.
func ofStack(path string) func(*asked) (*onward, error) {
	return func(ask *asked) (*onward, error) {
		if !strings.HasPrefix(ask.name, "runyard."+ask.settings.Stack+".") {
			return nil, missing(strings.Trim(path, "s/"), ask.name)
		}
		return &onward{path: path + ask.name}, nil
	}
}

// createVolume makes a volume that a document has: one of a tenant's that stays, memory that an instance shares, or a
// directory of one of these.
func createVolume(ask *asked) (*onward, error) {
	value, err := decoded(ask.body)
	body, isObject := value.(map[string]any)
	if err != nil || !isObject {
		return nil, refuse("body must be a JSON object, got %s", shown(string(ask.body)))
	}
	name := text(body, "Name")
	candidates, instance, err := ask.wanting(body)
	if err != nil {
		return nil, err
	}
	for document := range candidates {
		made, err := ask.volume(document, name, instance)
		if err != nil {
			return nil, err
		}
		if made == nil {
			continue
		}
		if found := difference("", body, again(made)); found != "" {
			return nil, refuse("volume %s: %s", name, found)
		}
		written, err := canonical(made)
		return &onward{path: "/volumes/create", body: written}, err
	}
	return nil, refuse("volume must be one of a signed document, got %s", shown(name))
}

// wanting gives the documents of which a volume may be, and the instance that it is for.
func (ask *asked) wanting(body map[string]any) (iter.Seq[*Document], string, error) {
	tenant, instance := text(body, "Labels", labelTenant), text(body, "Labels", labelInstance)
	if text(body, "Labels", labelRole) == "data" {
		if !label.MatchString(tenant) {
			return nil, "", refuse("Labels.%s: must be a tenant, got %s", labelTenant, shown(tenant))
		}
		return ask.documents.every(tenant, ""), "", nil
	}
	if !instanceID.MatchString(instance) {
		return nil, "", refuse("Labels.%s: must be an instance's id, got %s", labelInstance, shown(instance))
	}
	found, err := ask.documents.of(tenant, text(body, "Labels", labelRevision))
	return slices.Values(found), instance, err
}

// volume gives what makes a volume of a document, by its name on the engine; nil if the document has none of that name.
func (ask *asked) volume(document *Document, name, instance string) (object, error) {
	for _, each := range document.Volumes {
		if document.volumeName(each.Name, "", instance) == name {
			return document.whole(each, instance), nil
		}
	}
	if instance == "" {
		return nil, nil
	}
	for _, each := range document.directories() {
		if document.volumeName(each.volume, each.path, instance) != name {
			continue
		}
		inside, err := ask.mountpoint(document, each.volume, instance)
		if err != nil {
			return nil, err
		}
		options := object{"type": "none", "o": "bind", "device": path.Join(inside, each.path)}
		return local(name, document.scratch(instance), options), nil
	}
	return nil, nil
}

// whole makes a volume that is no part of another one.
func (document *Document) whole(of Volume, instance string) object {
	name := document.volumeName(of.Name, "", instance)
	if of.Kind == "persistent" {
		labels := object{labelStack: document.Stack, labelTenant: document.Tenant, labelRole: "data"}
		return local(name, labels, object{})
	}
	size := fmt.Sprintf("size=%d,mode=1777,nosuid,nodev", of.SizeBytes)
	return local(name, document.scratch(instance), object{"type": "tmpfs", "device": "tmpfs", "o": size})
}

func (document *Document) scratch(instance string) object {
	return object{
		labelStack: document.Stack, labelTenant: document.Tenant, labelService: document.Service,
		labelRevision: document.Name, labelRole: "scratch", labelInstance: instance,
	}
}

func local(name string, labels, options object) object {
	return object{"Name": name, "Driver": "local", "Labels": labels, "DriverOpts": options}
}

// described is a volume as the engine describes it.
type described struct {
	Driver, Mountpoint string
	Labels             map[string]string
	Options            map[string]string
}

// mountpoint gives where the engine has a volume whose directory is mounted; that must be one of ours.
func (ask *asked) mountpoint(document *Document, volume, instance string) (string, error) {
	name := document.volumeName(volume, "", instance)
	seen := new(described)
	if err := ask.describe("/volumes/"+name, seen); err != nil {
		return "", err
	}
	for _, each := range document.Volumes {
		if each.Name != volume {
			continue
		}
		must := document.whole(each, instance)
		here := local(name, object{}, object{})
		for key, value := range seen.Labels {
			here["Labels"].(object)[key] = value
		}
		for key, value := range seen.Options {
			here["DriverOpts"].(object)[key] = value
		}
		here["Driver"] = seen.Driver
		if found := difference("", again(here), again(must)); found != "" {
			return "", refuse("volume %s must be of this stack's making: %s", name, found)
		}
		return seen.Mountpoint, nil
	}
	return "", refuse("revision %s must have a volume %s", document.key(), shown(volume))
}

// removeVolume removes what goes with an instance; what a tenant keeps is not the orchestrator's to remove.
func removeVolume(ask *asked) (*onward, error) {
	seen := new(described)
	if err := ask.describe("/volumes/"+ask.name, seen); err != nil {
		return nil, err
	}
	if seen.Labels[labelStack] != ask.settings.Stack || seen.Labels[labelRole] != "scratch" {
		return nil, refuse("volume must be one that goes with an instance of this stack, got %s", shown(ask.name))
	}
	return &onward{path: "/volumes/" + ask.name, query: ask.query}, nil
}
