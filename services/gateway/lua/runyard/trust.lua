-- Trust: what no instance may say in a response: an answer that is none, a switch of protocols that nobody asked for, a
-- cookie for hosts that are not its own.
local request = require "runyard.request"
local verdicts = require "runyard.verdicts"

local var = request.var
local find, lower = string.find, string.lower

local M = {}

local SWITCHED = 101
-- What the Lua module tells as the status of what has no status line, which nginx takes for HTTP/0.9.
local NO_STATUS_LINE = 9

-- Whether the client asked for the switch, and can be given it: HTTP/2 has none.
local function may_switch()
    return var.upgrade ~= nil and var.upgrade ~= "" and (var.http2 == nil or var.http2 == "")
end

-- A cookie without its Domain, unless that is this host; nil when it is as it should be. A browser takes attributes as
-- they come, in any case, with blanks and tabs around them (RFC 6265, 5.2).
local function confined(cookie, host)
    if not find(lower(cookie), "domain", 1, true) then
        return nil
    end
    local kept, is_changed = {}, false
    for part in (cookie .. ";"):gmatch("([^;]*);") do
        local name, value = part:match("^[ \t]*([^=]-)[ \t]*=[ \t]*(.-)[ \t]*$")
        local is_domain = #kept > 0 and name and lower(name) == "domain"
        if is_domain and lower((value:gsub("^%.", ""))) ~= host then
            is_changed = true
        else
            kept[#kept + 1] = part
        end
    end
    return is_changed and table.concat(kept, ";") or nil
end

-- Confines the cookies that a response sets.
local function confine(cookies)
    local host, is_changed = var.host, false
    local all = type(cookies) == "table" and cookies or { cookies }
    for index, cookie in ipairs(all) do
        local other = confined(cookie, host)
        if other then
            all[index], is_changed = other, true
        end
    end
    if is_changed then
        ngx.header["Set-Cookie"] = all
    end
end

-- The header filter: looks at the response that begins, and returns whether it was refused.
function M.look()
    local status = ngx.status
    if status < 200 then
        if status == NO_STATUS_LINE then
            ngx.exit(ngx.ERROR)  -- nginx would send any answer without a header
            return true
        end
        if status ~= SWITCHED or not may_switch() then
            var.verdict, var.location = verdicts.UNSOUND_RESPONSE, "@last"
            ngx.exit(502)
            return true
        end
    end
    local cookies = ngx.header["Set-Cookie"]
    if cookies then
        confine(cookies)
    end
    return false
end

return M
