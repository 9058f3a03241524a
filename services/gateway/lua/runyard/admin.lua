-- Admin: the requests that the orchestrator makes over the unix socket.
local cjson = require "cjson.safe"
local answer = require "runyard.answer"
local inflight = require "runyard.inflight"
local metrics = require "runyard.metrics"
local cache = require "runyard.cache"
local snapshot = require "runyard.snapshot"
local world = require "runyard.world"

local shared = ngx.shared.snapshot

local M = {}

-- Two workers must not write at once. The lock frees itself should its worker die; writing the largest snapshot
-- takes far less. Whoever waits longer than that is told to come again.
local LOCK_S = 10
local STEP_S = 0.01

local statuses = { shape = 400, generation = 409, memory = 507 }

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
        if shared:add("writing", true, LOCK_S) then
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

local function take(body)
    local before = world.generation()
    local generation, kind, detail = snapshot.accept(body, breathe)
    local failure = generation and generation ~= before and snapshot.keep(body) or nil
    return { generation = generation, kind = kind, detail = detail, warning = failure }
end

local function put()
    local body = M.body()
    if not lock() then
        return answer.problem(503, "busy", "another snapshot is being written")
    end
    local done, result = pcall(take, body)
    shared:delete("writing")
    if not done then
        error(result, 0)
    end
    if not result.generation then
        ngx.log(ngx.WARN, "refuse snapshot: ", result.detail)
        return answer.problem(statuses[result.kind], result.kind, result.detail, { generation = world.generation() })
    end
    return answer.send(
        200, "application/json", cjson.encode({ generation = result.generation, warning = result.warning })
    )
end

-- PUT puts a snapshot in force; GET tells what is in force.
function M.snapshot()
    local method = ngx.req.get_method()
    if method == "PUT" then
        return put()
    end
    if method ~= "GET" then
        return answer.problem(405, "method", "must be GET or PUT, got " .. method)
    end
    local counts = snapshot.counts()
    counts.generation = world.generation()
    return answer.send(200, "application/json", cjson.encode(counts))
end

-- POST makes invalid what is kept of a service: {"service": "tenant/name"}, with "path" of one path.
function M.purge()
    local request = cjson.decode(M.body())
    local key, path = type(request) == "table" and request.service, type(request) == "table" and request.path or nil
    world.sync()
    local known = type(key) == "string" and world.service(key)
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

return M
