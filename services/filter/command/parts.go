package main

import (
	"fmt"
	"maps"
	"slices"
)

// Helpers of an instance, as no container of a document can be called (runyard/names.py).
const (
	holder   = "_holder"
	preparer = "_preparer"
	keeper   = "_parts"
	// launcher is where every container that is launched has the launcher's volume.
	launcher = "/.runyard"
	launch   = launcher + "/launch"
	// What a helper may take (services/orchestrator/model/parts.py).
	helperBytes = 32 << 20
	helperPids  = 32
)

func isHelper(name string) bool { return name == holder || name == preparer || name == keeper }

// directory is one directory of a volume that is mounted by itself.
type directory struct{ volume, path string }

// part gives a container of an instance by its name, the helpers among them; nil if there is none of that name.
func (document *Document) part(name string) *Container {
	if isHelper(name) {
		return document.helper(name)
	}
	for _, each := range document.all() {
		if each.Name == name {
			return &each
		}
	}
	return nil
}

func (document *Document) helper(name string) *Container {
	directories := document.directories()
	switch name {
	case holder:
		shared := document.shared()
		if len(document.InitContainers) == 0 && len(shared) == 0 {
			return nil
		}
		mounts := make([]VolumeMount, 0, len(shared))
		for _, each := range shared {
			mounts = append(mounts, VolumeMount{Volume: each, Path: "/volumes/" + each, ReadOnly: true})
		}
		return document.helping(name, []string{"hold"}, mounts, "65534:65534")
	case preparer:
		prepared := document.prepared()
		if len(prepared) == 0 {
			return nil
		}
		words := []string{"prepare"}
		mounts := make([]VolumeMount, 0, len(prepared))
		for _, volume := range prepared {
			mounts = append(mounts, VolumeMount{Volume: volume, Path: "/volumes/" + volume})
			words = append(words, "/volumes/"+volume)
			for _, each := range directories {
				if each.volume == volume {
					words = append(words, each.path)
				}
			}
		}
		return document.helping(name, words, mounts, "0:0")
	}
	if len(directories) == 0 {
		return nil
	}
	mounts := make([]VolumeMount, 0, len(directories))
	for number, each := range directories {
		place := fmt.Sprintf("/volumes/%d", number)
		mounts = append(mounts, VolumeMount{Volume: each.volume, Path: place, ReadOnly: true, SubPath: each.path})
	}
	return document.helping(name, []string{"hold"}, mounts, "65534:65534")
}

func (document *Document) helping(name string, words []string, mounts []VolumeMount, user string) *Container {
	return &Container{
		Name:         name,
		Image:        document.Containers[0].Image,
		Entrypoint:   append([]string{launch}, words...),
		WorkingDir:   "/",
		User:         user,
		CPUMillis:    1000,
		CPUWeight:    1000,
		MemoryBytes:  helperBytes,
		PidsLimit:    helperPids,
		VolumeMounts: mounts,
	}
}

// owner names the container that owns the instance's network.
func (document *Document) owner() string {
	if document.part(holder) != nil {
		return holder
	}
	// The first in start order: the first that depends on nothing, or in a circle simply the first.
	for _, each := range document.Containers {
		if len(each.DependsOn) == 0 {
			return each.Name
		}
	}
	return document.Containers[0].Name
}

// image gives what the engine knows a container's image by, the id where it was signed.
func (document *Document) image(container *Container) string {
	if id := document.identity(container).ID; id != "" {
		return id
	}
	return container.Image
}

func (document *Document) identity(container *Container) Identity {
	if isHelper(container.Name) {
		return document.Images[document.Containers[0].Name]
	}
	return document.Images[container.Name]
}

// directories gives what is mounted by itself, each once and in order.
func (document *Document) directories() []directory {
	seen := map[directory]bool{}
	for _, container := range document.all() {
		for _, each := range container.VolumeMounts {
			if each.SubPath != "" {
				seen[directory{each.Volume, each.SubPath}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(one, other directory) int {
		return slices.Compare([]string{one.volume, one.path}, []string{other.volume, other.path})
	})
}

// prepared names the volumes that must be made fit before they are mounted, in order.
func (document *Document) prepared() []string {
	persistent := map[string]bool{}
	for _, each := range document.Volumes {
		persistent[each.Name] = each.Kind == "persistent"
	}
	wanted := map[string]bool{}
	for _, container := range document.all() {
		for _, each := range container.VolumeMounts {
			if persistent[each.Volume] || each.SubPath != "" {
				wanted[each.Volume] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(wanted))
}

// shared names the volumes of memory, as the document has them.
func (document *Document) shared() []string {
	var found []string
	for _, each := range document.Volumes {
		if each.Kind == "shared" {
			found = append(found, each.Name)
		}
	}
	return found
}
