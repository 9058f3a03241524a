-- Fallback: what answers instead when no instance of a service can: a page, or another service of its tenant.
local counters = require "runyard.counters"
local limit = require "runyard.limit"
local routing = require "runyard.routing"
local verdicts = require "runyard.verdicts"

local var = require("runyard.request").var

local M = {}

-- The answers that say that the service is down or overloaded; others are the client's own doing.
local replaced = {
    [verdicts.BROKEN] = true, [verdicts.NO_INSTANCE] = true, [verdicts.STOPPED] = true, [verdicts.PAUSED] = true,
    [verdicts.ALL_BUSY] = true,
    [verdicts.RETRIES_SPENT] = true, [verdicts.INSTANCE_FAILED] = true, [verdicts.INSTANCE_TIMEOUT] = true,
}

-- What the request's service falls back to instead of this answer, or nil. A request has one fallback: that of the
-- fallback itself is not asked, so that two services cannot send a request to and fro.
function M.find(verdict)
    local service = replaced[verdict] and var.fallback == "" and routing.service(var.tenant .. "/" .. var.service)
    return service and service.fallback or nil
end

-- Has runyard.router take the request to the fallback from now on, as if it came anew. Returns the name of an answer
-- when the limits of that one refuse it.
function M.go_to(service)
    counters.add(counters.FALLBACKS, var.tenant .. "/" .. var.service)
    var.fallback, var.service = service, service
    var.verdict = verdicts.GO
    var.revision = ""
    var.location = var.usual_location
    local other = routing.service(var.tenant .. "/" .. service)
    return other and other.limits and limit.next_refusal(other.limits) or nil
end

return M
