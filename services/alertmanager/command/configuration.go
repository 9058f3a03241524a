package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// How long all names of a configuration may take to be found.
const checkTimeout = 10 * time.Second

// nobody is the configuration until another is given.
const nobody = `{"route":{"receiver":"nobody"},"receivers":[{"name":"nobody"}]}`

type object = map[string]any

// Ways are the ways out, through the guard.
type Ways struct {
	guard *Guard
	proxy *Proxy
	mail  *Mail
}

// prepare gives Alertmanager's configuration as Alertmanager is to have it, with every way out through the guard, and
// where each of them leads. A receiver that can only ever be refused is an error that names it.
func (ways *Ways) prepare(text []byte) ([]byte, map[string]*url.URL, error) {
	var whole object
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, nil, fmt.Errorf("configuration: must be JSON: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	places := map[string]*url.URL{}
	receivers, _ := whole["receivers"].([]any)
	for _, each := range receivers {
		receiver, _ := each.(object)
		if err := ways.guide(ctx, receiver, places); err != nil {
			return nil, nil, fmt.Errorf("receiver %v: %w", receiver["name"], err)
		}
	}
	made, err := json.Marshal(whole)
	return made, places, err
}

// guide leads what a receiver sends through the guard; a kind of receiver that is not known here could go round it.
func (ways *Ways) guide(ctx context.Context, receiver object, places map[string]*url.URL) error {
	for kind, value := range receiver {
		if kind == "name" {
			continue
		}
		listed, _ := value.([]any)
		for number, each := range listed {
			way, _ := each.(object)
			var host string
			var err error
			path := fmt.Sprintf("/%v/%s/%d", receiver["name"], kind, number)
			switch kind {
			case "webhook_configs":
				host, err = ways.hook(way, "url", path, places)
			case "slack_configs":
				host, err = ways.hook(way, "api_url", path, places)
			case "email_configs":
				host, err = ways.post(way)
			default:
				err = fmt.Errorf("must be told by webhook, slack or email, got %s", kind)
			}
			if err == nil {
				err = ways.guard.check(ctx, host)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// hook puts a place of the proxy where a URL is, and gives the URL's host. The URL is not repeated in an error.
func (ways *Ways) hook(way object, key, path string, places map[string]*url.URL) (string, error) {
	text, _ := way[key].(string)
	found, err := url.Parse(text)
	if err != nil || found.Hostname() == "" || (found.Scheme != "http" && found.Scheme != "https") {
		return "", errors.New("its URL must be http or https with a host, got another text")
	}
	places[path] = found
	way[key], way["http_config"] = ways.proxy.place(path)
	return found.Hostname(), nil
}

// post puts a port of the loopback's where a mail server is, whose certificate is still to be of the server's name.
func (ways *Ways) post(way object) (string, error) {
	server, _ := way["smarthost"].(string)
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return "", err
	}
	way["tls_config"] = object{"server_name": host}
	way["smarthost"], err = ways.mail.port(server)
	return host, err
}
