-- Answer: what the gateway says itself, as application/problem+json (RFC 9457) or as its health.
local cjson = require "cjson.safe"
local certificates = require "runyard.certificates"
local grpc = require "runyard.grpc"
local snapshot = require "runyard.snapshot"
local snapshot_file = require "runyard.snapshot_file"
local verdicts = require "runyard.verdicts"

local var = require("runyard.request").var

local M = {}

-- What a client should wait before it comes again, in seconds: one probe and one push take less.
local RETRY_AFTER_S = 1
-- The media type needs no charset: JSON is UTF-8.
local PROBLEM = "application/problem+json"

local configuration  -- the digest of the nginx.conf that this worker was started with

local titles = {
    [400] = "Bad Request", [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
    [409] = "Conflict", [411] = "Length Required", [413] = "Content Too Large", [414] = "URI Too Long",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content", [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large", [500] = "Internal Server Error", [501] = "Not Implemented",
    [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported", [507] = "Insufficient Storage",
}

-- Sends a body and ends the request; the body of the request is discarded, so that it cannot be taken for the next
-- request on the connection.
function M.send(status, content_type, body, retry_after_s)
    -- The frames of HTTP/2 tell the two apart by themselves.
    if ngx.req.http_version() ~= 2 then
        ngx.req.discard_body()
    end
    ngx.status = status
    ngx.header["Content-Type"] = content_type
    ngx.header["Content-Length"] = #body
    if status == 503 or status == 429 then
        ngx.header["Retry-After"] = retry_after_s or RETRY_AFTER_S
    end
    ngx.print(body)
    return ngx.exit(ngx.HTTP_OK)
end

-- Sends a problem; `extra` holds further members of its object. A gRPC client gets it as a status of its own kind.
function M.problem(status, kind, detail, extra, retry_after_s)
    if grpc.is_call() then
        return grpc.refuse(status, kind .. ": " .. detail)
    end
    local object = {
        type = "urn:runyard:problem:" .. kind,
        title = titles[status] or "Error",
        status = status,
        detail = detail,
        request_id = var.call_id,
    }
    for name, value in pairs(extra or {}) do
        object[name] = value
    end
    return M.send(status, PROBLEM, cjson.encode(object), retry_after_s)
end

-- Takes the settings of nginx.conf.
function M.configure(settings)
    configuration = settings.configuration
end

-- Sends the gateway's own health: 200 as long as it answers at all, `degraded` when its state could not be kept or a
-- certificate could not be used.
function M.health()
    local trouble, unusable = snapshot_file.trouble(), certificates.troubles()
    return M.send(200, "application/json", cjson.encode({
        status = (trouble or unusable) and "degraded" or "ok",
        generation = snapshot.generation(),
        configuration = configuration,
        detail = trouble,
        certificates = unusable,
    }))
end

-- Gives the answer that a verdict names; `retry_after_s` is for one of 429 or 503.
function M.give(verdict, retry_after_s)
    if verdict == verdicts.HEALTHZ then
        return M.health()
    end
    local status, detail = verdicts.answer(verdict)
    return M.problem(status, verdict, detail, nil, retry_after_s)
end

-- Gives a service's own page with the status of the answer that a verdict names. HTML is told by its first character.
function M.page(verdict, page, retry_after_s)
    if grpc.is_call() then
        return M.give(verdict, retry_after_s)
    end
    local media_type = page:find("^%s*<") and "text/html" or "text/plain"
    local status = verdicts.answer(verdict)
    return M.send(status, media_type .. "; charset=utf-8", page, retry_after_s)
end

-- Turns an error of nginx's own making (a request it could not read, a body too large) into a problem.
function M.error()
    local status = ngx.status
    return M.problem(status, "http-" .. status, "the gateway could not take this request")
end

return M
