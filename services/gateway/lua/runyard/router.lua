-- Router: decides which revision answers a request, or why none may.
--
-- What it decides is one of runyard.verdicts, and stands in $verdict: "" for most, which go on where they are.
local affinity = require "runyard.affinity"
local breaker = require "runyard.breaker"
local cache = require "runyard.cache"
local call_id = require "runyard.call_id"
local caller_identity = require "runyard.caller_identity"
local connection = require "runyard.connection"
local hosts = require "runyard.hosts"
local limit = require "runyard.limit"
local load = require "runyard.load"
local paths = require "runyard.paths"
local routing = require "runyard.routing"
local verdicts = require "runyard.verdicts"

local var = require("runyard.request").var
local GO, ASIDE, HOLD = verdicts.GO, verdicts.ASIDE, verdicts.HOLD
local byte, lower, sub, find = string.byte, string.lower, string.sub, string.find
local frexp = math.frexp

local M = {}

-- The fraction of the golden ratio: multiples of it fill [0, 1) more evenly than random numbers do, so shares hold
-- within a point after a few hundred requests, where random ones would need tens of thousands.
local STRIDE = 0.6180339887498949
local INTERNAL = ".internal"
local METADATA = "metadata"
local names_callers = caller_identity.is_on
local LOOPBACK = "127.0.0.1"
local COLON, DOT = byte(":"), byte(".")

-- What may follow the host in a Host header, remembered; there are at most 65,536 ports, twice for the dot.
local tails = { [""] = true }

