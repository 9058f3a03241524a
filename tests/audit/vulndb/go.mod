// The Go vulnerability database (https://go.dev/doc/security/vuln/), which is a module too: its advisories, in OSV's
// form, are locked by their hash as everything is. `make audit` asks for the newest.
module runyard/tests/audit/vulndb

go 1.26

require golang.org/x/vulndb v0.0.0-20261105234957-e22db6528018
