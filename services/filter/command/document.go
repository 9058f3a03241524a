package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Document is what the filter must know of a revision's document (runyard/contracts/revision.py).
type Document struct {
	Stack          string
	Tenant         string
	Service        string
	Name           string
	Network        string
	GatewayAddress string      `json:"gateway_address"`
	Containers     []Container `json:"containers"`
	InitContainers []Container `json:"init_containers"`
	Volumes        []Volume
	Labels         map[string]string
	Callees        []string
	// Metadata says that the gateway's address is where an instance is told of itself.
	Metadata bool
	Runtime  string
	Images   map[string]Identity
	// run says that this is what a run makes of its revision's document.
	run bool
}

// Container is one container of a document; helpers are described in the same words.
type Container struct {
	Name         string
	Image        string
	Entrypoint   []string
	Command      []string
	Environment  []Variable
	WorkingDir   string        `json:"working_dir"`
	User         string        `json:"user"`
	CPUMillis    int64         `json:"cpu_millis"`
	MemoryBytes  int64         `json:"memory_bytes"`
	CPUWeight    int64         `json:"cpu_weight_millis"`
	PidsLimit    int64         `json:"pids_limit"`
	MemoryMounts []MemoryMount `json:"memory_mounts"`
	FileMounts   []FilesMount  `json:"file_mounts"`
	VolumeMounts []VolumeMount `json:"volume_mounts"`
	Startup      *Probe        `json:"startup_probe"`
	Liveness     *Probe        `json:"liveness_probe"`
	Readiness    *Probe        `json:"readiness_probe"`
	DependsOn    []string      `json:"depends_on"`
	WritableRoot bool          `json:"writable_root"`
	StartupCPU   int64         `json:"startup_cpu_millis"`
}

// Variable is an environment variable; one with a secret has no value here.
type Variable struct {
	Name   string
	Value  string
	Secret json.RawMessage
}

// MemoryMount is a tmpfs of one container.
type MemoryMount struct {
	Path      string
	SizeBytes int64 `json:"size_bytes"`
}

// FilesMount is where the launcher writes secrets, and with an authority the certificate of the stack's own CA.
type FilesMount struct {
	Path      string
	Files     []json.RawMessage
	Authority bool
}

// VolumeMount is a volume of the document, or a directory of it, in one container.
type VolumeMount struct {
	Volume   string
	Path     string
	ReadOnly bool   `json:"read_only"`
	SubPath  string `json:"sub_path"`
}

// Volume is memory that an instance's containers share, or what outlives them.
type Volume struct {
	Name      string
	Kind      string
	SizeBytes int64 `json:"size_bytes"`
}

// Probe is a health check; of those that are commands the filter must know the command.
type Probe struct {
	Kind    string
	Command []string
}

// Identity is what an image's name stood for when it was signed.
type Identity struct {
	ID     string
	Digest string
}

// UnmarshalJSON begins with the defaults of the contract, which an older document may not have written down.
func (container *Container) UnmarshalJSON(text []byte) error {
	type plain Container
	filled := plain{CPUMillis: 1000, CPUWeight: 1000, MemoryBytes: 512 << 20, PidsLimit: 256}
	if err := json.Unmarshal(text, &filled); err != nil {
		return err
	}
	*container = Container(filled)
	return nil
}

func (container Container) hasSecrets() bool {
	for _, each := range container.Environment {
		if each.isSecret() {
			return true
		}
	}
	for _, each := range container.FileMounts {
		if len(each.Files) > 0 || each.Authority {
			return true
		}
	}
	return false
}

func (variable Variable) isSecret() bool {
	return len(variable.Secret) > 0 && string(variable.Secret) != "null"
}

// label is what names are made of, so that names of different things are different (runyard/names.py).
var label = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// check refuses a document that would make more than an instance of its own tenant, whoever signed it.
func (document *Document) check(stack string) error {
	if document.Stack != stack {
		return fmt.Errorf("stack: must be %s, got %s", stack, shown(document.Stack))
	}
	labels := []string{document.Tenant, document.Service, document.Name}
	labels = append(labels, document.Callees...)
	for _, each := range document.Volumes {
		labels = append(labels, each.Name)
		if each.SizeBytes <= 0 {
			return fmt.Errorf("volumes.size_bytes: must be positive, got %d", each.SizeBytes)
		}
	}
	for _, each := range document.all() {
		labels = append(labels, each.Name)
		if err := each.check(); err != nil {
			return err
		}
	}
	for _, each := range labels {
		if !label.MatchString(each) {
			return fmt.Errorf("names: must be DNS labels, got %s", shown(each))
		}
	}
	bridge := "runyard." + stack + ".tenant." + document.Tenant
	if document.Network != bridge && document.Network != bridge+".internal" {
		return fmt.Errorf("network: must be one of its tenant's, got %s", shown(document.Network))
	}
	if _, err := netip.ParseAddr(document.GatewayAddress); err != nil && len(document.hosts()) > 0 {
		return fmt.Errorf("gateway_address: must be an address, got %s", shown(document.GatewayAddress))
	}
	if len(document.Containers) == 0 {
		return fmt.Errorf("containers: must be one or more, got none")
	}
	return nil
}

func (container Container) check() error {
	// To the engine 0 is without a limit.
	if container.CPUMillis <= 0 || container.StartupCPU < 0 || container.MemoryBytes <= 0 || container.PidsLimit <= 0 {
		return fmt.Errorf("container %s: limits must be positive", shown(container.Name))
	}
	for _, each := range container.VolumeMounts {
		if each.SubPath != "" && (path.Clean(each.SubPath) != each.SubPath || !staysBelow(each.SubPath)) {
			return fmt.Errorf("volume_mounts.sub_path: must stay below its volume, got %s", shown(each.SubPath))
		}
	}
	return nil
}

func staysBelow(relative string) bool {
	first, _, _ := strings.Cut(relative, "/")
	return first != "" && first != "." && first != ".."
}

// all gives the document's own containers.
func (document *Document) all() []Container {
	return append(append([]Container{}, document.InitContainers...), document.Containers...)
}

// hosts names what its instances find at the gateway's address.
func (document *Document) hosts() []string {
	var found []string
	for _, each := range document.Callees {
		found = append(found, each+".internal")
	}
	if document.Metadata {
		found = append(found, "metadata.internal")
	}
	slices.Sort(found)
	return found
}

// key names the revision across tenants.
func (document *Document) key() string { return document.Tenant + "/" + document.Name }

// volumeName names the engine's volume for a volume of the document, or a directory of it (runyard/names.py).
func (document *Document) volumeName(volume, subPath, instance string) string {
	own := strings.Join([]string{"runyard", document.Stack, document.Tenant, document.Name, volume, instance}, ".")
	if subPath != "" {
		sum := sha256.Sum256([]byte(subPath))
		return own + "." + hex.EncodeToString(sum[:])[:8]
	}
	for _, each := range document.Volumes {
		if each.Name == volume && each.Kind == "persistent" {
			return strings.Join([]string{"runyard", document.Stack, "volume", document.Tenant, volume}, ".")
		}
	}
	return own
}
