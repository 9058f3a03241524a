-- Balancer: picks an instance for each try and counts what is in flight, exactly, across workers.
--
-- One rule keeps the counts from leaking: $instance is not empty if and only if this request holds one count of
-- that address. It is an nginx variable and not ngx.ctx because it must survive error_page.
local upstream = require "ngx.balancer"
local affinity = require "runyard.affinity"
local world = require "runyard.world"

local inflight = ngx.shared.inflight
local var, now, random = ngx.var, ngx.now, math.random

local M = {}

-- Tries beyond the first by nginx itself; beyond these the request goes through runyard.hold, which waits.
local MORE_TRIES = 2
-- How long an instance that refused a connection is passed over, in seconds: about what the orchestrator needs to
-- notice and to push endpoints without it.
local EJECTION_S = 1
-- Set by M.configure: seconds.
local connect_timeout_s, default_timeout_s
local ejected = {}  -- address -> time until which it is passed over; in this worker only

-- Methods whose requests may be sent twice (RFC 9110, 9.2.2). nginx takes unknown methods for idempotent; we do not.
local idempotent = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }

function M.configure(settings)
    connect_timeout_s, default_timeout_s = settings.connect_timeout_s, settings.default_timeout_s
end

function M.is_idempotent(method)
    return idempotent[method] or false
end

-- Takes a count of this endpoint for this request, which must hold none; false when it is full.
local function take(endpoint, limit)
    local count, failure = inflight:incr(endpoint.address, 1, 0)
    if not count then
        ngx.log(ngx.ERR, "count a request to ", endpoint.address, ": ", failure)
        return false
    end
    if count <= limit then
        var.instance = endpoint.address
        return true
    end
    inflight:incr(endpoint.address, -1)
    return false
end

local function is_ejected(address)
    local till = ejected[address]
    if not till then
        return false
    end
    if now() < till then
        return true
    end
    ejected[address] = nil
    return false
end

-- Any endpoint but `avoided`, the least loaded first: what is left when the two drawn ones do not do.
local function take_any(endpoints, avoided, patient)
    local order = {}
    for _, endpoint in ipairs(endpoints.list) do
        if endpoint.address ~= avoided and not is_ejected(endpoint.address) then
            order[#order + 1] = { load = inflight:get(endpoint.address) or 0, endpoint = endpoint }
        end
    end
    if #order == 0 and not patient then
        -- All are ejected or avoided: better one of them than none.
        for _, endpoint in ipairs(endpoints.list) do
            order[#order + 1] = { load = inflight:get(endpoint.address) or 0, endpoint = endpoint }
        end
    end
    table.sort(order, function(a, b) return a.load < b.load end)
    for _, candidate in ipairs(order) do
        if take(candidate.endpoint, endpoints.limit) then
            return candidate.endpoint
        end
    end
    return nil
end

-- Takes a count of an endpoint and returns it, or nil when all are full. The lesser loaded of two drawn at random
-- spreads nearly as well as looking at all of them, at a fixed price.
local function pick(endpoints)
    local list, count = endpoints.list, endpoints.count
    local first = list[1]
    if count > 1 then
        local at = random(count)
        local other = random(count - 1)
        if other >= at then
            other = other + 1
        end
        first = list[at]
        local second = list[other]
        if (inflight:get(second.address) or 0) < (inflight:get(first.address) or 0) then
            first = second
        end
    end
    if first and not is_ejected(first.address) and take(first, endpoints.limit) then
        return first
    end
    return take_any(endpoints, nil, false)
end

-- Takes a count of the endpoint that the client met before, or returns nil: it has none here, or it is full or ejected.
local function pick_known(service, endpoints)
    local place = service and service.session_affinity and affinity.place(service)
    local known = place and place.revision == var.revision and place.endpoint
    if known and not is_ejected(known.address) and take(known, endpoints.limit) then
        return known
    end
    return nil
end

local function current_service()
    return world.service(var.tenant .. "/" .. var.service)
end

-- Takes a count for a request that waits; returns whether one was to be had. A request that waits is patient: it does
-- not go back to an instance that refused a moment ago, even if that is the only one.
function M.reserve()
    local endpoints = world.endpoints(var.tenant, var.revision)
    return (pick_known(current_service(), endpoints) or take_any(endpoints, nil, true)) ~= nil
end

-- Gives back the count that this request holds, if any.
function M.release()
    local address = var.instance
    if address ~= "" then
        inflight:incr(address, -1)
        var.instance = ""
    end
end

-- Passes over an address for a while, in this worker.
function M.eject(address)
    ejected[address] = now() + EJECTION_S
end

-- In how many of the tries that have ended the request was sent, and whether the last one got a connection. nginx
-- writes "-" as the connect time of a try that got none, and leaves out the try that is just being set up.
function M.tries()
    local sent, last = 0, "-"
    for time in (var.upstream_connect_time or ""):gmatch("[^,:%s]+") do
        last = time
        if time ~= "-" then
            sent = sent + 1
        end
    end
    return sent, last ~= "-"
end

-- Another endpoint after a failed try, or nil when the request must not be sent again or nothing is free.
local function retry(endpoints, failed)
    M.release()
    local sent, connected = M.tries()
    if not connected then
        M.eject(failed)
    end
    if sent > 0 and not idempotent[var.request_method] then
        return nil
    end
    var.retries = tonumber(var.retries) + 1
    -- Never the same one at once: a killed instance leaves idle connections, and each would take a try to find out.
    return take_any(endpoints, failed, true)
end

local function address_parts(endpoints, address)
    for _, endpoint in ipairs(endpoints.list) do
        if endpoint.address == address then
            return endpoint
        end
    end
    -- Gone since it was reserved; the try fails and the next one goes elsewhere.
    local ip, port = address:match("^(.+):(%d+)$")
    return { address = address, ip = ip, port = tonumber(port) }
end

-- The balancer phase: names the instance for this try. Leaving with ngx.ERROR makes nginx answer 500, which
-- error_page turns into runyard.hold.
function M.balance()
    world.sync()
    local tenant = var.tenant
    local endpoints = world.endpoints(tenant, var.revision)
    local service = world.service(tenant .. "/" .. var.service)
    local held = var.instance
    local endpoint
    if upstream.get_last_failure() then
        endpoint = retry(endpoints, held)
    elseif held ~= "" then
        endpoint = address_parts(endpoints, held)
    else
        endpoint = pick_known(service, endpoints) or pick(endpoints)
        if endpoints.count > 1 then
            upstream.set_more_tries(math.min(endpoints.count - 1, MORE_TRIES))
        end
    end
    if not endpoint then
        return ngx.exit(ngx.ERROR)
    end
    if service and service.session_affinity then
        affinity.note(service, var.revision, endpoint.address)
    end
    if service and service.timeout_s ~= default_timeout_s then
        upstream.set_timeouts(connect_timeout_s, service.timeout_s, service.timeout_s)
    end
    local done, failure = upstream.set_current_peer(endpoint.ip, endpoint.port)
    if not done then
        ngx.log(ngx.ERR, "send to ", endpoint.address, ": ", failure)
        return ngx.exit(ngx.ERROR)
    end
end

-- The log phase: gives back the count. $instance keeps its value, for the access log.
function M.finish()
    local address = var.instance
    if address and address ~= "" then
        inflight:incr(address, -1)
    end
end

return M
