-- Hop by hop: the headers that are meant for the gateway alone, because Connection names them (RFC 9110, 7.6.1).
local var = require("runyard.request").var

local M = {}

-- What a client cannot have removed: nginx itself deals with these, or the gateway depends on them.
local kept = {
    ["host"] = true, ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true,
    ["upgrade"] = true, ["x-request-id"] = true, ["close"] = true, ["keep-alive"] = true,
}
-- More names than this are no honest request; the rest is left alone.
local MOST_NAMES = 16

-- Removes the headers that Connection names; what the gateway sets itself is set after this.
function M.strip()
    local seen = 0
    for name in var.http_connection:lower():gmatch("[^,%s]+") do
        seen = seen + 1
        if seen > MOST_NAMES then
            break
        end
        if not kept[name] then
            ngx.req.clear_header(name)
        end
    end
    return "yes"
end

return M
