-- Grpc: the gateway's own answers in the form that gRPC clients read: HTTP 200 and a status in the headers
-- (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Trailers-Only").
local var = require("runyard.request").var

local M = {}

local TYPE = "application/grpc"
local UNKNOWN = 2
-- gRPC's own table (http-grpc-status-mapping.md), made exact where we know more than a foreign proxy's status tells:
-- 413 and 429 are limits of ours, 504 a deadline of ours.
local codes = {
    [400] = 13, [401] = 16, [403] = 7, [404] = 12, [413] = 8, [429] = 8, [431] = 8,
    [502] = 14, [503] = 14, [504] = 4,
}

-- Whether the request is a gRPC call.
function M.is_call()
    local content_type = var.content_type
    return content_type ~= nil and content_type:sub(1, #TYPE) == TYPE
end

-- Answers a call with the gRPC status for an HTTP status, and a message of plain ASCII without a percent sign.
function M.refuse(status, message)
    ngx.status = ngx.HTTP_OK
    ngx.header["Content-Type"] = TYPE
    ngx.header["Content-Length"] = 0
    ngx.header["grpc-status"] = codes[status] or UNKNOWN
    ngx.header["grpc-message"] = message
    ngx.send_headers()
    return ngx.exit(ngx.HTTP_OK)
end

return M
