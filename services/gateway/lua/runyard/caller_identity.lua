-- Caller identity: tokens that say which service calls, signed with a key that only the stack has.
--
-- Keys are data, as certificates are: the orchestrator pushes them over the admin socket, and they are kept in shared
-- memory and in a file. A token is for one callee, so that who got it can be nobody at a third.
local cjson = require "cjson.safe"
local file = require "runyard.file"
local jwt = require "runyard.jwt"

-- There only where the configuration has it.
local shared = ngx.shared.caller_identity

local M = {}

local KEYS = "keys"
-- Read by the workers alone, who write it: it holds a private key.
local MODE = 384  -- 0600
-- How long a token holds, in seconds, and for how long it is given again: what is left outlives any request that waits.
local LIFE_S = 300
local REUSED_S = 120
-- How long a worker that has no key goes without asking for one.
local PATIENCE_S = 1

-- Whether callers are named by tokens at all.
M.is_on = shared ~= nil

local path
local parsed = {}  -- by the text that it was decoded from: { raw, stack, kid, key, public }

function M.configure(settings)
    path = settings.state_directory .. "/caller-identity.json"
end

local function parse(raw)
    local fields = cjson.decode(raw)
    local signing = type(fields) == "table" and fields.signing
    if type(signing) ~= "table" or type(signing.kid) ~= "string" or type(signing.key) ~= "string"
        or type(fields.stack) ~= "string" or type(fields.keys) ~= "table" then
        return nil, "must be an object with stack, signing and keys"
    end
    local is_public = false
    for _, each in ipairs(fields.keys) do
        if type(each) ~= "table" or each.d ~= nil then
            return nil, "keys: must be public keys"
        end
        is_public = is_public or each.kid == signing.kid
    end
    if not is_public then
        return nil, "keys: must have the one that signs"
    end
    local key, failure = jwt.parse_key(signing.key)
    if not key then
        return nil, "signing.key: " .. failure
    end
    return {
        raw = raw, stack = fields.stack, kid = signing.kid, key = key, public = cjson.encode({ keys = fields.keys }),
    }
end

-- The keys in force, from memory or after a restart from their file; nil when there are none.
local function keys()
    local raw = shared:get(KEYS)
    if not raw then
        raw = file.read(path)
        if raw then
            -- Not over what another worker has been given meanwhile.
            shared:safe_add(KEYS, raw)
        end
    end
    if not raw or parsed.raw == raw then
        return raw and parsed
    end
    local found, failure = parse(raw)
    if not found then
        ngx.log(ngx.ERR, "keys of callers: ", failure)
        return nil
    end
    parsed = found
    return found
end

-- Who signs, of a stack's keys.
local function issuer(stack)
    return "urn:runyard:stack:" .. stack
end

-- A new token by which a service (`tenant/name`) shows itself to an audience, with further claims; nil without a key.
function M.issue(subject, audience, claims)
    local found = keys()
    if not found then
        return nil
    end
    local now = ngx.time()
    claims = claims or {}
    claims.iss, claims.sub, claims.aud = issuer(found.stack), subject, audience
    claims.iat, claims.exp = now, now + LIFE_S
    return jwt.sign(found.key, found.kid, claims)
end

-- The token with which a service of runyard.routing calls another one of its tenant; empty without a key. Each worker
-- keeps its own: to sign one anew every other minute costs less than the lock of shared memory for each request.
function M.token(caller, callee)
    local known, now = caller.tokens[callee], ngx.time()
    if not known or now >= known.renewed_s then
        local text = M.issue(caller.key, caller.tenant .. "/" .. callee)
        known = { text = text or "", renewed_s = now + (text and REUSED_S or PATIENCE_S) }
        caller.tokens[callee] = known
    end
    return known.text
end

-- The public keys as a JWK Set (RFC 7517, 5), or nil.
function M.public()
    local found = keys()
    return found and found.public
end

-- The stack that signs, or nil without a key.
function M.stack()
    local found = keys()
    return found and found.stack
end

-- Puts keys in force if they are sound; returns what is wrong with them otherwise, and leaves those before.
function M.put(raw)
    local found, failure = parse(raw)
    if not found then
        return failure
    end
    local done, trouble = shared:safe_set(KEYS, raw)
    if not done then
        return "keep in shared memory: " .. trouble
    end
    -- As for snapshots, what the disk says does not keep it from being in force.
    trouble = file.write(path, raw, MODE)
    if trouble then
        ngx.log(ngx.ERR, trouble)
    end
    return nil
end

-- The digest of the keys in force, empty without any.
function M.digest()
    local found = keys()
    return found and ngx.md5(found.raw) or ""
end

return M
