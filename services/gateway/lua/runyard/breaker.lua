-- Breaker: a circuit breaker for each revision, shared by all workers.
--
-- Closed: requests pass. Open: none of the revision's instances can be reached, so requests are answered 503 at once
-- instead of being held. Half-open: the time is over, and a ping (no client's request) finds out whether one answers.
--
-- Only failures to get an answer count here, as Envoy parts them with split_external_local_origin_errors: a revision
-- whose every answer is 500 is the application's own to explain, and is passed on. The state is that of a set of
-- instances: when the orchestrator replaces one, the new set starts closed.
local clock = require "runyard.clock"
local counters = require "runyard.counters"
local penalty = require "runyard.penalty"
local ping = require "runyard.ping"
local routing = require "runyard.routing"

local shared = ngx.shared.health
local now = clock.now

local M = {}

-- What opens it and for how long a service says (runyard.contracts.Breaker), in seconds. By default, for three of them
-- there must have been nothing but failures: an instance that was killed is replaced within two, and requests are held
-- for it, so no GET is lost to a breaker. This is for a revision whose service nobody has asked for in this worker.
local NEVER = { failures = 0, patience_s = 0, open_s = 1, open_most_s = 1 }
-- The keys of a set of instances that is gone go after this; far more than a set is worth remembering.
local FORGET_S = 300
-- Pings take a second at most; a worker that was killed in the middle is followed by another after this.
local PROBE_S = 5
-- More instances than this are not all pinged: one that answers is enough.
local MOST_PINGED = 8

local function look(group)
    group.health_epoch = routing.health_epoch
    group.open_till = shared:get("open|" .. group.set)
    group.failing = group.open_till or shared:get("down|" .. group.set)
end

local function rule_of(group)
    return group.service and group.service.breaker or NEVER
end

local function open(group)
    local rule = rule_of(group)
    local duration = penalty.next_s(group.set, rule.open_s, rule.open_most_s)
    shared:set("open|" .. group.set, now() + duration, duration + FORGET_S)
    routing.raise_health_epoch()
    counters.add(counters.BREAKER_OPENED, group.key)
    ngx.log(ngx.WARN, "no instance of ", group.key, " can be reached: answer 503 for ", duration, " s")
end

-- Notes that an instance of the revision gave no answer; `weight` is how many failures that counts for, `began` since
-- when it was silent, if not now.
function M.failed(group, weight, began)
    local count = shared:incr("down|" .. group.set, weight, 0)
    shared:expire("down|" .. group.set, FORGET_S)
    if count == weight then
        shared:set("since|" .. group.set, began or now(), FORGET_S)
        routing.raise_health_epoch()
    end
    local rule, since = rule_of(group), shared:get("since|" .. group.set)
    if rule.failures == 0 or count < rule.failures or not since or now() - since < rule.patience_s
        or shared:get("open|" .. group.set) then
        return
    end
    if shared:add("opening|" .. group.set, true, penalty.SHORTEST_S) then
        open(group)
    end
end

-- Notes that an instance of the revision answered.
function M.worked(group)
    if group.health_epoch ~= routing.health_epoch then
        look(group)
    end
    if not group.failing then
        return
    end
    for _, kind in ipairs { "down|", "since|", "open|", "half|" } do
        shared:delete(kind .. group.set)
    end
    penalty.forget(group.set)
    routing.raise_health_epoch()
end

local function try(premature, group)
    if premature then
        return
    end
    for index = 1, math.min(group.count, MOST_PINGED) do
        if ping.ask(group.list[index]) then
            M.worked(group)
            return
        end
    end
    open(group)
    shared:delete("half|" .. group.set)
end

-- Whether requests to this revision are refused now; once the time is over, also has a ping find out.
function M.refuses(group)
    if group.health_epoch ~= routing.health_epoch then
        look(group)
    end
    local till = group.open_till
    if till and rule_of(group).failures == 0 then
        return false  -- since then it was told never to
    end
    if till and now() >= till and shared:add("half|" .. group.set, true, PROBE_S * MOST_PINGED) then
        ngx.timer.at(0, try, group)
    end
    return till ~= nil
end

-- In how many seconds a request to this revision makes sense again, at least 1.
function M.retry_after_s(group)
    return math.max(1, math.ceil((shared:get("open|" .. group.set) or 0) - now()))
end

-- The state of a revision's breaker: "closed", "open" or "half-open".
function M.state(group)
    local till = shared:get("open|" .. group.set)
    return not till and "closed" or now() < till and "open" or "half-open"
end

return M
