-- Connection: names the request that runs now in the tables of this worker that outlive a phase.
--
-- The name is its connection's address in memory (of a stream, with HTTP/2): a connection has one request at a time,
-- and what nginx asks on its own behind that (a stale response's successor) has the same. The address of a request
-- would not do: such an inner one has its own, and there is no log phase to tell that it ended. ngx.ctx does not
-- survive error_page, and a variable costs ten times as much.
local ffi = require "ffi"
local request = require "resty.core.base".get_request
local var = require("runyard.request").var

ffi.cdef [[
    // Of nginx's ngx_http_request_t, ngx_connection_t and ngx_http_upstream_t with its ngx_peer_connection_t, which
    // begin with these in every version that has HTTP/2; and of what its keepalive module notes for a request.
    typedef struct runyard_request runyard_request;
    typedef struct { runyard_request *data; void *events[2]; int fd; } runyard_connection;
    typedef struct { void *pool; } runyard_keeper;
    typedef struct {
        void *handlers[2];
        runyard_connection *connection; void *address; uint32_t address_length; void *name;
        uintptr_t tries, started; void *calls[3]; runyard_keeper *keeper;
    } runyard_upstream;
    struct runyard_request {
        uint32_t signature; void *connection; void *configuration[4]; void *handlers[2]; void *cache;
        runyard_upstream *upstream;
    };

    int shutdown(int socket, int how);
]]

local M = {}

local SIGNATURE = 0x50545448  -- "HTTP", as nginx marks a live request
local BOTH_WAYS = 2  -- SHUT_RDWR
-- An IPv6 client has a /64 of its own (RFC 6177) and could be a new one with every request.
local ADDRESS_BYTES = 8

-- The current request, as nginx's own.
function M.current()
    return ffi.cast("runyard_request *", request())
end

-- The number that names the current request until its log phase.
function M.key()
    return tonumber(ffi.cast("uintptr_t", M.current().connection))
end

-- What tells one client from another: its address, in nginx's binary form.
function M.client()
    return var.binary_remote_addr:sub(1, ADDRESS_BYTES)
end

-- The request that has this name now, as nginx's own, or nil.
function M.request(key)
    local found = ffi.cast("runyard_connection *", key).data
    return found ~= nil and found.signature == SIGNATURE and found or nil
end

-- Closes the connection that a request has to its instance, if it has one: to nginx the instance has gone.
function M.hang_up(current)
    local upstream = current.upstream
    if upstream ~= nil and upstream.connection ~= nil then
        ffi.C.shutdown(upstream.connection.fd, BOTH_WAYS)
    end
end

return M
