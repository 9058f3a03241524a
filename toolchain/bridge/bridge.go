// Package bridge wraps the community Docker provider as the Pulumi package "docker".
//
// The module path lies under the provider's own, which is what lets it import the provider's internal package;
// nothing of the provider is copied or patched. Upstream and tokens are those of the official plugin of the same
// version, so a stack made with one is updated by the other.
package bridge

import (
	"context"
	"unicode"
	"unicode/utf8"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	upstream "github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// Version is that of the pulumi-docker SDK whose tokens are served; toolchain/pins.toml must agree.
const Version = "5.2.0"

// token spells a member as the SDK does: docker:index/<file>:<Name>, the file being the name in lower camel case.
func token(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return "docker:index/" + string(unicode.ToLower(first)) + name[size:] + ":" + name
}

func resource(name string) *tfbridge.ResourceInfo {
	return &tfbridge.ResourceInfo{Tok: tokens.Type(token(name))}
}

func dataSource(name string) *tfbridge.DataSourceInfo {
	return &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(token(name))}
}

// container differs from the automatic mapping: its name must be free before it is made anew, and two of its
// fields keep a plain name.
func container() *tfbridge.ResourceInfo {
	info := resource("Container")
	info.DeleteBeforeReplace = true
	info.Fields = map[string]*tfbridge.SchemaInfo{
		"command":           {Name: "command"},
		"networks_advanced": {Name: "networksAdvanced"},
	}
	return info
}

func remoteImage() *tfbridge.ResourceInfo {
	info := resource("RemoteImage")
	info.Fields = map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}}
	return info
}

// config makes the provider follow DOCKER_HOST, and the default socket without it.
func config() map[string]*tfbridge.SchemaInfo {
	host := &tfbridge.DefaultInfo{
		EnvVars: []string{"DOCKER_HOST"},
		ComputeDefault: func(context.Context, tfbridge.ComputeDefaultOptions) (any, error) {
			return "unix:///var/run/docker.sock", nil
		},
	}
	return map[string]*tfbridge.SchemaInfo{
		"host":          {Default: host},
		"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
	}
}

// Info maps the provider's resource names to the tokens that the pulumi-docker SDK uses.
func Info() tfbridge.ProviderInfo {
	provider := tfbridge.ProviderInfo{
		P:       shim.NewProvider(upstream.New(Version)()),
		Name:    "docker",
		Version: Version,
		Config:  config(),
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_config":         resource("ServiceConfig"),
			"docker_container":      container(),
			"docker_image":          remoteImage(),
			"docker_network":        resource("Network"),
			"docker_plugin":         resource("Plugin"),
			"docker_registry_image": resource("RegistryImage"),
			"docker_secret":         resource("Secret"),
			"docker_service":        resource("Service"),
			"docker_tag":            resource("Tag"),
			"docker_volume":         resource("Volume"),
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image":          dataSource("getRemoteImage"),
			"docker_logs":           dataSource("getLogs"),
			"docker_network":        dataSource("getNetwork"),
			"docker_plugin":         dataSource("getPlugin"),
			"docker_registry_image": dataSource("getRegistryImage"),
		},
		// The SDK of this version has no word for these.
		IgnoreMappings: []string{
			"docker_buildx_builder", "docker_compose", "docker_containers",
			"docker_registry_image_manifests", "docker_registry_manifest",
		},
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	// 255 is Docker's limit on a name; "-" joins it and the random suffix, as in the official plugin.
	provider.SetAutonaming(255, "-")
	return provider
}
