package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// reply writes a value as one line of JSON.
func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	// The answers are read in terminals, where &amp; helps nobody.
	encoder.SetEscapeHTML(false)
	// A write fails only when the caller has gone, and then there is nobody to tell.
	_ = encoder.Encode(value)
}

// refuse answers 400 with what was wrong with the request.
func refuse(w http.ResponseWriter, err error) {
	reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}

// integer reads a whole-number parameter from lowest to highest; absent is the default.
func integer(r *http.Request, name string, otherwise, lowest, highest int) (int, error) {
	text := r.URL.Query().Get(name)
	value, err := parseInteger(name, text, otherwise, highest)
	if err == nil && value < lowest {
		err = fmt.Errorf("%s: must be a whole number from %d to %d, got %q", name, lowest, highest, text)
	}
	return value, err
}

// share reads a parameter from 0 to 1; absent is 1.
func share(r *http.Request, name string) (float64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 1, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	// Written this way round so that NaN, which compares with nothing, is refused too.
	if err != nil || !(value >= 0 && value <= 1) {
		return 0, fmt.Errorf("%s: must be a number from 0 to 1, got %q", name, text)
	}
	return value, nil
}
