-- Balancer: picks an instance for each try and counts what is in flight, exactly, across workers.
--
-- One rule keeps the counts from leaking: `held` has an endpoint for a request if and only if it holds one count of
-- that endpoint's address. $instance is the same for the log, and runyard.load counts with it.
local affinity = require "runyard.affinity"
local budget = require "runyard.budget"
local clock = require "runyard.clock"
local connection = require "runyard.connection"
local counters = require "runyard.counters"
local health = require "runyard.health"
local inflight = require "runyard.inflight"
local load = require "runyard.load"
local peer = require "runyard.peer"
local pools = require "runyard.pools"
local queue = require "runyard.queue"
local upstream = require "ngx.balancer"
local watch = require "runyard.watch"
local routing = require "runyard.routing"

local var, now, random = require("runyard.request").var, clock.now, math.random
local key = connection.key

local M = {}

-- Tries beyond the first by nginx itself; beyond these the request goes through runyard.hold, which waits.
local MORE_TRIES = 2
-- How long an instance that refused a connection is tried last, in seconds and by this worker: about what the
-- orchestrator needs to notice and to push endpoints without it. runyard.health is slower, and binds all workers.
local REFUSED_S = 1
-- Of a service that is gone.
local ONCE = { attempts = 0, backoff_ms = 0, backoff_most_ms = 0 }
-- Set by M.configure: seconds.
local connect_timeout_s, default_timeout_s

local held = require("runyard.request").by_key("endpoint")

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
    if inflight.take(endpoint.address, limit) then
        held[key()] = endpoint
        load.add_in_flight(endpoint.group, 1)
        var.instance = endpoint.address
        return true
    end
    return false
end

local function is_refusing(endpoint)
    local till = endpoint.refusing_till
    return till ~= nil and now() < till
end

