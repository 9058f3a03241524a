package main

import (
	"os"
	"os/signal"
	"syscall"
)

// hold waits for a signal to stop. As process 1 it has no other way to end by one.
func hold() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
}
