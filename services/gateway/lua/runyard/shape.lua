-- Shape: checks that a decoded snapshot is runyard.contracts.GatewaySnapshot and fills in its defaults.
--
-- Every text has a grammar, because these values reach log lines and headers. An unknown field is refused, as
-- runyard.contracts does: an older reader never guesses.
local M = {}

local VERSION = 1
-- Above 2^53 a Lua number no longer counts in ones.
local LARGEST = 2 ^ 53
local MOST_SHOWN = 120  -- bytes

-- Paths are joined only to explain: the first pass runs without, and almost every snapshot passes it.
local explaining = false

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

local function integer(lowest, highest)
    return function(path, value)
        if type(value) ~= "number" or value ~= math.floor(value) or value < lowest or value > highest then
            fail(path, ("a whole number from %d to %d"):format(lowest, highest), value)
        end
        return value
    end
end

local function boolean(path, value)
    if type(value) ~= "boolean" then
        fail(path, "true or false", value)
    end
    return value
end

local function label(path, value)
    if type(value) ~= "string" or #value > 63 or not value:find("^[a-z0-9][-a-z0-9]*$") or value:sub(-1) == "-" then
        fail(path, "a DNS label", value)
    end
    return value
end

-- Text of at most 8 KiB, without control characters but line feeds and tabs.
local function text(path, value)
    if type(value) ~= "string" or #value > 8192 or value:find("[%z\1-\8\11-\31\127]") then
        fail(path, "text of at most 8192 bytes without control characters", value)
    end
    return value
end

local function header(path, value)
    if type(value) ~= "string" or #value > 63 or not (value == "" or value:find("^[A-Za-z][-A-Za-z0-9]*$")) then
        fail(path, "a header's name", value)
    end
    return value
end

local function tag(path, value)
    return value == "" and value or label(path, value)
end

local function key(path, value)
    local tenant, name
    if type(value) == "string" then
        tenant, name = value:match("^([^/]+)/([^/]+)$")
    end
    if not tenant then
        fail(path, "tenant/name", value)
    end
    label(path, tenant)
    label(path, name)
    return value
end

local function host(path, value)
    if type(value) ~= "string" or #value > 253 then
        fail(path, "a host name", value)
    end
    for part in (value .. "."):gmatch("([^.]*)%.") do
        label(path, part)
    end
    return value
end

-- A host, `*.` before a host for one label more, or `*` for every other host.
local function pattern(path, value)
    if value ~= "*" then
        host(path, type(value) == "string" and value:gsub("^%*%.", "", 1) or value)
    end
    return value
end

-- What a route matches and what it puts in its place: segments of unreserved characters, none of which climbs.
local function prefix(path, value)
    local fits = type(value) == "string" and #value <= 256 and value:find("^/[%w._~/-]*$") and not value:find("//", 1, true)
    if not fits or (value ~= "/" and value:sub(-1) == "/") or (value .. "/"):find("/%.%.?/") then
        fail(path, "a path", value)
    end
    return value
end

local function rewrite(path, value)
    return value == "" and value or prefix(path, value)
end

local function ip(path, value)
    local plain = type(value) == "string" and #value <= 45 and (value:match("^%[([0-9a-f:.]+)%]$") or value)
    if not plain or not (plain:find("^%d+%.%d+%.%d+%.%d+$") or plain:find("^[0-9a-f:]*:[0-9a-f:.]*$")) then
        fail(path, "an IP address", value)
    end
    return value
end

local function address(path, value)
    local where, port
    if type(value) == "string" then
        where, port = value:match("^(.+):(%d+)$")
    end
    port = tonumber(port)
    if not port or port < 1 or port > 65535 then
        fail(path, "address:port", value)
    end
    ip(path, where)
    return value
end

local function one_of(...)
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

local function list(item)
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
        return value
    end
end

local function map(name, item)
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
local function object(fields)
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
                -- A table default is always empty, and made anew so that nobody shares it; its own defaults are filled in.
                value[name] = type(field[2]) == "table" and field[1](path, {}) or field[2]
            end
        end
        return value
    end
end

local share = object {
    revision = { label },
    percent = { integer(0, 100) },
    tag = { tag, "" },
}
local handling = object {
    response_start_s = { integer(0, 86400), 0 },
    idle_s = { integer(0, 86400), 0 },
    max_request_bytes = { integer(0, LARGEST), 0 },
    max_response_bytes = { integer(0, LARGEST), 0 },
    request_buffering = { boolean, true },
    cache = { boolean, false },
}
local limits = object {
    requests_per_second = { integer(0, 1e9), 0 },
    tenant_requests_per_second = { integer(0, 1e9), 0 },
    client_requests_per_second = { integer(0, 1e9), 0 },
    client_burst = { integer(0, 1e9), 0 },
    client_header = { header, "" },
    concurrent_requests = { integer(0, 1e9), 0 },
    queue_size = { integer(0, 1e6), 1000 },
    queue_timeout_s = { integer(0, 86400), 0 },
}
local fallback = object {
    service = { tag, "" },
    page = { text, "" },
}
local service = object {
    traffic = { list(share), {} },
    uses = { list(label), {} },
    ingress = { one_of("all", "internal", "internal-and-cloud-load-balancing"), "all" },
    timeout_s = { integer(1, 86400), 300 },
    session_affinity = { boolean, false },
    stopped = { boolean, false },
    handling = { handling, {} },
    limits = { limits, {} },
    fallback = { fallback, {} },
}
local route = object {
    path = { prefix },
    service = { key },
    rewrite = { rewrite, "" },
}
local endpoints = object {
    addresses = { list(address), {} },
    protocol = { one_of("http1", "h2c"), "http1" },
    concurrency = { integer(0, 100000), 80 },
}
local snapshot = object {
    generation = { integer(1, LARGEST) },
    services = { map(key, service), {} },
    hosts = { map(pattern, key), {} },
    paths = { map(pattern, list(route)), {} },
    endpoints = { map(key, endpoints), {} },
    callers = { map(ip, key), {} },
    version = { integer(VERSION, VERSION), VERSION },
}

-- Returns the snapshot with its defaults filled in, or nil and what is wrong with it.
function M.check(value)
    explaining = false
    local done, result = pcall(snapshot, "snapshot", value)
    if done then
        return result
    end
    explaining = true
    done, result = pcall(snapshot, "snapshot", value)
    return nil, result
end

return M
