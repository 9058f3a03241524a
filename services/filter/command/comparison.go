package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// difference names the first thing in which what was asked is not what must be, and is nothing where there is none.
func difference(where string, asked, must any) string {
	left, isObject := asked.(map[string]any)
	right, wanted := must.(map[string]any)
	if !isObject || !wanted {
		if reflect.DeepEqual(asked, must) {
			return ""
		}
		return fmt.Sprintf("%s: must be %s, got %s", where, shown(must), shown(asked))
	}
	keys := maps.Clone(left)
	maps.Copy(keys, right)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		inside := key
		if where != "" {
			inside = where + "." + key
		}
		one, here := left[key]
		other, there := right[key]
		switch {
		case !there:
			return fmt.Sprintf("%s: must not be said, got %s", inside, shown(one))
		case !here:
			return fmt.Sprintf("%s: must be %s, got nothing", inside, shown(other))
		}
		if found := difference(inside, one, other); found != "" {
			return found
		}
	}
	return ""
}

// enginesOwn is what the engine adds to every container by itself, whatever its value.
var enginesOwn = map[string]bool{
	"CgroupnsMode": true, "ConsoleSize": true, "Isolation": true, "ContainerIDFile": true,
	"MemorySwappiness": true,
	// Written by the engine in its own order and words; what is mounted is compared where it shows it all.
	"Mounts": true,
}

// departure names the first thing in which a container that is there is not confined as its document says: what may have
// been made by somebody else under the labels of ours is not started.
func departure(seen *inspection, must object) string {
	wanted, _ := again(must).(map[string]any)
	said := map[string]any{
		"Image": seen.Image, "Entrypoint": seen.Config.Entrypoint, "Cmd": seen.Config.Cmd, "User": seen.Config.User,
		"WorkingDir": seen.Config.WorkingDir, "Env": slices.Sorted(slices.Values(seen.Config.Env)),
	}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		here := again(said[key])
		if !reflect.DeepEqual(orNothing(here), orNothing(wanted[key])) {
			return fmt.Sprintf("%s: must be %s, got %s", key, shown(wanted[key]), shown(here))
		}
	}
	if found := mountsDiffer(seen, wanted); found != "" {
		return found
	}
	host, _ := wanted["HostConfig"].(map[string]any)
	for network := range seen.NetworkSettings.Networks {
		if network != host["NetworkMode"] {
			return fmt.Sprintf("networks: must be %s alone, got %s", shown(host["NetworkMode"]), shown(network))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(seen.HostConfig)) {
		here, there := orNothing(seen.HostConfig[key]), orNothing(host[key])
		switch {
		case enginesOwn[key]:
		case key == "Runtime" && there == nil:
			// The engine's default, by whatever name.
		case key == "MaskedPaths" || key == "ReadonlyPaths":
			// Hidden from every container, unless somebody asked for the opposite.
			if here == nil {
				return key + ": must hide what the engine hides, got nothing"
			}
		case key == "Ulimits" && sameSet(here, there):
		case key == "MemorySwap" && shown(here) == "-1":
			// An engine whose kernel does not count swap drops this limit by itself.
		case key == "RestartPolicy":
			if policy, _ := here.(map[string]any); policy["Name"] != "" && policy["Name"] != "no" {
				return fmt.Sprintf("RestartPolicy: must be no, got %s", shown(here))
			}
		case !reflect.DeepEqual(here, there):
			return fmt.Sprintf("HostConfig.%s: must be %s, got %s", key, shown(there), shown(here))
		}
	}
	return ""
}

func mountsDiffer(seen *inspection, wanted map[string]any) string {
	host, _ := wanted["HostConfig"].(map[string]any)
	declared, _ := host["Mounts"].([]any)
	must := map[string]bool{}
	for _, each := range declared {
		mount, _ := each.(map[string]any)
		must[fmt.Sprintf("%v at %v, read-only: %v", mount["Source"], mount["Target"], mount["ReadOnly"])] = true
	}
	for _, each := range seen.Mounts {
		if each.Type == "tmpfs" {
			continue
		}
		found := fmt.Sprintf("%s at %s, read-only: %v", first(each.Name, each.Source), each.Destination, !each.RW)
		if each.Type != "volume" || !must[found] {
			return fmt.Sprintf("mounts: must be its document's, got %s %s", each.Type, shown(found))
		}
	}
	return ""
}

// again gives a value as it reads once it was written as JSON.
func again(value any) any {
	written, err := canonical(value)
	if err != nil {
		return err.Error()
	}
	read, _ := decoded(written)
	return read
}

// sameSet compares lists whose order is the engine's to choose.
func sameSet(one, other any) bool {
	sorted := func(value any) []string {
		list, _ := value.([]any)
		found := make([]string, 0, len(list))
		for _, each := range list {
			found = append(found, shown(each))
		}
		return slices.Sorted(slices.Values(found))
	}
	return slices.Equal(sorted(one), sorted(other))
}

// orNothing gives nil for whatever says as much: what the engine fills in makes no difference.
func orNothing(value any) any {
	switch here := value.(type) {
	case nil:
		return nil
	case bool:
		if !here {
			return nil
		}
	case string:
		if here == "" {
			return nil
		}
	case []any:
		if len(here) == 0 {
			return nil
		}
	case map[string]any:
		if len(here) == 0 {
			return nil
		}
	case fmt.Stringer:
		if here.String() == "0" {
			return nil
		}
	}
	return value
}
