// Command schema writes the Pulumi schema of the bridged Docker provider.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	"github.com/terraform-providers/terraform-provider-docker/bridge"
)

func main() { tfgen.Main("docker", bridge.Version, bridge.Info()) }
