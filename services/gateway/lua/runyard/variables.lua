-- Variables: reads and writes nginx's variables of the current request where nginx keeps them.
--
-- ngx.var looks a name up by its hash each time, which for the dozen that a request sets and reads was a tenth of all
-- that Lua did for it. Those that nginx.conf names have a number, found once a worker; a value that is written lies in
-- the request's own memory, as nginx's do. The first write that ngx.var does is compared with what is known of nginx's
-- structures; until that has held once, and for what has no number, ngx.var does it all.
local bit = require "bit"
local ffi = require "ffi"
local layout = require "runyard.layout"

ffi.cdef [[
    runyard_value *ngx_http_get_indexed_variable(runyard_request *request, uintptr_t number);
    runyard_value *ngx_http_get_flushed_variable(runyard_request *request, uintptr_t number);
    void *ngx_pnalloc(runyard_memory *pool, size_t size);
]]

local C = ffi.C
local band, copy = bit.band, ffi.copy
local current = layout.current
local usual = ngx.var

local M = {}

-- Always set when Lua runs, so that asking for its place evaluates nothing: all values lie side by side.
local ANCHOR = "listener"
-- After so many writes that were not found in their place, this is another nginx.
local MOST_TRIES = 100

local numbers = {}  -- by name
local anchor  -- the number of ANCHOR
local is_sure, tries = false, 0

local function give_up()
    ngx.log(ngx.ERR, "this nginx keeps its variables elsewhere: they are looked up one by one")
    numbers = {}
end

-- In a worker that starts: finds the numbers of what nginx.conf names.
function M.start_worker()
    local known = layout.configuration(C.ngx_http_core_module, "runyard_core *").variables
    if known.size ~= ffi.sizeof("runyard_variable") then
        give_up()
        return
    end
    for number = 0, tonumber(known.count) - 1 do
        local variable = known.items[number]
        if variable.index == number then
            numbers[ffi.string(variable.name.bytes, variable.name.length)] = number
        end
    end
    anchor = numbers[ANCHOR]
end

-- Where the value of this number lies, or nil.
local function place_of(request, number)
    local first = C.ngx_http_get_indexed_variable(request, anchor)
    return first ~= nil and first - anchor + number or nil
end

-- Whether nginx has this value where it should be, in the memory of the current request.
local function is_in_place(number, value)
    local request = current()
    local place = place_of(request, number)
    if not place or place.bits ~= #value + layout.IS_VALID then
        return false
    end
    local first, pool = ffi.cast("const char *", request.pool), request.pool
    return place.bytes > first and place.bytes < pool.last and pool.last <= pool.limit
        and ffi.string(place.bytes, #value) == value
end

-- Looks whether nginx has a value that ngx.var has written where it should be. Not always has it in the first piece of
-- the request's memory, of which is known where it ends.
local function try(number, value)
    if anchor and value ~= "" then
        is_sure, tries = is_in_place(number, value), tries + 1
        if not is_sure and tries == MOST_TRIES then
            give_up()
        end
    end
end

-- Sets a variable; nil and numbers are as with ngx.var.
function M.write(name, value)
    local number = numbers[name]
    if not number or type(value) ~= "string" then
        usual[name] = value
        return
    end
    if not is_sure then
        usual[name] = value
        try(number, value)
        return
    end
    local request = current()
    local length = #value
    local place, bytes = place_of(request, number), C.ngx_pnalloc(request.pool, length)
    if not place or bytes == nil then
        usual[name] = value
        return
    end
    copy(bytes, value, length)
    place.bits = length + layout.IS_VALID
    place.bytes = bytes
end

-- A variable as text, or nil when it has no value.
function M.read(name)
    local number = numbers[name]
    if not number or not is_sure then
        return usual[name]
    end
    local value = C.ngx_http_get_flushed_variable(current(), number)
    if value == nil or band(value.bits, layout.IS_MISSING) ~= 0 then
        return nil
    end
    return ffi.string(value.bytes, band(value.bits, layout.LENGTH))
end

return M
