-- Watch: ends requests whose time is over: 504 before the response has begun, and afterwards a cut that the client
-- takes for the failure it is.
--
-- nginx measures the silence between two reads and nothing else. That silence, as the whole time that is left, is
-- enough until the response begins; what may happen later needs a clock that a trickling instance does not wind up
-- again. A timer for each request would cost more than the rest of the gateway together, so each worker keeps the
-- times of its requests in tables, by the request's address in memory, and looks at them now and then. nginx has no
-- way from Lua to end another request than the one that runs; the functions of its own that do are public symbols.
local ffi = require "ffi"
local request = require "resty.core.base".get_request

ffi.cdef [[
    // Of nginx's ngx_http_request_t, which begins with these two in every version that has HTTP/2.
    typedef struct { uint32_t signature; void *connection; } runyard_request;
    // Takes the request from its upstream, as every nginx module does that sends a request again.
    intptr_t ngx_http_upstream_create(void *request);
    void ngx_http_finalize_request(void *request, intptr_t status);
    void ngx_http_run_posted_requests(void *connection);
]]

local C = ffi.C
local now, var = ngx.now, ngx.var

local M = {}

-- How often the tables are looked at, in seconds; a request may take that much longer than its time.
local STEP_S = 0.25
-- What nginx's own clock gets to answer 504 before this one cuts.
local GRACE_S = 0.5
local SIGNATURE = 0x50545448  -- "HTTP", as nginx marks a live request
local CUT = -1  -- NGX_ERROR: no answer, no keep-alive, no last chunk
local TIMEOUT = 504
local SWITCHED = 101

-- By request: when it must have ended, when its response must have begun, the longest silence of its instance and
-- when that was last heard, and whether it was ended for its late response.
local ends, starts, silences, heard, late = {}, {}, {}, {}, {}

local function key()
    return tonumber(ffi.cast("uintptr_t", request()))
end

-- Ends a request. Never compiled: what it calls runs Lua again, which LuaJIT forbids in compiled code.
local function finish(address, status)
    local pointer = ffi.cast("runyard_request *", address)
    if pointer.signature ~= SIGNATURE then
        ngx.log(ngx.ALERT, "a request that is gone is still watched")
        return
    end
    local connection = pointer.connection
    C.ngx_http_upstream_create(pointer)
    C.ngx_http_finalize_request(pointer, status)
    C.ngx_http_run_posted_requests(connection)
end
jit.off(finish, true)

-- Adds to `due` every request of `times` whose time has come.
local function collect(times, at, due)
    for address, time in pairs(times) do
        if time <= at then
            due[#due + 1] = address
        end
    end
    return due
end

-- The requests are collected first: ending one may end others, and change the tables.
local function sweep()
    local at = now()
    for _, address in ipairs(collect(starts, at, {})) do
        if starts[address] then
            starts[address], late[address] = nil, true
            finish(address, TIMEOUT)
        end
    end
    for _, address in ipairs(collect(ends, at - GRACE_S, {})) do
        if ends[address] then
            finish(address, CUT)
        end
    end
    for address, silence in pairs(silences) do
        heard[address] = heard[address] or at
        if at - heard[address] > silence then
            ends[address] = 0  -- cut by the next look
        end
    end
end
jit.off(sweep)

-- The seconds that a request has left of its service's time, counted from its arrival as on Cloud Run.
function M.left(service)
    return ngx.req.start_time() + service.timeout_s - now()
end

-- Watches a request that goes to an instance now. `closely`: it goes a way whose filters tell of its response.
function M.begin(service, left, closely)
    local address = key()
    ends[address] = now() + left
    if closely then
        local first = service.handling.response_start_s
        starts[address] = now() + (first > 0 and first < left and first or left)
    end
end

-- The header filter: the response has begun.
function M.started(service)
    local address = key()
    starts[address] = nil
    -- After a switch to another protocol no filter sees the data; runyard.balancer has set nginx's own clock for it.
    if service.handling.idle_s > 0 and ngx.status ~= SWITCHED then
        silences[address], heard[address] = service.handling.idle_s, now()
    end
end

-- The body filter: the instance was heard.
function M.hear()
    local address = key()
    if heard[address] then
        heard[address] = now()
    end
end

-- Whether this request was ended because its response did not begin in time.
function M.is_late()
    return late[key()] or false
end

-- Watches this request no more: it waits in the gateway, which has a clock of its own, or has ended.
function M.leave()
    local address = key()
    ends[address] = nil
    if starts[address] or heard[address] or late[address] then
        starts[address], silences[address], heard[address], late[address] = nil, nil, nil, nil
    end
end

function M.start_worker()
    local done, failure = ngx.timer.every(STEP_S, sweep)
    if not done then
        ngx.log(ngx.ERR, "watch the times of requests: ", failure)
    end
end

return M
