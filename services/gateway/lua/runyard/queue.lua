-- Queue: where requests wait for a place at an instance, first come, first served, as many as their service lets wait.
--
-- Every worker has a line of its own for each revision. The first of a line looks for a place, the others sleep until
-- they are first; it tells the other workers since when it waits, and lets theirs go before when they have waited
-- clearly longer. What a worker frees goes to its own first at once, without waiting for another worker to look.
local clock = require "runyard.clock"
local connection = require "runyard.connection"
local counters = require "runyard.counters"
local inflight = require "runyard.inflight"
local load = require "runyard.load"
local semaphore = require "ngx.semaphore"
local registered = require "runyard.request"
local routing = require "runyard.routing"

local shared = ngx.shared.queues
local now = clock.now

local M = {}

-- How much longer another worker's first must have waited to go before, in seconds: about as long as it may take to
-- look again. Less would leave places empty until it does.
local TOLERANCE_S = 0.01
-- The first of a line looks again after a sixteenth of what it has waited, so that short waits stay short and long ones
-- cost little, but never sooner or later than this, in seconds.
local SOONEST_S, LATEST_S = 0.001, 0.02
local PART = 16
-- And so late where runyard.wake tells it when to look.
local TOLD_S = 0.1

local standing = registered.by_key("standing")
local lines = {}  -- revision -> { first = number, last = number, [number] = request }

local function name_of(key, seat)
    return "first|" .. key .. "|" .. seat
end

-- Tells the other workers who is first here now, and wakes it.
local function show_first(key, line)
    while line.first <= line.last and not line[line.first] do
        line.first = line.first + 1
    end
    local request = line[line.first]
    if not request then
        lines[key] = nil
        shared:delete(name_of(key, inflight.seat()))
        return
    end
    shared:set(name_of(key, inflight.seat()), request.since)
    request.semaphore:post(1)
end

-- Puts the current request at the end of a line; nil when `size` requests of its service wait already. It leaves by
-- M.leave, or with its end by M.finish.
function M.join(service, revision, size)
    if not inflight.take("queue|" .. service, size) then
        counters.add(counters.QUEUE_FULL, service)
        return nil
    end
    local line = lines[revision] or { first = 1, last = 0 }
    lines[revision] = line
    local number = line.last + 1
    local request =
        { service = service, revision = revision, number = number, since = now(), semaphore = semaphore.new(0) }
    line.last, line[number] = number, request
    request.key = connection.key()
    standing[request.key] = request
    load.add_waiting(revision, 1)
    if inflight.take("waiting|" .. revision, math.huge) == 1 then
        routing.raise_health_epoch()
    end
    if number == line.first then
        shared:set(name_of(revision, inflight.seat()), request.since)
    end
    return request
end

-- Takes a request out of its line.
function M.leave(request)
    local line = lines[request.revision]
    line[request.number], standing[request.key] = nil, nil
    if request.number == line.first then
        show_first(request.revision, line)
    end
    inflight.give("queue|" .. request.service)
    load.add_waiting(request.revision, -1)
    if inflight.give("waiting|" .. request.revision) == 0 then
        routing.raise_health_epoch()
    end
    counters.add(counters.QUEUED, request.service)
    counters.add(counters.QUEUE_WAIT_S, request.service, now() - request.since)
end

-- The log phase: takes the request of this key out of its line, if it stands in one. Its client has gone away.
function M.finish(name)
    local request = standing[name]
    if request then
        M.leave(request)
    end
end

-- How many requests to this revision wait, in all workers.
function M.length(revision)
    return inflight.count("waiting|" .. revision)
end

-- Whether it is this request's turn; `has_room` tells whether there are places for all that wait, so that none of this
-- worker takes one that an older one of another worker needs.
function M.is_next(request, has_room)
    if lines[request.revision].first ~= request.number then
        return false
    end
    for _, seat in ipairs(inflight.other_seats()) do
        local since = shared:get(name_of(request.revision, seat))
        if since and since + TOLERANCE_S < request.since then
            return has_room()
        end
    end
    return true
end

-- Sleeps until there is reason to look again, at most until `deadline` (of runyard.clock). `is_told`: somebody else
-- looks, and wakes the first of the line.
function M.rest(request, deadline, is_told)
    local at = now()
    local left = deadline - at
    if lines[request.revision].first == request.number then
        local step = is_told and TOLD_S or math.min((at - request.since) / PART, LATEST_S)
        left = math.min(left, math.max(SOONEST_S, step))
    end
    request.semaphore:wait(math.max(left, SOONEST_S))
end

-- Wakes the first that waits for this revision in this worker: a place is free.
function M.wake(revision)
    local line = lines[revision]
    local request = line and line[line.first]
    if request then
        request.semaphore:post(1)
    end
end

-- Whether requests to this revision wait, in any worker: others must not go before them.
function M.is_busy(group)
    if group.queue_epoch ~= routing.health_epoch then
        group.queue_epoch = routing.health_epoch
        group.queued = M.length(group.key) > 0
    end
    return group.queued
end

-- In a worker that starts: forgets what the workers before it on their seats told, which nobody clears when it is
-- killed.
function M.start_worker()
    local living = {}
    for _, seat in ipairs(inflight.other_seats()) do
        living[tostring(seat)] = true
    end
    for _, name in ipairs(shared:get_keys(0)) do
        if not living[name:match("|(%d+)$")] then
            shared:delete(name)
        end
    end
    routing.raise_health_epoch()
end

return M
