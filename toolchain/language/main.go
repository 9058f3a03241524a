// Command pulumi-language-python runs Pulumi programs, dynamic providers and policy packs that are written in
// Python, in the virtual environment that Pulumi.yaml names.
//
// It stands in for the official host of the same name where that cannot be downloaded: it speaks the same
// protocol through the public SDK and starts the same executors, which lie beside it. What only `pulumi new`,
// `pulumi convert` and `pulumi package` ask of a host is answered "unimplemented".
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-language-python: %v\n", err)
		os.Exit(1)
	}
}

func serve() error {
	// The engine passes both to every host; neither matters to this one.
	flag.String("tracing", "", "ignored")
	flag.String("root", "", "ignored")
	flag.Parse()
	if flag.NArg() < 1 {
		return fmt.Errorf("the engine's address is missing: this program is started by pulumi, not by hand")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the executors: %w", err)
	}
	executor := filepath.Join(filepath.Dir(self), "pulumi-language-python-exec")
	if _, err := os.Stat(executor); err != nil {
		return fmt.Errorf("find the program executor: %w", err)
	}
	cancel, err := ending(flag.Arg(0))
	if err != nil {
		return err
	}
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, newHost(flag.Arg(0), executor))
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	// The engine reads the port from the first line of standard output.
	fmt.Println(server.Port)
	return <-server.Done
}
