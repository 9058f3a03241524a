-- Certificates: which one answers a handshake, by the host that the client names (SNI).
--
-- They are data, as routes are: pushed over the admin socket, kept in shared memory and in a file each, and decoded
-- once per worker and change. A handshake for a host that none is for is refused.
local cjson = require "cjson.safe"
local ssl = require "ngx.ssl"
local certificate = require "runyard.certificate"
local file = require "runyard.file"

local shared = ngx.shared.certificates

local M = {}

local INTERNAL = ".internal"
local directory
-- Read by the workers alone, who write it: it holds a private key.
local MODE = 384  -- 0600

-- By name: the text that it was decoded from, the epoch in which that was looked at, and the pair.
local cache, cached = {}, 0
-- Names are those of certificates that exist, so this only bounds what removed ones leave behind.
local MOST_CACHED = 10000

function M.configure(settings)
    directory = settings.state_directory .. "/certificates"
end

-- `*` is no character for every file system; `_` is in no host name.
local function path_of(name)
    return directory .. "/" .. name:gsub("^%*", "_") .. ".json"
end

-- The text of a certificate: from memory, or after a restart from its file.
local function raw_of(name)
    local raw = shared:get("pair:" .. name)
    if raw then
        return raw
    end
    raw = file.read(path_of(name))
    if raw then
        -- Not over what another worker has been given meanwhile; one that memory has no room for is read again.
        shared:safe_add("pair:" .. name, raw)
    end
    return raw
end

local function find(name)
    local entry, epoch = cache[name], shared:get("epoch") or 0
    if entry and entry.epoch == epoch then
        return entry.pair
    end
    local raw = raw_of(name)
    if not raw then
        cache[name] = nil
        return nil
    end
    if entry and entry.raw == raw then
        entry.epoch = epoch
        return entry.pair
    end
    local fields = cjson.decode(raw) or {}
    local pair, failure = certificate.parse(name, fields.chain or "", fields.key or "")
    if not pair then
        ngx.log(ngx.ERR, "certificate of ", name, ": ", failure)
        return nil
    end
    if not cache[name] then
        cached = cached + 1
        if cached > MOST_CACHED then
            cache, cached = {}, 1
        end
    end
    cache[name] = { raw = raw, epoch = epoch, pair = pair }
    return pair
end

-- Whether this is a host name, so that it may be part of a file's name.
local function is_host(name)
    return #name <= 253 and not name:find("[^a-z0-9.-]") and not name:find("..", 1, true) and name:find("^%w")
end

-- Whether this may name a certificate: a host, or `*.` and a host.
function M.is_name(name)
    return is_host((name:gsub("^%*%.", "")))
end

-- The certificate for a host: its own, or that of the wildcard one level up (RFC 6125, 6.4.3); nil for none.
function M.for_host(host)
    if not is_host(host) then
        return nil
    end
    local rest = host:match("^[^.]+%.(.+)$")
    return find(host) or (rest and find("*." .. rest))
end

-- Whether a listener ("edge", "internal") has this host: strangers must not find out who is called inside.
local function is_of(listener, host)
    return (host:sub(-#INTERNAL) == INTERNAL) == (listener == "internal")
end

-- ssl_certificate_by_lua: answers with the host's certificate or refuses the handshake.
function M.present(listener)
    local host = ssl.server_name()
    host = host and host:lower()
    local pair = host and is_of(listener, host) and M.for_host(host)
    local failure = pair and certificate.use(pair)
    if failure then
        ngx.log(ngx.ERR, "present certificate of ", host, ": ", failure)
    end
    if not pair or failure then
        return ngx.exit(ngx.ERROR)
    end
end

-- What was wrong with the certificate last offered for a name, by name; nil when all were sound.
function M.troubles()
    local text = shared:get("troubles")
    return text and cjson.decode(text) or nil
end

-- The orchestrator offers one certificate at a time, so nobody else writes meanwhile.
local function note(name, trouble)
    local troubles = M.troubles() or {}
    troubles[name] = trouble
    if next(troubles) then
        shared:set("troubles", cjson.encode(troubles))
    else
        shared:delete("troubles")
    end
end

-- Puts a certificate in force if it is sound; returns what is wrong with it otherwise, and leaves the one before.
function M.put(name, raw)
    local fields = cjson.decode(raw)
    if type(fields) ~= "table" or type(fields.chain) ~= "string" or type(fields.key) ~= "string" then
        return "must be an object with chain and key"
    end
    local pair, failure = certificate.parse(name, fields.chain, fields.key)
    if pair then
        local done, trouble = shared:safe_set("pair:" .. name, raw)
        failure = not done and "keep in shared memory: " .. trouble or nil
    end
    if failure then
        note(name, failure)
        return failure
    end
    shared:incr("epoch", 1, 0)
    -- As for snapshots, what the disk says does not keep it from being in force.
    local trouble = file.make_directory(directory) or file.write(path_of(name), raw, MODE)
    if trouble then
        ngx.log(ngx.ERR, trouble)
    end
    note(name, trouble)
    return nil
end

-- Takes a certificate out of force; returns what went wrong with its file, or nil.
function M.delete(name)
    shared:delete("pair:" .. name)
    note(name, nil)
    shared:incr("epoch", 1, 0)
    return file.remove(path_of(name))
end

-- The digest of each certificate in force, by name.
function M.digests()
    local digests = {}
    for _, key in ipairs(shared:get_keys(0)) do
        local name = key:match("^pair:(.*)$")
        if name then
            digests[name] = ngx.md5(shared:get(key) or "")
        end
    end
    return digests
end

return M
