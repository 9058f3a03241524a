-- Store: the entries of the snapshot in shared memory, changed many at once: whoever reads sees all of a change or
-- none.
--
-- Each change begins an epoch. Before it touches an entry, the writer puts what stood there into `undo|<epoch before>`,
-- and then raises `begun`; when all is written it raises `done`. A reader belongs to an epoch, reads an entry, and only
-- if `begun` has moved on since looks through the undos for what the entry held in its own. So nobody waits for
-- anybody, a writer may let others have their turn, and one that is killed in between is undone by the next.
--
-- Entries have a colon in their name, and `generation` and `digest` change with them. One writes at a time
-- (runyard.admin has the lock).
local cjson = require "cjson.safe"
local ffi = require "ffi"
local memory = require "runyard.memory"

ffi.cdef [[
    struct runyard_epochs { double begun, done; };
]]

local shared = ngx.shared.snapshot

local M = {}

-- Undos are kept for as many epochs, for readers within a turn of the event loop: orders of magnitude more than anybody
-- changes in one.
local KEPT = 1000
-- How many entries are written before other requests get their turn; about 2 ms of work.
local BATCH = 500
-- Undos that this worker has decoded, for its readers: a few are enough, since all of them read about the same ones.
local MOST_DECODED = 16
local decoded, decoded_count = {}, 0

-- struct runyard_epochs *; outside of the dictionary, since reading it there would cost every request a lock.
local epochs

-- In the master, before it forks.
function M.start()
    epochs = assert(memory.map("epochs", "struct runyard_epochs", 1), "no memory for the epochs of the snapshot")
end

-- The epoch in force: everything that was read in an older one may have changed.
function M.epoch()
    return epochs.done
end

-- What the entries that changed after an epoch held in it (false for those that were not there), or nil when that is no
-- longer known.
local function undo_of(epoch)
    local found = decoded[epoch]
    if found then
        return found
    end
    local raw = shared:get("undo|" .. epoch)
    if not raw then
        return nil
    end
    if decoded_count == MOST_DECODED then
        decoded, decoded_count = {}, 0
    end
    found = cjson.decode(raw)
    decoded[epoch], decoded_count = found, decoded_count + 1
    return found
end

-- What an entry held in an epoch, or nil. The second result is true when that is no longer known.
function M.read(epoch, name)
    local raw = shared:get(name)
    local begun = epochs.begun
    -- The usual case: nobody had begun to write when it was read.
    for each = epoch, begun - 1 do
        local undo = undo_of(each)
        if not undo then
            return nil, true
        end
        if undo[name] ~= nil then
            return undo[name] or nil
        end
    end
    return raw
end

-- The names of the entries that changed from one epoch to a later one, as a set, or nil when that is no longer known.
function M.changed(from, to)
    local names = {}
    for epoch = from, to - 1 do
        local undo = undo_of(epoch)
        if not undo then
            return nil
        end
        for name in pairs(undo) do
            names[name] = true
        end
    end
    return names
end

-- The names of all entries of an epoch, and maybe more.
function M.names(epoch)
    local names = M.changed(epoch, epochs.begun)
    if not names then
        return nil
    end
    for _, name in ipairs(shared:get_keys(0)) do
        if name:find(":", 1, true) then
            names[name] = true
        end
    end
    return names
end

local function drop_undos(before)
    for _, name in ipairs(shared:get_keys(0)) do
        local epoch = tonumber(name:match("^undo|(%d+)$"))
        if epoch and epoch < before then
            shared:delete(name)
        end
    end
end

-- safe_set never throws out another entry to make room: half a snapshot would be worse than the old one.
local function set(name, value, current)
    local done, failure = shared:safe_set(name, value)
    if not done then
        -- What readers of before may still want goes first: they begin anew.
        drop_undos(current)
        done, failure = shared:safe_set(name, value)
    end
    if not done then
        error("write " .. name .. " to shared memory: " .. failure, 0)
    end
end

local function write(entries, epoch, breathe)
    local count = 0
    -- What goes makes room for what comes.
    for name, value in pairs(entries) do
        if not value then
            shared:delete(name)
        end
    end
    for name, value in pairs(entries) do
        if value then
            count = count + 1
            if count % BATCH == 0 then
                breathe()
            end
            set(name, value, epoch)
        end
    end
end

-- Puts back what a writer left half done, if one was killed or had no room. Its epoch passes with nothing changed: had
-- `begun` gone back, a reader could take what it read meanwhile for old.
function M.recover()
    local epoch, begun = M.epoch(), epochs.begun
    if begun == epoch then
        return
    end
    write(assert(undo_of(epoch), "the undo of a change that was not finished is gone"), epoch, function() end)
    epochs.done = begun
end

-- Changes entries: `entries` has the new value by name, or false for one that goes. `breathe` is called between pieces
-- of the work. An error says that there was no room; then nothing has changed.
function M.change(entries, breathe)
    local epoch = M.epoch()
    local undo = {}
    for name in pairs(entries) do
        undo[name] = shared:get(name) or false
    end
    set("undo|" .. epoch, cjson.encode(undo), epoch)
    epochs.begun = epoch + 1
    local done, failure = pcall(write, entries, epoch, breathe)
    if not done then
        M.recover()
        error(failure, 0)
    end
    epochs.done = epoch + 1
    shared:delete("undo|" .. epoch - KEPT)
end

return M
