-- Cache: which requests may be answered from the gateway's cache, and what makes kept answers invalid.
--
-- nginx keeps and checks the answers (Cache-Control, Vary, Set-Cookie). Here is what it leaves out of RFC 9111, and the
-- epoch in the key: a purge changes it, so that what was kept before is never asked for again and ages out.
local purged = ngx.shared.purged
local var = require("runyard.request").var

local M = { LOCATION = "@cached" }

local methods = { GET = true, HEAD = true }

-- The first worker's counts. The cache's files and this memory are gone together when the container ends; the stamp
-- keeps what a killed nginx left behind from being taken for new.
purged:add("start", ngx.time())

local function epoch(key, path)
    return (purged:get(key) or 0) .. "." .. (purged:get(key .. path) or 0) .. "." .. purged:get("start")
end

local function path_of(target)
    return target:match("^[^?#]*")
end

-- The location for a request of a service with a cache, or nil when the cache must not or cannot answer: an answer to
-- Authorization is nobody else's (RFC 9111, 3.5), a part is not the whole, and what has a body is no plain GET. Whether
-- HTTP/2 brings one without a length is for runyard.locations to find out.
function M.location(service)
    if not methods[var.request_method] or var.http_authorization or var.http_range or var.http_upgrade
        or var.http_content_length or var.http_transfer_encoding then
        return nil
    end
    var.cache_epoch = epoch(service.key, path_of(var.request_uri))
    return M.LOCATION
end

-- Makes invalid what is kept of a service, or of one path of it whatever the host and the query. Returns nothing.
function M.purge(key, path)
    local turn = purged:incr("turn", 1, 0)
    if path and purged:safe_set(key .. path, turn) then
        return
    end
    -- Also when there is no room for another path: rather too much than too little.
    purged:set(key, turn)
end

return M
