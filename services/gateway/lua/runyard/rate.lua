-- Rate: how many requests a second pass, exactly over all workers and connections.
--
-- A bucket is one number in shared memory: the time at which it will be empty again if nothing more comes (the
-- theoretical arrival time of GCRA, ITU-T I.371). Every request moves it on by 1/rate, and passes if that is no further
-- ahead of the clock than the burst. All of it is `incr`, which is atomic; what does not pass is taken back the same
-- way. So for any interleaving of workers, and of one killed in between, the requests that pass in a time t are at most
-- burst + rate * t: each moved the number on by its part, it only ever starts at or after the clock, and ends at
-- most the burst ahead of it.
local clock = require "runyard.clock"

local M = {}

-- How long a bucket that lags behind may be one worker's to bring up to the clock: three operations take microseconds.
-- Others wait for it, turning, as the lock of the shared memory itself does.
local LOCK_S = 0.01
local PATIENCE_S = 0.05
-- Far more than what sums of fractions are off by, and far less than what a request costs.
local EPSILON_S = 1e-6

-- A rule: so many requests a second, and so many at once. The default burst is a tenth of a second's worth, which is what
-- a second may bring beyond its rate, but ten, or a second's worth of less: small services meet pages and not streams.
function M.rule(per_second, burst)
    if not burst or burst == 0 then
        burst = math.min(per_second, math.max(10, math.ceil(per_second / 10)))
    end
    return { per_second = per_second, burst = burst, period = 1 / per_second, allowance = burst / per_second }
end

-- Nobody came for a while, so that the number is of the past: moves it to the clock, by adding what is missing. Only adding
-- keeps the promise above even if two do it at once; the lock keeps them from adding twice.
local function catch_up(bucket, name, locks, at)
    if not locks:add("rate|" .. name, true, LOCK_S) then
        return
    end
    local empty_at = bucket:get(name)
    if empty_at and empty_at < at then
        bucket:incr(name, at - empty_at)
    end
    locks:delete("rate|" .. name)
end

-- Takes a request out of the bucket `name` of the shared memory `bucket`. Returns whether it passes, how many more would
-- at once, and in how many seconds the next one would or, if it passes, the bucket is full again.
function M.take(bucket, name, rule, locks)
    -- Kept while it turns: a clock that goes on would always be ahead of the bucket by a little.
    local at = clock.now()
    repeat
        local empty_at, failure = bucket:incr(name, rule.period, at)
        if not empty_at then
            -- No memory left for a name: the limits that share this memory would refuse everything else.
            ngx.log(ngx.ERR, "count a request of ", ngx.escape_uri(name), ": ", failure)
            return true, 0, 0
        end
        local ahead = empty_at - at
        if ahead - rule.period >= -EPSILON_S then
            if ahead <= rule.allowance + EPSILON_S then
                return true, math.floor((rule.allowance - ahead + EPSILON_S) * rule.per_second), ahead
            end
            bucket:incr(name, -rule.period)
            return false, 0, ahead - rule.allowance
        end
        bucket:incr(name, -rule.period)
        catch_up(bucket, name, locks, at)
        -- The lock of a killed worker ends by nginx's clock, which stands still within a turn.
        ngx.update_time()
    until clock.now() - at > PATIENCE_S
    ngx.log(ngx.ERR, "count a request of ", ngx.escape_uri(name), ": another worker kept the bucket for too long")
    return false, 0, rule.period
end

-- Gives back what was taken.
function M.give(bucket, name, rule)
    bucket:incr(name, -rule.period)
end

return M
