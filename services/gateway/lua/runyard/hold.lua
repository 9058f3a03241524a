-- Hold: where a request waits that cannot be sent now, or that failed and may be sent again.
local answer = require "runyard.answer"
local balancer = require "runyard.balancer"
local breaker = require "runyard.breaker"
local clock = require "runyard.clock"
local cold_start = require "runyard.cold_start"
local connection = require "runyard.connection"
local counters = require "runyard.counters"
local fallback = require "runyard.fallback"
local inflight = require "runyard.inflight"
local limit = require "runyard.limit"
local queue = require "runyard.queue"
local router = require "runyard.router"
local watch = require "runyard.watch"
local locations = require "runyard.locations"
local metadata = require "runyard.metadata"
local routing = require "runyard.routing"
local verdicts = require "runyard.verdicts"
local wake = require "runyard.wake"

local var, now = require("runyard.request").var, clock.now

local M = {}

-- How long a request whose try failed lets others have their turn, in seconds: one of the event loop is enough.
local STEP_S = 0.01
-- How many requests of a service wait at most, unless it says otherwise.
local QUEUE_SIZE = 1000
-- nginx allows 10 turns through error_page in the life of a request; the last ones are left for the answer.
local MOST_ROUNDS = 7
local hold_timeout_s

function M.configure(settings)
    hold_timeout_s = settings.hold_timeout_s
end

local function last_status()
    local last
    for status in (var.upstream_status or ""):gmatch("%d+") do
        last = status
    end
    return last
end

local function service_of()
    return routing.service_of(var.tenant, var.service)
end

-- Why this request must not be sent again, as the name of an answer; nil when it may (or never was).
local function refuse_again(failed, late)
    local sent, connected = balancer.tries()
    if failed then
        balancer.blame(failed, connected)
    end
    if late or connected and last_status() == "504" then
        return verdicts.INSTANCE_TIMEOUT  -- it has the request and is slow; another one would only be slow too
    end
    if locations.is_spent() then
        return verdicts.INSTANCE_FAILED
    end
    -- A request that breaks whatever instance it reaches must not work through all of them. By default that is eight
    -- times, because a killed instance leaves idle connections behind that each take a try to find out.
    local most = balancer.retries_of(service_of()).attempts
    if sent > 0 and (sent > most or not balancer.is_idempotent(var.request_method)) then
        return verdicts.INSTANCE_FAILED
    end
    if failed or sent > 0 then
        if not balancer.may_repeat(routing.endpoints(var.tenant, var.revision), sent) then
            return verdicts.RETRIES_SPENT
        end
        var.retries = tonumber(var.retries) + 1
    end
    return nil
end

-- Of the request's whole time; a service that is not there yet has set none.
local function seconds_left()
    local service = service_of()
    return service and watch.left(service) or math.huge
end

-- Whether a revision has places for all that wait for one: what came first then needs no looking after.
local function has_room_for_all(group)
    local free = 0
    for _, endpoint in ipairs(group.list) do
        free = free + group.limit - inflight.count(endpoint.address)
    end
    return free >= queue.length(group.key)
end

-- Looks once: GO when the request has an instance now, HOLD or FULL when it must wait, else the name of an answer.
local function look(request)
    local verdict = router.route(var.listener, var.revision)
    if verdict ~= verdicts.GO and verdict ~= verdicts.ASIDE then
        return verdict
    end
    local group = routing.endpoints(var.tenant, var.revision)
    local may_go
    if request then
        may_go = queue.is_next(request, function() return has_room_for_all(group) end)
    else
        may_go = not queue.is_busy(group)
    end
    return may_go and balancer.reserve() and verdicts.GO or verdicts.FULL
end

local function join(revision)
    local key = var.tenant .. "/" .. var.service
    local service = routing.service(key)
    local size = service and service.queue_size or QUEUE_SIZE
    local request = queue.join(key, revision, size)
    if not request then
        limit.tell_full("queue", size)
    end
    return request
end

local function deadline_of_service()
    local service = service_of()
    local own_s = service and service.queue_timeout_s or 0
    return now() + (own_s > 0 and own_s or hold_timeout_s)
end

-- Until when a request waits that has looked in vain. While its revision has no instance, for as long as one may take
-- to start; the time for a place at an instance begins when there is one.
local function give_up_at(waiting, has_none)
    if has_none then
        local start_s = routing.endpoints(var.tenant, var.revision or "").start_timeout_s
        waiting.was_asleep = true
        return math.min(waiting.last, math.max(waiting.deadline, waiting.since + start_s))
    end
    if waiting.was_asleep then
        waiting.was_asleep = false
        waiting.deadline = deadline_of_service()
        var.hold_until = waiting.deadline
    end
    return math.min(waiting.last, waiting.deadline)
end

local function wait_in_line(waiting)
    while true do
        local verdict = look(waiting.request)
        local is_paused = verdict == verdicts.PAUSED
        if verdict ~= verdicts.HOLD and verdict ~= verdicts.FULL and not is_paused then
            return verdict ~= verdicts.GO and verdict or nil
        end
        local has_none = verdict == verdicts.HOLD
        local is_woken = has_none and (var.revision or "") ~= ""
        if is_woken then
            wake.want(var.tenant, var.revision)
            cold_start.begin()
        end
        -- Traffic may have moved to another revision, whose line it then joins at the end.
        -- What waits while its service is paused stands in a line of that, which is no load of any revision.
        local revision = is_paused and var.tenant .. ":" .. var.service or var.tenant .. "/" .. var.revision
        if waiting.request and waiting.request.revision ~= revision then
            queue.leave(waiting.request)
            waiting.request = nil
        end
        local give_up = give_up_at(waiting, has_none)
        if now() >= give_up then
            return is_paused and verdict or has_none and verdicts.NO_INSTANCE or verdicts.ALL_BUSY
        end
        waiting.request = waiting.request or join(revision)
        if not waiting.request then
            return verdicts.QUEUE_FULL
        end
        queue.rest(waiting.request, give_up, is_woken)
    end
