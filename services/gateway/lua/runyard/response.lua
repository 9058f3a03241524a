-- Response: looks at a response on its way to the client, in the locations beside the plain one: its size and time.
local balancer = require "runyard.balancer"
local watch = require "runyard.watch"
local world = require "runyard.world"

local var = ngx.var

local M = {}

local function current_service()
    return balancer.holds() and world.service(var.tenant .. "/" .. var.service) or nil
end

-- The header filter. A response that says that it is too large is taken back, and runyard.hold answers.
function M.header()
    local service = current_service()
    if not service or var.verdict ~= "" then
        return  -- an answer of the gateway itself
    end
    watch.started(service)
    local most = service.handling.max_response_bytes
    if most == 0 or var.request_method == "HEAD" then
        return
    end
    local length = tonumber(ngx.header["Content-Length"])
    if length and length > most then
        var.verdict = "response-too-large"
        var.way = "@last"
        return ngx.exit(502)
    end
    ngx.ctx.room = most
end

-- The body filter. What turns out too large on the way is cut, so that the client sees a failure and no short answer.
function M.body()
    watch.hear()
    local room = ngx.ctx.room
    if not room then
        return
    end
    room = room - #ngx.arg[1]
    ngx.ctx.room = room
    if room < 0 then
        return ngx.ERROR
    end
end

return M