local function is_port(tail)
    if tails[tail] then
        return true
    end
    local rest = byte(tail) == DOT and sub(tail, 2) or tail
    local port = byte(rest) == COLON and find(rest, "^:%d+$") and tonumber(sub(rest, 2))
    if rest ~= "" and not (port and port <= 65535 and #rest <= 6) then
        return false
    end
    tails[tail] = true
    return true
end

-- A request line with a host of its own beside another Host header is two requests in one: refused, because the
-- instance would believe the header. This also keeps what nginx lets through (quotes) out of Forwarded.
local function host_agrees(host)
    local header = var.http_host
    if header == host then
        return true
    end
    return header and lower(sub(header, 1, #host)) == host and is_port(sub(header, #host + 1))
end

local function choose(service, pinned)
    if pinned and service.revisions[pinned] then
        return pinned
    end
    local place = service.session_affinity and affinity.place(service)
    if place and service.revisions[place.revision] > 0 then
        return place.revision
    end
    local shares = service.shares
    if #shares < 2 then
        return shares[1] and shares[1].revision
    end
    local phase = service.phase + STRIDE
    if phase >= 1 then
        phase = phase - 1
    end
    service.phase = phase
    local mark = phase * service.total
    for index = 1, #shares do
        if mark < shares[index].upto then
            return shares[index].revision
        end
    end
    return shares[#shares].revision
end

-- What limits refuse. LuaJIT ends a trace at a function that it cannot compile, which frexp is, and begins another one
-- behind it: all of a route and its limits are too much for one, and were interpreted.
local function refusal_by(limits)
    frexp(1)
    local refusal = limit.refusal(limits)
    frexp(1)
    return refusal
end

local function settle(service, revision, pinned)
    var.tenant = service.tenant
    var.service = service.name
    -- Once for each request: one that was routed before has passed.
    local refusal = service.limits and not pinned and refusal_by(service.limits)
    if refusal then
        return refusal
    end
    if not revision then
        return HOLD  -- no traffic yet: the first rollout may be under way
    end
    local endpoints = routing.endpoints(service.tenant, revision)
    local location = endpoints.location or service.location or (service.cache and cache.location(service))
    if location then
        var.location = location
    end
    -- It ends by itself, whether or not the orchestrator is there to say so.
    if service.paused_till and ngx.time() < service.paused_till then
        return verdicts.PAUSED
    end
    var.revision = revision
    if revision ~= pinned then
        load.arrive(endpoints, service.tenant, revision)
    end
    if endpoints.count == 0 then
        -- Nobody waits for instances that are not wanted.
        return service.stopped and verdicts.STOPPED or HOLD
    end
    endpoints.service = service
    if breaker.refuses(endpoints) then
        return verdicts.BROKEN
    end
    routing.chosen[connection.key()] = endpoints
    return (location or service.aside) and ASIDE or GO
end

-- The same for a host of which others answer parts.
local function settle_path(route, pinned)
    local part, trouble = paths.find(route)
    if not part then
        return trouble
    end
    local verdict = settle(part.service, choose(part.service, pinned), pinned)
    return verdict == GO and part.rewrite and ASIDE or verdict
end

local function edge(pinned)
    -- An instance that finds the edge on an address of the host would go around `uses`, tenants and `egress: none`.
    -- Nobody's instance has the loopback address, and asking the shared memory costs a lock.
    local peer = var.remote_addr
    if peer ~= LOOPBACK and routing.caller(peer) then
        return verdicts.PUBLIC_HOST
    end
    local host = var.host
    local route = routing.routes[host] or hosts.resolve(host)
    if not route then
        -- Before the default backend: whoever asks how the gateway is must not hear how a service is.
        if var.uri == "/healthz" then
            return verdicts.HEALTHZ
        end
        route = hosts.default(host)
        if not route then
            return verdicts.UNKNOWN_HOST
        end
    end
    if not host_agrees(host) then
        return verdicts.HOST_MISMATCH
    end
    if routing.routes[host] then
        -- It stands in the snapshot, so it is what a log may hold; a match of nginx's would cost four times as much.
        var.log_host = host
    end
    if route.paths then
        return settle_path(route, pinned)
    end
    return settle(route.service, route.revision or choose(route.service, pinned), pinned)
end

-- The verdict on a request for the metadata of its caller, if it is one; client libraries also ask by the address.
local function metadata(is_asked, host)
    if not names_callers or not is_asked then
        return nil
    end
    return host_agrees(host) and verdicts.METADATA or verdicts.HOST_MISMATCH
end

local function internal(pinned)
    local key = routing.caller(var.remote_addr)
    local caller = key and routing.service(key)
    if not caller then
        return verdicts.UNKNOWN_CALLER
    end
    var.caller = caller.name
    var.tenant = caller.tenant
    local host = var.host
    if sub(host, -#INTERNAL) ~= INTERNAL then
        return metadata(host == var.server_addr, host) or verdicts.PUBLIC_HOST
    end
    local name = sub(host, 1, -#INTERNAL - 1)
    if not caller.uses[name] then
        return metadata(name == METADATA, host) or verdicts.UNDECLARED_CALL
    end
    if not host_agrees(host) then
        return verdicts.HOST_MISMATCH
    end
    var.service = name
    if names_callers then
        var.caller_token = caller_identity.token(caller, name)
    end
    local service = routing.service(caller.tenant .. "/" .. name)
    if not service then
        return HOLD  -- declared but not deployed yet
    end
    return settle(service, choose(service, pinned), pinned)
end

-- Decides for the current request of a listener ("edge", "internal") and sets $tenant, $service, $revision and $caller;
-- `pinned` is the revision that was chosen before, kept while it still has a place in the traffic. Returns the verdict.
function M.route(listener, pinned)
    routing.sync()
    local other = pinned and var.fallback
    if other and other ~= "" then
        local service = routing.service(var.tenant .. "/" .. other)
        if names_callers and listener == "internal" then
            -- The token is for whoever answers.
            local caller = routing.service(var.tenant .. "/" .. var.caller)
            var.caller_token = caller and caller_identity.token(caller, other) or ""
        end
        return service and settle(service, choose(service, pinned), pinned) or HOLD
    end
    if listener == "edge" then
        if pinned == nil then
            var.call_id = call_id.make()
        end
        return edge(pinned)
    end
    return internal(pinned)
end

return M
