package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"
)

func program(t *testing.T, options map[string]any) *pulumirpc.ProgramInfo {
	t.Helper()
	encoded, err := structpb.NewStruct(options)
	if err != nil {
		t.Fatal(err)
	}
	return &pulumirpc.ProgramInfo{RootDirectory: "/repo", EntryPoint: "stacks", Options: encoded}
}

func TestInterpreterIsThatOfTheEnvironment(t *testing.T) {
	for name, each := range map[string]struct {
		options map[string]any
		want    string
	}{
		"relative to the root": {map[string]any{"virtualenv": ".venv"}, "/repo/.venv/bin/python"},
		"absolute":             {map[string]any{"virtualenv": "/opt/venv"}, "/opt/venv/bin/python"},
		"none":                 {nil, "python3"},
		"not a text":           {map[string]any{"virtualenv": 3.0}, "python3"},
	} {
		if got := interpreter(program(t, each.options)); got != each.want {
			t.Errorf("%s: got %q, want %q", name, got, each.want)
		}
	}
}

func TestConfigurationWithoutValuesIsEmptyAndNotNull(t *testing.T) {
	got, err := configuration(&pulumirpc.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"PULUMI_CONFIG={}", "PULUMI_CONFIG_SECRET_KEYS=[]"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestArgumentsEndWithTheProgramAndItsOwn(t *testing.T) {
	request := &pulumirpc.RunRequest{Info: program(t, nil), DryRun: true, Parallel: 7, Args: []string{"one"}}
	got := newHost("127.0.0.1:9", "/bin/exec").arguments(request)
	if tail := got[len(got)-2:]; !slices.Equal(tail, []string{"stacks", "one"}) {
		t.Errorf("tail is %q", tail)
	}
	for _, pair := range [][2]string{{"--dry_run", "true"}, {"--parallel", "7"}, {"--engine", "127.0.0.1:9"}} {
		if at := slices.Index(got, pair[0]); at < 0 || got[at+1] != pair[1] {
			t.Errorf("%s is not followed by %s in %q", pair[0], pair[1], got)
		}
	}
}

func TestOutcomeTellsAnExplainedFailureFromOthers(t *testing.T) {
	exit := func(code string) error { return exec.Command("sh", "-c", "exit "+code).Run() }
	for name, each := range map[string]struct {
		err  error
		bail bool
		text string
	}{
		"success":   {nil, false, ""},
		"explained": {exit("32"), true, ""},
		"failure":   {exit("3"), false, "program exited with code 3"},
		"no python": {errors.New("no such file"), false, "run the program: no such file"},
	} {
		got := outcome(each.err)
		if got.GetBail() != each.bail || got.GetError() != each.text {
			t.Errorf("%s: got bail %v and error %q", name, got.GetBail(), got.GetError())
		}
	}
}

// TestMain lets a test start this program as the engine does, as a process of its own.
func TestMain(m *testing.M) {
	if engine := os.Getenv("HOST_UNDER_TEST"); engine != "" {
		os.Args = []string{os.Args[0], engine}
		main()
		return
	}
	os.Exit(m.Run())
}

func TestHostEndsSoonAfterItsEngine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	engine := grpc.NewServer()
	go func() { _ = engine.Serve(listener) }()
	directory := t.TempDir()
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(filepath.Join(directory, "host"))
	for name, content := range map[string][]byte{"host": self, "pulumi-language-python-exec": nil} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	command.Env = append(os.Environ(), "HOST_UNDER_TEST="+listener.Addr().String())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("ended while its engine answered: %v", err)
	case <-time.After(2 * pulse):
	}
	engine.Stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * pulse):
		_ = command.Process.Kill()
		t.Error("goes on without its engine")
	}
}
