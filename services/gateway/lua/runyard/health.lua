-- Health: which instances are passed over because they fail, shared by all workers.
--
-- An instance is ejected after failures in a row (an answer of 500 or above, or no answer), for a time that doubles: 5
-- (Envoy's consecutive_5xx), and of answers fewer where so many in a row are no chance, see most_failures. At most half
-- of a revision's instances are, so never the last one. When its time is over a single request tries it (or, if it
-- hung, a ping), and it is back or ejected for longer.
--
-- Shared memory holds failures|, ejected|, hung| and probe| of an address; `health_epoch` in runyard.routing changes
-- with them. Endpoints are the tables of runyard.routing; what is known of one is kept in it until that epoch changes.
local breaker = require "runyard.breaker"
local clock = require "runyard.clock"
local counters = require "runyard.counters"
local inflight = require "runyard.inflight"
local penalty = require "runyard.penalty"
local ping = require "runyard.ping"
local routing = require "runyard.routing"

local shared = ngx.shared.health
local now = clock.now

local M = {}

local MOST_FAILURES = 5
-- One failure is anybody's; two can be told from chance.
local FEWEST_FAILURES = 2
-- How likely a row of failures may be, by what the other instances do, to be no chance.
local CHANCE = 1e-6
-- What the other instances answered counts for so long, in seconds.
local COUNTED_S = 60
-- The first ejection of one that answers errors where the others do not: it is left running, since it answers, and each
-- of its tries costs a client an error. nginx's fail_timeout is 10 s, too.
local ERRING_S = 10
-- Failures further apart are not in a row; also what removes the keys of instances that are gone.
local FAILURES_S = 300
-- Longer than any ejection.
local EJECTED_S = 120
-- How long the one request of the half-open state may take before another one tries.
local PROBE_S = 5
-- The cap is counted by one worker at a time; a killed one frees it after this.
local LOCK_S = 0.1
-- An instance that owes an answer for as long as this, or a part of its service's time, is pinged; and when it answers
-- that, after twice as long, and so on: it works on something slow, or holds streams.
local SILENCE_S, SILENT_PART = 1, 1 / 4
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

-- What this worker has of the answers of a revision's instances is of the last COUNTED_S or, as their average, stands
-- for it.
local function forget_old(group)
    local age = now() - group.counted_since
    if age > COUNTED_S then
        for _, endpoint in ipairs(group.list) do
            endpoint.good, endpoint.bad = endpoint.good * COUNTED_S / age, endpoint.bad * COUNTED_S / age
        end
        group.counted_since = now() - COUNTED_S
    end
end

-- How many answers of 500 and above in a row eject this instance: as many as would be no chance if it failed as often
-- as the others do (the share by Laplace's rule of succession, so that a few answers prove little). MOST_FAILURES where
-- little is known, or another one fails as well just now: then it is not the instance, but what all of them need.
local function most_failures(endpoint)
    local group, good, bad = endpoint.group, 0, 0
    forget_old(group)
    for _, other in ipairs(group.list) do
        if other ~= endpoint then
            if other.health_epoch ~= routing.health_epoch then
                look(other)
            end
            if other.failing and not other.ejected then
                return MOST_FAILURES
            end
            good, bad = good + other.good, bad + other.bad
        end
    end
    local needed = math.ceil(math.log(CHANCE) / math.log((bad + 1) / (good + bad + 2)))
    return math.max(FEWEST_FAILURES, math.min(needed, MOST_FAILURES))
end

local function set_ejected(endpoint, hung, first_s)
    local address = endpoint.address
    local duration = penalty.next_s(address, first_s, penalty.LONGEST_S)
    shared:set("ejected|" .. address, now() + duration, EJECTED_S)
    shared:set("hung|" .. address, hung, EJECTED_S)
    shared:delete("probe|" .. address)
    routing.raise_health_epoch()
    counters.add(counters.EJECTIONS, labels(endpoint))
    ngx.log(ngx.WARN, "eject ", address, " of ", labels(endpoint), " for ", duration, " s")
end

local function eject(endpoint, hung, first_s)
    local till, group = shared:get("ejected|" .. endpoint.address), endpoint.group
    if till then
        -- Requests that it had before the ejection fail late; only one that tried it since says anything new.
        if now() >= till then
            set_ejected(endpoint, hung, first_s)
        end
        return
    end
    if not shared:add("lock|" .. group.key, true, LOCK_S) then
        return  -- another of them is being ejected; the next failure asks again
    end
    if ejected_in(group) + 1 <= math.floor(group.count / 2) then
        set_ejected(endpoint, hung, first_s)
    end
    shared:delete("lock|" .. group.key)
end

-- Counts failures of which `most` in a row eject the instance, for `first_s` the first time.
local function fail(endpoint, weight, hung, most, first_s)
    local count = shared:incr("failures|" .. endpoint.address, weight, 0)
    shared:expire("failures|" .. endpoint.address, FAILURES_S)
    if count == weight then
        routing.raise_health_epoch()
    end
    if count >= most then
        eject(endpoint, hung, first_s)
    end
end

-- Notes that the instance could not be reached, broke the connection or was silent for too long.
function M.unreachable(endpoint)
    fail(endpoint, 1, false, MOST_FAILURES, penalty.SHORTEST_S)
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
    if status < 500 then
        endpoint.good = endpoint.good + 1
        if endpoint.failing then
            recover(endpoint)
        end
        return
    end
    endpoint.bad = endpoint.bad + 1
    local most = most_failures(endpoint)
    fail(endpoint, 1, false, most, most < MOST_FAILURES and ERRING_S or penalty.SHORTEST_S)
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
    fail(endpoint, MOST_FAILURES, true, MOST_FAILURES, penalty.SHORTEST_S)
    breaker.failed(endpoint.group, MOST_FAILURES, began)
end

-- False when another one is under way.
local function start_ping(endpoint)
    return shared:add("probe|" .. endpoint.address, true, PROBE_S) and ngx.timer.at(0, ping_hung, endpoint)
end

-- Notes that a request is being sent to the instance, in this turn: exact enough to tell a second, and free. Its
-- service's time is `timeout_s`.
function M.asked(endpoint, timeout_s)
    if not endpoint.asked_at then
        endpoint.asked_at = routing.turn
        if not endpoint.silence_s then
            endpoint.patience_s = math.min(SILENCE_S, timeout_s * SILENT_PART)
            endpoint.silence_s = endpoint.patience_s
        end
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

-- Whether the instance is passed over because it was silent to a ping.
function M.is_hung(endpoint)
    if endpoint.health_epoch ~= routing.health_epoch then
        look(endpoint)
    end
    return endpoint.hung or false
end

-- Whether a request may go to the instance. Where it was ejected and its time is over, true to one caller only.
function M.is_fit(endpoint)
    if endpoint.health_epoch ~= routing.health_epoch then
        look(endpoint)
    end
    local till = endpoint.ejected
    if not till then
        -- One that has failed gets one request at a time where the next failure ejects it.
        return not endpoint.failing or inflight.own(endpoint.address) == 0 or most_failures(endpoint) == MOST_FAILURES
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
