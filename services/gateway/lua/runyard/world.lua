-- World: what the snapshot in shared memory says, decoded once per worker and change.
--
-- Writers (runyard.snapshot) set keys and then raise `epoch`; a worker that sees a new epoch forgets what it
-- resolved. Keys: host:<host> and caller:<ip> hold a service key, service:<key>, endpoints:<key> and paths:<host> hold
-- JSON.
local budget = require "runyard.budget"
local cjson = require "cjson.safe"
local limit = require "runyard.limit"

local shared, health = ngx.shared.snapshot, ngx.shared.health
local now = ngx.now
local random = math.random

local M = {
    routes = {},  -- what runyard.hosts resolved for a host at the edge, until the epoch changes
    patterns = {},  -- the same for a pattern; apart, because a client may send anything as its host
    chosen = {},  -- by runyard.connection's key: the endpoints that runyard.router chose, with their `service`, likewise
    sessions = {},  -- what runyard.affinity made of a service's endpoints, likewise
    turn = -1,  -- when this turn of the event loop began, by ngx.now()
    mood = 0,  -- a number that differs when anything did that runyard.health or runyard.breaker keep in shared memory
}

-- How long an instance may owe an answer before runyard.health pings it the first time, in seconds.
local SILENCE_S = 1

-- The cache of the epoch before is kept beside this one's: most keys are the same after a change, and comparing
-- the raw text is cheaper than decoding it again. Two generations also bound what removed keys can leave behind.
local cache, older = {}, {}
-- The same by tenant and then by name: the plain way looks up three of them, and joining a key anew would cost each
-- of its requests the making of two strings.
local services, groups = {}, {}
local epoch = -1

-- Forgets what an older epoch resolved. ngx.now() stands still within one turn of the event loop, so the shared
-- memory (and its lock) is asked once per turn, not once per request.
function M.sync()
    local turn = now()
    if turn == M.turn then
        return
    end
    M.turn = turn
    M.mood = health:get("mood") or 0
    local current = shared:get("epoch") or 0
    if current ~= epoch then
        epoch = current
        older, cache = cache, {}
        services, groups = {}, {}
        M.routes = {}
        M.chosen = {}
        M.patterns = {}
        M.sessions = {}
    end
end

-- Has every worker look at the health of instances again, this one at once.
function M.change_mood()
    M.mood = health:incr("mood", 1, 0)
end

local function split(key)
    local slash = key:find("/", 1, true)
    return key:sub(1, slash - 1), key:sub(slash + 1)
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
        handling = fields.handling,
        queue_size = fields.limits.queue_size,
        queue_timeout_s = fields.limits.queue_timeout_s,
        fallback = (fields.fallback.page ~= "" or fields.fallback.service ~= "") and fields.fallback or nil,
        limits = limit.prepare(key, tenant, fields.limits),
        -- The location that its requests need, when it is not the usual one.
        way = not fields.handling.request_buffering and "@upload" or nil,
        -- Whether they must be looked at in the usual one, too.
        aside = needs_look(fields.handling),
        cache = fields.handling.cache,
        uses = {},
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
        way = fields.protocol == "h2c" and "@h2c" or nil,
        budget = own_budget,
    }
    for index, address in ipairs(fields.addresses) do
        local ip, port = address:match("^(.+):(%d+)$")
        local endpoint =
            { address = address, ip = ip, port = tonumber(port), group = group, silence_s = SILENCE_S }
        group.list[index], places[address] = endpoint, endpoint
    end
    return group
end

-- The parts of a host, the longest path first, so that the first that matches is the one.
local function prepare_paths(_, fields)
    table.sort(fields, function(a, b) return #a.path > #b.path end)
    return fields
end

local function read(prefix, key, prepare)
    local name = prefix .. key
    local entry = cache[name]
    if entry then
        return entry.value
    end
    local raw = shared:get(name)
    if not raw then
        return nil  -- not cached: names that nobody serves come from strangers and have no bound
    end
    entry = older[name]
    if not entry or entry.raw ~= raw then
        entry = { raw = raw, value = prepare(key, cjson.decode(raw)) }
    end
    cache[name] = entry
    return entry.value
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

local nowhere = { key = "", set = "", list = {}, count = 0, limit = 0, budget = budget.new() }

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
    return shared:get("host:" .. host)
end

-- The parts of this public host that have services of their own, the longest path first, or nil.
function M.paths(host)
    return read("paths:", host, prepare_paths)
end

-- The key of the service whose instance has this address, or nil.
function M.caller(ip)
    return shared:get("caller:" .. ip)
end

-- The generation in force; 0 before the first snapshot.
function M.generation()
    return shared:get("generation") or 0
end

return M
