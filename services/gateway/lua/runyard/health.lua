-- Health: which instances are passed over because they fail, shared by all workers.
--
-- An instance is ejected after 5 failures in a row, whatever they are (Envoy's consecutive_5xx: an answer of 500 or
-- above, or no answer), for a time that doubles. At most half of a revision's instances are, so never the last one.
-- When its time is over a single request tries it (or, if it hung, a ping), and it is back or ejected for longer.
--
-- Shared memory holds failures|, ejected|, times|, hung| and probe| of an address; `health_epoch` in runyard.routing
-- changes with them. Endpoints are the tables of runyard.routing; what is known of one is kept in it until that epoch
-- changes.
local breaker = require "runyard.breaker"
local clock = require "runyard.clock"
local counters = require "runyard.counters"
local ping = require "runyard.ping"
local routing = require "runyard.routing"

local shared = ngx.shared.health
local now = clock.now

local M = {}

local MOST_FAILURES = 5
-- The first ejection: about what the orchestrator needs to notice and to push endpoints without it. Envoy's 30 s are
-- for a fleet that nobody heals.
local SHORTEST_S = 1
local LONGEST_S = 30
-- An instance that was well for as long as this is ejected as briefly as the first time.
local FORGET_S = 60
-- Failures further apart are not in a row; also what removes the keys of instances that are gone.
local FAILURES_S = 300
-- How long the one request of the half-open state may take before another one tries.
local PROBE_S = 5
-- The cap is counted by one worker at a time; a killed one frees it after this.
local LOCK_S = 0.1
-- An instance that owes an answer is pinged after a second, and when it answers that, after two, and so on: it works on
-- something slow, or holds streams.
local LONGEST_SILENCE_S = 30

local function labels(endpoint)
    return endpoint.group.key
end

local function look(endpoint)
    local address = endpoint.address
    endpoint.health_epoch = routing.health_epoch
    endpoint.ejected = shared:get("ejected|" .. address)
    endpoint.hung = endpoint.ejected and shared:get("hung|" .. address)
    endpoint.failing = endpoint.ejected or shared:get("failures|" .. address)
end

local function ejected_in(group)
    local count = 0
    for _, endpoint in ipairs(group.list) do
        if shared:get("ejected|" .. endpoint.address) then
            count = count + 1
        end
    end
    return count
end

local function set_ejected(endpoint, hung)
    local address = endpoint.address
    local times = shared:incr("times|" .. address, 1, 0)
    local duration = math.min(SHORTEST_S * 2 ^ (times - 1), LONGEST_S)
    shared:expire("times|" .. address, duration + FORGET_S)
    shared:set("ejected|" .. address, now() + duration, duration + FORGET_S)
    shared:set("hung|" .. address, hung, duration + FORGET_S)
    shared:delete("probe|" .. address)
    routing.raise_health_epoch()
    counters.add(counters.EJECTIONS, labels(endpoint))
    ngx.log(ngx.WARN, "eject ", address, " of ", labels(endpoint), " for ", duration, " s")
end

local function eject(endpoint, hung)
    local till, group = shared:get("ejected|" .. endpoint.address), endpoint.group
    if till then
        -- Requests that it had before the ejection fail late; only one that tried it since says anything new.
        if now() >= till then
            set_ejected(endpoint, hung)
        end
        return
    end
    if not shared:add("lock|" .. group.key, true, LOCK_S) then
        return  -- another of them is being ejected; the next failure asks again
    end
    if ejected_in(group) + 1 <= math.floor(group.count / 2) then
        set_ejected(endpoint, hung)
    end
    shared:delete("lock|" .. group.key)
end

local function fail(endpoint, weight, hung)
    local count = shared:incr("failures|" .. endpoint.address, weight, 0)
    shared:expire("failures|" .. endpoint.address, FAILURES_S)
    if count == weight then
        routing.raise_health_epoch()
    end
    if count >= MOST_FAILURES then
        eject(endpoint, hung)
    end
end

-- Notes that the instance could not be reached, broke the connection or was silent for too long.
function M.unreachable(endpoint)
    fail(endpoint, 1, false)
    breaker.failed(endpoint.group, 1)
end

local function recover(endpoint)
    local address = endpoint.address
    local till = shared:get("ejected|" .. address)
    if till and now() < till then
        return  -- an answer to a request from before the ejection
    end
    shared:delete("failures|" .. address)
    shared:delete("ejected|" .. address)
    shared:delete("hung|" .. address)
    shared:delete("probe|" .. address)
    routing.raise_health_epoch()
end

-- Notes an answer of the instance, by its status; 499 is a client that went away and says nothing of the instance.
function M.answered(endpoint, status)
    if status == 499 then
        return
    end
    endpoint.asked_at = nil
    if endpoint.health_epoch ~= routing.health_epoch then
        look(endpoint)
    end
    breaker.worked(endpoint.group)
    if status >= 500 then
        fail(endpoint, 1, false)
    elseif endpoint.failing then
        recover(endpoint)
    end
end

local function ping_hung(premature, endpoint)
    if premature then
        return
    end
    local began = now()
    local answered = ping.ask(endpoint)
    if answered == nil then
        return
    end
    if answered then
        recover(endpoint)
        breaker.worked(endpoint.group)
        endpoint.asked_at = nil
        endpoint.silence_s = math.min(endpoint.silence_s * 2, LONGEST_SILENCE_S)
        return
    end
    -- Where none is ejected, because all hang, the next ping is what tells the breaker that they still do.
    shared:delete("probe|" .. endpoint.address)
    -- Silent to its requests and to a ping: no need to see four more.
    fail(endpoint, MOST_FAILURES, true)
    breaker.failed(endpoint.group, MOST_FAILURES, began)
end

-- False when another one is under way.
local function start_ping(endpoint)
    return shared:add("probe|" .. endpoint.address, true, PROBE_S) and ngx.timer.at(0, ping_hung, endpoint)
end

-- Notes that a request is being sent to the instance, in this turn: exact enough to tell a second, and free.
function M.asked(endpoint)
    if not endpoint.asked_at then
        endpoint.asked_at = routing.turn
    end
end

-- Looks whether the instance owes this worker an answer for too long, and has it pinged then.
function M.suspect(endpoint)
    local asked_at = endpoint.asked_at
    if asked_at and routing.turn - asked_at > endpoint.silence_s and start_ping(endpoint) then
        -- One ping in that time, by this worker.
        endpoint.asked_at = routing.turn
    end
end

-- Whether a request may go to the instance. Where it was ejected and its time is over, true to one caller only.
function M.is_fit(endpoint)
    if endpoint.health_epoch ~= routing.health_epoch then
        look(endpoint)
    end
    local till = endpoint.ejected
    if not till then
        return true
    end
    if now() < till then
        return false
    end
    if endpoint.hung then
        start_ping(endpoint)
        return false
    end
    return shared:add("probe|" .. endpoint.address, true, PROBE_S) == true
end

-- How many instances of the revision are passed over now.
M.ejected_in = ejected_in

return M
