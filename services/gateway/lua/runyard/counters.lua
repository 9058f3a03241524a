-- Counters: how often something rare happened, by service, over all workers; runyard.metrics shows them.
--
-- What happens with every request is not counted here but in the request log: it would cost each of them a lock.
local shared = ngx.shared.counters

local M = {}

-- Adds one, or `amount`; `labels` are the values of the labels of this metric, separated by "|" (no name holds one).
function M.add(metric, labels, amount)
    local _, failure = shared:incr(metric .. "|" .. labels, amount or 1, 0)
    if failure then
        ngx.log(ngx.ERR, "count ", metric, " of ", labels, ": ", failure)
    end
end

-- Every counter, as a table of name to value.
function M.all()
    local found = {}
    for _, name in ipairs(shared:get_keys(0)) do
        found[name] = shared:get(name)
    end
    return found
end

return M
