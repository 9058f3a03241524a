package main

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"syscall"
)

// What waits while nginx is away; the kernel's own limit (net.core.somaxconn) may be lower.
const backlog = 4096

// As templates/gateway writes it; the admin socket is nginx's own.
var listening = regexp.MustCompile(`(?m)^\s*listen "([^"]+)"`)

// sockets are those at which nginx listens, by address, kept open here while it is away. What nginx opened at a reload
// is its alone until it is started the next time.
type sockets map[string]int

// addresses gives where a configuration has nginx listen.
func addresses(configuration string) ([]netip.AddrPort, error) {
	text, err := os.ReadFile(configuration)
	if err != nil {
		return nil, err
	}
	var found []netip.AddrPort
	for _, match := range listening.FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(match[1], "unix:") {
			continue
		}
		address, err := netip.ParseAddrPort(match[1])
		if err != nil {
			return nil, fmt.Errorf("listen in %s: %w", configuration, err)
		}
		found = append(found, address)
	}
	return found, nil
}

// open opens what is wanted and not open yet. What cannot be opened is left to nginx, which tries for longer and says
// what is wrong.
func (held sockets) open(wanted []netip.AddrPort) {
	for _, address := range wanted {
		if _, is := held[address.String()]; is {
			continue
		}
		if socket, err := listen(address); err == nil {
			held[address.String()] = socket
		}
	}
}

// closeBut closes all but what is wanted: nobody would take what comes there.
func (held sockets) closeBut(wanted []netip.AddrPort) {
	keep := map[string]bool{}
	for _, address := range wanted {
		keep[address.String()] = true
	}
	for address, socket := range held {
		if !keep[address] {
			syscall.Close(socket)
			delete(held, address)
		}
	}
}

// listen opens a socket as nginx does. It is not Go's own listener, because that one's copies block, and nginx expects
// of what it inherits that it does not.
func listen(address netip.AddrPort) (int, error) {
	host, port := address.Addr(), int(address.Port())
	family, where := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: port, Addr: host.As16()})
	if host.Is4() {
		family, where = syscall.AF_INET, &syscall.SockaddrInet4{Port: port, Addr: host.As4()}
	}
	socket, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil && family == syscall.AF_INET6 {
		err = syscall.SetsockoptInt(socket, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = syscall.Bind(socket, where)
	}
	if err == nil {
		err = syscall.Listen(socket, backlog)
	}
	if err != nil {
		syscall.Close(socket)
		return 0, os.NewSyscallError("listen", err)
	}
	return socket, nil
}
