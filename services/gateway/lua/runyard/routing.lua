-- Routing: what the snapshot in shared memory says, decoded once per worker and change.
--
-- A worker that sees a new epoch of runyard.store forgets what changed since the one that it knew. Entries: host:<host>
-- and caller:<ip> hold a service key, service:<key>, endpoints:<key> and paths:<host> hold JSON.
local budget = require "runyard.budget"
local cjson = require "cjson.safe"
local clock = require "runyard.clock"
local ffi = require "ffi"
local limit = require "runyard.limit"
local memory = require "runyard.memory"
local pools = require "runyard.pools"
local store = require "runyard.store"

ffi.cdef [[
    struct runyard_health { double epoch; };
]]

local health = ngx.shared.health
local shown  -- struct runyard_health *
local now = ngx.now
local random = math.random

local M = {
    routes = {},  -- what runyard.hosts resolved for a host at the edge, until the epoch changes
    patterns = {},  -- the same for a pattern; apart, because a client may send anything as its host
    -- By runyard.connection's key: the endpoints that runyard.router chose, with their `service`, likewise.
    chosen = {},
    sessions = {},  -- what runyard.affinity made of a service's endpoints, likewise
    turn = -1,  -- when this turn of the event loop began, by ngx.now()
    -- A number that differs when anything did that runyard.health or runyard.breaker keep in shared memory.
    health_epoch = 0,
}

-- What was decoded of the entries, by name: only of those that are there, so that strangers cannot fill it.
local cache = {}
-- The same by tenant and then by name: the plain location looks up three of them, and joining a key anew would cost
-- each of its requests the making of two strings.
local services, groups = {}, {}
local callers = {}  -- service keys by address
local epoch = -1

local function split(key)
    local slash = key:find("/", 1, true)
    return key:sub(1, slash - 1), key:sub(slash + 1)
end

-- Forgets what was kept of an entry; returns whether a route may depend on it.
local function forget(name)
    cache[name] = nil
    local kind, key = name:match("^([a-z]+):(.*)$")
    if kind == "endpoints" then
        local tenant, revision = split(key)
        groups[tenant] = groups[tenant] or {}
        groups[tenant][revision] = nil
    elseif kind == "caller" then
        callers[key] = nil
    end
    return kind ~= "endpoints" and kind ~= "caller"
end

local function forget_all()
    cache, services, groups, callers = {}, {}, {}, {}
    M.routes, M.patterns = {}, {}
end

-- Goes on to the newest epoch.
local function go_on(current)
    local changed, routed = epoch >= 0 and store.changed(epoch, current), false
    epoch = current
    for name in pairs(changed or {}) do
        routed = name:find(":", 1, true) and forget(name) or routed
    end
    if not changed then
        forget_all()
    elseif routed then
        services, M.routes, M.patterns = {}, {}, {}
    end
    M.chosen, M.sessions = {}, {}
end

-- In the master, before it forks.
function M.start()
    shown = assert(memory.map("health-epoch", "struct runyard_health", 1), "no memory for the epoch of health")
end

-- Forgets what an older epoch resolved, so that what was confirmed before a request came holds for it.
function M.sync()
    local current = store.epoch()
    if current ~= epoch then
        go_on(current)
    end
    M.turn, M.health_epoch = now(), shown.epoch
end

-- Has every worker look at the health of instances again, this one at once. The number is counted where two workers
-- cannot count the same, and shown where reading it takes no lock. Should the smaller of two be shown last, whoever has
-- seen the larger one looks once more than it must.
function M.raise_health_epoch()
    M.health_epoch = health:incr("health_epoch", 1, 0)
    shown.epoch = M.health_epoch
end

local function needs_look(handling)
    return handling.response_start_s > 0 or handling.idle_s > 0 or handling.max_request_bytes > 0
        or handling.max_response_bytes > 0
end

