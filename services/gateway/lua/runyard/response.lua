-- Response: looks at a response on its way to the client, in the locations beside the plain one: its size and time.
local balancer = require "runyard.balancer"
local cache_admission = require "runyard.cache_admission"
local cold_start = require "runyard.cold_start"
local request = require "runyard.request"
local watch = require "runyard.watch"
local routing = require "runyard.routing"
local trust = require "runyard.trust"
local verdicts = require "runyard.verdicts"

local var = request.var

local M = {}

-- What nginx says of a response that it has kept.
local hits = { HIT = true, STALE = true, UPDATING = true, REVALIDATED = true }

-- The service of a response that an instance gives, or has given.
local function current_service(is_held)
    if not is_held and not hits[var.upstream_cache_status] then
        return nil
    end
    return routing.service(var.tenant .. "/" .. var.service)
end

-- The header filter. A response that says that it is too large is taken back, and runyard.hold answers.
function M.header()
    local is_held = balancer.holds()
    if is_held and var.verdict == verdicts.GO and trust.look() then
        return
    end
    local service = var.verdict == verdicts.GO and current_service(is_held)
    if not service then
        return  -- an answer of the gateway itself
    end
    local most = service.handling.max_response_bytes
    if is_held then
        watch.started(service)
        cold_start.answered(service.key)
        if var.here == "@cached" then
            cache_admission.decide(most)
        end
    end
    if most == 0 or var.request_method == "HEAD" then
        return
    end
    local length = tonumber(ngx.header["Content-Length"])
    if length and length > most then
        var.verdict = verdicts.RESPONSE_TOO_LARGE
        var.location = "@last"
        return ngx.exit(502)
    end
    request.set_room(most)
end

-- The body filter. What turns out too large on the way is cut, so that the client sees a failure and no short answer.
function M.body()
    watch.hear()
    local room = request.room()
    if not room then
        return
    end
    room = room - #ngx.arg[1]
    request.set_room(room)
    if room < 0 then
        return ngx.ERROR
    end
end

return M
