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
    // begin with these in every version that has HTTP/2; of what its keepalive module notes for a request; and all of
    // ngx_http_upstream_state_t (since 1.19.4), ngx_str_t and ngx_variable_value_t.
    typedef struct runyard_request runyard_request;
    typedef struct { runyard_request *data; void *events[2]; int fd; } runyard_connection;
    typedef struct { void *pool; } runyard_keeper;
    typedef struct {
        void *handlers[2];
        runyard_connection *connection; void *address; uint32_t address_length; void *name;
        uintptr_t tries, started; void *calls[3]; runyard_keeper *keeper;
    } runyard_upstream;
    typedef struct { uintptr_t status, whole_ms, connect_ms, header_ms, rest[5]; } runyard_try;
    typedef struct { runyard_try *items; uintptr_t count; } runyard_tries;
    struct runyard_request {
        uint32_t signature; void *connection; void *configuration[4];
        void *handlers[2];  // who is called when the client can be read from, and written to
        void *cache; runyard_upstream *upstream; runyard_tries *tries;
    };
    typedef struct { size_t length; const char *bytes; } runyard_text;
    typedef struct { uint32_t length: 28, is_valid: 1, is_volatile: 1, is_missing: 1, escape: 1; const char *bytes; }
        runyard_value;

    runyard_value *ngx_http_get_variable(void *request, runyard_text *name, uintptr_t hash);
    uintptr_t ngx_hash_strlow(char *to, const char *from, size_t length);
    int shutdown(int socket, int how);
]]

local M = {}

local SIGNATURE = 0x50545448  -- "HTTP", as nginx marks a live request
local BOTH_WAYS = 2  -- SHUT_RDWR
local NEVER = ffi.cast("uintptr_t", ffi.cast("intptr_t", -1))  -- nginx's (ngx_msec_t) -1
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
    return value ~= nil and value.is_missing == 0 and ffi.string(value.bytes, value.length) or ""
end

-- Closes the connection that a request has to its instance, if it has one: to nginx the instance has gone.
function M.hang_up(current)
    local upstream = current.upstream
    if upstream ~= nil and upstream.connection ~= nil then
        ffi.C.shutdown(upstream.connection.fd, BOTH_WAYS)
    end
end

return M
