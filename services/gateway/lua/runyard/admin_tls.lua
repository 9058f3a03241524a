-- Admin of TLS: certificates and ACME challenges, which the orchestrator pushes over the unix socket.
local cjson = require "cjson.safe"
local admin = require "runyard.admin"
local answer = require "runyard.answer"
local certificates = require "runyard.certificates"
local challenges = require "runyard.challenges"

local M = {}

local function send(object)
    return answer.send(200, "application/json", cjson.encode(object))
end

local function refuse_method(allowed)
    return answer.problem(405, "method", "must be " .. allowed .. ", got " .. ngx.req.get_method())
end

-- GET tells the digest of each certificate in force.
function M.certificates()
    if ngx.req.get_method() ~= "GET" then
        return refuse_method("GET")
    end
    -- By hand where it is empty: cjson would write a list.
    local digests = certificates.digests()
    local text = next(digests) and cjson.encode(digests) or "{}"
    return answer.send(200, "application/json", '{"certificates":' .. text .. "}")
end

-- PUT puts the certificate of one name (a host, or `*.` and a host) in force, DELETE takes it out.
function M.certificate(name)
    if not certificates.is_name(name) then
        return answer.problem(400, "name", "a certificate is named by a host, or by *. and a host")
    end
    local method = ngx.req.get_method()
    if method == "PUT" then
        local failure = certificates.put(name, admin.body())
        if failure then
            ngx.log(ngx.WARN, "refuse certificate of ", name, ": ", failure)
            return answer.problem(422, "certificate", failure)
        end
        return send({ name = name })
    end
    if method == "DELETE" then
        return send({ name = name, warning = certificates.delete(name) })
    end
    return refuse_method("PUT or DELETE")
end

-- PUT sets the answer to an ACME challenge, DELETE takes it away.
function M.challenge(token)
    local method = ngx.req.get_method()
    if method == "PUT" then
        local failure = challenges.put(token, admin.body())
        if failure then
            return answer.problem(400, "challenge", failure)
        end
        return send({ token = token })
    end
    if method == "DELETE" then
        challenges.delete(token)
        return send({ token = token })
    end
    return refuse_method("PUT or DELETE")
end

return M
