package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// say writes a line to the container's log, in JSON as the orchestrator's journal is.
func say(event string, pairs ...string) {
	line := map[string]string{"event": event, "time": time.Now().UTC().Format(time.RFC3339Nano)}
	for index := 0; index+1 < len(pairs); index += 2 {
		line[pairs[index]] = pairs[index+1]
	}
	written, _ := json.Marshal(line)
	fmt.Fprintln(os.Stderr, string(written))
}
