-- Snapshot: checks snapshots and what changes them, and puts them into shared memory (runyard.store).
--
-- An entry is a key of one of the sections. Those of hosts and callers are texts, the others JSON as runyard.canonical
-- writes it.
local canonical = require "runyard.canonical"
local inflight = require "runyard.inflight"
local load = require "runyard.load"
local shape = require "runyard.shape"
local store = require "runyard.store"

local shared = ngx.shared.snapshot
-- One of our own, that takes JSON's numbers alone: by itself it takes 0x10, 01, NaN and Infinity as well.
local cjson = require("cjson.safe").new()
cjson.decode_invalid_numbers(false)

local M = {}

-- The prefix of the entries of each section.
M.SECTIONS = { callers = "caller:", endpoints = "endpoints:", hosts = "host:", paths = "paths:", services = "service:" }

-- How many keys are looked at before other requests get their turn; about 2 ms of work.
local BATCH = 500

-- Every entry that this message holds, by name.
local function flatten(message, breathe)
    local wanted, count = {}, 0
    for section, prefix in pairs(M.SECTIONS) do
        for key, value in pairs(message[section]) do
            count = count + 1
            if count % BATCH == 0 then
                breathe()
            end
            wanted[prefix .. key] = type(value) == "table" and canonical.encode(value) or value
        end
    end
    return wanted
end

-- What must change so that these entries, and no others, are in force.
local function differences(wanted, breathe)
    local changes = {}
    for index, name in ipairs(shared:get_keys(0)) do
        if index % BATCH == 0 then
            breathe()
        end
        if name:find(":", 1, true) then
            if not wanted[name] then
                changes[name] = false
            elseif wanted[name] == shared:get(name) then
                wanted[name] = nil
            end
        end
    end
    for name, value in pairs(wanted) do
        changes[name] = value
    end
    return changes
end

-- The same for a delta; nil and the name of what should go and is not there.
local function differences_of_delta(delta, breathe)
    local changes = flatten(delta, breathe)
    for section, keys in pairs(delta.removed) do
        for _, key in ipairs(keys) do
            local name = M.SECTIONS[section] .. key
            if not shared:get(name) then
                return nil, section .. ": " .. key
            end
            changes[name] = false
        end
    end
    return changes
end

-- The generation in force; 0 before the first snapshot.
function M.generation()
    return tonumber(store.read(store.epoch(), "generation") or 0)
end

local function decode(body, check, breathe)
    -- What is no UTF-8 would be passed on as it is, into pages, log lines and the answer that tells what is wrong; PCRE
    -- looks at all of the text before it looks for anything. At a NUL the decoder would take the text to end.
    local at, _, trouble = ngx.re.find(body, "\\x00", "u")
    if at or trouble then
        return nil, "not JSON: must be UTF-8 without NUL"
    end
    local message, failure = cjson.decode(body)
    if message == nil then
        return nil, "not JSON: " .. failure
    end
    breathe()
    return check(message)
end

local function put_in_force(changes, generation, body, breathe)
    -- As text: a number would lose its last digits in the undo.
    changes.generation = ("%d"):format(generation)
    changes.digest = ngx.md5(body)
    local done, trouble = pcall(store.change, changes, breathe)
    if not done then
        return nil, "memory", trouble
    end
    return generation
end

-- Whether this message is the one that made what is in force: whoever missed the answer sends it again.
local function is_repeated(message, current, body)
    return message.generation == current and shared:get("digest") == ngx.md5(body)
end

-- Puts a message (JSON text) in force. `check` looks at its shape; `plan` says what it changes, or nil, a kind and what
-- is wrong.
local function take(body, check, plan, breathe)
    store.recover()
    local message, failure = decode(body, check, breathe)
    if not message then
        return nil, "shape", failure
    end
    local current = M.generation()
    if is_repeated(message, current, body) then
        return current
    end
    local changes, kind, trouble = plan(message, current, breathe)
    if not changes then
        return nil, kind, trouble
    end
    return put_in_force(changes, message.generation, body, breathe)
end

local function plan_snapshot(snapshot, current, breathe)
    if snapshot.generation <= current then
        return nil, "generation", ("generation: must be above %d, got %d"):format(current, snapshot.generation)
    end
    return differences(flatten(snapshot, breathe), breathe)
end

local function plan_delta(delta, current, breathe)
    if delta.base ~= current then
        return nil, "base", ("base: must be what is in force, %d, got %d"):format(current, delta.base)
    end
    if delta.generation <= current then
        return nil, "shape", ("delta.generation: must be above %d, got %d"):format(current, delta.generation)
    end
    local changes, missing = differences_of_delta(delta, breathe)
    if not changes then
        return nil, "base", "removed." .. missing .. " is not in force"
    end
    return changes
end

-- Puts a snapshot (JSON text) in force. `breathe` is called between pieces of the work, to let other requests have
-- their turn: a snapshot of a thousand services takes 0.1 s. Returns its generation, or nil, a kind ("shape",
-- "generation" or "memory") and what is wrong; then nothing was changed.
function M.accept(body, breathe)
    return take(body, shape.check_snapshot, plan_snapshot, breathe)
end

-- The same for a delta (JSON text), whose kinds are "shape", "base" and "memory".
function M.amend(body, breathe)
    return take(body, shape.check_delta, plan_delta, breathe)
end

-- How many entries are in force, by section.
function M.counts()
    local counts, sections = {}, {}
    for section, prefix in pairs(M.SECTIONS) do
        counts[section], sections[prefix] = 0, section
    end
    for _, name in ipairs(shared:get_keys(0)) do
        local section = sections[name:match("^[a-z]+:")]
        if section then
            counts[section] = counts[section] + 1
        end
    end
    return counts
end

local function live_addresses(epoch, breathe)
    local live = {}
    for index, name in ipairs(shared:get_keys(0)) do
        if index % BATCH == 0 then
            breathe()
        end
        local raw = name:find("endpoints:", 1, true) == 1 and store.read(epoch, name)
        for _, address in ipairs(raw and cjson.decode(raw).addresses or {}) do
            live[address] = true
        end
    end
    return live
end

-- Forgets the counts of what is gone and idle, which would pile up; a busy one goes another time.
function M.forget_idle(breathe)
    local epoch = store.epoch()
    local live = live_addresses(epoch, breathe)
    for index, name in ipairs(inflight.names()) do
        if index % BATCH == 0 then
            breathe()
        end
        -- What is no address is `kind|key`, of a service or a revision.
        local key = name:match("|(.*)$")
        local known = key and (store.read(epoch, "service:" .. key) or store.read(epoch, "endpoints:" .. key))
        -- Other workers may count a body just then.
        if not (live[name] or known or name:find("^bodies|") or name == "keeping|") then
            inflight.forget(name)
        end
    end
    load.forget_idle(function(revision)
        return store.read(epoch, "endpoints:" .. revision) ~= nil
    end)
end

return M
