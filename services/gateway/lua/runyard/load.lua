-- Load: what the requests of each revision ask of it: how many are in flight and wait, how many came, and the time that
-- they spent together, which the orchestrator reads several times a second to decide on instances.
--
-- Every worker counts on a seat of its own (that of runyard.inflight) in memory that all share, without a lock: each
-- revision has a place there, of the same number on every seat. Sums stay when a worker dies, for the next on its seat
-- to add to; what it had in flight ends with it. `told` has what was read of each place last and when that moved, so
-- that an answer holds only what is new. A revision that is gone gives its place back after a rest: first its name,
-- which every worker notices by `epoch`, and after another rest the number.
local cjson = require "cjson.safe"
local ffi = require "ffi"
local inflight = require "runyard.inflight"
local memory = require "runyard.memory"

ffi.cdef [[
    // Milliseconds of the monotonic clock at which this turn of the event loop began; all workers read the same clock.
    extern volatile intptr_t ngx_current_msec;

    struct runyard_load { double arrivals, request_ms, at_ms; int32_t in_flight, waiting; };
    struct runyard_loads { struct runyard_load places[16384]; };
    struct runyard_told {
        double arrivals, request_ms; int32_t in_flight, waiting;
        double generation, since_ms, idle_ms; char name[148];
    };
    struct runyard_load_head { double epoch, used, seats; char life[17]; };
]]

local C = ffi.C
local shared = ngx.shared.loads

local M = {}

local SEATS = 64  -- as many as runyard.inflight has
local PLACES = 16384
-- A place rests for as long before another revision gets it: far longer than a worker needs between reading the number
-- of a place and counting there.
local REST_MS = 10000
-- Two answers at once could give a number a generation that somebody has who saw an older number. A killed worker's
-- lock frees itself.
local LOCK, LOCK_S, STEP_S = "telling", 1, 0.001
local LIFE_BYTES = 8

local head, told, seats
local own, seat_number = nil, -1  -- this worker's struct runyard_load *
local known, known_epoch = {}, -1  -- the places of revisions, by name

local function now_ms()
    return tonumber(C.ngx_current_msec)
end

-- In the master, before it forks.
function M.start()
    head = assert(memory.map("load_head", "struct runyard_load_head", 1), "no memory for what is told of load")
    told = assert(memory.map("load_told", "struct runyard_told", PLACES), "no memory for what is told of load")
    seats = assert(memory.map("load_seats", "struct runyard_loads", SEATS), "no memory for the load of revisions")
    if head.life[0] ~= 0 then
        return  -- a reload: this life goes on
    end
    local handle = assert(io.open("/dev/urandom", "rb"))
    ffi.copy(head.life, (handle:read(LIFE_BYTES):gsub(".", function(each) return ("%02x"):format(each:byte()) end)))
    handle:close()
    -- Here, because what is added later could throw out a name when memory is full.
    shared:add("used", 0)
    shared:add("generation", 0)
end

-- In a worker that starts, once runyard.inflight has given it a seat.
function M.start_worker()
    seat_number = inflight.seat()
    if seat_number < 0 then
        return  -- runyard.inflight has logged it
    end
    own = seats[seat_number].places
    head.seats = math.max(head.seats, seat_number + 1)
end

-- Adds the time since the last change to the sum of a place.
local function add_time(place)
    local present, at = place.in_flight + place.waiting, now_ms()
    if present > 0 and at > place.at_ms then
        place.request_ms = place.request_ms + present * (at - place.at_ms)
    end
    place.at_ms = at
end

-- Ends what the worker on this seat had when it was killed; its sums stay.
function M.end_seat(number)
    for index = 0, head.used - 1 do
        local place = seats[number].places[index]
        add_time(place)
        place.in_flight, place.waiting = 0, 0
    end
end

local function clear(index)
    for number = 0, head.seats - 1 do
        ffi.fill(seats[number].places[index], ffi.sizeof("struct runyard_load"))
    end
end

-- A number that no revision has, or nil.
local function free_place()
    local index = shared:rpop("free")
    if index then
        return index
    end
    if shared:get("used") >= PLACES then
        return nil
    end
    index = shared:incr("used", 1) - 1
    return index < PLACES and index or nil
end

