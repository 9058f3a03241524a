-- Certificate: a chain and its private key, checked with OpenSSL before anything relies on them.
local ffi = require "ffi"
local ssl = require "ngx.ssl"

-- Of libcrypto, which nginx is linked with; ngx.ssl gives a chain as its STACK_OF(X509).
ffi.cdef [[
    void *OPENSSL_sk_value(const void *stack, int index);
    int X509_check_private_key(const void *certificate, const void *key);
    int X509_check_host(const void *certificate, const char *name, size_t size, unsigned int flags, char **peer);
    void ERR_clear_error(void);
]]

local C = ffi.C

local M = {}

-- A wildcard as the name of a certificate is compared as text, and not as a host that it may cover.
local function covers(leaf, host)
    local name = host:gsub("^%*%.", "wildcard.")
    return C.X509_check_host(leaf, name, #name, 0, nil) == 1
end

-- Reads a chain and its key from PEM; returns both for M.use, or nil and what is wrong with them.
function M.parse(host, chain_pem, key_pem)
    local chain, key, failure
    chain, failure = ssl.parse_pem_cert(chain_pem)
    if chain then
        key, failure = ssl.parse_pem_priv_key(key_pem)
        failure = not key and "private key: " .. failure
    else
        failure = "certificate: " .. failure
    end
    if not failure then
        local leaf = C.OPENSSL_sk_value(chain, 0)
        if C.X509_check_private_key(leaf, key) ~= 1 then
            failure = "the private key is not that of the certificate"
        elseif not covers(leaf, host) then
            failure = "the certificate is not for " .. host
        end
    end
    -- What OpenSSL left of a failure in its queue would be taken for that of another connection.
    C.ERR_clear_error()
    if failure then
        return nil, failure
    end
    return { chain = chain, key = key }
end

-- Answers the handshake under way with a certificate of M.parse; returns what went wrong, or nil.
function M.use(pair)
    local done, failure = ssl.clear_certs()
    if done then
        done, failure = ssl.set_cert(pair.chain)
    end
    if done then
        done, failure = ssl.set_priv_key(pair.key)
    end
    return not done and failure or nil
end

return M
