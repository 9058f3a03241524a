-- Hosts: which service or services answer a public host.
--
-- A route is { service, revision, paths }: `revision` for a tag's host, `paths` (longest first) for a host of which
-- others answer parts, where `service` is nil when nobody answers the rest. It is resolved once a worker and change.
local routing = require "runyard.routing"

local byte, sub, find = string.byte, string.sub, string.find

local M = {}

local INTERNAL = ".internal"
local EVERY = "*"
local STAR = byte("*")

-- The service of this key if the public may call it.
local function public(key)
    local service = key and routing.service(key)
    return service and service.ingress ~= "internal" and service or nil
end

local function make_parts(paths)
    local parts = {}
    for index, path in ipairs(paths) do
        local whole = path.path == "/"
        parts[index] = {
            service = public(path.service),
            path = path.path,
            -- What a path below this one begins with, and what of it the rewriting cuts off.
            below = whole and "/" or path.path .. "/",
            cut = whole and 0 or #path.path,
            rewrite = path.rewrite ~= "" and path.rewrite or nil,
        }
    end
    return parts
end

-- The route of a name that stands in the snapshot, or nil.
local function make(name)
    local service, paths = public(routing.host(name)), routing.paths(name)
    if paths then
        return { service = service, paths = make_parts(paths) }
    end
    return service and { service = service }
end

-- The route of the revision with this tag: `<tag>---<host>`.
local function make_tagged(host)
    local dashes = find(host, "---", 2, true)
    local service = dashes and public(routing.host(sub(host, dashes + 3)))
    local revision = service and service.tags[sub(host, 1, dashes - 1)]
    return revision and { service = service, revision = revision }
end

local function pattern(name)
    local route = routing.patterns[name]
    if route == nil then
        route = make(name) or false
        -- What nobody answers is remembered for one pattern only: the others come from strangers and have no bound.
        if route or name == EVERY then
            routing.patterns[name] = route
        end
    end
    return route or nil
end

-- Whether this is the host, or a tag's host, of a service that is not for the public: then nobody answers in its place.
local function hidden(host)
    local dashes = find(host, "---", 2, true)
    local key = routing.host(host) or dashes and routing.host(sub(host, dashes + 3))
    return key and not public(key)
end

-- The route of a public host that is not among routing.routes, or nil: its own, its tag's, or that of the pattern that
-- has a star for its first label.
function M.resolve(host)
    if sub(host, -#INTERNAL) == INTERNAL or byte(host) == STAR then
        return nil
    end
    local route = make(host) or make_tagged(host)
    if route then
        routing.routes[host] = route
        return route
    end
    local dot = not hidden(host) and find(host, ".", 2, true)
    return dot and pattern(EVERY .. sub(host, dot))
end

-- The route of a host that is nobody's: the platform's default backend, or nil.
function M.default(host)
    return not hidden(host) and pattern(EVERY) or nil
end

-- The tenant whose services answer a public host, that of the default backend for a host that is nobody's, or nil.
function M.tenant(host)
    local route = routing.routes[host] or M.resolve(host) or M.default(host)
    if not route then
        return nil
    end
    -- A host is of one tenant, in all its parts.
    local service = route.service
    for _, part in ipairs(route.paths or {}) do
        service = service or part.service
    end
    return service and service.tenant
end

return M
