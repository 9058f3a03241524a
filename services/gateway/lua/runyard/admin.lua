-- Admin: the requests that the orchestrator makes over the unix socket.
local cjson = require "cjson.safe"
local answer = require "runyard.answer"
local clock = require "runyard.clock"
local inflight = require "runyard.inflight"
local load = require "runyard.load"
local metrics = require "runyard.metrics"
local cache = require "runyard.cache"
local snapshot = require "runyard.snapshot"
local snapshot_file = require "runyard.snapshot_file"
local routing = require "runyard.routing"

-- Not the dictionary of snapshots: where that is full, a lock could throw an entry out.
local locks = ngx.shared.health
local var = require("runyard.request").var

local M = {}

-- Two workers must not write at once. The lock frees itself should its worker die; writing the largest snapshot
-- takes far less. Whoever waits longer than that is told to come again.
local LOCK = "writing-snapshot"
local LOCK_S = 10
local STEP_S = 0.01
-- How often a request that waits for an instance to be idle looks again: one number in memory, so often costs little.
local LOOK_S = 0.02
-- What such a request waits at most, in seconds; whoever wants to wait longer asks again.
local LONGEST_WAIT_S = 30

local statuses = { shape = 400, generation = 409, base = 409, memory = 507 }
-- What a body of each method does.
local takers = { PUT = snapshot.accept, PATCH = snapshot.amend }

-- The whole body of a request.
function M.body()
    ngx.req.read_body()
    local body = ngx.req.get_body_data()
    local path = not body and ngx.req.get_body_file()
    if path then
        local handle = assert(io.open(path, "rb"))
        body = handle:read("*a")
        handle:close()
    end
    return body or ""
end

local function lock()
    for _ = 1, LOCK_S / STEP_S do
        if locks:add(LOCK, true, LOCK_S) then
            return true
        end
        ngx.sleep(STEP_S)
    end
    return false
end

-- Lets other requests of this worker have their turn.
local function breathe()
    ngx.sleep(0)
end

local function take(taker, body)
    local before = snapshot.generation()
    local generation, kind, detail = taker(body, breathe)
    return { generation = generation, kind = kind, detail = detail, changed = generation and generation ~= before }
end

local function change(taker)
    local body = M.body()
    if not lock() then
        return answer.problem(503, "busy", "another snapshot is being written")
    end
    local done, result = pcall(take, taker, body)
    locks:delete(LOCK)
    if not done then
        error(result, 0)
    end
    if not result.generation then
        ngx.log(ngx.WARN, "refuse snapshot: ", result.detail)
        return answer.problem(statuses[result.kind], result.kind, result.detail, { generation = snapshot.generation() })
    end
    if result.changed then
        snapshot_file.keep()
    end
    return answer.send(200, "application/json", cjson.encode({ generation = result.generation }))
end

-- PUT puts a snapshot in force, PATCH what changed in it; GET tells what is in force, and what of it the file has.
function M.snapshot()
    local method = ngx.req.get_method()
    if takers[method] then
        return change(takers[method])
    end
    if method ~= "GET" then
        return answer.problem(405, "method", "must be GET, PUT or PATCH, got " .. method)
    end
    local counts = snapshot.counts()
    counts.generation, counts.kept = snapshot.generation(), snapshot_file.generation()
    counts.warning = snapshot_file.trouble()
    return answer.send(200, "application/json", cjson.encode(counts))
end

-- POST makes invalid what is kept of a service: {"service": "tenant/name"}, with "path" of one path.
function M.purge()
    local request = cjson.decode(M.body())
    local key, path = type(request) == "table" and request.service, type(request) == "table" and request.path or nil
    routing.sync()
    local known = type(key) == "string" and routing.service(key)
    if ngx.req.get_method() ~= "POST" or not known or (path and (type(path) ~= "string" or path:sub(1, 1) ~= "/")) then
        return answer.problem(400, "purge", "must be POST of a service that is in force and, if any, a path from /")
    end
    if not known.cache then
        return answer.problem(409, "no-cache", "the service has no cache: runyard.dev/cache turns it on")
    end
    cache.purge(key, path)
    return answer.send(200, "application/json", "{}")
end

-- The gateway's own counters and states, for Prometheus.
function M.metrics()
    local body, content_type = metrics.render(breathe)
    return answer.send(200, content_type, body)
end

-- What is in flight now, by instance address; idle ones are left out.
function M.inflight()
    local parts = {}
    for _, address in ipairs(inflight.names()) do
        local count = address:find("|", 1, true) and 0 or inflight.count(address)
        if count ~= 0 then
            parts[#parts + 1] = cjson.encode(address) .. ":" .. count
        end
    end
    -- Built by hand: cjson would write an empty table as {} or [] by its own rules.
    return answer.send(200, "application/json", '{"inflight":{' .. table.concat(parts, ",") .. "}}")
end

-- The load of every revision that moved since generation `?after=` of the gateway's life `&life=`; all without these.
function M.load()
    local after = tonumber(var.arg_after or 0)
    if ngx.req.get_method() ~= "GET" or not (after and after >= 0) then
        return answer.problem(400, "load", "must be GET, with after from 0")
    end
    local body = load.tell(after, var.arg_life)
    if not body then
        return answer.problem(503, "busy", "others are being told")
    end
    return answer.send(200, "application/json", body)
end

-- The names under which requests to an instance are counted: one for each of its ports.
local function names_at(ip)
    local names = {}
    for _, name in ipairs(inflight.names()) do
        if name:match("^(.+):%d+$") == ip then
            names[#names + 1] = name
        end
    end
    return names
end

local function count_all(names)
    local total = 0
    for _, name in ipairs(names) do
        total = total + inflight.count(name)
    end
    return total
end

-- Waits until none of them has a request, or for the deadline (of runyard.clock); returns how many they have then.
local function wait_for_none(names, deadline)
    local count = count_all(names)
    while count > 0 and clock.now() < deadline and not ngx.worker.exiting() do
        ngx.sleep(LOOK_S)
        count = count_all(names)
    end
    return count
end

-- How many requests an instance has. With `?wait=` in seconds, answers when it has none, or when that time is over.
function M.inflight_of(ip)
    local wait_s = var.arg_wait and tonumber(var.arg_wait) or 0
    if ngx.req.get_method() ~= "GET" or not (wait_s >= 0 and wait_s <= LONGEST_WAIT_S) then
        return answer.problem(400, "inflight", "must be GET, with wait from 0 to " .. LONGEST_WAIT_S)
    end
    local deadline = clock.now() + wait_s
    local count
    repeat
        local names = names_at(ip)
        count = wait_for_none(names, deadline)
        -- Another of its ports may have got one since.
        local seen_all = count > 0 or count_all(names_at(ip)) == 0
    until seen_all
    return answer.send(200, "application/json", cjson.encode({ inflight = count }))
end

return M
