-- Metadata: what `metadata.internal` tells an instance of itself, as Google's metadata server does as far as it is
-- true here; the client libraries of Google's clouds get their ID tokens from it.
--
-- Who asks is known by its address alone. What an instance fetches for a stranger (SSRF) is refused as Google refuses
-- it: the request must have a header that no link and no redirect brings, and none that says it was forwarded.
local cjson = require "cjson.safe"
local answer = require "runyard.answer"
local caller_identity = require "runyard.caller_identity"
local request = require "runyard.request"

local var = request.var

local M = {}

local ROOT = "/computeMetadata/v1/"
local FLAVOR = "Google"
local JWKS = "/.well-known/jwks.json"
-- Shorter than the time for which a new key is shown before it signs (services/orchestrator/tls/caller_keys.py).
local JWKS_AGE_S = 300
local MOST_AUDIENCE_BYTES = 1024
local identity_arguments = { audience = true, format = true }
-- Whether a token of this format tells more of who asks.
local formats = { standard = false, full = true }

local function text(body)
    return answer.send(200, "text/plain; charset=utf-8", body)
end

-- An address in form: client libraries ask for one, and no mail arrives at it.
local function email()
    return var.caller .. "@" .. var.tenant .. ".internal"
end

-- What is wrong with the arguments of a request for a token, or nil.
local function trouble_of(arguments)
    for name in pairs(arguments) do
        if not identity_arguments[name] then
            return "must have audience and format alone, got " .. name
        end
    end
    local audience, format = arguments.audience, arguments.format
    if type(audience) ~= "string" or audience == "" or #audience > MOST_AUDIENCE_BYTES then
        return "audience: must be one text of 1 to " .. MOST_AUDIENCE_BYTES .. " bytes"
    end
    if format ~= nil and formats[format] == nil then
        return "format: must be standard or full"
    end
    return nil
end

local function identity()
    local arguments = ngx.req.get_uri_args()
    local trouble = trouble_of(arguments)
    if trouble then
        return answer.problem(400, "metadata", trouble)
    end
    local claims = {}
    if formats[arguments.format] then
        claims.runyard = { stack = caller_identity.stack(), tenant = var.tenant, service = var.caller }
    end
    local token = caller_identity.issue(var.tenant .. "/" .. var.caller, arguments.audience, claims)
    if not token then
        return answer.problem(503, "metadata", "the gateway has no key to sign with yet")
    end
    return text(token)
end

local function account()
    if ngx.req.get_uri_args().recursive == "true" then
        local fields = { aliases = { "default" }, email = email(), scopes = cjson.empty_array }
        return answer.send(200, "application/json", cjson.encode(fields))
    end
    return text("aliases\nemail\nidentity\nscopes\n")
end

-- Relative to the root.
local leaves = {
    [""] = function() return text("instance/\nproject/\n") end,
    ["project/project-id"] = function() return text(var.tenant) end,
    -- Of Cloud Run's form; the place is the stack.
    ["instance/region"] = function()
        return text("projects/" .. var.tenant .. "/regions/" .. (caller_identity.stack() or ""))
    end,
    ["instance/service-accounts/"] = function() return text("default/\n" .. email() .. "/\n") end,
}

-- Relative to an account, which is the caller's own, by either of its names.
local account_leaves = {
    [""] = account,
    aliases = function() return text("default") end,
    email = function() return text(email()) end,
    identity = identity,
    scopes = function() return text("") end,
}

local function find(path)
    local name, rest = path:match("^instance/service%-accounts/([^/]+)/(.*)$")
    if name then
        return (name == "default" or name == email()) and account_leaves[rest]
    end
    return leaves[path]
end

-- Answers a request that runyard.router has found to be for here, from an instance of $tenant and $caller.
function M.give()
    local method, path = var.request_method, var.uri
    if method ~= "GET" and method ~= "HEAD" then
        return answer.problem(405, "metadata", "must be GET or HEAD, got " .. method)
    end
    if path == JWKS then
        local keys = caller_identity.public()
        if not keys then
            return answer.problem(503, "metadata", "the gateway has no keys yet")
        end
        ngx.header["Cache-Control"] = "max-age=" .. JWKS_AGE_S
        return answer.send(200, "application/json", keys)
    end
    ngx.header["Metadata-Flavor"] = FLAVOR
    ngx.header["Cache-Control"] = "no-store"
    if request.header("metadata_flavor") ~= FLAVOR then
        return answer.problem(403, "metadata", "must have the header Metadata-Flavor: Google")
    end
    if request.header("x_forwarded_for") then
        return answer.problem(403, "metadata", "must not be forwarded: it has the header X-Forwarded-For")
    end
    if path == "/" then
        return text("computeMetadata/\n")
    end
    local leaf = path:sub(1, #ROOT) == ROOT and find(path:sub(#ROOT + 1))
    if not leaf then
        return answer.problem(404, "metadata", "nothing of this name is told here")
    end
    return leaf()
end

return M
