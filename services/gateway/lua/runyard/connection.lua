-- Connection: names the request that runs now in the tables of this worker that outlive a phase.
--
-- The name is its connection's address in memory (of a stream, with HTTP/2): a connection has one request at a time,
-- and what nginx asks on its own behind that (a stale response's successor) has the same. The address of a request
-- would not do: such an inner one has its own, and there is no log phase to tell that it ended. ngx.ctx does not
-- survive error_page, and a variable costs ten times as much.
local bit = require "bit"
local ffi = require "ffi"
local layout = require "runyard.layout"
local var = require("runyard.request").var

ffi.cdef [[
    runyard_value *ngx_http_get_variable(void *request, runyard_text *name, uintptr_t hash);
    uintptr_t ngx_hash_strlow(char *to, const char *from, size_t length);
    int shutdown(int socket, int how);
]]

local M = {}

local BOTH_WAYS = 2  -- SHUT_RDWR
local NEVER = ffi.cast("uintptr_t", ffi.cast("intptr_t", -1))  -- nginx's (ngx_msec_t) -1
-- An IPv6 client has a /64 of its own (RFC 6177) and could be a new one with every request.
M.ADDRESS_BYTES = 8

M.current = layout.current

-- The number that names the current request until its log phase.
function M.key()
    return tonumber(ffi.cast("uintptr_t", M.current().connection))
end

-- What tells one client from another: its address, in nginx's binary form.
function M.client()
    return var.binary_remote_addr:sub(1, M.ADDRESS_BYTES)
end

-- The request that has this name now, as nginx's own, or nil.
function M.request(key)
    local found = ffi.cast("runyard_connection *", key).data
    return found ~= nil and found.signature == layout.SIGNATURE and found or nil
end

-- Whether the instance that a request was sent to has not answered anything yet. nginx writes the time of the header as
-- the largest number until there is one.
function M.is_unanswered(current)
    local tries = current.tries
    if tries == nil or tries.count == 0 then
        return false
    end
    return tries.items[tries.count - 1].header_ms == NEVER
end

-- One of nginx's variables of any request, not only of the one that runs; "" when it has none. Dear: a request has its
-- own in runyard.request.
function M.variable(current, name)
    local lowered = ffi.new("char[?]", #name)
    local hash = ffi.C.ngx_hash_strlow(lowered, name, #name)
    local value = ffi.C.ngx_http_get_variable(current, ffi.new("runyard_text", #name, lowered), hash)
    if value == nil or bit.band(value.bits, layout.IS_MISSING) ~= 0 then
        return ""
    end
    return ffi.string(value.bytes, bit.band(value.bits, layout.LENGTH))
end

-- Ends a socket: whoever nginx talks to over it has gone, as nginx sees it.
function M.shut(socket)
    ffi.C.shutdown(socket, BOTH_WAYS)
end

-- Closes the connection that a request has to its instance, if it has one: to nginx the instance has gone.
function M.hang_up(current)
    local upstream = current.upstream
    if upstream ~= nil and upstream.connection ~= nil then
        M.shut(upstream.connection.fd)
    end
end

return M
