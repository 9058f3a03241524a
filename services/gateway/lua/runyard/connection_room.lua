-- Connection room: keeps a worker's connections from being all of one client's, or of one tenant's instances.
--
-- nginx limits whole requests only: a client that never ends its head or body is none yet, and 39,000 of them held all
-- connections of two workers. So each worker looks at all that it has, whatever they are at. A tenant whose instances
-- call may have as many as it leaves free, a client (its address, of IPv6 its /64) half of that; what a request holds
-- at an instance counts as its client's. So n clients that take all they can leave 2/(n + 2) to the others. A part is
-- kept free from all of them, for the admin socket, and for who comes between two looks.
--
-- What is too much is hung up, the newest first: nginx then sees a client that went away. Where nobody can have too
-- much, looking is reading one number.
local connection = require "runyard.connection"
local counters = require "runyard.counters"
local ffi = require "ffi"
local layout = require "runyard.layout"
local routing = require "runyard.routing"

local C = ffi.C
local byte = string.byte

local M = {}

-- How often a worker looks, in seconds: it takes about 2,000 connections in that time, an eighth of what it may have.
local STEP_S = 0.05
-- What is kept free, as a part of all; nginx itself closes idle ones when a sixteenth is left.
local RESERVED = 1 / 8
-- What a tenant and a client may have, as a part of what is free and not kept.
local TENANT_PART, CLIENT_PART = 1, 1 / 2
-- How often that is worth a line of the log, in seconds.
local TOLD_S = 60
local IPV4, IPV6 = 2, 10  -- AF_INET, AF_INET6

local all, reserved  -- connections of this worker
local last_seen, told_at = 0, -TOLD_S
local gone = {}  -- what this look has hung up, by index: nginx ends it in its next turn

function M.configure(settings)
    all, reserved = settings.worker_connections, math.floor(settings.worker_connections * RESERVED)
end

-- What tells a client of TCP from others, of its address as nginx has it; nil for what comes over a unix socket.
local function client_of(address)
    if address == nil then
        return nil
    end
    local family = address[0] + address[1] * 256
    if family == IPV4 then
        return ffi.string(address + 4, 4)
    end
    return family == IPV6 and ffi.string(address + 8, connection.ADDRESS_BYTES) or nil
end

-- The client for whose request there is a connection to an instance, or nil.
local function client_behind(taken)
    local request = taken.data
    if request == nil or request.signature ~= layout.SIGNATURE or request.connection == nil then
        return nil
    end
    return client_of(ffi.cast("runyard_connection *", request.connection).address)
end

-- What each client has, by its name: how many connections with those to instances, and which are its own.
local function count_clients()
    local clients, connections = {}, C.ngx_cycle.connections
    for index = 0, all - 1 do
        local taken = connections[index]
        local is_own = taken.listener ~= nil
        local name = taken.fd >= 0 and (is_own and client_of(taken.address) or not is_own and client_behind(taken))
        if name then
            local client = clients[name]
            if not client then
                client = { name = name, count = 0, own = {} }
                clients[name] = client
            end
            client.count = client.count + 1
            if is_own then
                client.own[#client.own + 1] = index
            end
        end
    end
    return clients
end

-- A client's address as it is written, a network's for IPv6.
local function told(name)
    if #name == 4 then
        return ("%d.%d.%d.%d"):format(byte(name, 1, 4))
    end
    return ("%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64"):format(byte(name, 1, 8))
end

-- What the instances of each tenant have together.
local function add_tenants(clients)
    routing.sync()
    local tenants = {}
    for name, client in pairs(clients) do
        local key = #name == 4 and routing.caller(told(name))
        local tenant = key and key:match("^[^/]+")
        if tenant then
            local found = tenants[tenant] or { name = tenant, count = 0, own = {} }
            tenants[tenant] = found
            found.count = found.count + client.count
            for _, index in ipairs(client.own) do
                found.own[#found.own + 1] = index
            end
        end
    end
    return tenants
end

-- Hangs up connections of a holder until it has so many less: those that came since the last look, then any. Each ends
-- what it holds at instances too. Returns how many it has less.
local function hang_up(holder, surplus)
    local connections, weight, ended = C.ngx_cycle.connections, holder.count / #holder.own, 0
    for _, is_turn in ipairs {
        function(number) return number > last_seen end, function(number) return number <= last_seen end,
    } do
        for _, index in ipairs(holder.own) do
            if ended * weight >= surplus then
                return ended * weight
            end
            local taken = connections[index]
            if is_turn(tonumber(taken.number)) then
                connection.shut(taken.fd)
                gone[index] = true
                ended = ended + 1
            end
        end
    end
    return ended * weight
end

-- Holds every holder to its part of what is to spare, the largest first; returns what is then, and tells of the first.
local function trim(holders, part, spare, kind)
    local order = {}
    for _, holder in pairs(holders) do
        order[#order + 1] = holder
    end
    table.sort(order, function(a, b) return a.count > b.count end)
    for _, holder in ipairs(order) do
        -- So many less of its own are so many more to spare.
        local surplus = math.ceil((holder.count - part * spare) / (1 + part))
        if surplus <= 0 then
            break
        end
        if #holder.own > 0 then
            local ended = hang_up(holder, surplus)
            spare = spare + ended
            counters.add(counters.CONNECTIONS_ENDED, kind, ended)
            if ngx.now() - told_at >= TOLD_S then
                told_at = ngx.now()
                ngx.log(ngx.ERR, "the ", kind, " ", kind == "client" and told(holder.name) or holder.name, " has ",
                    holder.count, " of ", all, " connections of this worker: ends ", ended)
            end
        end
    end
    return spare
end

-- The connection that came last.
local function newest()
    local last, connections = 0, C.ngx_cycle.connections
    for index = 0, all - 1 do
        last = math.max(last, tonumber(connections[index].number))
    end
    return last
end

-- Leaves out of each client what was hung up as its tenant's.
local function forget_gone(clients)
    for _, client in pairs(clients) do
        local left = {}
        for _, index in ipairs(client.own) do
            if not gone[index] then
                left[#left + 1] = index
            end
        end
        if #left < #client.own then
            client.count, client.own = client.count * #left / #client.own, left
        end
    end
end

local function look()
    local free = tonumber(C.ngx_cycle.free_count)
    local spare = free - reserved
    if all - free <= spare * CLIENT_PART then
        return  -- not even if one had all of them
    end
    gone = {}
    local clients = count_clients()
    spare = trim(add_tenants(clients), TENANT_PART, spare, "tenant")
    forget_gone(clients)
    trim(clients, CLIENT_PART, spare, "client")
    last_seen = newest()
end

-- What it hangs up is nginx's to see in its next turn, so nothing of it runs inside compiled code.
jit.off(hang_up)

-- Whether this nginx keeps its connections where runyard.layout has them.
local function is_known()
    local cycle = C.ngx_cycle
    local first = cycle.connections
    if tonumber(cycle.connection_count) ~= all or first == nil or tonumber(cycle.free_count) > all then
        return false
    end
    local step = first[1].events[0] - first[0].events[0]
    return step > 0 and first[2].events[0] - first[1].events[0] == step
        and first[all - 1].events[0] - first[0].events[0] == step * (all - 1)
end

function M.start_worker()
    if not is_known() then
        ngx.log(ngx.ERR, "this nginx keeps its connections elsewhere: no client is held to a part of them")
        return
    end
    local done, failure = ngx.timer.every(STEP_S, look)
    if not done then
        ngx.log(ngx.ERR, "look at the connections of clients: ", failure)
    end
end

return M
