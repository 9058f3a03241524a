-- Call id: the name of a request in the log, in X-Request-Id and on the way to the instance.
--
-- nginx's $request_id draws from the generator that makes TLS keys, at a tenth of all that the gateway does for a
-- request. These need only differ: nothing is granted to whoever knows one.
local format, random = string.format, math.random

local M = {}

local LARGEST = 2 ^ 32 - 1
-- A seed is a double; so many bytes fit into its 53 bits.
local SEED_BYTES = 6

-- Seeds the generator of this worker: workers are forks and would otherwise all draw the same numbers.
function M.start_worker()
    local handle = assert(io.open("/dev/urandom", "rb"))
    local seed = 0
    for _, byte in ipairs({ handle:read(SEED_BYTES):byte(1, SEED_BYTES) }) do
        seed = seed * 256 + byte
    end
    handle:close()
    math.randomseed(seed)
end

-- Makes an id: 32 hexadecimal digits, as $request_id has.
function M.make()
    return format("%08x%08x%08x%08x", random(0, LARGEST), random(0, LARGEST), random(0, LARGEST), random(0, LARGEST))
end

return M
