package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

const user = "alertmanager"

// Proxy sends webhooks on to where they are for, through the guard. Alertmanager is told places of the loopback alone,
// so whoever reads its page, its log or its configuration learns of no receiver's token.
type Proxy struct {
	forward  *httputil.ReverseProxy
	address  string
	password string
	// Where each place leads, by its path.
	places atomic.Pointer[map[string]*url.URL]
}

func startProxy(guard *Guard) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	proxy := &Proxy{address: listener.Addr().String(), password: rand.Text()}
	proxy.lead(map[string]*url.URL{})
	proxy.forward = &httputil.ReverseProxy{
		Rewrite:   rewrite,
		Transport: &http.Transport{DialContext: guard.dial, ResponseHeaderTimeout: 30 * time.Second},
		ErrorHandler: func(answer http.ResponseWriter, request *http.Request, err error) {
			// Of the receiver's URL, only the host is no secret.
			log.Printf("refuse to send to %s: %v", request.URL.Host, err)
			http.Error(answer, fmt.Sprintf("%s: %v", request.URL.Host, err), http.StatusBadGateway)
		},
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	go func() { log.Fatal(server.Serve(listener)) }()
	return proxy, nil
}

// lead has all places lead somewhere else from now on.
func (proxy *Proxy) lead(places map[string]*url.URL) { proxy.places.Store(&places) }

// place is what Alertmanager is told of a receiver instead of its URL, and what it needs to be let in there.
func (proxy *Proxy) place(path string) (string, object) {
	made := url.URL{Scheme: "http", Host: proxy.address, Path: path}
	// A redirect would lead round the guard.
	return made.String(), object{
		"basic_auth":       object{"username": user, "password": proxy.password},
		"follow_redirects": false,
	}
}

func (proxy *Proxy) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	if name, password, _ := request.BasicAuth(); name != user || password != proxy.password {
		http.Error(answer, "this is Alertmanager's own way out", http.StatusUnauthorized)
		return
	}
	target := (*proxy.places.Load())[request.URL.Path]
	if target == nil {
		http.Error(answer, "no such receiver", http.StatusNotFound)
		return
	}
	proxy.forward.ServeHTTP(answer, request.WithContext(context.WithValue(request.Context(), aim{}, *target)))
}

// aim is where a request's context has the URL that it is for.
type aim struct{}

func rewrite(request *httputil.ProxyRequest) {
	target := request.In.Context().Value(aim{}).(url.URL)
	request.Out.Header.Del("Authorization")
	if target.User != nil {
		password, _ := target.User.Password()
		request.Out.SetBasicAuth(target.User.Username(), password)
		target.User = nil
	}
	request.Out.URL, request.Out.Host = &target, target.Host
}
