-- Runyard: the gateway's entry; nginx.conf names these functions, one a phase.
local admin = require "runyard.admin"
local admin_identity = require "runyard.admin_identity"
local admin_tls = require "runyard.admin_tls"
local affinity = require "runyard.affinity"
local answer = require "runyard.answer"
local balancer = require "runyard.balancer"
local bodies = require "runyard.bodies"
local caller_identity = require "runyard.caller_identity"
local call_id = require "runyard.call_id"
local certificates = require "runyard.certificates"
local cold_start = require "runyard.cold_start"
local connection = require "runyard.connection"
local connection_room = require "runyard.connection_room"
local hop_by_hop = require "runyard.hop_by_hop"
local hold = require "runyard.hold"
local inflight = require "runyard.inflight"
local cache_admission = require "runyard.cache_admission"
local limit = require "runyard.limit"
local load = require "runyard.load"
local cleartext = require "runyard.cleartext"
local pools = require "runyard.pools"
local response = require "runyard.response"
local queue = require "runyard.queue"
local rescue = require "runyard.rescue"
local router = require "runyard.router"
local routing = require "runyard.routing"
local snapshot_file = require "runyard.snapshot_file"
local store = require "runyard.store"
local trust = require "runyard.trust"
local variables = require "runyard.variables"
local wake = require "runyard.wake"
local watch = require "runyard.watch"
local locations = require "runyard.locations"

local M = {
    strip = hop_by_hop.strip,
    route = router.route,
    route_http2 = locations.route_http2,
    route_tls = locations.route_tls,
    balance = balancer.balance,
    again = hold.again,
    look = trust.look,
    header = response.header,
    body = response.body,
    error = answer.error,
    health = answer.health,
    admin_snapshot = admin.snapshot,
    admin_inflight = admin.inflight,
    admin_inflight_of = admin.inflight_of,
    admin_load = admin.load,
    admin_purge = admin.purge,
    admin_metrics = admin.metrics,
    admin_caller_identity = admin_identity.keys,
    admin_certificates = admin_tls.certificates,
    admin_certificate = admin_tls.certificate,
    admin_challenge = admin_tls.challenge,
    present = certificates.present,
    redirect = cleartext.redirect,
    expect_body = watch.expect_body,
    challenge = cleartext.challenge,
}

-- The log phase.
function M.finish()
    local name = connection.key()
    watch.leave(name)
    queue.finish(name)
    cold_start.finish(name)
    balancer.finish(name)
    limit.finish(name)
    bodies.finish(name)
    cache_admission.finish(name)
    rescue.finish(name)
end

-- Has LuaJIT compile a whole phase as one piece: with its usual 500 constants the balancer's was too long, and a phase
-- that is interpreted costs a request as much as all of nginx does. The workers take this over.
local function let_compile()
    jit.opt.start("maxirconst=4000", "loopunroll=100")
end

-- Has Lua look for garbage when its memory has grown to three times what was in use, and not already at twice: a
-- request leaves a few strings, and going through all that is in use for them was a tenth of what Lua does for it.
local function spare_collections()
    collectgarbage("setpause", 300)
end

-- init_by_lua, in the master: takes the settings of nginx.conf and restores what was in force.
function M.start(settings)
    let_compile()
    spare_collections()
    answer.configure(settings)
    balancer.configure(settings)
    bodies.configure(settings)
    caller_identity.configure(settings)
    connection_room.configure(settings)
    locations.configure(settings)
    hold.configure(settings)
    cache_admission.configure(settings)
    cleartext.configure(settings)
    certificates.configure(settings)
    snapshot_file.configure(settings)
    wake.configure(settings)
    watch.configure(settings)
    store.start()
    routing.start()
    inflight.start()
    load.start()
    affinity.configure(settings)
    snapshot_file.restore()
end

-- init_worker_by_lua.
function M.start_worker()
    variables.start_worker()
    call_id.start_worker()
    pools.start_worker()
    inflight.start_worker(load.end_seat)
    load.start_worker()
    queue.start_worker()
    affinity.start_worker()
    wake.start_worker()
    watch.start_worker()
    connection_room.start_worker()
    rescue.start_worker()
    snapshot_file.start_worker()
end

return M
