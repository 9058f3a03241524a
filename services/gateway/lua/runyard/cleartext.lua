-- Cleartext: what the listener without TLS answers itself when there is one with TLS.
local answer = require "runyard.answer"
local challenges = require "runyard.challenges"
local router = require "runyard.router"
local verdicts = require "runyard.verdicts"

local var = require("runyard.request").var

local M = {}

local origin_port
-- Said here as they would be there: no client should be sent to a handshake that is refused.
local refused = {
    [verdicts.UNKNOWN_HOST] = true, [verdicts.HOST_MISMATCH] = true, [verdicts.PUBLIC_HOST] = true,
    [verdicts.HEALTHZ] = true,
}

function M.configure(settings)
    origin_port = settings.https_port == 443 and "" or ":" .. settings.https_port
end

-- Sends the client to the same place over TLS; 308 keeps method and body.
function M.redirect()
    local verdict = router.route("edge")
    if refused[verdict] then
        return answer.give(verdict)
    end
    -- Not to be remembered: that is for Strict-Transport-Security to say, which has a time limit.
    ngx.header["Cache-Control"] = "no-store"
    ngx.header["Location"] = "https://" .. var.host .. origin_port .. var.request_uri
    return answer.send(308, "text/plain", "")
end

-- Answers an ACME server.
function M.challenge()
    local text = challenges.answer(var.uri:match("([^/]*)$"))
    if not text then
        return answer.problem(404, "unknown-challenge", "no ACME order waits for this token")
    end
    return answer.send(200, "application/octet-stream", text)
end

return M
