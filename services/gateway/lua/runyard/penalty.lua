-- Penalty: for how long what has failed is left alone, an instance or a whole revision: twice as long each time, shared
-- by all workers.
--
-- Shared memory holds times| of a name.
local shared = ngx.shared.health

local M = {}

-- The first time: about what the orchestrator needs to notice and to push endpoints without what failed. Envoy's 30 s
-- are for a fleet that nobody heals.
M.SHORTEST_S = 1
M.LONGEST_S = 30
-- What has not failed for as long as this after its time is left alone as briefly as the first time.
local FORGET_S = 60

-- Counts one more failure of what has this name, and returns for how many seconds to leave it alone; `first_s` is for
-- the first time, and none is longer than `longest_s`.
function M.next_s(name, first_s, longest_s)
    local times = shared:incr("times|" .. name, 1, 0)
    local duration = math.min(first_s * 2 ^ (times - 1), longest_s)
    shared:expire("times|" .. name, duration + FORGET_S)
    return duration
end

-- Forgets what has this name: it is known to be well.
function M.forget(name)
    shared:delete("times|" .. name)
end

return M
