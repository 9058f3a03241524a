package main

import (
	"net/url"
	"regexp"
)

// call is one that the orchestrator may make: what it may say in the query, each word once and wholly as described, and
// what judges the rest.
type call struct {
	method string
	path   *regexp.Regexp
	query  map[string]*regexp.Regexp
	judge  func(*asked) (*onward, error)
}

// As the engine lets a container or a volume be called, and ids.
const named = `([a-zA-Z0-9][a-zA-Z0-9_.-]*)`

var (
	anything = regexp.MustCompile(`(?s)^.*$`)
	truth    = regexp.MustCompile(`^(?i:true|false|1|0)$`)
	number   = regexp.MustCompile(`^[0-9]{1,6}$`)
	nothing  = regexp.MustCompile(`^$`)
	yes      = regexp.MustCompile(`^(?i:true|1)$`)
	no       = regexp.MustCompile(`^(?i:false|0)$`)
	killing  = regexp.MustCompile(`^KILL$`)
)

type words map[string]*regexp.Regexp

// calls has every call of the engine's API that the orchestrator needs; there is no other way to the engine.
var calls []call

func init() {
	allow := func(method, path string, query words, judge func(*asked) (*onward, error)) {
		calls = append(calls, call{method, regexp.MustCompile("^" + path + "$"), query, judge})
	}
	allow("GET", "/_ping", nil, plainly("/_ping"))
	allow("GET", "/version", nil, plainly("/version"))
	allow("GET", "/events", words{"filters": anything, "stream": truth}, watch)

	allow("GET", "/containers/json", words{"all": truth, "filters": anything}, list)
	allow("POST", "/containers/create", words{"name": anything}, create)
	allow("GET", "/containers/"+named+"/json", nil, inspect)
	allow("GET", "/containers/"+named+"/logs",
		words{"stdout": truth, "stderr": truth, "follow": no, "tail": number}, ofInstance("/logs"))
	allow("POST", "/containers/"+named+"/start", nil, start)
	allow("POST", "/containers/"+named+"/attach",
		words{"stdin": yes, "stdout": no, "stderr": no, "logs": no, "stream": yes, "detachKeys": nothing}, attach)
	allow("POST", "/containers/"+named+"/pause", nil, ofInstance("/pause"))
	allow("POST", "/containers/"+named+"/unpause", nil, unpause)
	allow("POST", "/containers/"+named+"/kill", words{"signal": killing}, kill)
	allow("POST", "/containers/"+named+"/stop", words{"t": number}, ofInstance("/stop"))
	allow("POST", "/containers/"+named+"/wait", nil, ofInstance("/wait"))
	allow("POST", "/containers/"+named+"/update", nil, limit)
	allow("DELETE", "/containers/"+named, words{"force": truth, "v": truth}, ofInstance(""))

	allow("POST", "/containers/"+named+"/exec", nil, prepareExec)
	allow("POST", "/exec/([0-9a-f]{64})/start", nil, startExec)
	allow("GET", "/exec/([0-9a-f]{64})/json", nil, inspectExec)

	allow("GET", "/images/([a-zA-Z0-9][a-zA-Z0-9_./:@-]*)/json", nil, inspectImage)
	allow("POST", "/images/create", words{"fromImage": anything}, pull)

	allow("GET", "/networks/"+named, nil, ofStack("/networks/"))
	allow("GET", "/volumes/"+named, nil, ofStack("/volumes/"))
	allow("POST", "/volumes/create", nil, createVolume)
	allow("DELETE", "/volumes/"+named, words{"force": no}, removeVolume)
}

// read gives the query of a call, as far as it is one that the call may have.
func (call call) read(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuse("query must be well-formed, got %s", shown(raw))
	}
	for word, values := range query {
		may, known := call.query[word]
		switch {
		case !known:
			return nil, refuse("query must not say %s, got %s", shown(word), shown(values))
		case len(values) != 1:
			return nil, refuse("query must say %s once, got %s", word, shown(values))
		case !may.MatchString(values[0]):
			return nil, refuse("query must say %s as %s, got %s", word, may, shown(values[0]))
		}
	}
	return query, nil
}

func plainly(path string) func(*asked) (*onward, error) {
	return func(*asked) (*onward, error) { return &onward{path: path}, nil }
}
