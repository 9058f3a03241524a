package main

import (
	"strings"
)

// image describes an image. One never changes, so what is known of an id holds.
func (ask *asked) image(reference string) (*image, error) {
	if known, found := ask.images.Load(reference); found {
		return known.(*image), nil
	}
	found := new(image)
	if err := ask.describe("/images/"+reference+"/json", found); err != nil {
		return nil, err
	}
	if found.Config == nil {
		return nil, refuse("image %s must have a configuration", shown(reference))
	}
	if found.ID == reference {
		ask.images.Store(reference, found)
	}
	return found, nil
}

// inspectImage describes an image that some document names, by id or by name.
func inspectImage(ask *asked) (*onward, error) {
	for document := range ask.documents.every("*", ask.name) {
		for _, each := range document.all() {
			if ask.name == document.identity(&each).ID || ask.name == each.Image {
				return &onward{path: "/images/" + ask.name + "/json"}, nil
			}
		}
	}
	return nil, refuse("image must be one of a signed document, got %s", shown(ask.name))
}

// pull brings an image by the digest that a document names, and by nothing else.
func pull(ask *asked) (*onward, error) {
	reference := ask.query.Get("fromImage")
	_, named, _ := strings.Cut(reference, "@")
	for document := range ask.documents.every("*", named) {
		for _, each := range document.all() {
			if digest := document.identity(&each).Digest; digest != "" && reference == pulled(each.Image, digest) {
				return &onward{path: "/images/create", query: ask.query}, nil
			}
		}
	}
	return nil, refuse("image must be one of a signed document, by its digest, got %s", shown(reference))
}

func pulled(image, digest string) string {
	if strings.Contains(digest, "@") {
		return digest
	}
	return repository(image) + "@" + digest
}

// repository is an image's name without its tag; a port of a registry is no tag.
func repository(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndex(name, ":"); colon >= 0 && !strings.Contains(name[colon:], "/") {
		return name[:colon]
	}
	return name
}
