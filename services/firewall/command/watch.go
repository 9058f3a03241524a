package main

import (
	"fmt"
	"os"
	"syscall"
)

// Of linux/netfilter/nfnetlink.h: NFNLGRP_NFTABLES, in which the kernel tells of every change of its tables.
const tablesGroup = 7

// Messages are only counted as one more change, so one that does not fit is as good as one that does.
const messageBytes = 1 << 16

// watch gives a channel that has something whenever tables changed. Without it, time alone says when to look.
func watch() <-chan struct{} {
	changes := make(chan struct{}, 1)
	socket, err := listen()
	if err != nil {
		fmt.Fprintln(os.Stderr, "changes of the packet filter are found only every", lookEvery, "as the kernel does not tell of them:", err)
		return changes
	}
	go func() {
		buffer := make([]byte, messageBytes)
		for {
			_, _, err := syscall.Recvfrom(socket, buffer, 0)
			if err == syscall.EINTR {
				continue
			}
			// ENOBUFS says that messages were lost, so there were changes.
			if err != nil && err != syscall.ENOBUFS {
				fmt.Fprintln(os.Stderr, "hear of changes of the packet filter:", err)
				return
			}
			select {
			case changes <- struct{}{}:
			default: // one that nobody has looked after yet stands for this one too
			}
		}
	}()
	return changes
}

func listen() (int, error) {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_NETFILTER)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	address := &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: 1 << (tablesGroup - 1)}
	if err := syscall.Bind(socket, address); err != nil {
		syscall.Close(socket)
		return 0, os.NewSyscallError("bind", err)
	}
	return socket, nil
}
