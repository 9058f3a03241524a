-- Admin of caller identity: the keys by which callers are named, which the orchestrator pushes over the unix socket.
local cjson = require "cjson.safe"
local admin = require "runyard.admin"
local answer = require "runyard.answer"
local caller_identity = require "runyard.caller_identity"

local M = {}

-- PUT puts keys in force, GET tells the digest of those that are.
function M.keys()
    local method = ngx.req.get_method()
    if method == "PUT" then
        local failure = caller_identity.put(admin.body())
        if failure then
            ngx.log(ngx.WARN, "refuse keys of callers: ", failure)
            return answer.problem(422, "caller-identity", failure)
        end
    elseif method ~= "GET" then
        return answer.problem(405, "method", "must be GET or PUT, got " .. method)
    end
    return answer.send(200, "application/json", cjson.encode({ digest = caller_identity.digest() }))
end

return M
