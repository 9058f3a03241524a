-- Wake: tells the orchestrator which revisions are wanted that have no instance, and the requests that wait for one as
-- soon as there is.
--
-- Whoever is first in a line of runyard.queue says so each time that it looks in vain. While anybody does, one loop in
-- each worker sends the names of these revisions over one connection, and sees new endpoints: what a push changes is in
-- memory that all workers share, and nothing else tells the others. A revision is sent by one worker at a time, every
-- 100 ms, because nobody confirms it: the next one finds an orchestrator that was away.
local clock = require "runyard.clock"
local queue = require "runyard.queue"
local routing = require "runyard.routing"
local semaphore = require "ngx.semaphore"
local store = require "runyard.store"

local shared = ngx.shared.health
local now = clock.now

local M = {}

-- How often a revision is sent, in seconds.
local REPEAT_S = 0.1
-- Which worker sends it is noted for two of its turns: should it be killed, another one does.
local OWNER_S = 0.25
-- How often the loop looks whether endpoints changed, which reads one number; and for which names it is time.
local LOOK_S, PASS_S = 0.002, 0.01
-- A name that nobody has said for as long is not wanted any more. The first of a line looks ten times a second.
local WANTED_S = 0.3
local CONNECT_MS = 1000

local wanted = {}  -- `tenant/revision` -> { said = last, due = next turn, tenant, revision, is_owner }
local is_running, news = false, nil
local path, socket, is_failing

function M.configure(settings)
    path = settings.wake_socket
end

local function note(failure)
    if not is_failing then
        ngx.log(ngx.ERR, "wake sleeping revisions over ", path, ": ", failure, "; tried again while requests wait")
    end
    is_failing = true
end

local function send(text)
    local failure
    if not socket then
        local opened = ngx.socket.tcp()
        opened:settimeout(CONNECT_MS)
        local done, trouble = opened:connect("unix:" .. path)
        socket, failure = done and opened or nil, trouble
    end
    if socket then
        local sent
        sent, failure = socket:send(text)
        if sent then
            is_failing = false
            return
        end
        socket:close()
        socket = nil
    end
    note(failure)
end

local function owner_of(name)
    return "wake|" .. name
end

-- Whether this worker is the one that sends it.
local function owns(name, wish)
    local own = ngx.worker.pid()
    if wish.is_owner and shared:get(owner_of(name)) == own then
        shared:set(owner_of(name), own, OWNER_S)
    else
        wish.is_owner = shared:safe_add(owner_of(name), own, OWNER_S) == true
    end
    return wish.is_owner
end

local function drop(name, wish)
    wanted[name] = nil
    if wish.is_owner then
        shared:delete(owner_of(name))
    end
end

-- Has requests look again whose revision has an instance now. The first of a line wakes the next.
local function release()
    routing.sync()
    for name, wish in pairs(wanted) do
        if routing.endpoints(wish.tenant, wish.revision).count > 0 then
            drop(name, wish)
            queue.wake(name)
        end
    end
end

-- Sends all names for which it is time.
local function pass(at)
    local lines = {}
    for name, wish in pairs(wanted) do
        if at - wish.said > WANTED_S then
            drop(name, wish)
        elseif at >= wish.due then
            wish.due = at + REPEAT_S
            if owns(name, wish) then
                lines[#lines + 1] = name .. "\n"
            end
        end
    end
    if #lines > 0 then
        send(table.concat(lines))
    end
end

local function run()
    local epoch, next_pass = store.epoch(), 0
    release()  -- what came between the look in vain and this
    while next(wanted) do
        local current, at = store.epoch(), now()
        if current ~= epoch then
            epoch = current
            release()
        end
        if at >= next_pass then
            next_pass = at + PASS_S
            pass(at)
        end
        if news:wait(LOOK_S) then
            next_pass = 0
        end
    end
    if socket then
        socket:close()
        socket = nil
    end
end

local function start(premature)
    local done, failure = true, nil
    if not premature then
        done, failure = pcall(run)
    end
    is_running = false
    if not done then
        socket = nil
        ngx.log(ngx.ERR, "wake sleeping revisions: ", failure)
    end
end

-- Notes that a request waits for this revision, which has no instance. Returns at once.
function M.want(tenant, revision)
    local name = tenant .. "/" .. revision
    local wish = wanted[name]
    if wish then
        wish.said = now()
    else
        wanted[name] = { said = now(), due = 0, tenant = tenant, revision = revision }
        if is_running then
            news:post(1)
        end
    end
    if not is_running then
        -- Where a worker ends, timers do not start any more; the others go on, and its own requests look by themselves.
        is_running = ngx.timer.at(0, start) ~= nil
    end
end

function M.start_worker()
    news = semaphore.new(0)
end

return M
