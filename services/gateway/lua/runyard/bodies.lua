-- Bodies: the room on the gateway's disk that the bodies of requests take, and who may have how much of it.
--
-- A body is counted by its length before it is read, and until its request ends. Nobody can fill the disk: a tenant
-- gets no more than it leaves free, a client no more than half of that. So n of them that take all they can leave 1/(n
-- + 1), or 2/(n + 2), to the others.
local connection = require "runyard.connection"
local inflight = require "runyard.inflight"
local request = require "runyard.request"
local watch = require "runyard.watch"
local verdicts = require "runyard.verdicts"

local var = request.var

local M = {}

local PAGE_BYTES = 4096  -- what a file takes is whole pages of memory
-- nginx's client_body_buffer_size: what is smaller never lies on the disk.
local MEMORY_BYTES = 16384
-- Clients are counted together by a hash, so that the names of those that are gone do not pile up.
local CLIENTS = 1024

local room, largest_bytes  -- of all bodies in pages, and of one
local held = request.by_key("body")

function M.configure(settings)
    room, largest_bytes = settings.bodies_mib * 2 ^ 20 / PAGE_BYTES, settings.kept_body_bytes
end

local function give(names, pages)
    for _, name in ipairs(names) do
        inflight.give(name, pages)
    end
end

-- Adds the pages to each name in turn; what does not fit is taken back.
local function count(names, pages)
    local left = math.huge
    for index, name in ipairs(names) do
        local most = index == 1 and room or index == 2 and left or left / 2
        local taken = inflight.take(name, most, pages)
        if not taken then
            for before = 1, index - 1 do
                inflight.give(names[before], pages)
            end
            return false
        end
        left = index == 1 and room - taken or left
    end
    return true
end

-- Takes room for a body of so many bytes, or of unknown length with nil, that must be there in so many seconds. Returns
-- the name of an answer when it cannot have it. A request that has some already keeps that.
function M.take(bytes, seconds)
    local name = connection.key()
    bytes = bytes or largest_bytes
    if held[name] or bytes < MEMORY_BYTES then
        return nil
    end
    if bytes > largest_bytes then
        return verdicts.REQUEST_TOO_LARGE
    end
    local pages = math.ceil(bytes / PAGE_BYTES)
    local client = ngx.crc32_short(connection.client()) % CLIENTS
    local names = { "bodies|", "bodies|tenant|" .. var.tenant, "bodies|client|" .. client }
    if not count(names, pages) then
        return verdicts.NO_ROOM
    end
    held[name] = { pages = pages, names = names }
    -- nginx's client_body_timeout is for each read.
    watch.expect(seconds)
    return nil
end

-- Gives back what a body whose length was unknown does not need.
function M.shrink(bytes)
    local share = held[connection.key()]
    local pages = bytes < MEMORY_BYTES and 0 or math.ceil(bytes / PAGE_BYTES)
    if share and pages < share.pages then
        give(share.names, share.pages - pages)
        share.pages = pages
    end
end

-- Gives back the room of the request of this key, if it has any, in the log phase.
function M.finish(name)
    local share = held[name]
    if share then
        held[name] = nil
        give(share.names, share.pages)
    end
end

return M
