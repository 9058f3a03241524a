package main

import (
	"context"
	"io"
	"log"
	"net"
)

// Mail has a port of the loopback's for each SMTP server, as Alertmanager knows no proxy for them; bytes go through
// the guard as they are, so TLS is between Alertmanager and the server.
type Mail struct {
	guard *Guard
	ports map[string]string
}

// port gives the address that stands for a server, and opens it at the first time.
func (mail *Mail) port(server string) (string, error) {
	if known, ok := mail.ports[server]; ok {
		return known, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go mail.serve(listener, server)
	mail.ports[server] = listener.Addr().String()
	return mail.ports[server], nil
}

func (mail *Mail) serve(listener net.Listener, server string) {
	for {
		here, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			there, err := mail.guard.dial(context.Background(), "tcp", server)
			if err != nil {
				log.Printf("refuse to send to %s: %v", server, err)
				here.Close()
				return
			}
			join(here, there)
		}()
	}
}

// join passes bytes both ways until either side ends.
func join(here, there net.Conn) {
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go pass(here, there)
	go pass(there, here)
	<-done
	here.Close()
	there.Close()
}
