package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// A gateway under full load writes some ten megabytes between two looks.
	rotateEvery = time.Second
	// With the one that is being written, a gibibyte: a quarter of an hour of 2,000 requests a second, for a reader that
	// was away.
	keptLogs = 7
)

// rotate looks after the request log until the keeper of nginx, whose child it is, has gone. What fails is told, and
// tried again. It is a process of its own because the keeper reaps every child, and what makes a log waits for one.
func rotate(settings Settings) error {
	keeper, said := os.Getppid(), ""
	for range time.Tick(rotateEvery) {
		if os.Getppid() != keeper {
			return nil
		}
		failure := ""
		if err := rotateOnce(settings, keeper); err != nil {
			failure = fmt.Sprintf("put the request log aside: %v", err)
		}
		if failure != "" && failure != said {
			fmt.Fprintln(os.Stderr, failure)
		}
		said = failure
	}
	return nil
}

// rotateOnce puts the log aside if it is large, under the next number, and has the keeper tell nginx to open another.
// The numbers only grow, so a reader sees when it missed some.
func rotateOnce(settings Settings, keeper int) error {
	log := settings.requestLog()
	found, err := os.Stat(log)
	if err == nil && found.Size() < settings.LogBytes {
		return nil
	}
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	numbers, problem := numbersOf(log)
	if problem != nil {
		return problem
	}
	if err == nil {
		next := 1
		if len(numbers) > 0 {
			next = numbers[len(numbers)-1] + 1
		}
		if err := os.Rename(log, numbered(log, next)); err != nil {
			return err
		}
		numbers = append(numbers, next)
	}
	// A kill in the middle leaves no log under its name: then this is what is left to do.
	if err := makeLog(settings); err != nil {
		return err
	}
	if err := syscall.Kill(keeper, syscall.SIGUSR1); err != nil {
		return os.NewSyscallError("kill", err)
	}
	for len(numbers) > keptLogs {
		if err := os.Remove(numbered(log, numbers[0])); err != nil && !os.IsNotExist(err) {
			return err
		}
		numbers = numbers[1:]
	}
	return nil
}

// numbersOf lists the numbers under which logs were put aside, the oldest first.
func numbersOf(log string) ([]int, error) {
	files, err := filepath.Glob(log + ".*")
	if err != nil {
		return nil, err
	}
	numbers := []int{}
	for _, file := range files {
		if number, err := strconv.Atoi(strings.TrimPrefix(file, log+".")); err == nil {
			numbers = append(numbers, number)
		}
	}
	sort.Ints(numbers)
	return numbers, nil
}

func numbered(log string, number int) string {
	return fmt.Sprintf("%s.%d", log, number)
}