local function prepare_service(key, fields)
    local tenant, name = split(key)
    local service = {
        key = key,
        tenant = tenant,
        name = name,
        ingress = fields.ingress,
        timeout_s = fields.timeout_s,
        session_affinity = fields.session_affinity,
        stopped = fields.stopped,
        paused_till = fields.paused_until_unix_s > 0 and fields.paused_until_unix_s or nil,
        handling = fields.handling,
        queue_size = fields.limits.queue_size,
        queue_timeout_s = fields.limits.queue_timeout_s,
        fallback = (fields.fallback.page ~= "" or fields.fallback.service ~= "") and fields.fallback or nil,
        limits = limit.prepare(key, tenant, fields.limits),
        -- The location that its requests need, when it is not the usual one.
        location = not fields.handling.request_buffering and "@upload" or nil,
        -- Whether they must be looked at in the usual one, too.
        aside = needs_look(fields.handling),
        cache = fields.handling.cache,
        retries = fields.retries,
        breaker = fields.breaker,
        uses = {},
        -- By which it shows itself to those, by name; runyard.caller_identity has them.
        tokens = {},
        shares = {},
        revisions = {},  -- name to percent
        tags = {},
        total = 0,
        phase = random(),
    }
    for _, used in ipairs(fields.uses) do
        service.uses[used] = true
    end
    for _, share in ipairs(fields.traffic) do
        service.revisions[share.revision] = (service.revisions[share.revision] or 0) + share.percent
        if share.tag ~= "" then
            service.tags[share.tag] = share.revision
        end
        if share.percent > 0 then
            service.total = service.total + share.percent
            service.shares[#service.shares + 1] = { upto = service.total, revision = share.revision }
        end
    end
    return service
end

-- Endpoints by address and budgets by revision, for as long as anything else knows them.
local places = setmetatable({}, { __mode = "v" })
local budgets = setmetatable({}, { __mode = "v" })

local function prepare_endpoints(key, fields)
    local own_budget = budgets[key] or budget.new()
    budgets[key] = own_budget
    local group = {
        key = key,
        -- The same instances, the same name: what is known of them as a whole ends with the first that changes.
        set = key .. "@" .. ngx.crc32_short(table.concat(fields.addresses, ",")),
        list = {},
        count = #fields.addresses,
        -- Knative's 0 means no limit.
        limit = fields.concurrency > 0 and fields.concurrency or math.huge,
        protocol = fields.protocol,
        start_timeout_s = fields.start_timeout_s,
        location = fields.protocol == "h2c" and "@h2c" or nil,
        budget = own_budget,
        counted_since = clock.now(),
    }
    for index, address in ipairs(fields.addresses) do
        local ip, port = address:match("^(.+):(%d+)$")
        local endpoint = {
            address = address, ip = ip, port = tonumber(port), group = group,
            pool = pools.of(address, fields.protocol),
            -- Of its answers, how many this worker has had below 500, and how many not; see runyard.health.
            good = 0, bad = 0,
        }
        group.list[index], places[address] = endpoint, endpoint
    end
    return group
end

-- The parts of a host, the longest path first, so that the first that matches is the one.
local function prepare_paths(_, fields)
    table.sort(fields, function(a, b) return #a.path > #b.path end)
    return fields
end

-- What an entry says in the epoch that this worker is in, so that all of a turn's reading agrees.
local function look(name)
    local raw, lost = store.read(epoch, name)
    if lost then
        -- Overtaken by more changes within one turn than anybody keeps: rather the newest of everything than nothing.
        go_on(store.epoch())
        raw = store.read(epoch, name)
    end
    return raw
end

local function read(prefix, key, prepare)
    local name = prefix .. key
    local known = cache[name]
    if known then
        return known
    end
    local raw = look(name)
    if not raw then
        return nil  -- not cached: names that nobody serves come from strangers and have no bound
    end
    known = prepare(key, cjson.decode(raw))
    cache[name] = known
    return known
end

-- The service of this key, or nil.
function M.service(key)
    return read("service:", key, prepare_service)
end

local function remember(by_tenant, tenant, name, value)
    local known = by_tenant[tenant] or {}
    by_tenant[tenant], known[name] = known, value
    return value
end

-- The service of this name, or nil.
function M.service_of(tenant, name)
    local known = services[tenant]
    local service = known and known[name]
    if service then
        return service
    end
    service = M.service(tenant .. "/" .. name)
    return service and remember(services, tenant, name, service)
end

local nowhere = { key = "", set = "", list = {}, count = 0, limit = 0, start_timeout_s = 0, budget = budget.new() }

-- Where a revision answers: its endpoints and their concurrency limit; empty for a revision that has none.
function M.endpoints(tenant, revision)
    local known = groups[tenant]
    local group = known and known[revision]
    if group then
        return group
    end
    group = read("endpoints:", tenant .. "/" .. revision, prepare_endpoints)
    return group and remember(groups, tenant, revision, group) or nowhere
end

-- The endpoint of this address, as long as it is one of a revision that this worker has sent requests to.
function M.place(address)
    return places[address]
end

-- The key of the service that answers this public host, or nil.
function M.host(host)
    return look("host:" .. host)
end

-- The parts of this public host that have services of their own, the longest path first, or nil.
function M.paths(host)
    return read("paths:", host, prepare_paths)
end

-- The key of the service whose instance has this address, or nil.
function M.caller(ip)
    local known = callers[ip]
    if not known then
        known = look("caller:" .. ip)
        callers[ip] = known  -- strangers are not kept: they have no bound
    end
    return known
end

return M
