-- Counters: how often something rare happened, over all workers, by kinds that are registered here; runyard.metrics
-- shows them.
--
-- What happens with every request is not counted here but in the request log: it would cost each of them a lock.
local shared = ngx.shared.counters

local M = {}

-- What is counted, in the order in which it is shown: what it is called there, by which labels (`tenant/revision`,
-- `tenant/service`, or who holds it), what it tells, and the limit that some of them are told apart by. A kind is a
-- field in capitals: "queue_full" is counters.QUEUE_FULL.
M.kinds = {
    { kind = "retries", name = "retries_total", by = "revision",
      help = "Requests sent to another instance, or to the same one again, after a failed try." },
    { kind = "retries_refused", name = "retries_refused_total", by = "revision",
      help = "Retries that were refused because a fifth more than was asked had been sent already." },
    { kind = "ejections", name = "ejections_total", by = "revision",
      help = "Times an instance was ejected after failures in a row." },
    { kind = "breaker_opened", name = "breaker_opened_total", by = "revision",
      help = "Times that no instance could be reached, so that requests were refused." },
    { kind = "limited_client", name = "limited_requests_total", by = "service", limit = "client",
      help = "Requests that were answered 429, by the limit that they met." },
    { kind = "limited_concurrency", name = "limited_requests_total", by = "service", limit = "concurrency" },
    { kind = "limited_service", name = "limited_requests_total", by = "service", limit = "service" },
    { kind = "limited_tenant", name = "limited_requests_total", by = "service", limit = "tenant" },
    { kind = "queued", name = "queue_wait_seconds_count", by = "service",
      help = "Requests that waited for an instance and went on or gave up." },
    { kind = "queue_wait_s", name = "queue_wait_seconds_sum", by = "service",
      help = "How long those waited together." },
    { kind = "fallbacks", name = "fallbacks_total", by = "service",
      help = "Requests that were answered by what their service falls back to." },
    { kind = "queue_full", name = "queue_full_total", by = "service",
      help = "Requests that were answered 429 because too many waited." },
    { kind = "connections_ended", name = "connections_ended_total", by = "holder",
      help = "Connections that were ended because one client, or one tenant's instances, had too many." },
}

local registered = {}
for _, each in ipairs(M.kinds) do
    registered[each.kind] = true
    M[each.kind:upper()] = each.kind
end

-- Adds one, or `amount`; `labels` are the values of the labels of this kind, separated by "/" (no name holds one).
function M.add(kind, labels, amount)
    assert(registered[kind], "no kind of counter is registered as that")
    local _, failure = shared:incr(kind .. "|" .. labels, amount or 1, 0)
    if failure then
        ngx.log(ngx.ERR, "count ", kind, " of ", labels, ": ", failure)
    end
end

-- Every counter, as a table of kind and labels, with "|" between, to value.
function M.all()
    local found = {}
    for _, name in ipairs(shared:get_keys(0)) do
        found[name] = shared:get(name)
    end
    return found
end

return setmetatable(M, {
    __index = function(_, name)
        error("no kind of counter is registered as " .. tostring(name), 2)
    end,
})
