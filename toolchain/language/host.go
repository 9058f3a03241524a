package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// version is that of the SDK in go.mod, whose executors this host starts.
const version = "3.259.0"

// explained is the executor's exit code for "the user has already been told what is wrong".
const explained = 32

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine, executor string
}

func newHost(engine, executor string) *host { return &host{engine: engine, executor: executor} }

// Handshake has nothing to agree on: the engine's address comes on the command line.
func (h *host) Handshake(
	context.Context, *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

// GetRequiredPackages names none, so that the engine downloads nothing: the toolchain has installed the plugins.
func (h *host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

// installed is one entry of `pip list --format json`.
type installed struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// GetProgramDependencies lists the packages of the virtual environment.
func (h *host) GetProgramDependencies(
	ctx context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	command := exec.CommandContext(ctx, interpreter(request.GetInfo()), "-m", "pip", "list", "--format", "json")
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("list the environment's packages: %w", err)
	}
	var packages []installed
	if err := json.Unmarshal(output, &packages); err != nil {
		return nil, fmt.Errorf("read pip's list: %w", err)
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, each := range packages {
		response.Dependencies = append(response.Dependencies,
			&pulumirpc.DependencyInfo{Name: each.Name, Version: each.Version})
	}
	return response, nil
}

// About tells `pulumi about` which interpreter runs the program.
func (h *host) About(ctx context.Context, request *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	python := interpreter(request.GetInfo())
	output, err := exec.CommandContext(ctx, python, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", python, err)
	}
	return &pulumirpc.AboutResponse{
		Executable: python,
		Version:    strings.TrimPrefix(strings.TrimSpace(string(output)), "Python "),
	}, nil
}

// InstallDependencies refuses: the environment comes from a lock file with hashes, never from here.
func (h *host) InstallDependencies(
	*pulumirpc.InstallDependenciesRequest, pulumirpc.LanguageRuntime_InstallDependenciesServer,
) error {
	return status.Error(codes.FailedPrecondition,
		"the virtual environment is made from the lock file: run `toolchain/bootstrap environment`")
}

// Cancel has nothing to stop: every child is bound to the context of the call that started it.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Run executes the program and reports how it ended.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	environment, err := configuration(request)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, interpreter(request.GetInfo()), h.arguments(request)...)
	command.Env = append(os.Environ(), environment...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return outcome(command.Run()), nil
}

// arguments are those of pulumi-language-python-exec; -u, because the engine shows output as it is written.
func (h *host) arguments(request *pulumirpc.RunRequest) []string {
	info := request.GetInfo()
	arguments := []string{
		"-u", h.executor,
		"--monitor", request.GetMonitorAddress(),
		"--engine", h.engine,
		"--project", request.GetProject(),
		"--root_directory", info.GetRootDirectory(),
		"--stack", request.GetStack(),
		"--pwd", request.GetPwd(),
		"--dry_run", strconv.FormatBool(request.GetDryRun()),
		"--parallel", strconv.Itoa(int(request.GetParallel())),
		"--organization", request.GetOrganization(),
		info.GetEntryPoint(),
	}
	return append(arguments, request.GetArgs()...)
}

// configuration is the environment in which the SDK finds the stack's configuration.
func configuration(request *pulumirpc.RunRequest) ([]string, error) {
	values := request.GetConfig()
	if values == nil {
		values = map[string]string{}
	}
	secrets := request.GetConfigSecretKeys()
	if secrets == nil {
		// The SDK expects a list; a nil slice would be written as null.
		secrets = []string{}
	}
	encodedValues, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	encodedSecrets, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("encode the secret keys: %w", err)
	}
	return []string{
		"PULUMI_CONFIG=" + string(encodedValues),
		"PULUMI_CONFIG_SECRET_KEYS=" + string(encodedSecrets),
	}, nil
}

// outcome turns the executor's end into the engine's words.
func outcome(err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case errors.As(err, &exit) && exit.ExitCode() == explained:
		return &pulumirpc.RunResponse{Bail: true}
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with code %d", exit.ExitCode())}
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("run the program: %v", err)}
	}
}

// RunPlugin starts a plugin written in Python: a policy pack through the SDK's analyzer, anything else by its
// program directory.
func (h *host) RunPlugin(
	request *pulumirpc.RunPluginRequest, server pulumirpc.LanguageRuntime_RunPluginServer,
) error {
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(server, false)
	if err != nil {
		return fmt.Errorf("open the plugin's streams: %w", err)
	}
	info := request.GetInfo()
	arguments := append([]string{"-u", info.GetProgramDirectory()}, request.GetArgs()...)
	directory := request.GetPwd()
	if request.GetKind() == "analyzer" {
		arguments = append([]string{"-u", "-m", "pulumi.policy"}, request.GetArgs()...)
		arguments = append(arguments, info.GetProgramDirectory())
		directory = info.GetProgramDirectory()
	}
	command := exec.CommandContext(server.Context(), interpreter(info), arguments...)
	command.Dir, command.Env = directory, append(os.Environ(), request.GetEnv()...)
	command.Stdout, command.Stderr = stdout, stderr
	runErr := command.Run()
	closeErr := closer.Close()
	var exit *exec.ExitError
	if errors.As(runErr, &exit) && exit.ExitCode() >= 0 {
		runErr = server.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(exit.ExitCode())},
		})
	}
	return errors.Join(runErr, closeErr)
}
