-- Budget: how many requests a revision may be sent a second time, so that failures do not multiply the load.
--
-- Linkerd's numbers (retryRatio 0.2, minRetriesPerSecond 10, ttl 10 s; Envoy's retry_budget has 20 % too). Every worker
-- keeps its own: when each sends at most a fifth more than it was asked, all of them together do, and no lock is
-- needed.
local clock = require "runyard.clock"

local M = {}

local RATIO = 0.2
local FLOOR_PER_S = 10
-- Two halves of a window of 10 s; the older one is forgotten when the younger is over.
local HALF_S = 5

local function turn(budget, at)
    local age = at - budget.began
    if age < HALF_S then
        return
    end
    -- Nobody turns it while nothing fails, so that what was asked since may be of hours: its average counts.
    local part = HALF_S / age
    budget.asked_before, budget.again_before = budget.asked * part, budget.again * part
    budget.asked, budget.again, budget.began = 0, 0, at
end

-- A new budget. Whoever sends a request for the first time adds one to its field `asked`.
function M.new()
    return { asked = 0, again = 0, asked_before = 0, again_before = 0, began = clock.now() }
end

-- Takes one more sending out of the budget; false when it is used up.
function M.spend(budget)
    turn(budget, clock.now())
    local floor = FLOOR_PER_S * 2 * HALF_S / ngx.worker.count()
    local spent = budget.again + budget.again_before
    if spent + 1 > math.max(floor, RATIO * (budget.asked + budget.asked_before)) then
        return false
    end
    budget.again = budget.again + 1
    return true
end

return M
