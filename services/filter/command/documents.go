package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Of a document as of the manifest that it comes from (runyard/manifest/sources.py); whatever is longer is none.
const longestDocument = 8 << 20

// documents finds what was signed, in the directory in which the orchestrator keeps it. That directory may have been
// written by whoever took the orchestrator over: what counts is the signature.
type documents struct {
	directory, stack string
	key              ed25519.PublicKey
}

// held is a document's file (services/orchestrator/store/documents.py).
type heldDocument struct {
	Document  string
	Signature string
}

// of gives the documents of a revision: of one that the manifest named there may be several, with a hash behind.
func (store documents) of(tenant, revision string) ([]*Document, error) {
	if !label.MatchString(tenant) || !label.MatchString(revision) {
		return nil, refuse("a container's revision must be two DNS labels, got %s", shown(tenant+"/"+revision))
	}
	var ours []*Document
	var causes []error
	for each, err := range store.matching(tenant+"."+revision+"*.json", "") {
		if err != nil {
			causes = append(causes, err)
		} else if each.Tenant == tenant && each.Name == revision {
			ours = append(ours, each)
		}
	}
	if len(ours) == 0 {
		return nil, refuse("revision %s/%s must have a signed document here, and has none%s", tenant, revision, told(causes))
	}
	return ours, nil
}

// every gives all documents that are signed, of one tenant or with "*" of all, whose text has the words; one after the
// other, as a thousand at once have no room in the filter's memory.
func (store documents) every(tenant, words string) iter.Seq[*Document] {
	return func(yield func(*Document) bool) {
		for each, err := range store.matching(tenant+".*.json", words) {
			if err == nil && !yield(each) {
				return
			}
		}
	}
}

func (store documents) matching(pattern, words string) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		paths, err := filepath.Glob(filepath.Join(store.directory, pattern))
		if err != nil {
			yield(nil, err)
			return
		}
		for _, each := range paths {
			document, err := store.read(each, words)
			if err != nil {
				err = fmt.Errorf("%s: %w", filepath.Base(each), err)
			} else if document == nil {
				continue
			}
			if !yield(document, err) {
				return
			}
		}
	}
}

func told(causes []error) string {
	if len(causes) == 0 {
		return ""
	}
	return " (" + strings.ReplaceAll(errors.Join(causes...).Error(), "\n", "; ") + ")"
}

// read gives the document of a file, nil if its text has not the words, which is cheap to see beside a signature.
func (store documents) read(path, words string) (*Document, error) {
	// Neither a link nor a pipe that nobody writes to: the directory may be an attacker's.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if about, err := file.Stat(); err != nil || !about.Mode().IsRegular() {
		return nil, fmt.Errorf("must be a file")
	}
	content, err := io.ReadAll(io.LimitReader(file, longestDocument))
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(content, []byte(words)) {
		return nil, nil
	}
	var held heldDocument
	if err := json.Unmarshal(content, &held); err != nil {
		return nil, fmt.Errorf("must be JSON of less than %d bytes", longestDocument)
	}
	signature, err := base64.StdEncoding.DecodeString(held.Signature)
	if err != nil || !ed25519.Verify(store.key, []byte(held.Document), signature) {
		return nil, fmt.Errorf("must be signed by this stack's key, and its signature does not fit")
	}
	document := new(Document)
	if err := json.Unmarshal([]byte(held.Document), document); err != nil {
		return nil, err
	}
	return document, document.check(store.stack)
}
