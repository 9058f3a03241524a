-- Metrics: what the gateway counts beside the request log, in Prometheus' text format (0.0.4).
local breaker = require "runyard.breaker"
local cjson = require "cjson.safe"
local cold_start = require "runyard.cold_start"
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

-- The samples of one kind of counter.
local function add_kind(lines, found, each, owner)
    for _, key in ipairs(keys_of(found, each.kind)) do
        local value = found[each.kind .. "|" .. key]
        if each.by == "revision" then
            sample(lines, PREFIX .. each.name, key, owner[key], value)
        elseif each.by == "holder" then
            lines[#lines + 1] = ('%s{holder="%s"} %s'):format(PREFIX .. each.name, key, value)
        else
            local tenant, service = key:match("^([^/]+)/(.+)$")
            local limit = each.limit and (',limit="%s"'):format(each.limit) or ""
            lines[#lines + 1] =
                ('%s{tenant="%s",service="%s"%s} %s'):format(PREFIX .. each.name, tenant, service, limit, value)
        end
    end
end

local function add_queues(lines)
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
    for _, each in ipairs(counters.kinds) do
        -- Kinds that are one metric follow each other, and the first of them tells of it.
        if each.help then
            header(lines, PREFIX .. each.name, each.help, "counter")
        end
        add_kind(lines, found, each, owner)
    end
    add_queues(lines)
    cold_start.describe(lines, PREFIX, found)
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
