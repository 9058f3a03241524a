-- Challenges: what the gateway answers an ACME server that asks whether a host is ours (RFC 8555, 8.3).
local shared = ngx.shared.certificates

local M = {}

-- An ACME server asks within seconds; what a killed orchestrator left behind goes by itself.
local LIFE_S = 3600
-- RFC 8555, 8.1 and 8.3: base64url characters; the answer is the token, a dot and the thumbprint of the account's key.
local TOKEN = "^[%w_-]+$"
local ANSWER = "^[%w_-]+%.[%w_-]+$"
local LONGEST = 512

-- Sets the answer to a token; returns what is wrong, or nil.
function M.put(token, text)
    if #token > LONGEST or not token:find(TOKEN) then
        return "token: must be base64url characters"
    end
    if #text > LONGEST or not text:find(ANSWER) then
        return "answer: must be a token, a dot and a thumbprint"
    end
    local done, failure = shared:safe_set("challenge:" .. token, text, LIFE_S)
    return not done and "keep in shared memory: " .. failure or nil
end

-- Forgets a token; one that is not there is no error.
function M.delete(token)
    shared:delete("challenge:" .. token)
end

-- The answer to a token, or nil.
function M.answer(token)
    return #token <= LONGEST and shared:get("challenge:" .. token) or nil
end

return M
