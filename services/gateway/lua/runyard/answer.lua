-- Answer: what the gateway says itself, as application/problem+json (RFC 9457) or as its health.
local cjson = require "cjson.safe"
local certificates = require "runyard.certificates"
local grpc = require "runyard.grpc"
local snapshot = require "runyard.snapshot"
local snapshot_file = require "runyard.snapshot_file"

local var = ngx.var

local M = {}

-- What a client should wait before it comes again, in seconds: one probe and one push take less.
local RETRY_AFTER_S = 1
-- The media type needs no charset: JSON is UTF-8.
local PROBLEM = "application/problem+json"

local configuration  -- the digest of the nginx.conf that this worker was started with

local titles = {
    [400] = "Bad Request", [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
    [409] = "Conflict", [411] = "Length Required", [413] = "Content Too Large", [414] = "URI Too Long",
    [422] = "Unprocessable Content", [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large", [500] = "Internal Server Error", [501] = "Not Implemented",
    [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported", [507] = "Insufficient Storage",
}

local verdicts = {
    ["unknown-host"] = { 404, "no service answers this host" },
    ["unknown-path"] = { 404, "no service answers this path of the host" },
    ["unclear-path"] = { 400, "the path climbs, or could be read in two ways" },
    ["length-required"] = { 411, "the service limits its requests and takes them unread: they must tell their length" },
    ["request-too-large"] = { 413, "the body is larger than the service takes" },
    ["no-room"] = { 503, "the gateway has no room for the body now" },
    ["response-too-large"] = { 502, "the response is larger than the service may send" },
    ["host-mismatch"] = { 400, "the Host header differs from the host of the request line, or its port is no port" },
    ["unknown-caller"] = { 403, "the address of the caller belongs to no instance" },
    ["public-host"] = { 403, "instances call services as <service>.internal here" },
    ["undeclared-call"] = { 403, "the manifest of the caller does not name this service in runyard.dev/uses" },
    ["stopped"] = { 503, "the service is scaled to 0 instances by hand" },
    ["no-instance"] = { 503, "no instance became ready in time" },
    ["broken"] = { 503, "no instance can be reached; the gateway tries them again from time to time" },
    ["all-busy"] = { 503, "every instance was at its concurrency limit for as long as a request may wait" },
    ["queue-full"] = { 429, "as many requests as may wait for an instance of the service already do" },
    ["instance-failed"] = { 502, "the connection to the instance failed and the request may not be sent again" },
    ["client-limit"] = { 429, "this client asks more often than the service lets one client ask" },
    ["service-limit"] = { 429, "the service is asked more often than its limit of requests a second" },
    ["tenant-limit"] = { 429, "the tenant's services are asked more often than its quota of requests a second" },
    ["concurrency-limit"] = { 429, "the service has as many requests at once as its limit" },
    ["retries-spent"] = { 502, "the connection to the instance failed, and too many requests were sent again already" },
    ["request-timeout"] = { 504, "the request took longer than the service's time" },
    ["instance-timeout"] = { 504, "the instance did not answer in time" },
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
    if verdict == "healthz" then
        return M.health()
    end
    local status, detail = unpack(verdicts[verdict])
    return M.problem(status, verdict, detail, nil, retry_after_s)
end

-- Gives a service's own page with the status of the answer that a verdict names. HTML is told by its first character.
function M.page(verdict, page, retry_after_s)
    if grpc.is_call() then
        return M.give(verdict, retry_after_s)
    end
    local media_type = page:find("^%s*<") and "text/html" or "text/plain"
    return M.send(verdicts[verdict][1], media_type .. "; charset=utf-8", page, retry_after_s)
end

-- Turns an error of nginx's own making (a request it could not read, a body too large) into a problem.
function M.error()
    local status = ngx.status
    return M.problem(status, "http-" .. status, "the gateway could not take this request")
end

return M
