-- Pools: which of nginx's keepalive pools holds the idle connections to an instance.
--
-- nginx looks for an idle connection one by one in the pool of its upstream block, and a pool that is full closes the
-- oldest: with 500 services and one pool, most requests made a new connection and cost three times as much. So there
-- are many pools, of blocks that nothing names, and each instance has one of them, told by its address: once the
-- balancer has named the instance, nginx's own note of where to look is turned to that pool.
local ffi = require "ffi"
local layout = require "runyard.layout"

local C = ffi.C

local M = {}

local NAME, PREFIX = "instances", "^pool_(%d+)$"

local pools, count = {}, 0  -- nginx's pools, from 0
local usual  -- the pool of the block that requests name
local is_sure = false  -- whether a request was seen to have it

-- In a worker that starts: finds the pools of nginx.conf.
function M.start_worker()
    local all = layout.configuration(C.ngx_http_upstream_module, "runyard_blocks *")
    for index = 0, tonumber(all.count) - 1 do
        local block = all.blocks[index]
        local name = ffi.string(block.name, block.name_length)
        local number = tonumber(name:match(PREFIX))
        local pool = block.configuration and block.configuration[C.ngx_http_upstream_keepalive_module.context_index]
        if name == NAME then
            usual = pool
        elseif number then
            pools[number], count = pool, count + 1
        end
    end
end

-- The number of the pool for an instance at this address; nil for one over HTTP/2, of which there are few.
function M.of(address, protocol)
    return protocol == "http1" and count > 0 and ngx.crc32_short(address) % count or nil
end

-- Has nginx look for an idle connection in this pool, and put it there again, for the current request's current try.
function M.use(number)
    local keeper = layout.current().upstream.keeper
    if not is_sure then
        if keeper == nil or keeper.pool ~= usual then
            ngx.log(ngx.ERR, "this nginx keeps its idle connections elsewhere: all of them are in one pool")
            count = 0
            return
        end
        is_sure = true
    end
    keeper.pool = pools[number]
end

return M
