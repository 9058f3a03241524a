-- Hold: where a request waits that cannot be sent now, or that failed and may be sent again.
local answer = require "runyard.answer"
local balancer = require "runyard.balancer"
local breaker = require "runyard.breaker"
local router = require "runyard.router"
local watch = require "runyard.watch"
local ways = require "runyard.ways"
local world = require "runyard.world"

local var, now = ngx.var, ngx.now

local M = {}

-- How often a waiting request looks again, in seconds: short against what starting an instance takes (70 ms and up),
-- long enough that a thousand waiting requests cost little.
local STEP_S = 0.01
-- nginx allows 10 turns through error_page in the life of a request; the last ones are left for the answer.
local MOST_ROUNDS = 7
-- A request that breaks whatever instance it reaches must not work through all of them. Not lower, because a killed
-- instance leaves idle connections behind that each take a try to find out.
local MOST_SENT = 8
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

-- Why this request must not be sent again, as the name of an answer; nil when it may (or never was).
local function refuse_again(failed, late)
    local sent, connected = balancer.tries()
    if failed ~= "" then
        balancer.blame(failed, connected)
    end
    if late or connected and last_status() == "504" then
        return "instance-timeout"  -- it has the request and is slow; another one would only be slow too
    end
    if ways.is_spent() then
        return "instance-failed"
    end
    if sent > 0 and not balancer.is_idempotent(var.request_method) or sent > MOST_SENT then
        return "instance-failed"
    end
    if failed ~= "" or sent > 0 then
        if not balancer.may_repeat(world.endpoints(var.tenant, var.revision), sent) then
            return "retries-spent"
        end
        var.retries = tonumber(var.retries) + 1
    end
    return nil
end

-- Of the request's whole time; a service that is not there yet has set none.
local function seconds_left()
    local service = world.service(var.tenant .. "/" .. var.service)
    return service and watch.left(service) or math.huge
end

local function wait(deadline)
    while true do
        local verdict = router.route(var.revision)
        local goes = verdict == "" or verdict == "aside"
        if not goes and verdict ~= "hold" then
            return verdict
        end
        if goes and balancer.reserve() then
            return nil
        end
        if now() >= deadline then
            return verdict == "hold" and "no-instance" or "all-busy"
        end
        ngx.sleep(STEP_S)
    end
end

local function refuse(verdict)
    if verdict == "broken" then
        return answer.give(verdict, breaker.retry_after_s(world.endpoints(var.tenant, var.revision)))
    end
    -- What runyard.limit told the client: in so many seconds there is one more.
    local left_s = (var.rate_limit or ""):match(";r=0;t=(%d+)$")
    return answer.give(verdict, left_s)
end

-- The access phase of the locations beside the plain one: everything that is not the plain way from a request to an instance.
function M.again()
    local verdict = var.verdict
    if verdict == "aside" then
        var.verdict = ""
        local refusal = ways.refusal() or ways.go_on()
        return refusal and answer.give(refusal)
    end
    if verdict ~= "" and verdict ~= "hold" then
        return refuse(verdict)
    end
    local failed = var.instance
    balancer.release()
    local late = watch.is_late()
    watch.leave()
    local rounds = (tonumber(var.rounds) or 0) + 1
    var.rounds = rounds
    local left = seconds_left()
    local refusal = rounds > MOST_ROUNDS and "instance-failed" or refuse_again(failed, late)
        or left <= 0 and "request-timeout" or ways.refusal()
    if refusal then
        return refuse(refusal)
    end
    ways.read_body()
    local deadline = tonumber(var.hold_until)
    if not deadline then
        deadline = now() + hold_timeout_s
        var.hold_until = deadline
    end
    if var.upstream_addr then
        -- It was tried. A turn of the event loop, in which nginx sees that the dead instance's other idle connections are closed.
        ngx.sleep(STEP_S)
    end
    refusal = wait(math.min(deadline, now() + left)) or ways.go_on()
    if refusal then
        return refuse(refusal)
    end
end

return M
