package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// What every instance has, whatever its document says. The orchestrator has the same in services/orchestrator/engine/
// docker/making.py, with the reason of each value; that the two agree is what the filter is for, so neither reads it from
// the other.
const (
	maxOpenFiles = 10_000
	cpuPeriodUs  = 100_000
	coreMillis   = 1000
	coreShares   = 1024
	leastShares  = 2
	mostShares   = 262_144
	sharedMemory = 64 << 20
	fileBytes    = 1 << 20
	// Mode 1777 as /tmp has everywhere.
	memoryOptions = "rw,nosuid,nodev,mode=1777,size=%d"
)

// placement is where a container lives: at an address of its own, in the network of the container `owner`, or without
// any.
type placement struct{ instance, address, owner string }

// image is what an image says of itself.
type image struct {
	ID     string `json:"Id"`
	Config *struct {
		Entrypoint []string
		Cmd        []string
		Env        []string
		WorkingDir string
		User       string
		Volumes    map[string]struct{}
		Labels     map[string]string
	}
}

// object is a value of the engine's API.
type object = map[string]any

// configuration gives the engine's configuration of a container of a document; it names nothing that it does not itself say.
func (document *Document) configuration(of *Container, at placement, from *image, seccomp string) object {
	entrypoint, command := process(of, from)
	launched := of.hasSecrets()
	if launched {
		command = append(append([]string{"--"}, entrypoint...), command...)
		entrypoint = []string{launch}
	}
	made := object{
		"Image":       from.ID,
		"Entrypoint":  entrypoint,
		"Cmd":         command,
		"Env":         document.environment(of, from),
		"WorkingDir":  first(of.WorkingDir, from.Config.WorkingDir),
		"User":        first(of.User, from.Config.User),
		"Labels":      document.labels(of, at.instance, from),
		"Healthcheck": object{"Test": []string{"NONE"}},
		"Tty":         false,
		"AttachStdin": launched,
		"OpenStdin":   launched,
		"StdinOnce":   launched,
		"HostConfig":  document.confinement(of, at, from, seccomp),
	}
	if at.address != "" {
		endpoint := object{"IPAMConfig": object{"IPv4Address": at.address}}
		made["NetworkingConfig"] = object{"EndpointsConfig": object{document.Network: endpoint}}
	}
	return made
}

// process joins entrypoint and command as the engine does.
func process(of *Container, from *image) (entrypoint, command []string) {
	if len(of.Entrypoint) > 0 {
		return listed(of.Entrypoint), listed(of.Command)
	}
	if len(of.Command) > 0 {
		return listed(from.Config.Entrypoint), listed(of.Command)
	}
	return listed(from.Config.Entrypoint), listed(from.Config.Cmd)
}

// listed gives a list of its own, which is never null in JSON.
func listed(words []string) []string { return append([]string{}, words...) }

func first(one, other string) string {
	if one != "" {
		return one
	}
	return other
}

func (document *Document) environment(of *Container, from *image) []string {
	merged := map[string]string{}
	for _, each := range from.Config.Env {
		name, value, _ := strings.Cut(each, "=")
		merged[name] = value
	}
	for _, each := range of.Environment {
		if !each.isSecret() {
			merged[each.Name] = each.Value
		}
	}
	merged["K_REVISION"] = document.Name
	found := make([]string, 0, len(merged))
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		found = append(found, name+"="+merged[name])
	}
	return found
}

func (document *Document) labels(of *Container, instance string, from *image) map[string]string {
	found := map[string]string{}
	maps.Copy(found, from.Config.Labels)
	maps.Copy(found, document.Labels)
	maps.Copy(found, map[string]string{
		labelStack:     document.Stack,
		labelTenant:    document.Tenant,
		labelService:   document.Service,
		labelRevision:  document.Name,
		labelRole:      document.role(),
		labelContainer: of.Name,
		labelInstance:  instance,
	})
	return found
}

func (document *Document) confinement(of *Container, at placement, from *image, seccomp string) object {
	made := object{
		"CapDrop":        []string{"ALL"},
		"SecurityOpt":    []string{"no-new-privileges", seccomp},
		"ReadonlyRootfs": !of.WritableRoot,
		"Privileged":     false,
		"IpcMode":        "private",
		"ShmSize":        sharedMemory,
		"Memory":         of.MemoryBytes,
		"MemorySwap":     of.MemoryBytes,
		"CpuPeriod":      cpuPeriodUs,
		"CpuQuota":       cpuQuota(of.cpuAtStart()),
		"CpuShares":      cpuShares(of.CPUWeight),
		"PidsLimit":      of.PidsLimit,
		"Ulimits": []object{
			{"Name": "core", "Soft": 1, "Hard": 1},
			{"Name": "nofile", "Soft": maxOpenFiles, "Hard": maxOpenFiles},
		},
		"RestartPolicy": object{"Name": "no"},
		"AutoRemove":    false,
		"Runtime":       document.Runtime,
		"LogConfig":     object{"Type": "json-file", "Config": object{"max-size": "10m", "max-file": "3"}},
		"Tmpfs":         memory(of, from),
		"Mounts":        document.mounts(of, at.instance),
		"NetworkMode":   "none",
	}
	if of.Name == preparer {
		made["CapAdd"] = []string{"CAP_DAC_OVERRIDE"}
	}
	switch {
	case at.owner != "":
		made["NetworkMode"] = "container:" + at.owner
	case at.address != "":
		made["NetworkMode"] = document.Network
		hosts := []string{}
		for _, each := range document.hosts() {
			hosts = append(hosts, each+":"+document.GatewayAddress)
		}
		made["ExtraHosts"] = hosts
	}
	return made
}

// cpuAtStart gives thousandths of a core: some containers have more until their instance was ready for a while.
func (container *Container) cpuAtStart() int64 {
	if container.StartupCPU > 0 {
		return container.StartupCPU
	}
	return container.CPUMillis
}

func cpuQuota(millis int64) int64 { return millis * cpuPeriodUs / coreMillis }

// cpuShares says 0 for a core, which is the engine's default.
func cpuShares(millis int64) int64 {
	if millis == coreMillis {
		return 0
	}
	return min(max(leastShares, millis*coreShares/coreMillis), mostShares)
}

func memory(of *Container, from *image) map[string]string {
	mounted := map[string]bool{}
	for _, each := range of.VolumeMounts {
		mounted[each.Path] = true
	}
	found := map[string]string{}
	for declared := range from.Config.Volumes {
		place := path.Clean(declared)
		if !mounted[place] {
			found[place] = fmt.Sprintf(memoryOptions, of.MemoryBytes)
		}
	}
	for _, each := range of.MemoryMounts {
		found[each.Path] = fmt.Sprintf(memoryOptions, each.SizeBytes)
	}
	for _, each := range of.FileMounts {
		found[each.Path] = fmt.Sprintf(memoryOptions, fileBytes*max(1, len(each.Files)))
	}
	return found
}

func (document *Document) mounts(of *Container, instance string) []object {
	found := []object{}
	for _, each := range of.VolumeMounts {
		name := document.volumeName(each.Volume, each.SubPath, instance)
		found = append(found, volume(name, each.Path, each.ReadOnly))
	}
	if of.hasSecrets() || isHelper(of.Name) {
		found = append(found, volume("runyard."+document.Stack+".launcher", launcher, true))
	}
	return found
}

func volume(source, target string, readOnly bool) object {
	return object{
		"Type": "volume", "Source": source, "Target": target, "ReadOnly": readOnly,
		"VolumeOptions": object{"NoCopy": true},
	}
}
