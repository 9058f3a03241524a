-- Connection: names the request that runs now in the tables of this worker that outlive a phase.
--
-- The name is its connection's address in memory (of a stream, with HTTP/2): a connection has one request at a time, and
-- what nginx asks on its own behind that (a stale response's successor) has the same. The address of a request would not
-- do: such an inner one has its own, and there is no log phase to tell that it ended. ngx.ctx does not survive error_page,
-- and a variable costs ten times as much.
local ffi = require "ffi"
local request = require "resty.core.base".get_request

ffi.cdef [[
    // Of nginx's ngx_http_request_t and ngx_connection_t, which begin with these in every version that has HTTP/2.
    typedef struct { uint32_t signature; void *connection; } runyard_request;
    typedef struct { runyard_request *data; } runyard_connection;
]]

local M = {}

local SIGNATURE = 0x50545448  -- "HTTP", as nginx marks a live request

-- The number that names the current request until its log phase.
function M.key()
    return tonumber(ffi.cast("uintptr_t", ffi.cast("runyard_request *", request()).connection))
end

-- The request that has this name now, as nginx's own, or nil.
function M.request(key)
    local found = ffi.cast("runyard_connection *", key).data
    return found ~= nil and found.signature == SIGNATURE and found or nil
end

return M
