-- Acceptor: runs messages through runyard.snapshot in a real nginx, under a hook that counts which lines followed which,
-- and looks whether what is in force is whole. It answers in JSON: what came of each message, what is wrong with what
-- is in force, and the edges.
--
-- Each attempt begins with nothing in force, so that its input alone says what happens.
local bit = require "bit"
local cjson = require "cjson.safe"
local routing = require "runyard.routing"
local snapshot = require "runyard.snapshot"
local snapshot_file = require "runyard.snapshot_file"
local store = require "runyard.store"

local shared = ngx.shared.snapshot
local SEPARATOR = "\30"
-- As many as the map that tests/fuzz/acceptor.py gives to the fuzzer.
local EDGES = 65536
-- What is asked about; the rest of the gateway's Lua is not what is tried here.
local COUNTED = { "canonical", "grammar", "routing", "shape", "snapshot", "snapshot_file", "store" }

local M = {}

local edges, previous, places = {}, 0, {}

-- Where a source's lines begin in the map; false for what is not counted.
local function place_of(source)
    for index, name in ipairs(COUNTED) do
        if source:sub(-#name - 5) == "/" .. name .. ".lua" then
            return index * 8191
        end
    end
    return false
end

local function count(_, line)
    -- Of a function all lines are of one source, and to ask for it alone costs a third.
    local running = debug.getinfo(2, "f").func
    local place = places[running]
    if place == nil then
        place = place_of(debug.getinfo(2, "S").source)
        places[running] = place
    end
    if place then
        local here = (place + line * 31) % EDGES
        local edge = bit.bxor(here, previous)
        edges[edge] = (edges[edge] or 0) + 1
        previous = bit.rshift(here, 1)
    end
end

-- Calls a function under the hook.
local function counted(called, ...)
    debug.sethook(count, "l")
    local result = { pcall(called, ...) }
    debug.sethook()
    assert(result[1], result[2])
    return unpack(result, 2, 4)
end

local function breathe()
end

-- Everything in force, as one text.
local function in_force()
    local entries = {}
    for _, name in ipairs(shared:get_keys(0)) do
        if name:find(":", 1, true) or name == "generation" then
            entries[#entries + 1] = cjson.encode(name) .. "=" .. cjson.encode(shared:get(name))
        end
    end
    table.sort(entries)
    return table.concat(entries, "\n")
end

local function begin_anew()
    shared:flush_all()
    shared:flush_expired()
end

-- What a request does with what is in force: every entry is found and made ready.
local function look_at_all()
    routing.sync()
    for _, name in ipairs(shared:get_keys(0)) do
        local kind, key = name:match("^([a-z]+):(.*)$")
        if kind == "service" then
            assert(routing.service(key), "a service that is not found")
        elseif kind == "endpoints" then
            local tenant, revision = key:match("^(.*)/(.*)$")
            assert(routing.endpoints(tenant, revision).key == key, "endpoints that are not found")
        elseif kind == "paths" then
            assert(routing.paths(key), "paths that are not found")
        elseif kind == "host" then
            assert(routing.host(key), "a host that is not found")
        elseif kind == "caller" then
            assert(routing.caller(key), "a caller that is not found")
        end
    end
end

-- What is kept in the file must bring back the same.
local function restore()
    local before = in_force()
    local body = assert(snapshot_file.render(store.epoch(), breathe), "nothing to be kept")
    begin_anew()
    local generation, kind, trouble = snapshot.accept(body, breathe)
    assert(generation, "what was kept is refused: " .. tostring(kind) .. ": " .. tostring(trouble))
    assert(in_force() == before, "what was kept is not what was in force")
    return body
end

-- Takes one message; returns what came of it.
local function take(taker, body)
    local before = in_force()
    local generation, kind, detail = counted(taker, body, breathe)
    if not generation then
        assert(type(kind) == "string" and type(detail) == "string", "refused without a reason")
        assert(in_force() == before, "refused, and something changed")
        return { kind = kind, detail = detail }
    end
    assert(generation == snapshot.generation(), "another generation is in force than was told")
    counted(look_at_all)
    return { generation = generation, kept = restore() }
end

local function take_all(body, told)
    local first = true
    for message in (body .. SEPARATOR):gmatch("(.-)" .. SEPARATOR) do
        told[#told + 1] = take(first and snapshot.accept or snapshot.amend, message)
        first = false
    end
end

-- Answers a POST of messages, the first a snapshot and those behind each separator deltas.
function M.serve()
    ngx.req.read_body()
    -- Compiled code calls no hook.
    jit.off()
    jit.flush()
    begin_anew()
    edges, previous = {}, 0
    local told = {}
    local done, failure = pcall(take_all, ngx.req.get_body_data() or "", told)
    local parts = {}
    for edge, times in pairs(edges) do
        parts[#parts + 1] = edge .. "," .. math.min(times, 255)
    end
    ngx.print(cjson.encode({
        told = #told > 0 and told or cjson.null,
        failure = not done and tostring(failure) or cjson.null,
        edges = table.concat(parts, ";"),
    }))
end


return M
