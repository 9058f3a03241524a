-- Cold start: how long clients waited whose request found its revision without an instance, from when it came to the
-- first byte of the instance's answer, by service, over all workers. It is a histogram of runyard.metrics.
local connection = require "runyard.connection"
local registered = require "runyard.request"

local shared = ngx.shared.counters

local M = {}

local NAME = "cold_start_seconds"
-- From what a paused instance needs to what a start may take, in seconds.
local BOUNDS = { 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60 }

local asleep = registered.by_key("asleep")

-- Notes that the current request found no instance.
function M.begin()
    asleep[connection.key()] = true
end

local function add(kind, service, amount)
    local _, failure = shared:incr("cold|" .. service .. "|" .. kind, amount, 0)
    if failure then
        ngx.log(ngx.ERR, "count the cold start of ", service, ": ", failure)
    end
end

local function bucket_of(seconds)
    for index, bound in ipairs(BOUNDS) do
        if seconds <= bound then
            return index
        end
    end
    return #BOUNDS + 1
end

-- The header filter: the instance's answer to the current request begins. `service` is its key.
function M.answered(service)
    local name = connection.key()
    if asleep[name] then
        asleep[name] = nil
        local seconds = math.max(0, ngx.now() - ngx.req.start_time())
        add(bucket_of(seconds), service, 1)
        add("sum", service, seconds)
    end
end

-- Forgets the request of this key, in the log phase.
function M.finish(name)
    if asleep[name] then
        asleep[name] = nil
    end
end

-- Adds its samples to the lines of Prometheus' text, under this prefix; `found` are all counters by name.
function M.describe(lines, prefix, found)
    local services = {}
    for name in pairs(found) do
        services[#services + 1] = name:match("^cold|(.+)|sum$")
    end
    table.sort(services)
    local metric = prefix .. NAME
    lines[#lines + 1] = ("# HELP %s %s\n# TYPE %s histogram"):format(
        metric, "Time from a request that found no instance to the first byte of its answer.", metric
    )
    for _, service in ipairs(services) do
        local labels, total = ('tenant="%s",service="%s"'):format(service:match("^([^/]+)/(.+)$")), 0
        for index = 1, #BOUNDS + 1 do
            total = total + (found["cold|" .. service .. "|" .. index] or 0)
            lines[#lines + 1] = ('%s_bucket{%s,le="%s"} %d'):format(metric, labels, BOUNDS[index] or "+Inf", total)
        end
        lines[#lines + 1] = ("%s_sum{%s} %s"):format(metric, labels, found["cold|" .. service .. "|sum"])
        lines[#lines + 1] = ("%s_count{%s} %d"):format(metric, labels, total)
    end
end

return M
