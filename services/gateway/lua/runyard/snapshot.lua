-- Snapshot: checks a snapshot, puts it into shared memory and keeps it in a file.
local cjson = require "cjson.safe"
local file = require "runyard.file"
local inflight = require "runyard.inflight"
local shape = require "runyard.shape"

local shared = ngx.shared.snapshot

local M = {}

-- The sections in the order in which they are written: an endpoint before the service that sends traffic to it, a
-- service before the host that names it, so that whoever reads in between finds what is named.
local SECTIONS = {
    { field = "endpoints", prefix = "endpoints:" },
    { field = "services", prefix = "service:" },
    { field = "callers", prefix = "caller:" },
    { field = "paths", prefix = "paths:" },
    { field = "hosts", prefix = "host:" },
}
local path

function M.configure(settings)
    path = settings.state_file
end

-- How many keys are written before other requests get their turn; about 2 ms of work.
local BATCH = 500

-- Every key of shared memory that this snapshot asks for, in writing order, and the same as a set.
local function flatten(snapshot)
    local order, wanted = {}, {}
    for _, section in ipairs(SECTIONS) do
        for key, value in pairs(snapshot[section.field]) do
            local name = section.prefix .. key
            order[#order + 1] = name
            wanted[name] = type(value) == "table" and cjson.encode(value) or value
        end
    end
    return order, wanted
end

local function set(name, value)
    -- safe_set never throws out another key to make room: half a world would be worse than the old one.
    local done, failure = shared:safe_set(name, value)
    if not done then
        error("write " .. name .. " to shared memory: " .. failure, 0)
    end
end

local function remove_others(snapshot, wanted, breathe)
    for index, name in ipairs(shared:get_keys(0)) do
        if index % BATCH == 0 then
            breathe()
        end
        if name:find(":", 1, true) and not wanted[name] then
            shared:delete(name)
        end
    end
    -- Counts of what is gone and idle would pile up; a busy one goes with the next snapshot.
    local live = {}
    for _, endpoints in pairs(snapshot.endpoints) do
        for _, address in ipairs(endpoints.addresses) do
            live[address] = true
        end
    end
    for _, name in ipairs(inflight.names()) do
        -- What is no address is `kind|key`, of a service or a revision.
        local key = name:match("|(.*)$")
        -- Other workers may count a body just then.
        local kept = live[name] or name:find("^bodies|") or name == "keeping|"
        if not kept and not (key and (snapshot.services[key] or snapshot.endpoints[key])) then
            inflight.forget(name)
        end
    end
end

local function apply(snapshot, digest, breathe)
    local order, wanted = flatten(snapshot)
    breathe()
    for index, name in ipairs(order) do
        if index % BATCH == 0 then
            breathe()
        end
        if shared:get(name) ~= wanted[name] then
            set(name, wanted[name])
        end
    end
    shared:incr("epoch", 1, 0)
    remove_others(snapshot, wanted, breathe)
    set("digest", digest)
    set("generation", snapshot.generation)
    -- Again, after the removals: a worker may have looked at the doomed keys since.
    shared:incr("epoch", 1, 0)
end

local function decode(body, breathe)
    local snapshot, failure = cjson.decode(body)
    if snapshot == nil then
        return nil, "not JSON: " .. failure
    end
    breathe()
    return shape.check(snapshot)
end

-- Puts a snapshot (JSON text) in force. `breathe` is called between pieces of the work, to let other requests have
-- their turn: a snapshot of a thousand services takes 0.1 s. Returns its generation, or nil, a kind ("shape",
-- "generation" or "memory") and what is wrong; then nothing or, for "memory", not everything was changed.
function M.accept(body, breathe)
    local snapshot, failure = decode(body, breathe)
    if not snapshot then
        return nil, "shape", failure
    end
    local current, digest = shared:get("generation") or 0, ngx.md5(body)
    if snapshot.generation == current and shared:get("digest") == digest then
        return current
    end
    if snapshot.generation <= current then
        return nil, "generation", "generation: must be above " .. current .. ", got " .. snapshot.generation
    end
    local done, trouble = pcall(apply, snapshot, digest, breathe)
    if not done then
        return nil, "memory", trouble
    end
    return snapshot.generation
end

-- Keeps the snapshot in force in its file; returns what went wrong, or nil. Traffic does not wait for the disk: a
-- full one must not keep endpoints from changing, so the caller reports it and goes on.
function M.keep(body)
    local failure = file.write(path, body)
    if failure then
        shared:set("trouble", failure)
        ngx.log(ngx.ERR, failure)
    else
        shared:delete("trouble")
    end
    return failure
end

-- Restores the kept snapshot, in init_by_lua; a file that cannot be used is logged and shown in /healthz.
function M.restore()
    if shared:get("generation") then
        return  -- a reload: shared memory lives on, and is newer than the file
    end
    local body, failure = file.read(path)
    if body then
        local generation, _, trouble = M.accept(body, function() end)
        failure = not generation and ("restore " .. path .. ": " .. trouble) or nil
    end
    if failure then
        shared:set("trouble", failure)
        ngx.log(ngx.ERR, failure)
    end
end

-- How many entries are in force, by section.
function M.counts()
    local counts = { hosts = 0, paths = 0, services = 0, endpoints = 0, callers = 0 }
    for _, name in ipairs(shared:get_keys(0)) do
        for _, section in ipairs(SECTIONS) do
            if name:sub(1, #section.prefix) == section.prefix then
                counts[section.field] = counts[section.field] + 1
            end
        end
    end
    return counts
end

return M
