-- Clock: seconds since the machine started. All workers read the same one, to the nanosecond and at the moment they
-- ask; ngx.now() stands still within a turn of the event loop, counts milliseconds, and steps when somebody sets the
-- time.
local ffi = require "ffi"

ffi.cdef [[
    struct runyard_time { long seconds; long nanoseconds; };
    int clock_gettime(int clock, struct runyard_time *time);
]]

local C = ffi.C
local MONOTONIC = 1
local time = ffi.new("struct runyard_time")

local M = {}

function M.now()
    C.clock_gettime(MONOTONIC, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) * 1e-9
end

return M
