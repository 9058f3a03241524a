-- Watch: ends requests whose time is over: 504 before the response has begun, and afterwards a cut that the client
-- takes for the failure it is.
--
-- nginx measures the silence between two reads and nothing else. That silence, as the whole time that is left, is
-- enough until the response begins; what may happen later needs a clock that a trickling instance does not wind up
-- again. A timer for each request would cost more than the rest of the gateway together, so each worker keeps the
-- times of its requests in tables and looks at them now and then. nginx has no way from Lua to end another request than
-- the one that runs; the functions of its own that do are public symbols.
local connection = require "runyard.connection"
local ffi = require "ffi"
local registered = require "runyard.request"

ffi.cdef [[
    // Takes the request from its upstream, as every nginx module does that sends a request again.
    intptr_t ngx_http_upstream_create(void *request);
    void ngx_http_finalize_request(void *request, intptr_t status);
    void ngx_http_run_posted_requests(void *connection);
]]

local C = ffi.C
local now = ngx.now
local key = connection.key

local M = {}

-- How often the tables are looked at, in seconds; a request may take that much longer than its time.
local STEP_S = 0.25
-- What nginx's own clock gets to answer 504 before this one cuts.
local GRACE_S = 0.5
local CUT = -1  -- NGX_ERROR: no answer, no keep-alive, no last chunk
local TIMEOUT = 504
local SWITCHED = 101

local small_body_timeout_s

function M.configure(settings)
    small_body_timeout_s = settings.small_body_timeout_s
end

-- What each of them has, runyard.request tells.
local ends, starts, silences = registered.by_key("ends"), registered.by_key("starts"), registered.by_key("silences")
local heard, late, behind = registered.by_key("heard"), registered.by_key("late"), registered.by_key("behind")

-- Watches the request of this key no more: it waits in the gateway, which has a clock of its own, or has ended.
function M.leave(name)
    ends[name], behind[name] = nil, nil
    if starts[name] or heard[name] or late[name] then
        starts[name], silences[name], heard[name], late[name] = nil, nil, nil, nil
    end
end

-- Ends a request. Never compiled: what it calls runs Lua again, which LuaJIT forbids in compiled code.
local function finish(name, status)
    local fetch = behind[name]
    if fetch then
        M.leave(name)
        connection.hang_up(fetch)  -- to end it from here would end the other one with it
        return
    end
    local request = connection.request(name)
    if not request then
        M.leave(name)
        ngx.log(ngx.ALERT, "a request that is gone was still watched")
        return
    end
    local its_connection = request.connection
    C.ngx_http_upstream_create(request)
    C.ngx_http_finalize_request(request, status)
    C.ngx_http_run_posted_requests(its_connection)
end
jit.off(finish, true)

-- Takes a request that nobody has answered from its instance: it goes on in runyard.hold.
function M.take_back(name)
    starts[name] = nil
    finish(name, TIMEOUT)
end
jit.off(M.take_back)

-- Adds to `due` every request of `times` whose time has come.
local function collect(times, at, due)
    for name, time in pairs(times) do
        if time <= at then
            due[#due + 1] = name
        end
    end
    return due
end

-- The requests are collected first: ending one may end others, and change the tables.
local function sweep()
    local at = now()
    for _, name in ipairs(collect(starts, at, {})) do
        if starts[name] then
            starts[name], late[name] = nil, true
            finish(name, TIMEOUT)
        end
    end
    for _, name in ipairs(collect(ends, at - GRACE_S, {})) do
        if ends[name] then
            finish(name, CUT)
        end
    end
    for name, silence in pairs(silences) do
        heard[name] = heard[name] or at
        if at - heard[name] > silence then
            ends[name] = 0  -- cut by the next look
        end
    end
end
jit.off(sweep)

-- The seconds that a request has left of its service's time, counted from its arrival as on Cloud Run.
function M.left(service)
    return ngx.req.start_time() + service.timeout_s - now()
end

-- Watches a request whose body is read: it must be whole in so many seconds.
function M.expect(left)
    ends[key()] = now() + left
end

-- Watches a request whose body is read, unless it is watched: a small one must be whole in as many seconds as nginx
-- lets a client be silent, or a byte now and then would hold its connection for good.
function M.expect_body()
    local name = key()
    ends[name] = ends[name] or now() + small_body_timeout_s
end

-- Watches a request that goes to an instance now. `closely`: it goes through a location whose filters tell of its
-- response.
function M.begin(service, left, closely)
    local name = key()
    ends[name] = now() + left
    if service.cache and ngx.is_subrequest then
        behind[name] = connection.current()
    elseif closely then
        local first = service.handling.response_start_s
        starts[name] = now() + (first > 0 and first < left and first or left)
    end
end

-- The header filter: the response has begun.
function M.started(service)
    if ngx.is_subrequest then
        return  -- has no time but the whole, see M.begin
    end
    local name = key()
    starts[name] = nil
    -- After a switch to another protocol no filter sees the data; runyard.balancer has set nginx's own clock for it.
    if service.handling.idle_s > 0 and ngx.status ~= SWITCHED then
        silences[name], heard[name] = service.handling.idle_s, now()
    end
end

-- The body filter: the instance was heard.
function M.hear()
    local name = key()
    if heard[name] then
        heard[name] = now()
    end
end

-- Whether what goes to an instance for the request of this key is only nginx's own fetch behind a stale response.
function M.is_behind(name)
    return behind[name] ~= nil
end

-- Whether this request was ended because its response did not begin in time.
function M.is_late()
    return late[key()] or false
end

function M.start_worker()
    local done, failure = ngx.timer.every(STEP_S, sweep)
    if not done then
        ngx.log(ngx.ERR, "watch the times of requests: ", failure)
    end
end

return M
