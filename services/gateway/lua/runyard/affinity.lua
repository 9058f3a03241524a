-- Affinity: a cookie that brings a client back to the revision and the instance that it met first.
--
-- Its value is a keyed hash of service, revision and address, compared with those of the places in force: it tells
-- nobody an address, and one that is forged, of another service or of a place that is gone matches none and counts as
-- none. As on Cloud Run it is a best effort: an instance that is full or away does not make its clients wait.
local file = require "runyard.file"
local request = require "runyard.request"
local routing = require "runyard.routing"

local shared = ngx.shared.snapshot
local var = request.var

local M = {}

local COOKIE = "runyard_session"
local KEY = "affinity"
local KEY_BYTES = 32
-- Only the workers' user reads it: who has it could find addresses out by trying.
local KEY_MODE = 384  -- 0600
local path

function M.configure(settings)
    path = settings.affinity_key_file
end

local function make_key()
    local handle = assert(io.open("/dev/urandom", "rb"))
    local bytes = handle:read(KEY_BYTES)
    handle:close()
    return ngx.encode_base64(bytes)
end

-- The key of all workers, which outlives a restart so that sessions do too; one that cannot be kept is still used.
function M.start_worker()
    local kept, trouble = file.read(path)
    local mine = not kept and make_key()
    -- The first worker's counts; it alone writes the file.
    if shared:add(KEY, kept or mine) and mine then
        trouble = file.write(path, mine, KEY_MODE)
    end
    if trouble then
        ngx.log(ngx.ERR, "keep sessions over a restart: ", trouble)
    end
end

local function sign(service, revision, address)
    local text = table.concat({ service.key, revision, address }, " ")
    -- The characters that a cookie's value may hold.
    return (ngx.encode_base64(ngx.hmac_sha1(shared:get(KEY), text), true):gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
end

-- The places of a service in force, by cookie and by address; made once a worker and change.
local function places(service)
    local found = routing.sessions[service.key]
    if found then
        return found
    end
    found = { by_cookie = {}, cookies = {} }
    for revision in pairs(service.revisions) do
        local cookies = {}
        for _, endpoint in ipairs(routing.endpoints(service.tenant, revision).list) do
            local cookie = sign(service, revision, endpoint.address)
            cookies[endpoint.address] = cookie
            found.by_cookie[cookie] = { revision = revision, endpoint = endpoint }
        end
        found.cookies[revision] = cookies
    end
    routing.sessions[service.key] = found
    return found
end

-- The revision and endpoint that the client's cookie names, or nil.
function M.place(service)
    local cookie = request.cookie(COOKIE)
    return cookie and places(service).by_cookie[cookie]
end

-- Has the client told where it was answered, unless what it has still names a place in this revision: an instance that
-- is only full does not lose its clients.
function M.note(service, revision, address)
    local place = M.place(service)
    if place and place.revision == revision then
        return
    end
    local cookie = (places(service).cookies[revision] or {})[address]
    if cookie then
        local secure = var.scheme == "https" and "; Secure" or ""
        var.session = COOKIE .. "=" .. cookie .. "; Path=/; HttpOnly; SameSite=Lax" .. secure
    end
end

return M
