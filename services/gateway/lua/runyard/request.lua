-- Request: all that the gateway notes of the request that runs, and all that it reads of it, registered in one place.
--
-- What must survive error_page stands in nginx's variables, which ngx.ctx does not; what must be found by others than
-- the request itself, in tables of the worker. `var` refuses a name that is not here, and the writing of nginx's own;
-- tests/unit/services/gateway/test_request.py finds them before they run.
local variables = require "runyard.variables"

local read, write = variables.read, variables.write

local M = {}

-- Noted in nginx's variables, by the modules that have decided it.
M.noted = {
    verdict = "what was decided of it, one of runyard.verdicts",
    location = "the location that it needs",
    call_id = "its name in the log and in X-Request-Id",
    log_host = "its host, once a route knows it",
    tenant = "whose service it is for",
    service = "which service it is for: the fallback's name once that answers",
    revision = "which revision was chosen",
    caller = "the service that asks, on the internal listener",
    caller_token = "the token that says so, where the Platform has such",
    instance = "the address of the endpoint of which it holds a count",
    fallback = "the service that answers instead",
    target = "the path and query that a route's rewriting makes",
    prefix = "what that rewriting cuts off",
    session = "the cookie that brings the client back",
    rate_policy = "the limit that its answer tells of",
    rate_limit = "what that limit leaves",
    retries = "how often it was sent again",
    rounds = "how often error_page brought it back",
    hold_until = "until when it may wait",
    held_s = "how long it waited for an instance or a place at one",
    cache_epoch = "since when kept answers are good for it",
    unkept = "whether its response must not be kept",
}

-- Told by nginx and by nginx.conf.
M.told = {
    listener = "edge or internal", here = "the location that it is in", usual_location = "where it goes by its Accept",
    upgrade = "the protocol that it asks to switch to, if that is one that is known",
    remote_addr = "its peer", binary_remote_addr = "its peer", server_addr = "where it came to",
    scheme = "http or https", http2 = "h2, h2c or nothing",
    request_method = "method", request_uri = "path and query as they came", uri = "path as nginx reads it",
    ssl_server_name = "the host that its connection was made for (SNI)",
    host = "host as nginx reads it", content_type = "Content-Type", arg_wait = "how long the orchestrator waits",
    arg_after = "what it was told of load before", arg_life = "and in which life of the gateway",
    http_host = "Host", http_authorization = "Authorization", http_connection = "Connection",
    http_content_length = "Content-Length", http_range = "Range", http_upgrade = "Upgrade",
    http_transfer_encoding = "Transfer-Encoding",
    upstream_addr = "the instances that were tried", upstream_status = "what each of them answered",
    upstream_connect_time = "how long each connection took", upstream_cache_status = "what the cache has of it",
    upstream_http_transfer_encoding = "Transfer-Encoding of the response",
}

local noted, known = M.noted, {}
for _, names in ipairs { M.noted, M.told } do
    for name in pairs(names) do
        known[name] = true
    end
end

local function refuse(name)
    error("no variable of requests is registered as " .. tostring(name), 3)
end

M.var = setmetatable({}, {
    __index = function(_, name)
        if not known[name] then
            refuse(name)
        end
        return read(name)
    end,
    __newindex = function(_, name, value)
        if not noted[name] then
            refuse(name)
        end
        write(name, value)
    end,
})

-- Tables of this worker, by runyard.connection's key; what was chosen for it is forgotten with each change of the
-- snapshot and so stands in runyard.routing. Each belongs to the one module that takes it, which empties it of
-- a request in the log phase (runyard.finish) at the latest.
local tables = {
    endpoint = {},  -- runyard.balancer: the endpoint of which it holds a count
    concurrency = {},  -- runyard.limit: the name of the service's count of which it holds one
    standing = {},  -- runyard.queue: its place in a line
    asleep = {},  -- runyard.cold_start: whether it found its revision without an instance
    body = {},  -- runyard.bodies: the pages that its body takes, and the names that they are counted by
    kept_pages = {},  -- runyard.cache_admission: the pages that its response may write
    taken_back = {},  -- runyard.rescue: that it was taken from an instance that hangs
    -- runyard.watch: when it must have ended, when its response must have begun, the longest silence of its instance
    -- and when that was last heard, and whether it was ended for its late response. And what nginx fetches behind a
    -- stale response: a request inside the one of this key, which has its answer already.
    ends = {}, starts = {}, silences = {}, heard = {}, late = {}, behind = {},
}

-- The table of this name; to be taken once, when a module is loaded.
function M.by_key(name)
    return tables[name] or error("no table of requests is registered as " .. tostring(name), 2)
end

-- A header by its name in small letters and with underscores, or nil.
function M.header(name)
    return ngx.var["http_" .. name]
end

-- A cookie, or nil.
function M.cookie(name)
    return ngx.var["cookie_" .. name]
end

-- How many bytes its response may still have, or nil when nobody limits it. In ngx.ctx, because it is of the answer
-- that is being sent: another one after error_page begins without it.
function M.room()
    return ngx.ctx.room
end

function M.set_room(bytes)
    ngx.ctx.room = bytes
end

return M
