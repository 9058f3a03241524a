package main

import (
	"path/filepath"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// interpreter finds the Python of the virtual environment that the program's runtime options name, relative to
// the directory of Pulumi.yaml (or PulumiPolicy.yaml); without one, python3 on PATH.
func interpreter(info *pulumirpc.ProgramInfo) string {
	environment, isText := info.GetOptions().AsMap()["virtualenv"].(string)
	if !isText || environment == "" {
		return "python3"
	}
	if !filepath.IsAbs(environment) {
		environment = filepath.Join(info.GetRootDirectory(), environment)
	}
	return filepath.Join(environment, "bin", "python")
}
