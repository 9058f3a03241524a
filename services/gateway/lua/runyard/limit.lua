-- Limit: what a service, its clients and its tenant may ask for, before anything is sent to an instance.
--
-- Requests a second by client (its address, or a header), by service and by tenant, and requests at once by service.
-- Services without any of them never come here.
local connection = require "runyard.connection"
local counters = require "runyard.counters"
local inflight = require "runyard.inflight"
local rate = require "runyard.rate"
local request = require "runyard.request"
local verdicts = require "runyard.verdicts"

local clients, quotas = ngx.shared.clients, ngx.shared.quotas
local var = request.var

local M = {}

-- How many names of a service's clients a worker remembers: hashing costs as much as taking a count.
local MOST_NAMES = 1000

local counted = request.by_key("concurrency")

-- The limits of a service as this module takes them, or nil when it has none.
function M.prepare(key, tenant, fields)
    local limits = { key = key }
    if fields.concurrent_requests > 0 then
        limits.concurrent, limits.count_name = fields.concurrent_requests, "service|" .. key
    end
    if fields.client_requests_per_second > 0 then
        limits.client = rate.rule(fields.client_requests_per_second, fields.client_burst)
        limits.policy = ('"client";q=%d;w=1'):format(fields.client_requests_per_second)
        limits.names, limits.names_count = {}, 0
        limits.header = fields.client_header ~= "" and fields.client_header:lower():gsub("-", "_") or nil
    end
    if fields.requests_per_second > 0 then
        limits.service = rate.rule(fields.requests_per_second)
    end
    if fields.tenant_requests_per_second > 0 then
        limits.tenant = rate.rule(fields.tenant_requests_per_second)
        limits.tenant_name = "tenant|" .. tenant
    end
    return next(limits, next(limits)) and limits or nil
end

-- Names a client in 16 bytes, so that memory freed by the one that was away longest fits the next one, and no header's
-- value (it may be a key) stands in memory. A client without the header is told by its address.
local function client_name(limits)
    local value = limits.header and request.header(limits.header)
    if value and value ~= "" then
        return ngx.md5_bin(limits.key .. "\0h" .. value)
    end
    local address = var.remote_addr
    local name = limits.names[address]
    if not name then
        if limits.names_count == MOST_NAMES then
            limits.names, limits.names_count = {}, 0
        end
        name = ngx.md5_bin(limits.key .. "\0a" .. connection.client())
        limits.names[address], limits.names_count = name, limits.names_count + 1
    end
    return name
end

-- Has the answer tell of a limit (draft-ietf-httpapi-ratelimit-headers-10).
local function tell(policy, name, left, seconds)
    var.rate_policy = policy
    var.rate_limit = ('"%s";r=%d;t=%d'):format(name, left, math.max(1, math.ceil(seconds)))
end

-- Has the answer tell that as many requests are under way as may be. When the next one ends, nobody knows: no `t`.
function M.tell_full(name, most)
    var.rate_policy = ('"%s";q=%d;qu="concurrent-requests"'):format(name, most)
    var.rate_limit = ('"%s";r=0'):format(name)
end

local CLIENT = { name = "client", kind = counters.LIMITED_CLIENT, verdict = verdicts.CLIENT_LIMIT }
local SERVICE = { name = "service", kind = counters.LIMITED_SERVICE, verdict = verdicts.SERVICE_LIMIT }
local TENANT = { name = "tenant", kind = counters.LIMITED_TENANT, verdict = verdicts.TENANT_LIMIT }

local function refuse(limits, limit, policy, seconds)
    tell(policy, limit.name, 0, seconds)
    counters.add(limit.kind, limits.key)
    return limit.verdict
end

-- Takes the request out of everything that its service limits. Returns the name of an answer when it does not pass;
-- then nothing is taken.
function M.refusal(limits)
    local client = limits.client and client_name(limits)
    if client then
        local passes, left, seconds = rate.take(clients, client, limits.client, quotas)
        if not passes then
            return refuse(limits, CLIENT, limits.policy, seconds)
        end
        tell(limits.policy, "client", left, seconds)
    end
    local verdict = M.shared_refusal(limits)
    if verdict and client then
        rate.give(clients, client, limits.client)
    end
    return verdict
end

-- The same for the limits that all clients share.
function M.shared_refusal(limits)
    local service, tenant = limits.service, limits.tenant
    if service then
        local passes, _, seconds = rate.take(quotas, limits.key, service, quotas)
        if not passes then
            return refuse(limits, SERVICE, ('"service";q=%d;w=1'):format(service.per_second), seconds)
        end
    end
    if tenant then
        local passes, _, seconds = rate.take(quotas, limits.tenant_name, tenant, quotas)
        if not passes then
            if service then
                rate.give(quotas, limits.key, service)
            end
            return refuse(limits, TENANT, ('"tenant";q=%d;w=1'):format(tenant.per_second), seconds)
        end
    end
    if limits.concurrent then
        if not inflight.take(limits.count_name, limits.concurrent) then
            if service then
                rate.give(quotas, limits.key, service)
            end
            if tenant then
                rate.give(quotas, limits.tenant_name, tenant)
            end
            M.tell_full("concurrency", limits.concurrent)
            counters.add(counters.LIMITED_CONCURRENCY, limits.key)
            return verdicts.CONCURRENCY_LIMIT
        end
        counted[connection.key()] = limits.count_name
    end
    return nil
end

-- The same for a request that its service passes on to this one: it has its tenant's leave already, and gives back its
-- count of that service.
function M.next_refusal(limits)
    M.finish(connection.key())
    return M.refusal(setmetatable({ tenant = false }, { __index = limits }))
end

-- Gives back the count of its service that the request of this key holds, if any, in the log phase.
function M.finish(name)
    local count_name = counted[name]
    if count_name then
        counted[name] = nil
        inflight.give(count_name)
    end
end

return M
