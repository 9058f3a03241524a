// Command pulumi-resource-docker serves the bridged Docker provider to Pulumi.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/terraform-providers/terraform-provider-docker/bridge"
)

// schema.json is written by cmd/schema just before this is built (toolchain/gobuild.py).
//
//go:embed schema.json
var schema []byte

func main() { tfbridge.Main("docker", bridge.Version, bridge.Info(), schema) }
