-- Inflight: how many requests something has now (an instance, a service, a queue), exactly, over all workers.
--
-- One number in shared memory is the count, so that a limit holds whoever counts. Beside it every worker notes its own
-- part on a seat of memory that the master made before it forked: when a worker is killed, the next one to start finds
-- the seat of a dead process and takes its part back. A note costs a store and no lock.
local ffi = require "ffi"
local memory = require "runyard.memory"

ffi.cdef [[
    struct runyard_note { int32_t count; char name[148]; };
    struct runyard_seat { int32_t pid; int32_t used; struct runyard_note notes[4096]; };
    int kill(int pid, int signal);
]]

local shared, places = ngx.shared.inflight, ngx.shared.health
local C = ffi.C

local M = {}

-- Twice as many as workers on most machines, since those of before a reload go on beside the new ones.
local SEATS = 64
local NOTES = 4096
local NO_SUCH_PROCESS = 3
-- Longer than any worker needs to clear a seat.
local CLAIM_S = 10

local seats  -- struct runyard_seat *
local seat, seat_number = nil, -1  -- this worker's
local lines, free, most = {}, {}, 0  -- name -> index of its note; indices to use again; notes used so far

-- In the master, before it forks.
function M.start()
    seats = memory.map("seats", "struct runyard_seat", SEATS)
    if not seats then
        ngx.log(ngx.ERR, "map memory for the workers' seats: what a killed worker had in flight will not be given back")
    end
end

local function is_alive(pid)
    return C.kill(pid, 0) == 0 or ffi.errno() ~= NO_SUCH_PROCESS
end

local function clear(dead)
    for index = 0, dead.used - 1 do
        local note = dead.notes[index]
        if note.count ~= 0 then
            shared:incr(ffi.string(note.name), -note.count)
            note.count = 0
        end
    end
    dead.used = 0
    dead.pid = 0
end

-- In a worker that starts: clears the seats of dead ones and takes a free one. `end_seat` is told the number of each
-- that is cleared, for what others keep by it.
function M.start_worker(end_seat)
    local own = ngx.worker.pid()
    if not seats then
        return
    end
    for number = 0, SEATS - 1 do
        local pid = seats[number].pid
        local dead = pid ~= 0 and (pid == own or not is_alive(pid))
        if (dead or pid == 0 and not seat) and places:add("seat|" .. number .. "|" .. pid, true, CLAIM_S) then
            if dead then
                clear(seats[number])
                end_seat(number)
            end
            if not seat then
                seat, seat_number = seats[number], number
                seat.pid = own
                seat.used = 0
            end
        end
    end
    if not seat then
        ngx.log(ngx.ERR, "more than ", SEATS, " workers: what this one has in flight is lost when it is killed")
    end
end

local function sweep()
    for name, index in pairs(lines) do
        if seat.notes[index].count == 0 then
            lines[name] = nil
            free[#free + 1] = index
        end
    end
end

local function line_of(name)
    assert(#name < ffi.sizeof(seat.notes[0].name), "the name of a count is too long")
    if #free == 0 and most == NOTES then
        sweep()
    end
    local index = table.remove(free)
    if not index then
        if most == NOTES then
            return nil
        end
        index, most = most, most + 1
    end
    seat.notes[index].count = 0
    ffi.copy(seat.notes[index].name, name)
    seat.used = most
    lines[name] = index
    return index
end

local function note(name, change)
    local index = lines[name] or seat and line_of(name)
    if index then
        seat.notes[index].count = seat.notes[index].count + change
    end
end

-- Takes a count of `name`, or so many, and returns how many there are then; false when that would be more than `limit`.
function M.take(name, limit, amount)
    amount = amount or 1
    local count, failure = shared:incr(name, amount, 0)
    if not count then
        ngx.log(ngx.ERR, "count a request of ", name, ": ", failure)
        return false
    end
    if count <= limit then
        note(name, amount)
        return count
    end
    shared:incr(name, -amount)
    return false
end

-- Gives a count back, or so many, and returns how many are left.
function M.give(name, amount)
    amount = amount or 1
    note(name, -amount)
    return shared:incr(name, -amount)
end

-- How many of them are this worker's own, for what need not be exact: reading that takes no lock.
function M.own(name)
    local index = lines[name]
    return index and seat.notes[index].count or 0
end

-- How many `name` has.
function M.count(name)
    return shared:get(name) or 0
end

-- The number of this worker's seat, which no other living worker has; -1 when it has none.
function M.seat()
    return seat_number
end

-- The numbers of the other workers' seats.
function M.other_seats()
    local found = {}
    for number = 0, seats and SEATS - 1 or -1 do
        if number ~= seat_number and seats[number].pid ~= 0 then
            found[#found + 1] = number
        end
    end
    return found
end

-- Every name that was ever counted and is not forgotten.
function M.names()
    return shared:get_keys(0)
end

-- Forgets a name that has none.
function M.forget(name)
    if M.count(name) == 0 then
        shared:delete(name)
    end
end

return M
