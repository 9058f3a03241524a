-- Memory: structures that all workers share and read without a lock, since the master maps them before it forks.
local ffi = require "ffi"

ffi.cdef [[
    void *mmap(void *address, size_t size, int protection, int flags, int descriptor, long offset);
]]

-- Where they lie, by name; it outlives a reload, after which the memory of before is still there and still in use.
local places = ngx.shared.health

local M = {}

-- PROT_READ | PROT_WRITE; MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE of Linux.
local READ_WRITE, SHARED = 3, 0x01 + 0x20 + 0x4000

-- In the master: so many structures of a type of C under a name, all zero at first, or nil when there is no memory.
-- Pages that nobody writes take none.
function M.map(name, type, count)
    local kept = places:get(name)
    if kept then
        return ffi.cast(type .. " *", ffi.cast("uintptr_t", kept))
    end
    local memory = ffi.C.mmap(nil, count * ffi.sizeof(type), READ_WRITE, SHARED, -1, 0)
    if memory == ffi.cast("void *", -1) then
        return nil
    end
    -- An address of user space is below 2^47, which a number holds exactly.
    places:set(name, tonumber(ffi.cast("uintptr_t", memory)))
    return ffi.cast(type .. " *", memory)
end

return M
