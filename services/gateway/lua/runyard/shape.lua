-- Shape: checks that a decoded message is runyard.contracts.GatewaySnapshot or GatewayDelta and fills in its defaults.
--
-- An unknown field is refused, as runyard.contracts does: an older reader never guesses.
local grammar = require "runyard.grammar"

local boolean, integer, label, text, header, tag =
    grammar.boolean, grammar.integer, grammar.label, grammar.text, grammar.header, grammar.tag
local key, pattern, prefix, rewrite, ip, address =
    grammar.key, grammar.pattern, grammar.prefix, grammar.rewrite, grammar.ip, grammar.address
local one_of, list, map, object = grammar.one_of, grammar.list, grammar.map, grammar.object

local M = {}

local VERSION = 1
-- Above 2^53 a Lua number no longer counts in ones.
local LARGEST = 2 ^ 53

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
local retries = object {
    attempts = { integer(0, 8), 8 },
    backoff_ms = { integer(0, 60000), 0 },
    backoff_most_ms = { integer(0, 60000), 0 },
}
local breaker = object {
    failures = { integer(0, 1e6), 5 },
    patience_s = { integer(0, 3600), 3 },
    open_s = { integer(1, 3600), 1 },
    open_most_s = { integer(1, 3600), 30 },
}
local service = object {
    traffic = { list(share), {} },
    uses = { list(label), {} },
    ingress = { one_of("all", "internal", "internal-and-cloud-load-balancing"), "all" },
    timeout_s = { integer(1, 86400), 300 },
    session_affinity = { boolean, false },
    stopped = { boolean, false },
    paused_until_unix_s = { integer(0, LARGEST), 0 },
    handling = { handling, {} },
    limits = { limits, {} },
    fallback = { fallback, {} },
    retries = { retries, {} },
    breaker = { breaker, {} },
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
    start_timeout_s = { integer(0, 86400), 0 },
}
local removals = object {
    services = { list(key), {} },
    hosts = { list(pattern), {} },
    endpoints = { list(key), {} },
    callers = { list(ip), {} },
    paths = { list(pattern), {} },
}

-- The fields of a message that has these beside the maps of a snapshot.
local function message(fields)
    fields.generation = { integer(1, LARGEST) }
    fields.services = { map(key, service), {} }
    fields.hosts = { map(pattern, key), {} }
    fields.paths = { map(pattern, list(route)), {} }
    fields.endpoints = { map(key, endpoints), {} }
    fields.callers = { map(ip, key), {} }
    fields.version = { integer(VERSION, VERSION), VERSION }
    return object(fields)
end

local snapshot = message {}
local delta = message {
    base = { integer(1, LARGEST) },
    removed = { removals, {} },
}

local function check(shape, name, value)
    grammar.explain(false)
    local done, result = pcall(shape, name, value)
    if done then
        return result
    end
    grammar.explain(true)
    return nil, select(2, pcall(shape, name, value))
end

-- Returns the snapshot with its defaults filled in, or nil and what is wrong with it.
function M.check_snapshot(value)
    return check(snapshot, "snapshot", value)
end

-- The same for a delta. What it changes it does not remove.
function M.check_delta(value)
    local found, failure = check(delta, "delta", value)
    if not found then
        return nil, failure
    end
    for section, names in pairs(found.removed) do
        for index, name in ipairs(names) do
            if found[section][name] ~= nil then
                local problem = "delta.removed.%s[%d]: must not be among what changes, got %q"
                return nil, problem:format(section, index - 1, name)
            end
        end
    end
    return found
end

return M