-- Takes a count of the least loaded endpoint that `suits`, or nil; whether any would suit is told too.
local function take_least(endpoints, suits)
    local order = {}
    for _, endpoint in ipairs(endpoints.list) do
        if suits(endpoint) then
            -- One that comes back first, or the one try that it has would be lost.
            local count = endpoint.ejected and -1 or inflight.count(endpoint.address)
            order[#order + 1] = { count = count, endpoint = endpoint }
        end
    end
    table.sort(order, function(a, b) return a.count < b.count end)
    for _, candidate in ipairs(order) do
        if take(candidate.endpoint, endpoints.limit) then
            return candidate.endpoint, true
        end
    end
    return nil, #order > 0
end

-- Any endpoint but `avoided`, the least loaded first: what is left when the two drawn ones do not do.
local function take_any(endpoints, avoided, patient)
    local endpoint, fits = take_least(endpoints, function(each)
        return each.address ~= avoided and not is_refusing(each) and health.is_fit(each)
    end)
    if fits or patient then
        return endpoint
    end
    -- All are ejected, refusing or avoided: better one of them than none.
    return (take_least(endpoints, function() return true end))
end

-- Takes a count of an endpoint and returns it, or nil when all are full. The lesser loaded of two drawn at random
-- spreads nearly as well as looking at all of them, at a fixed price; and each worker's own requests tell it which that
-- is. That none is over its limit is for `take` to see.
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
        health.suspect(second)
        if inflight.own(second.address) < inflight.own(first.address) then
            first = second
        end
    end
    if not first then
        return nil
    end
    health.suspect(first)
    if not is_refusing(first) and health.is_fit(first) and take(first, endpoints.limit) then
        return first
    end
    return take_any(endpoints, nil, false)
end

-- Takes a count of the endpoint that the client met before, or returns nil: it has none here, or it is full or ejected.
local function pick_known(service, endpoints)
    local place = service and service.session_affinity and affinity.place(service)
    local known = place and place.revision == var.revision and place.endpoint
    if known and not is_refusing(known) and health.is_fit(known) and take(known, endpoints.limit) then
        return known
    end
    return nil
end

-- The endpoints of the revision that the request goes to, and its service.
local function chosen(name)
    local endpoints = routing.chosen[name]
    if endpoints then
        return endpoints, endpoints.service
    end
    -- Chosen before something changed.
    return routing.endpoints(var.tenant, var.revision), routing.service_of(var.tenant, var.service)
end

-- Takes a count for a request that waits; returns whether one was to be had. A request that waits is patient: it does
-- not go back to an instance that refused a moment ago, even if that is the only one; nor to the one that failed it
-- last, if there is another.
function M.reserve()
    local endpoints, service = chosen(key())
    local _, _, failed = M.tries()
    local endpoint = not failed and pick_known(service, endpoints)
        or failed and endpoints.count > 1 and take_any(endpoints, failed, true)
        or take_any(endpoints, nil, true)
    return endpoint ~= nil
end

-- Gives back a count of this endpoint, for the first that waits; returns what it is now, if it is still one.
local function give_back(endpoint)
    load.add_in_flight(endpoint.group, -1)
    inflight.give(endpoint.address)
    local current = routing.place(endpoint.address)
    if current then
        queue.wake(current.group.key)
    end
    return current
end

-- The requests of this worker that hold a count: the endpoint of each, by runyard.connection's key. Not to be changed.
function M.all_held()
    return held
end

-- Whether this request holds a count, so that an instance has it or will.
function M.holds()
    return held[key()] ~= nil
end

-- Gives back the count that this request holds, if any; returns the address that it was of, or nil.
function M.release()
    local name = key()
    local endpoint = held[name]
    if not endpoint then
        return nil
    end
    held[name] = nil
    give_back(endpoint)
    var.instance = ""
    return endpoint.address
end

-- Notes a failed try: no connection, or one that broke or was silent before an answer began.
function M.blame(address, connected)
    local endpoint = routing.place(address)
    if not endpoint then
        return  -- gone since
    end
    if not connected then
        endpoint.refusing_till = now() + REFUSED_S
    end
    health.unreachable(endpoint)
end

-- Whether this request may be sent to the revision's instances again, within the budget. Only what an instance has
-- received counts: a refused connection is no load to anybody.
function M.may_repeat(endpoints, sent)
    if sent == 0 or budget.spend(endpoints.budget) then
        counters.add(counters.RETRIES, endpoints.key)
        return true
    end
    counters.add(counters.RETRIES_REFUSED, endpoints.key)
    return false
end

-- What nginx tells of each try, which it parts by a comma, or by a colon where error_page was in between.
local function each_try(text)
    return ((text or ""):gsub(" : ", ", ") .. ", "):gmatch("(.-), ")
end

-- In how many of the tries that have ended the request was sent, whether the last one got a connection, and where it
-- went. nginx writes "-" as the connect time of a try that got none, and no address of one that was given up before.
function M.tries()
    if not var.upstream_addr then
        return 0, false, nil  -- never tried
    end
    local sent, connected, last, addresses = 0, false, nil, each_try(var.upstream_addr)
    for time in each_try(var.upstream_connect_time) do
        local address = addresses()
        if address and address ~= "" then
            last, connected = address, time ~= "-" and time ~= ""
            sent = connected and sent + 1 or sent
        end
    end
    return sent, connected, last
end

-- How often a request of this service may be sent again, and whether it waits before.
function M.retries_of(service)
    return service and service.retries or ONCE
end

-- Another endpoint after a failed try, or nil when the request must not be sent again, or not at once, or nothing is
-- free.
local function retry(endpoints, service)
    local failed = M.release()
    local sent, connected = M.tries()
    M.blame(failed, connected)
    local rule = M.retries_of(service)
    if sent > 0 and (sent > rule.attempts or rule.backoff_ms > 0 or not idempotent[var.request_method]) then
        return nil
    end
    -- Never the same one at once: a killed instance leaves idle connections, and each would take a try to find out.
    local endpoint = take_any(endpoints, failed, true)
    if endpoint and not M.may_repeat(endpoints, sent) then
        M.release()
        return nil
    end
    var.retries = tonumber(var.retries) + 1
    return endpoint
end

-- Sets nginx's clocks to what is left of the request's time, and has it watched; false when nothing is left.
local function set_times(service, endpoints)
    local left = watch.left(service)
    if left <= 0 then
        return false
    end
    local silence = left
    if service.handling.idle_s > 0 and var.upgrade ~= "" then
        silence = math.min(left, service.handling.idle_s)
    end
    -- nginx's configuration has the usual time already, and to change it costs a copy of all it says.
    if silence ~= left or service.timeout_s ~= default_timeout_s or left < default_timeout_s - 1 then
        upstream.set_timeouts(connect_timeout_s, silence, silence)
    end
    watch.begin(service, left, endpoints.location or service.location or service.aside)
    return true
end

-- The balancer phase: names the instance for this try. Leaving with ngx.ERROR makes nginx answer 500, which
-- error_page turns into runyard.hold.
function M.balance()
    routing.sync()
    local name = key()
    local endpoints, service = chosen(name)
    local endpoint, is_first = held[name], false
    if upstream.get_last_failure() then
        endpoint = retry(endpoints, service)
    elseif endpoint and ngx.is_subrequest then
        -- A fetch behind a stale response that failed: nginx skips the phase in which runyard.hold would judge it.
        endpoint = nil
    elseif endpoint then
        -- Where that is gone since it was reserved, the try fails and the next one goes elsewhere.
        endpoint = routing.place(endpoint.address) or endpoint
        -- An address has a colon; the try that is being set up has none yet.
        is_first = not (var.upstream_addr or ""):find(":", 1, true)
    elseif not queue.is_busy(endpoints) then
        endpoint = pick_known(service, endpoints) or pick(endpoints)
        endpoints.budget.asked = endpoints.budget.asked + 1
        is_first = true
    end
    if not endpoint then
        return ngx.exit(ngx.ERROR)
    end
    if is_first and endpoints.count > 1 then
        upstream.set_more_tries(math.min(endpoints.count - 1, MORE_TRIES))
    end
    health.asked(endpoint, service and service.timeout_s or default_timeout_s)
    if service and service.session_affinity then
        affinity.note(service, var.revision, endpoint.address)
    end
    if not service then
        watch.leave(name)
    elseif not set_times(service, endpoints) then
        return ngx.exit(ngx.ERROR)
    end
    local done, failure = peer.choose(endpoint)
    if not done then
        ngx.log(ngx.ERR, "send to ", endpoint.address, ": ", failure)
        return ngx.exit(ngx.ERROR)
    end
    if endpoint.pool then
        pools.use(endpoint.pool)
    end
end

-- The log phase: gives back the count. `name` is the request's key.
function M.finish(name)
    routing.chosen[name] = nil
    local endpoint = held[name]
    if not endpoint then
        return
    end
    held[name] = nil
    endpoint = give_back(endpoint)
    if endpoint then
        health.answered(endpoint, ngx.status)
    end
end

return M