end

-- Waits for an instance, for a place at one until the deadline, and never beyond `last`; returns the name of an answer,
-- or nil when there is one.
local function wait(deadline, last)
    local waiting = { deadline = deadline, last = last, since = now() }
    -- Whatever fails, a request that goes on must not stand in a line.
    local done, verdict = pcall(wait_in_line, waiting)
    if waiting.request then
        queue.leave(waiting.request)
    end
    var.held_s = ("%.3f"):format((tonumber(var.held_s) or 0) + now() - waiting.since)
    if not done then
        error(verdict, 0)
    end
    return verdict
end

-- Takes a place for a request that cannot come back for one; returns as `wait` does.
local function take_place()
    -- One that was held in another location has its place already.
    if balancer.holds() then
        return nil
    end
    if not queue.is_busy(routing.endpoints(var.tenant, var.revision)) and balancer.reserve() then
        return nil
    end
    watch.leave(connection.key())
    return wait(deadline_of_service(), now() + seconds_left())
end

local function retry_after_s(verdict)
    if verdict == verdicts.BROKEN then
        return breaker.retry_after_s(routing.endpoints(var.tenant, var.revision))
    end
    if verdict == verdicts.PAUSED then
        local service = service_of()
        return math.max(1, (service and service.paused_till or 0) - ngx.time())
    end
    -- What runyard.limit told the client: in so many seconds there is one more.
    return (var.rate_limit or ""):match(";r=0;t=(%d+)$")
end

-- Whether no instance can have worked on the request, or one more may.
local function may_go_elsewhere()
    return not locations.is_spent() and (balancer.tries() == 0 or balancer.is_idempotent(var.request_method))
end

-- Gives the answer, or what the service has instead of it.
local function refuse(verdict)
    if verdict == verdicts.METADATA then
        return metadata.give()
    end
    local wait_s, instead = retry_after_s(verdict), fallback.find(verdict)
    if instead and instead.page ~= "" then
        counters.add(counters.FALLBACKS, var.tenant .. "/" .. var.service)
        return answer.page(verdict, instead.page, wait_s)
    end
    if instead and may_go_elsewhere() then
        local deadline, last = deadline_of_service(), now() + seconds_left()
        balancer.release()
        local failed = fallback.go_to(instead.service) or locations.refusal()
        if not failed then
            locations.read_body()
            failed = wait(deadline, last) or locations.go_on()
        end
        if not failed then
            return
        end
        -- The answer of its own service tells the client more than that of another.
        balancer.release()
    end
    return answer.give(verdict, wait_s)
end

-- For how long a request that was tried rests, in seconds: as its service says, and at least a turn of the event loop,
-- in which nginx sees that the dead instance's other idle connections are closed. All of the time is left to chance
-- (the "full jitter" of Marc Brooker, "Exponential Backoff And Jitter", 2015): what failed together comes apart.
local function rest_s()
    local rule, sent = balancer.retries_of(service_of()), balancer.tries()
    if sent == 0 or rule.backoff_ms == 0 then
        return STEP_S
    end
    return math.max(STEP_S, math.random() * math.min(rule.backoff_ms * 2 ^ (sent - 1), rule.backoff_most_ms) / 1000)
end

-- The access phase of the locations beside the plain one: everything but the usual step from a request to an instance.
function M.again()
    local verdict = var.verdict
    if verdict == verdicts.ASIDE then
        var.verdict = verdicts.GO
        local refusal = locations.refusal() or locations.go_on() or locations.has_one_try() and take_place()
        return refusal and refuse(refusal)
    end
    if locations.is_cut_short() then
        return refuse(verdicts.NO_ROOM)
    end
    if verdict ~= verdicts.GO and verdict ~= verdicts.HOLD and verdict ~= verdicts.PAUSED then
        return refuse(verdict)
    end
    local failed = balancer.release()
    local late = watch.is_late()
    watch.leave(connection.key())
    local rounds = (tonumber(var.rounds) or 0) + 1
    var.rounds = rounds
    local left = seconds_left()
    local refusal = rounds > MOST_ROUNDS and verdicts.INSTANCE_FAILED or refuse_again(failed, late)
        or left <= 0 and verdicts.REQUEST_TIMEOUT or locations.refusal()
    if refusal then
        return refuse(refusal)
    end
    locations.read_body()
    local deadline = tonumber(var.hold_until)
    if not deadline then
        deadline = deadline_of_service()
        var.hold_until = deadline
    end
    if var.upstream_addr then
        ngx.sleep(math.min(left, rest_s()))
    end
    refusal = wait(deadline, now() + seconds_left())
    if not refusal then
        var.verdict = verdicts.GO  -- or its response would be taken for an answer of the gateway's own
        refusal = locations.go_on()
    end
    if refusal then
        return refuse(refusal)
    end
end

return M