-- Gives a revision a place; another worker may be about to do the same.
local function take_place(name)
    local index = free_place()
    local done, failure = nil, "all " .. PLACES .. " places are taken"
    if index then
        assert(#name < ffi.sizeof(told[0].name), "the name of a revision is too long")
        clear(index)
        local place = told[index]
        place.arrivals, place.request_ms, place.in_flight, place.waiting = 0, 0, 0, 0
        place.generation, place.since_ms, place.idle_ms = 0, now_ms(), 0
        done, failure = shared:safe_add(name, index)
    end
    if done then
        ffi.copy(told[index].name, name)
        head.used = math.max(head.used, index + 1)
        return index
    end
    if index then
        shared:lpush("free", index)
    end
    if failure ~= "exists" then
        ngx.log(ngx.ERR, "count the load of ", name, ": ", failure)
    end
    return shared:get(name)
end

-- The place of a revision on this worker's seat, or nil when it has none.
local function place_of(name)
    if known_epoch ~= head.epoch then
        known, known_epoch = {}, head.epoch
    end
    local index = known[name]
    if index == nil then
        -- Where there is a service but no revision yet, there is nothing after the slash.
        index = own and name:find("/.") and (shared:get(name) or take_place(name)) or false
        known[name] = index
    end
    return index and own[index] or nil
end

-- The same by its endpoints (of runyard.routing), which remember it.
local function place_of_group(group)
    if group.load_epoch ~= head.epoch then
        group.load = place_of(group.key)
        group.load_epoch = head.epoch
    end
    return group.load
end

-- Counts a request that came for a revision; `group` are its endpoints, of no name where it has none.
function M.arrive(group, tenant, revision)
    local place
    if group.key ~= "" then
        place = place_of_group(group)
    else
        place = place_of(tenant .. "/" .. revision)
    end
    if place then
        place.arrivals = place.arrivals + 1
    end
end

-- Counts a request that gets a place at an instance, by 1, or gives it back, by -1.
function M.add_in_flight(group, change)
    local place = place_of_group(group)
    if place then
        add_time(place)
        place.in_flight = place.in_flight + change
    end
end

-- The same for one that waits, by `tenant/revision`.
function M.add_waiting(name, change)
    local place = place_of(name)
    if place then
        add_time(place)
        place.waiting = place.waiting + change
    end
end

-- Everything that all workers counted at a place; `request_ms` until now.
local function sum(index, at)
    local arrivals, request_ms, in_flight, waiting = 0, 0, 0, 0
    for number = 0, head.seats - 1 do
        local place = seats[number].places[index]
        -- The sum is read before the time that it is of: a change in between makes it too small for a moment.
        local total, since = place.request_ms, place.at_ms
        local flying, resting = place.in_flight, place.waiting
        request_ms = request_ms + total + (flying + resting) * math.max(0, at - since)
        arrivals, in_flight, waiting = arrivals + place.arrivals, in_flight + flying, waiting + resting
    end
    return arrivals, request_ms, in_flight, waiting
end

-- Reads a place and stamps it with this generation if anything moved.
local function look(index, generation, at)
    local arrivals, request_ms, in_flight, waiting = sum(index, at)
    local place = told[index]
    if arrivals ~= place.arrivals or request_ms > place.request_ms
        or in_flight ~= place.in_flight or waiting ~= place.waiting then
        place.arrivals, place.in_flight, place.waiting = arrivals, in_flight, waiting
        place.request_ms = math.max(request_ms, place.request_ms)
        place.generation = generation
    end
end

local FORMAT = '%s:{"in_flight":%d,"waiting":%d,"arrivals":%d,"request_ms":%.0f,"since_ms":%.0f}'

local function describe(place)
    return FORMAT:format(
        cjson.encode(ffi.string(place.name)), place.in_flight, place.waiting, place.arrivals, place.request_ms,
        place.since_ms
    )
end

local function tell(after, life)
    local generation, at, own_life = shared:incr("generation", 1), now_ms(), ffi.string(head.life)
    if life ~= own_life then
        after = 0
    end
    local parts = {}
    for index = 0, head.used - 1 do
        local place = told[index]
        look(index, generation, at)
        if place.generation > after and place.name[0] ~= 0 then
            parts[#parts + 1] = describe(place)
        end
    end
    -- Built by hand: cjson would write an empty table as {} or [] by its own rules.
    return ('{"at_ms":%.0f,"generation":%d,"life":"%s","revisions":{%s},"version":1}'):format(
        at, generation, own_life, table.concat(parts, ",")
    )
end

-- What moved since generation `after` of the gateway's life of that name, as JSON of runyard.contracts.GatewayLoad, or
-- nil when others are being told for too long. Everything for another life, and for 0.
function M.tell(after, life)
    for _ = 1, LOCK_S / STEP_S do
        if shared:safe_add(LOCK, true, LOCK_S) then
            local done, answer = pcall(tell, after, life)
            shared:delete(LOCK)
            if not done then
                error(answer, 0)
            end
            return answer
        end
        ngx.sleep(STEP_S)
    end
    return nil
end

-- Whether the place of a revision that is gone may be given back: nothing was there for a rest.
local function has_rested(index, at)
    local place = told[index]
    local _, _, in_flight, waiting = sum(index, at)
    if in_flight + waiting > 0 then
        place.idle_ms = 0
        return false
    end
    if place.idle_ms == 0 then
        place.idle_ms = at
    end
    return at - place.idle_ms >= REST_MS
end

-- Gives back the places of revisions that are gone; `is_known` tells by `tenant/revision` which are not. One worker at
-- a time calls this, after each change of the snapshot.
function M.forget_idle(is_known)
    local at = now_ms()
    for index = 0, head.used - 1 do
        local place = told[index]
        local name = ffi.string(place.name)
        if name ~= "" and is_known(name) then
            place.idle_ms = 0
        elseif name ~= "" and has_rested(index, at) then
            shared:delete(name)
            place.name[0], place.idle_ms = 0, at
            head.epoch = head.epoch + 1
        elseif name == "" and place.idle_ms > 0 and at - place.idle_ms >= REST_MS then
            place.idle_ms = 0
            shared:lpush("free", index)
        end
    end
end

return M
