-- Metrics: what the gateway counts beside the request log, in Prometheus' text format (0.0.4).
local breaker = require "runyard.breaker"
local cjson = require "cjson.safe"
local counters = require "runyard.counters"
local health = require "runyard.health"
local inflight = require "runyard.inflight"
local routing = require "runyard.routing"

local shared = ngx.shared.snapshot

local M = {}

local TYPE = "text/plain; version=0.0.4; charset=utf-8"
-- How many revisions are looked at before other requests get their turn; about 1 ms of work.
local BATCH = 200
local PREFIX = "runyard_gateway_"

-- Counted in runyard.counters under their names here, by `tenant/revision`.
local totals = {
    { "retries", "Requests sent to another instance, or to the same one again, after a failed try." },
    { "retries_refused", "Retries that were refused because a fifth more than was asked had been sent already." },
    { "ejections", "Times an instance was ejected after failures in a row." },
    { "breaker_opened", "Times that no instance could be reached, so that requests were refused." },
}
-- Counted under `limited_` and these names, by `tenant/service`.
local limits = { "client", "concurrency", "service", "tenant" }
-- Counted by `tenant/service`: what they are called here, what they are counted as, and what they tell.
local by_service = {
    { "queue_wait_seconds_count", "queued", "Requests that waited for an instance and went on or gave up." },
    { "queue_wait_seconds_sum", "queue_wait_s", "How long those waited together." },
    { "fallbacks_total", "fallbacks", "Requests that were answered by what their service falls back to." },
    { "queue_full_total", "queue_full", "Requests that were answered 429 because too many waited." },
}
local gauges = {
    { "ejected_instances", "Instances that are ejected now.", health.ejected_in },
    { "breaker_state", "0 closed, 1 half-open, 2 open.", function(group)
        return ({ closed = 0, ["half-open"] = 1, open = 2 })[breaker.state(group)]
    end },
}

-- The service of every revision that has traffic or a tag, by `tenant/revision`, and the revisions in order.
local function revisions()
    local owner, order = {}, {}
    for _, name in ipairs(shared:get_keys(0)) do
        local tenant, service = name:match("^service:([^/]+)/(.+)$")
        local fields = tenant and cjson.decode(shared:get(name) or "")
        for _, share in ipairs(fields and fields.traffic or {}) do
            local key = tenant .. "/" .. share.revision
            if not owner[key] then
                order[#order + 1] = key
            end
            owner[key] = service
        end
    end
    table.sort(order)
    return owner, order
end

local function header(lines, name, help, kind)
    lines[#lines + 1] = ("# HELP %s %s\n# TYPE %s %s"):format(name, help, name, kind)
end

local function sample(lines, name, key, service, value)
    local tenant, revision = key:match("^([^/]+)/(.+)$")
    lines[#lines + 1] =
        ('%s{tenant="%s",service="%s",revision="%s"} %s'):format(name, tenant, service or "", revision, value)
end

-- The keys of a counter's values, in order.
local function keys_of(found, metric)
    local keys = {}
    for name in pairs(found) do
        if name:sub(1, #metric + 1) == metric .. "|" then
            keys[#keys + 1] = name:sub(#metric + 2)
        end
    end
    table.sort(keys)
    return keys
end

local function add_limited(lines, found)
    local name = PREFIX .. "limited_requests_total"
    header(lines, name, "Requests that were answered 429, by the limit that they met.", "counter")
    for _, limit in ipairs(limits) do
        for _, key in ipairs(keys_of(found, "limited_" .. limit)) do
            local tenant, service = key:match("^([^/]+)/(.+)$")
            lines[#lines + 1] = ('%s{tenant="%s",service="%s",limit="%s"} %s'):format(
                name, tenant, service, limit, found["limited_" .. limit .. "|" .. key]
            )
        end
    end
end

local function add_by_service(lines, found)
    for _, each in ipairs(by_service) do
        header(lines, PREFIX .. each[1], each[3], "counter")
        for _, key in ipairs(keys_of(found, each[2])) do
            local tenant, service = key:match("^([^/]+)/(.+)$")
            local value = found[each[2] .. "|" .. key]
            lines[#lines + 1] = ('%s{tenant="%s",service="%s"} %s'):format(PREFIX .. each[1], tenant, service, value)
        end
    end
    header(lines, PREFIX .. "queue_length", "Requests that wait for an instance now.", "gauge")
    local names = inflight.names()
    table.sort(names)
    for _, name in ipairs(names) do
        local tenant, service = name:match("^queue|([^/]+)/(.+)$")
        if tenant then
            lines[#lines + 1] = ('%s{tenant="%s",service="%s"} %d'):format(
                PREFIX .. "queue_length", tenant, service, inflight.count(name)
            )
        end
    end
end

-- Everything, as text. `breathe` is called between pieces of the work.
local function render(breathe)
    local lines, found = {}, counters.all()
    local owner, order = revisions()
    for _, each in ipairs(totals) do
        local name = PREFIX .. each[1] .. "_total"
        header(lines, name, each[2], "counter")
        for _, revision in ipairs(keys_of(found, each[1])) do
            sample(lines, name, revision, owner[revision], found[each[1] .. "|" .. revision])
        end
    end
    add_limited(lines, found)
    add_by_service(lines, found)
    for _, each in ipairs(gauges) do
        header(lines, PREFIX .. each[1], each[2], "gauge")
        for index, key in ipairs(order) do
            if index % BATCH == 0 then
                breathe()
            end
            local tenant, revision = key:match("^([^/]+)/(.+)$")
            sample(lines, PREFIX .. each[1], key, owner[key], each[3](routing.endpoints(tenant, revision)))
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

-- Gives the metrics and their media type.
function M.render(breathe)
    routing.sync()
    return render(breathe), TYPE
end

return M
