-- Snapshot file: keeps the snapshot in force in a file, for the next start, and restores it.
--
-- Requests do not wait for it, and the disk is waited for in a thread of its own: whoever changed something has this
-- worker keep it, unless a worker is about to; the changes of a second go together. A gateway that is killed before
-- comes back with an older snapshot and its generation, and the orchestrator sends it a whole one.
local cjson = require "cjson.safe"
local file = require "runyard.file"
local snapshot = require "runyard.snapshot"
local store = require "runyard.store"

local shared, locks = ngx.shared.snapshot, ngx.shared.health

local M = {}

local LOCK = "keeping-snapshot"
-- Longer than a disk in trouble takes; the lock of a killed worker frees itself.
local LOCK_S = 60
-- The first change is kept at once, those that follow within this are kept together.
local REST_S = 1
-- A worker that ends does not wait for the whole rest.
local STEP_S = 0.05
-- How many entries are written out before other requests get their turn; less than 1 ms of work.
local BATCH = 200
local ORDER = { "callers", "endpoints", "hosts", "paths", "services" }
local path

function M.configure(settings)
    path = settings.state_file
end

local function note(failure)
    if failure then
        shared:safe_set("trouble", failure)
        ngx.log(ngx.ERR, failure)
    else
        shared:delete("trouble")
    end
end

local function member(section, key, raw)
    local value = (section == "hosts" or section == "callers") and cjson.encode(raw) or raw
    return cjson.encode(key) .. ":" .. value
end

-- The entries of an epoch by section and key, or nil when they are no longer known.
local function gather(epoch, breathe)
    local found, names, count = {}, store.names(epoch), 0
    for _, section in ipairs(ORDER) do
        found[section] = {}
    end
    for name in pairs(names or {}) do
        count = count + 1
        if count % BATCH == 0 then
            breathe()
        end
        local raw, lost = store.read(epoch, name)
        if lost then
            return nil
        end
        for section, prefix in pairs(raw and snapshot.SECTIONS or {}) do
            if name:sub(1, #prefix) == prefix then
                local members, key = found[section], name:sub(#prefix + 1)
                members[#members + 1] = member(section, key, raw)
            end
        end
    end
    return names and found
end

-- The snapshot of an epoch as JSON and its generation, or nil when it is no longer known.
function M.render(epoch, breathe)
    local found, generation = gather(epoch, breathe), store.read(epoch, "generation")
    if not found or not generation then
        return nil
    end
    local parts = {}
    for index, section in ipairs(ORDER) do
        table.sort(found[section])
        parts[index] = ('"%s":{%s}'):format(section, table.concat(found[section], ","))
    end
    return ('{%s,"generation":%s,"version":1}'):format(table.concat(parts, ","), generation), tonumber(generation)
end

local function write(body)
    -- What is wrong with the thread or, if nothing is, with the file.
    local _, failure = ngx.run_worker_thread("disk", "runyard.file", "write", path, body)
    return failure
end

local function keep_once(breathe, save)
    local body, generation = M.render(store.epoch(), breathe)
    if not body then
        return  -- overtaken by a thousand changes; the next look sees a newer one
    end
    local failure = save(body)
    note(failure)
    -- Also where it failed: it is tried again with the next change.
    shared:safe_set("looked", generation)
    if not failure then
        shared:safe_set("kept", generation)
    end
    snapshot.forget_idle(breathe)
end

local function rest()
    local left = REST_S
    while left > 0 and not ngx.worker.exiting() do
        ngx.sleep(STEP_S)
        left = left - STEP_S
    end
end

local function is_due()
    return (shared:get("looked") or 0) ~= snapshot.generation()
end

local function breathe()
    ngx.sleep(0)
end

local function keep_all(premature)
    if premature and is_due() and locks:add(LOCK, ngx.worker.pid(), LOCK_S) then
        -- This worker ends, and nothing waits for it any more.
        keep_once(function() end, function(body) return file.write(path, body) end)
        locks:delete(LOCK)
    end
    if premature then
        return
    end
    -- Whoever has the lock looks again after each rest, so nothing is missed.
    while is_due() and locks:add(LOCK, ngx.worker.pid(), LOCK_S) do
        local done, failure = pcall(keep_once, breathe, write)
        rest()
        locks:delete(LOCK)
        if not done then
            note("keep " .. path .. ": " .. tostring(failure))
            return
        end
    end
end

-- Has what is in force kept soon; returns at once.
function M.keep()
    local done, failure = ngx.timer.at(0, keep_all)
    if not done then
        note("keep " .. path .. ": " .. failure)
    end
end

-- In a worker that starts: the one before it may have been killed with something to keep.
function M.start_worker()
    M.keep()
end

-- The generation that the file has; 0 for none.
function M.generation()
    return shared:get("kept") or 0
end

-- What is wrong with the file, or nil.
function M.trouble()
    return shared:get("trouble")
end

-- Restores the kept snapshot, in init_by_lua; a file that cannot be used is logged and shown in /healthz.
function M.restore()
    if snapshot.generation() > 0 then
        return  -- a reload: shared memory lives on, and is newer than the file
    end
    local body, failure = file.read(path)
    if body then
        local generation, _, trouble = snapshot.accept(body, function() end)
        failure = not generation and ("restore " .. path .. ": " .. trouble) or nil
        shared:safe_set("kept", generation or 0)
        shared:safe_set("looked", generation or 0)
    end
    if failure then
        note(failure)
    end
end

return M
