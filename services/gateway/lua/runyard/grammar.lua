-- Grammar: what the texts and numbers of a message may be, and how objects, lists and maps are made of them.
--
-- Every text has a grammar, because these values reach log lines and headers. A check takes the path of a value and the
-- value, gives it back with its defaults filled in, or ends with an error that says where, which rule and what was
-- seen.
local M = {}

local MOST_SHOWN = 120  -- bytes

-- What marks a table as a list, for runyard.canonical: an empty one looks like an empty object.
M.LIST = {}

-- Paths are joined only to explain: the first pass runs without, and almost every message passes it.
local explaining = false

function M.explain(whether)
    explaining = whether
end

local function under(path, separator, name)
    return explaining and path .. separator .. name or path
end

-- As much of a value as an answer shows; not cut within a character, or the answer would be no UTF-8.
local function show(value)
    local seen = type(value) == "string" and ("%q"):format(value) or tostring(value)
    local shown = seen:sub(1, MOST_SHOWN)
    return shown == seen and seen or shown:match("^(.-)[\192-\255]?[\128-\191]*$")
end

local function fail(path, rule, value)
    error(path .. ": must be " .. rule .. ", got " .. show(value), 0)
end

function M.integer(lowest, highest)
    return function(path, value)
        if type(value) ~= "number" or value ~= math.floor(value) or value < lowest or value > highest then
            fail(path, ("a whole number from %d to %d"):format(lowest, highest), value)
        end
        return value
    end
end

function M.boolean(path, value)
    if type(value) ~= "boolean" then
        fail(path, "true or false", value)
    end
    return value
end

function M.label(path, value)
    if type(value) ~= "string" or #value > 63 or not value:find("^[a-z0-9][-a-z0-9]*$") or value:sub(-1) == "-" then
        fail(path, "a DNS label", value)
    end
    return value
end

-- Text of at most 8 KiB, without control characters but line feeds and tabs.
function M.text(path, value)
    if type(value) ~= "string" or #value > 8192 or value:find("[%z\1-\8\11-\31\127]") then
        fail(path, "text of at most 8192 bytes without control characters", value)
    end
    return value
end

function M.header(path, value)
    if type(value) ~= "string" or #value > 63 or not (value == "" or value:find("^[A-Za-z][-A-Za-z0-9]*$")) then
        fail(path, "a header's name", value)
    end
    return value
end

function M.tag(path, value)
    return value == "" and value or M.label(path, value)
end

function M.key(path, value)
    local tenant, name
    if type(value) == "string" then
        tenant, name = value:match("^([^/]+)/([^/]+)$")
    end
    if not tenant then
        fail(path, "tenant/name", value)
    end
    M.label(path, tenant)
    M.label(path, name)
    return value
end

function M.host(path, value)
    if type(value) ~= "string" or #value > 253 then
        fail(path, "a host name", value)
    end
    for part in (value .. "."):gmatch("([^.]*)%.") do
        M.label(path, part)
    end
    return value
end

-- A host, `*.` before a host for one label more, or `*` for every other host.
function M.pattern(path, value)
    if value ~= "*" then
        M.host(path, type(value) == "string" and value:gsub("^%*%.", "", 1) or value)
    end
    return value
end

-- What a route matches and what it puts in its place: segments of unreserved characters, none of which climbs.
function M.prefix(path, value)
    local fits = type(value) == "string" and #value <= 256 and value:find("^/[%w._~/-]*$")
        and not value:find("//", 1, true)
    if not fits or (value ~= "/" and value:sub(-1) == "/") or (value .. "/"):find("/%.%.?/") then
        fail(path, "a path", value)
    end
    return value
end

function M.rewrite(path, value)
    return value == "" and value or M.prefix(path, value)
end

function M.ip(path, value)
    local plain = type(value) == "string" and #value <= 45 and (value:match("^%[([0-9a-f:.]+)%]$") or value)
    if not plain or not (plain:find("^%d+%.%d+%.%d+%.%d+$") or plain:find("^[0-9a-f:]*:[0-9a-f:.]*$")) then
        fail(path, "an IP address", value)
    end
    return value
end

function M.address(path, value)
    local where, port
    if type(value) == "string" then
        -- Without zeros before it: an endpoint has one name, by which it is counted.
        where, port = value:match("^(.+):([1-9]%d*)$")
    end
    port = tonumber(port)
    if not port or port > 65535 then
        fail(path, "address:port", value)
    end
    M.ip(path, where)
    return value
end

function M.one_of(...)
    local words = { ... }
    return function(path, value)
        for _, word in ipairs(words) do
            if value == word then
                return value
            end
        end
        fail(path, "one of " .. table.concat(words, ", "), value)
    end
end

function M.list(item)
    return function(path, value)
        if type(value) ~= "table" then
            fail(path, "a list", value)
        end
        local count = 0
        for _ in pairs(value) do
            count = count + 1
        end
        if count ~= #value then
            fail(path, "a list", "an object")
        end
        for index, each in ipairs(value) do
            item(explaining and path .. "[" .. index - 1 .. "]" or path, each)
        end
        return setmetatable(value, M.LIST)
    end
end

function M.map(name, item)
    return function(path, value)
        if type(value) ~= "table" then
            fail(path, "an object", value)
        end
        for each, inner in pairs(value) do
            name(path, each)
            item(under(path, ".", each), inner)
        end
        return value
    end
end

-- An object of these fields; each is { check } when it must be there and { check, default } when it may be absent.
function M.object(fields)
    return function(path, value)
        if type(value) ~= "table" then
            fail(path, "an object", value)
        end
        for name in pairs(value) do
            if not fields[name] then
                error(path .. ": unknown field " .. show(tostring(name)), 0)
            end
        end
        for name, field in pairs(fields) do
            if value[name] ~= nil then
                field[1](under(path, ".", name), value[name])
            elseif field[2] == nil then
                error(path .. ": field " .. name .. " is missing", 0)
            else
                -- A table default is always empty, and made anew so that nobody shares it; its own defaults are filled
                -- in.
                value[name] = type(field[2]) == "table" and field[1](path, {}) or field[2]
            end
        end
        return value
    end
end

return M
