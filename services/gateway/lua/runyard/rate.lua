-- Rate: how many requests a second pass, over all workers and connections.
--
-- A bucket is one number in shared memory: the time at which it will be empty again if nothing more comes (the
-- theoretical arrival time of GCRA, ITU-T I.371). Every request moves it on by 1/rate, and passes if that is no further
-- ahead of the clock than the burst. All of it is `incr`, which is atomic; what does not pass is taken back the same
-- way. So for any interleaving of workers, and of one killed in between, the requests that pass in a time t are at most
-- 1.01 * burst + rate * t: each moved the number on by its part, it starts no further behind the clock than a hundredth
-- of the burst, and ends at most the burst ahead of it.
local clock = require "runyard.clock"

local M = {}

-- How much of its burst a bucket may lag behind the clock: to bring it up to the clock takes a lock, which a busy one
-- then needs a thousand times a second at most, and not with every request.
local LAG = 0.01
-- How long a bucket that lags behind may be one worker's to bring up to the clock: three operations take microseconds.
-- Others wait for it, turning, as the lock of the shared memory itself does.
local LOCK_S = 0.01
local PATIENCE_S = 0.05
-- Far more than what sums of fractions are off by, and far less than what a request costs.
local EPSILON_S = 1e-6

-- A rule: so many requests a second, and so many at once. The default burst is a tenth of a second's worth, which is
-- what a second may bring beyond its rate, but ten, or a second's worth of less: small services meet pages and not
-- streams.
function M.rule(per_second, burst)
    if not burst or burst == 0 then
        burst = math.min(per_second, math.max(10, math.ceil(per_second / 10)))
    end
    local allowance = burst / per_second
    return {
        per_second = per_second, burst = burst, period = 1 / per_second, allowance = allowance,
        lag = LAG * allowance + EPSILON_S,
    }
end

-- Nobody came for a while, so that the number is of the past: moves it to the clock, by adding what is missing. Only
-- adding keeps the promise above even if two do it at once; the lock keeps them from adding twice.
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

-- Brings a bucket that lags up to the clock with what this request has moved it on, which made it `empty_at`. Returns
-- what it is then, or nil when another request has moved it meanwhile or is about to.
local function catch_up_alone(bucket, name, rule, locks, at, empty_at)
    if not locks:add("rate|" .. name, true, LOCK_S) then
        return nil
    end
    local moved = bucket:get(name) == empty_at and bucket:incr(name, at - empty_at + rule.period) or nil
    locks:delete("rate|" .. name)
    return moved
end

-- Moves on a bucket that lags, once it has been brought up to the clock: what `incr` says then, false when another
-- worker kept it for too long. Apart, because a loop would keep LuaJIT from compiling what most requests do.
local function move_on_later(bucket, name, rule, locks, at)
    bucket:incr(name, -rule.period)
    repeat
        catch_up(bucket, name, locks, at)
        local empty_at, failure = bucket:incr(name, rule.period, at)
        if not empty_at or empty_at - rule.period >= at - rule.lag then
            return empty_at, failure
        end
        bucket:incr(name, -rule.period)
        -- The lock of a killed worker ends by nginx's clock, which stands still within a turn.
        ngx.update_time()
    until clock.now() - at > PATIENCE_S
    ngx.log(ngx.ERR, "count a request of ", ngx.escape_uri(name), ": another worker kept the bucket for too long")
    return false
end

-- Takes a request out of the bucket `name` of the shared memory `bucket`. Returns whether it passes, how many more
-- would at once, and in how many seconds the next one would or, if it passes, the bucket is full again.
function M.take(bucket, name, rule, locks)
    -- Kept while it turns: a clock that goes on would always be ahead of the bucket by a little.
    local at = clock.now()
    local empty_at, failure = bucket:incr(name, rule.period, at)
    if empty_at and empty_at - rule.period < at - rule.lag then
        local moved = catch_up_alone(bucket, name, rule, locks, at, empty_at)
        if moved then
            empty_at = moved
        else
            empty_at, failure = move_on_later(bucket, name, rule, locks, at)
        end
    end
    if empty_at == false then
        return false, 0, rule.period
    end
    if not empty_at then
        -- No memory left for a name: the limits that share this memory would refuse everything else.
        ngx.log(ngx.ERR, "count a request of ", ngx.escape_uri(name), ": ", failure)
        return true, 0, 0
    end
    local ahead = empty_at - at
    if ahead <= rule.allowance + EPSILON_S then
        local left = math.floor((rule.allowance - ahead + EPSILON_S) * rule.per_second)
        return true, math.min(left, rule.burst - 1), math.max(ahead, 0)
    end
    bucket:incr(name, -rule.period)
    return false, 0, ahead - rule.allowance
end

-- Gives back what was taken.
function M.give(bucket, name, rule)
    bucket:incr(name, -rule.period)
end

return M
