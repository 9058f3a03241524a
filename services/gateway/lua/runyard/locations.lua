-- Locations: the locations that a request takes when it does not take the plain one, and what it must pass to go on
-- there.
--
-- $location names the location that it needs, $here the one that it is in. They differ in what nginx can only set in a
-- location: @again buffers both bodies, @stream only the request's, @upload and @h2c neither.
local bodies = require "runyard.bodies"
local cache = require "runyard.cache"
local connection = require "runyard.connection"
local ffi = require "ffi"
local hosts = require "runyard.hosts"
local router = require "runyard.router"
local watch = require "runyard.watch"
local routing = require "runyard.routing"
local verdicts = require "runyard.verdicts"

ffi.cdef [[
    // Of a stream of HTTP/2, it has nginx throw away what comes, and sends nothing.
    intptr_t ngx_http_discard_request_body(void *request);
]]

local var = require("runyard.request").var

local M = {}

local HTTP2 = 2
local unbuffered = { ["@upload"] = true, ["@h2c"] = true }
-- Methods that have no body unless they say so (RFC 9110, 9.3).
local bodiless = { GET = true, HEAD = true }
local default_timeout_s

function M.configure(settings)
    default_timeout_s = settings.default_timeout_s
end

-- runyard.router's verdict for a request of a listener that speaks HTTP/2. A GET that tells no length of a body goes
-- the plain location without one: nothing tells whether there is any, and nobody has counted it (runyard.bodies).
function M.route_http2(listener)
    local verdict = router.route(listener)
    if verdict == verdicts.GO and var.http2 ~= "" and bodiless[var.request_method] and not var.http_content_length then
        ffi.C.ngx_http_discard_request_body(connection.current())
    end
    return verdict
end

-- The same where clients speak TLS. A connection belongs to the tenant whose certificate it was made with: a browser
-- may use it for other hosts of that certificate (RFC 9113, 9.1.1), and then comes again for another tenant's.
function M.route_tls(listener)
    local named = var.ssl_server_name
    if named ~= var.host then
        routing.sync()
        local tenant = hosts.tenant(var.host)
        if tenant and (not named or hosts.tenant(named:lower()) ~= tenant) then
            return verdicts.MISDIRECTED
        end
    end
    return M.route_http2(listener)
end

local function has_body()
    local length = var.http_content_length
    if length then
        return length ~= "0"
    end
    -- HTTP/2 tells neither length nor encoding of a body.
    return var.http_transfer_encoding ~= nil or (ngx.req.http_version() == HTTP2 and not bodiless[var.request_method])
end

local function body_bytes()
    local path = ngx.req.get_body_file()
    if not path then
        return #(ngx.req.get_body_data() or "")
    end
    local handle = assert(io.open(path, "rb"))
    local size = handle:seek("end")
    handle:close()
    return size
end

-- Whether a location sends bodies on as they come, and keeps nothing of them.
function M.is_unbuffered(location)
    return unbuffered[location] or false
end

-- Whether this request has a body that is not kept: it can be tried once, and must have a place at an instance before.
function M.has_one_try()
    return unbuffered[var.here] and has_body() or false
end

-- Whether this request was tried with such a body: what nginx read of it is gone, and it cannot be sent again, not even
-- when no instance has seen it.
function M.is_spent()
    return var.upstream_addr ~= nil and M.has_one_try()
end

-- Reads the body. nginx then listens to the client no more, so what noticed that it goes away is put back.
local function read_all()
    local current = connection.current()
    local listener = current.handlers[0]
    ngx.req.read_body()
    current.handlers[0] = listener
end

-- Reads the body where it is kept. An instance is taken after this: a slow upload must not occupy it.
function M.read_body()
    if unbuffered[var.here] then
        return
    end
    -- Where it cannot be written, nginx ends this phase, and error_page begins it again with this verdict.
    local verdict = var.verdict
    var.verdict = verdicts.NO_ROOM
    watch.expect_body()
    read_all()
    watch.leave(connection.key())
    var.verdict = verdict
end

-- Whether nginx could not write the body while it went to an instance: none was asked. What is left of such a body must
-- go nowhere, as an instance would wait for the rest, or take the next request for it.
function M.is_cut_short()
    return var.verdict == verdicts.GO and not var.upstream_addr and has_body()
end

-- Reads a body of unknown length, in the room that it may need, and returns its bytes, or nil and the name of an
-- answer.
local function measure(left)
    local name
    local verdict = var.verdict
    var.verdict = verdicts.NO_ROOM
    if ngx.req.http_version() == HTTP2 then
        -- Most have none. What nginx has taken before it was asked is 64 KiB at most.
        local reading = ngx.thread.spawn(read_all)
        if coroutine.status(reading) ~= "zombie" then
            name = bodies.take(nil, left)
            if not name then
                ngx.thread.wait(reading)
            end
        end
    else
        name = bodies.take(nil, left)
        if not name then
            read_all()
        end
    end
    var.verdict = verdict
    if name then
        return nil, name
    end
    local bytes = body_bytes()
    bodies.shrink(bytes)
    return bytes, bodies.take(bytes, left)
end

-- Whether a body of unknown length comes. HTTP/2 tells of one by no header, only by what follows them: where nothing
-- does, reading ends in the same turn, and where something does, the read ends with the request that is refused.
local function is_coming()
    if ngx.req.http_version() ~= HTTP2 then
        return true
    end
    return coroutine.status(ngx.thread.spawn(read_all)) ~= "zombie"
end

-- The name of the answer to a request that its service does not take, or nil. A body that is neither announced nor kept
-- cannot be measured before an instance has it. Calls to h2c never announce theirs: of these, nginx takes as much as
-- the platform allows.
function M.refusal()
    local service, here = routing.service(var.tenant .. "/" .. var.service), var.here
    local most = service and service.handling.max_request_bytes or 0
    local bytes, failure = tonumber(var.http_content_length), nil
    local untold = not bytes and (var.http_transfer_encoding or ngx.req.http_version() == HTTP2)
    if here == "@upload" then
        if untold and most > 0 then
            return is_coming() and verdicts.LENGTH_REQUIRED or nil
        end
    elseif here ~= "@h2c" then
        local left = service and watch.left(service) or default_timeout_s
        if untold then
            bytes, failure = measure(left)
            if bytes and bytes > 0 and var.location == cache.LOCATION then
                var.location = "@again"  -- no plain GET: its answer is its own
            end
        elseif bytes and (most == 0 or bytes <= most) then
            failure = bodies.take(bytes, left)
        end
    end
    if failure then
        return failure
    end
    return most > 0 and bytes and bytes > most and verdicts.REQUEST_TOO_LARGE or nil
end

-- Sends the request on: to another location when it turned out to need that, else to the instance. grpc_pass takes its
-- path from nothing but the request; what nginx would write differently there is refused.
function M.go_on()
    if var.location ~= var.here then
        var.verdict = verdicts.ASIDE
        return ngx.exec(var.location)
    end
    local target = var.target
    if var.here ~= "@h2c" or not target or target == "" then
        return nil
    end
    local path = target:match("^[^?]*")
    if path:lower():find("%%[25][fc]") then
        return verdicts.UNCLEAR_PATH
    end
    ngx.req.set_uri(ngx.unescape_uri(path))
end

return M
