package main

import (
	"math"
	"net/http"
	"os"
	"time"
)

const (
	// mostMebibytes is beyond any instance's memory, so that /allocate can always reach the limit.
	mostMebibytes = 1 << 16
	mebibyte      = 1 << 20
	// pageSize is how far apart two bytes must be to make the kernel give a page for each.
	pageSize = 4096
)

// answerSleep answers after ?ms=, or not at all when the caller goes first.
func (instance *Instance) answerSleep(w http.ResponseWriter, r *http.Request) {
	millis, err := integer(r, "ms", 1000, 0, longestMillis)
	if err != nil {
		refuse(w, err)
		return
	}
	select {
	case <-time.After(time.Duration(millis) * time.Millisecond):
		reply(w, http.StatusOK, map[string]int{"slept_ms": millis})
	case <-r.Context().Done():
	}
}

// answerFail answers ?status= for the share ?rate= of its calls, evenly spread, and 200 for the others.
func (instance *Instance) answerFail(w http.ResponseWriter, r *http.Request) {
	status, err := integer(r, "status", http.StatusInternalServerError, 200, 599)
	if err != nil {
		refuse(w, err)
		return
	}
	rate, err := share(r, "rate")
	if err != nil {
		refuse(w, err)
		return
	}
	count := float64(instance.requests.Add(1))
	// The n-th call fails when n times the rate passes a whole number: exactly rate of any long run.
	if math.Floor(count*rate) == math.Floor((count-1)*rate) {
		status = http.StatusOK
	}
	reply(w, status, map[string]int{"status": status})
}

// answerExit answers 202 and ends the process with ?code=, without draining: a crash.
func (instance *Instance) answerExit(w http.ResponseWriter, r *http.Request) {
	code, err := integer(r, "code", 1, 0, 255)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Connection", "close")
	reply(w, http.StatusAccepted, map[string]int{"exit": code})
	_ = http.NewResponseController(w).Flush()
	select {
	case instance.exit <- code:
	default: // another call was first, and its code counts
	}
}

// answerBurn keeps one core busy for ?ms= of wall time.
func (instance *Instance) answerBurn(w http.ResponseWriter, r *http.Request) {
	millis, err := integer(r, "ms", 1000, 0, longestMillis)
	if err != nil {
		refuse(w, err)
		return
	}
	ends := time.Now().Add(time.Duration(millis) * time.Millisecond)
	rounds := 0
	for time.Now().Before(ends) && r.Context().Err() == nil {
		rounds++
	}
	reply(w, http.StatusOK, map[string]int{"burned_ms": millis, "rounds": rounds})
}

// answerAllocate takes ?mib= more memory and keeps it; 0 gives all of it back.
func (instance *Instance) answerAllocate(w http.ResponseWriter, r *http.Request) {
	size, err := integer(r, "mib", 16, 0, mostMebibytes)
	if err != nil {
		refuse(w, err)
		return
	}
	instance.ballastLock.Lock()
	defer instance.ballastLock.Unlock()
	if size == 0 {
		instance.ballast = nil
	}
	for range size {
		block := make([]byte, mebibyte)
		for at := 0; at < mebibyte; at += pageSize {
			block[at] = 1
		}
		instance.ballast = append(instance.ballast, block)
	}
	reply(w, http.StatusOK, map[string]int{"held_mib": len(instance.ballast)})
}

// answerWrite writes ?mib= (by default one line) to ?path=; 403 with the reason when it cannot.
func (instance *Instance) answerWrite(w http.ResponseWriter, r *http.Request) {
	size, err := integer(r, "mib", 0, 0, mostMebibytes)
	if err != nil {
		refuse(w, err)
		return
	}
	path := r.URL.Query().Get("path")
	if err := writeFile(path, size); err != nil {
		reply(w, http.StatusForbidden, map[string]string{"path": path, "error": err.Error()})
		return
	}
	reply(w, http.StatusOK, map[string]any{"path": path, "mib": size})
}

// writeFile writes block by block, so that a full disk is met by the disk and not by this process's memory.
func writeFile(path string, size int) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
	}()
	block := make([]byte, mebibyte)
	for range size {
		if _, err = file.Write(block); err != nil {
			return err
		}
	}
	if size == 0 {
		_, err = file.WriteString("written by the sample\n")
	}
	return err
}
