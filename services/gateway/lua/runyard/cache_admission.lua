-- Cache admission: which responses the cache may keep, so that its disk never fills up.
--
-- nginx's max_size is for its manager, which looks every ten seconds; until then anything is written, and a client
-- whose response finds no room is cut. So a response must tell its length, and what is being written must fit into what
-- is free.
local connection = require "runyard.connection"
local ffi = require "ffi"
local inflight = require "runyard.inflight"
local request = require "runyard.request"

ffi.cdef [[
    // Of glibc on 64 bits.
    struct runyard_disk { unsigned long block, fragment, blocks, free, available, others[6]; int spare[6]; };
    int statvfs(const char *path, struct runyard_disk *disk);
]]

local var = request.var

local M = {}

local NAME = "keeping|"
local PAGE_BYTES = 4096
-- In front of a response nginx writes its headers and its key, which have buffers of 4 and of at most 64 KiB.
local HEAD_BYTES = 68 * 1024
-- One response has no more than this part of the cache, or a few would throw out all others.
local PART = 8

local directory, largest_bytes
local disk = ffi.new("struct runyard_disk")
local held = request.by_key("kept_pages")

function M.configure(settings)
    directory, largest_bytes = settings.cache_directory, settings.cache_mib * 2 ^ 20 / PART
end

local function free_pages()
    if ffi.C.statvfs(directory, disk) ~= 0 then
        return 0
    end
    return tonumber(disk.available) * tonumber(disk.fragment) / PAGE_BYTES
end

-- Has nginx keep this response, if it may be kept at all, or not; its service lets none be longer than `most`, if not
-- 0.
function M.decide(most)
    local name = connection.key()
    M.finish(name)
    -- Of two lengths nginx takes the last, and beside a transfer coding it takes none.
    local length = not var.upstream_http_transfer_encoding and tonumber(ngx.header["Content-Length"])
    if length and length <= largest_bytes and (most == 0 or length <= most) then
        local pages = math.ceil((length + HEAD_BYTES) / PAGE_BYTES)
        if inflight.take(NAME, free_pages(), pages) then
            held[name] = pages
            return
        end
    end
    var.unkept = "1"
end

-- Gives back what the request of this key has to write, in the log phase: it is written, or never will be.
function M.finish(name)
    local pages = held[name]
    if pages then
        held[name] = nil
        inflight.give(NAME, pages)
    end
end

return M
