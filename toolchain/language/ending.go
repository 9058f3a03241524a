package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
)

// pulse is how often the host looks whether its engine still answers; a killed one leaves nothing running for longer.
const pulse = 2 * time.Second

// ending gives a channel that is closed when the host is to finish what it does and end: when its engine is gone, or
// at Ctrl-C, which reaches the whole process group and leaves it to the engine to end what runs.
func ending(engine string) (chan bool, error) {
	alive, end := signal.NotifyContext(context.Background(), os.Interrupt)
	if err := rpcutil.Healthcheck(alive, engine, pulse, end); err != nil {
		end()
		return nil, fmt.Errorf("watch the engine at %s: %w", engine, err)
	}
	ended := make(chan bool)
	context.AfterFunc(alive, func() { close(ended) })
	return ended, nil
}
