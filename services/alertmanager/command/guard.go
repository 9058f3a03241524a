package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// How long a receiver's host may take to be found and to accept; Alertmanager tries again later.
const dialTimeout = 10 * time.Second

// Guard says which addresses Alertmanager's messages may go to. It runs in the host's network, where the loopback has
// the control of everything, the host's own addresses may have the engine's, link-local ones a cloud's keys to the
// machine, and the pool's are other tenants' instances.
type Guard struct {
	pool *net.IPNet
	// own gives the host's addresses; they come and go with bridges, so it is asked each time.
	own func() ([]net.Addr, error)
}

func newGuard(pool *net.IPNet) *Guard { return &Guard{pool: pool, own: net.InterfaceAddrs} }

// refuse says why nothing may be sent to an address; nil where it may.
func (guard *Guard) refuse(address netip.Addr) error {
	address = address.Unmap()
	switch {
	case address.IsLoopback():
		return fmt.Errorf("%s is of the loopback", address)
	case address.IsLinkLocalUnicast():
		return fmt.Errorf("%s is link-local", address)
	case address.IsMulticast() || address.IsUnspecified() || (address.Is4() && address.As4()[0] == 0):
		return fmt.Errorf("%s is no host's", address)
	case guard.pool.Contains(address.AsSlice()):
		return fmt.Errorf("%s is of this platform's instances", address)
	}
	addresses, err := guard.own()
	if err != nil {
		return fmt.Errorf("%s is not known to be another host's: %w", address, err)
	}
	for _, each := range addresses {
		if network, ok := each.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(network.IP); ok && own.Unmap() == address.WithZone("") {
				return fmt.Errorf("%s is this host, where the engine is", address)
			}
		}
	}
	return nil
}

// dial connects to a host, and refuses by the address that it was found to have, at the moment of the connection: what
// a name meant a moment ago says nothing.
func (guard *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Control: func(_, found string, _ syscall.RawConn) error {
		place, err := netip.ParseAddrPort(found)
		if err != nil {
			return err
		}
		return guard.refuse(place.Addr())
	}}
	return dialer.DialContext(ctx, network, address)
}

// check refuses a host that is found where nothing may be sent; one that is not found may be there later.
func (guard *Guard) check(ctx context.Context, host string) error {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, each := range found {
		if err := guard.refuse(each); err != nil {
			return err
		}
	}
	return nil
}
