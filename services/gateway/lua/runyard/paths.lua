-- Paths: which part of a host a request is for, and what its path becomes there.
--
-- The path is taken as the client wrote it, for that is what instances get. One that two readers could take for
-- different places is refused, so a request cannot reach, or be rewritten to, a place that its own text does not name.
local verdicts = require "runyard.verdicts"
local var = require("runyard.request").var
local sub, find, byte = string.sub, string.find, string.byte

local M = {}

local SLASH = byte("/")

-- Writes letters, digits and -._~ plainly: %61 is the same as a (RFC 3986, 2.3). Others stay as they are.
local function plain_unreserved(path)
    return (path:gsub("%%(%x%x)", function(digits)
        local character = string.char(tonumber(digits, 16))
        return character:find("^[%w._~-]$") and character or nil
    end))
end

-- Whether some reader sees a segment that climbs or stays: `..`, `..;x` (a parameter of a segment), `..%2f`, `..%5c`.
local function climbs(path)
    local decoded = ngx.unescape_uri(path):gsub("\\", "/")
    return find(decoded .. "/", "/%.%.?[/;]") or find(decoded, "%z")
end

-- The path of the request, or nil when it is not clear, and its query with the question mark.
local function read()
    local uri = var.request_uri
    local question = find(uri, "?", 1, true)
    local path, query = uri, ""
    if question then
        path, query = sub(uri, 1, question - 1), sub(uri, question)
    end
    if byte(path) ~= SLASH or find(path, "[#\\]") then
        return nil
    end
    if find(path, "%", 1, true) then
        path = plain_unreserved(path)
    end
    if (find(path, "%", 1, true) or find(path, "/.", 1, true)) and climbs(path) then
        return nil
    end
    return path, query
end

local function match(parts, path)
    for index = 1, #parts do
        local part = parts[index]
        if path == part.path or sub(path, 1, #part.below) == part.below then
            return part
        end
    end
    return nil
end

-- Puts the rewriting into $target: one slash first, whatever the client wrote after what was cut off, because `//host`
-- would name another host.
local function aim(part, path, query)
    local base = part.rewrite == "/" and "" or part.rewrite
    local target = base .. sub(path, part.cut + 1)
    var.target = "/" .. target:gsub("^/+", "") .. query
    var.prefix = part.path
end

-- The part of a route that a request is for, with its `service`, and its rewriting in $target; nil and a verdict when
-- there is none.
function M.find(route)
    local path, query = read()
    if not path then
        return nil, verdicts.UNCLEAR_PATH
    end
    local part = match(route.paths, path) or route
    if not part.service then
        return nil, verdicts.UNKNOWN_PATH
    end
    if part.rewrite then
        aim(part, path, query)
    end
    return part
end

return M
