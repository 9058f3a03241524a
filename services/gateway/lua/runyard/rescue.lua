-- Rescue: takes requests back from an instance that hangs, so that another one answers them in time.
--
-- An instance that runyard.health has ejected because it was silent to a ping too will not answer what it has already.
-- What may be sent twice and has no answer yet goes on in runyard.hold, which sends it elsewhere within the revision's
-- budget. A slow instance is not meant: it answers the ping. Once a request: where the next one is silent as well, it
-- is more likely that the request takes long than that two instances hang.
local balancer = require "runyard.balancer"
local connection = require "runyard.connection"
local health = require "runyard.health"
local locations = require "runyard.locations"
local registered = require "runyard.request"
local routing = require "runyard.routing"
local watch = require "runyard.watch"

local M = {}

-- How often this worker looks, in seconds; a small part of the shortest time that a service can have.
local STEP_S = 0.25

local taken_back = registered.by_key("taken_back")

-- Whether another instance may be asked in place of the one that has this request.
local function may_move(name)
    local request = not taken_back[name] and not watch.is_behind(name) and connection.request(name)
    return request and connection.is_unanswered(request)
        and balancer.retries_of(balancer.all_held()[name].group.service).attempts > 0
        and balancer.is_idempotent(connection.variable(request, "request_method"))
        and not locations.is_unbuffered(connection.variable(request, "here"))
end

local function sweep()
    routing.sync()
    local due = {}
    for name, endpoint in pairs(balancer.all_held()) do
        if endpoint.group.count > 1 then
            health.suspect(endpoint)
            if health.is_hung(endpoint) and may_move(name) then
                due[#due + 1] = name
            end
        end
    end
    -- Collected first: to take one back may end others, and changes the table.
    for _, name in ipairs(due) do
        if balancer.all_held()[name] then
            taken_back[name] = true
            watch.take_back(name)
        end
    end
end
jit.off(sweep)

-- Forgets the request of this key, in the log phase.
function M.finish(name)
    if taken_back[name] then
        taken_back[name] = nil
    end
end

function M.start_worker()
    local done, failure = ngx.timer.every(STEP_S, sweep)
    if not done then
        ngx.log(ngx.ERR, "look for requests that hang: ", failure)
    end
end

return M
