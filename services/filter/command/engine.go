package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
)

// A description of one container or image; a longer one is none.
const longestDescription = 4 << 20

// engine is the engine behind its socket.
type engine struct {
	socket string
	client *http.Client
}

// onward is a call as it goes on: nothing in it is a copy of what was asked.
type onward struct {
	method, path string
	query        url.Values
	body         []byte
	// upgraded says that the connection becomes a stream of bytes, both ways.
	upgraded bool
	// known is the engine's answer where it was asked already.
	known *answer
}

func newEngine(socket string) *engine {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	// A redirect is the engine's word for a path that is not in its normal form, which none of ours is.
	never := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	// As many as ask at once; what waits longer than the engine keeps it is made anew.
	transport := &http.Transport{DialContext: dial, DisableCompression: true, MaxIdleConnsPerHost: 32}
	return &engine{socket, &http.Client{Transport: transport, CheckRedirect: never}}
}

func (call onward) request(ctx context.Context) (*http.Request, error) {
	address := url.URL{Scheme: "http", Host: "engine", Path: call.path, RawQuery: call.query.Encode()}
	request, err := http.NewRequestWithContext(ctx, call.method, address.String(), bytes.NewReader(call.body))
	if err != nil {
		return nil, err
	}
	if len(call.body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// ask gets a description, and the engine's answer as it was; only one of status 200 was read into it.
func (engine *engine) ask(ctx context.Context, path string, into any) (*answer, error) {
	request, err := onward{method: http.MethodGet, path: path}.request(ctx)
	if err != nil {
		return nil, err
	}
	response, err := engine.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, longestDescription))
	if err != nil {
		return nil, err
	}
	said := &answer{response.StatusCode, body}
	if response.StatusCode != http.StatusOK {
		return said, nil
	}
	reader := json.NewDecoder(bytes.NewReader(body))
	reader.UseNumber()
	return said, reader.Decode(into)
}

// answer is what the engine said, whole.
type answer struct {
	status int
	body   []byte
}

// forward asks the engine and hands its answer on as it comes.
func (engine *engine) forward(writer http.ResponseWriter, ctx context.Context, call onward) error {
	request, err := call.request(ctx)
	if err != nil {
		return err
	}
	response, err := engine.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return relay(writer, response)
}

func relay(writer http.ResponseWriter, response *http.Response) error {
	for _, each := range []string{"Content-Type", "Api-Version", "Content-Length"} {
		if value := response.Header.Get(each); value != "" {
			writer.Header().Set(each, value)
		}
	}
	writer.WriteHeader(response.StatusCode)
	control, buffer := http.NewResponseController(writer), make([]byte, 32<<10)
	// The head of a stream is due before its first line.
	if response.ContentLength < 0 {
		_ = control.Flush()
	}
	for {
		count, err := response.Body.Read(buffer)
		if count > 0 {
			if _, err := writer.Write(buffer[:count]); err != nil {
				return err
			}
			if response.ContentLength < 0 {
				_ = control.Flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// join asks the engine for a stream of bytes and joins it with the client's connection, until the engine ends it.
func (engine *engine) join(writer http.ResponseWriter, ctx context.Context, call onward) error {
	request, err := call.request(ctx)
	if err != nil {
		return err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "tcp")
	there, err := net.Dial("unix", engine.socket)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := request.Write(there); err != nil {
		return err
	}
	reader := bufio.NewReader(there)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		// Still HTTP: not a byte more of the client's goes there, where it would be a call that nobody looked at.
		defer response.Body.Close()
		return relay(writer, response)
	}
	here, buffered, err := http.NewResponseController(writer).Hijack()
	if err != nil {
		return err
	}
	defer here.Close()
	const head = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n" +
		"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
	if _, err := here.Write([]byte(head)); err != nil {
		return nil
	}
	go func() {
		_, _ = io.Copy(there, buffered.Reader)
		// The end of standard input, which the other direction outlives.
		_ = there.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(here, reader)
	return nil
}
