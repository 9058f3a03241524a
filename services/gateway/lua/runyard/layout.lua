-- Layout: what the gateway knows of nginx's own structures, which it reads and turns where Lua has no way.
--
-- Each begins with what stands here in nginx 1.22 with HTTP/2, which is built with its cache; what lies behind that is
-- nobody's business. Who uses one for more than reading looks first whether it is as it says, on a live request.
local ffi = require "ffi"
local request = require "resty.core.base".get_request

ffi.cdef [[
    // ngx_str_t, ngx_array_t and ngx_pool_t.
    typedef struct { size_t length; const char *bytes; } runyard_text;
    typedef struct { const char *last, *limit; } runyard_memory;

    // ngx_variable_value_t, whose bits are the length and what is below, and ngx_http_variable_t.
    typedef struct { uint32_t bits; const char *bytes; } runyard_value;
    typedef struct { runyard_text name; void *handlers[2]; uintptr_t data, flags, index; } runyard_variable;
    typedef struct { runyard_variable *items; uintptr_t count; size_t size; uintptr_t room; void *pool; }
        runyard_variables;

    // ngx_http_upstream_state_t (since 1.19.4), one a try.
    typedef struct { uintptr_t status, whole_ms, connect_ms, header_ms, rest[5]; } runyard_try;
    typedef struct { runyard_try *items; uintptr_t count; } runyard_tries;

    // ngx_http_request_t, ngx_connection_t, ngx_http_upstream_t with its ngx_peer_connection_t; what the keepalive
    // module notes for a request, and the Lua module's balancer (0.10.13 to 0.10.25).
    typedef struct runyard_request runyard_request;
    typedef struct {
        runyard_request *data; const char *events[2]; int fd; void *calls[4]; void *listener; int64_t sent;
        void *log, *pool; int kind; const uint8_t *address; uint32_t address_length; runyard_text name;
        void *proxied, *tls, *datagrams, *own_address; uint32_t own_address_length; void *buffer, *queue[2];
        uintptr_t number, since_ms, requests; uint32_t flags; void *task;
    } runyard_connection;
    typedef struct {
        void *robin[5]; void *configuration; runyard_request *request; uintptr_t more_tries, tries;
        const void *address; uint32_t address_length; const runyard_text *name;
    } runyard_choice;
    typedef struct { void *pool; void *upstream; runyard_choice *choice; } runyard_keeper;
    typedef struct {
        void *handlers[2];
        runyard_connection *connection; void *address; uint32_t address_length; void *name;
        uintptr_t tries, started; void *calls[3]; runyard_keeper *keeper;
    } runyard_upstream;
    struct runyard_request {
        uint32_t signature; void *connection; void *configuration[4]; void *handlers[2]; void *cache;
        runyard_upstream *upstream; runyard_tries *tries; runyard_memory *pool;
    };

    // ngx_cycle_t with its ngx_log_t, ngx_queue_t, ngx_array_t, ngx_rbtree_t and ngx_list_t; ngx_module_t,
    // ngx_http_core_main_conf_t, ngx_http_upstream_main_conf_t and ngx_http_upstream_srv_conf_t.
    typedef struct {
        void ****configuration; void *pool, *log, *own_log[10]; uintptr_t to_stderr; void *files, *free_connections;
        uintptr_t free_count; void *modules; uintptr_t modules_count, modules_used; void *reusable[2];
        uintptr_t reusable_count; int64_t reused_at; uintptr_t arrays[3][5]; void *dumped[3]; uintptr_t dumped_end[5];
        uintptr_t lists[2][7]; uintptr_t connection_count, file_count; runyard_connection *connections;
    } runyard_cycle;
    typedef struct { uintptr_t context_index, index; } runyard_module;
    typedef struct { void *servers[5], *phases[3], *headers[2], *names[2]; runyard_variables variables; } runyard_core;
    typedef struct { void *init[2]; void *data; void **configuration; void *servers; uintptr_t flags;
                     size_t name_length; const char *name; } runyard_block;
    typedef struct { void *hash; uintptr_t hash_size; runyard_block **blocks; uintptr_t count; } runyard_blocks;
    extern runyard_cycle *ngx_cycle;
    extern runyard_module ngx_http_module, ngx_http_core_module, ngx_http_upstream_module,
        ngx_http_upstream_keepalive_module;
]]

local M = {
    SIGNATURE = 0x50545448,  -- "HTTP", as nginx marks a live request
    -- The bits of a value: its length, that it is there, and that it is missing.
    LENGTH = 2 ^ 28 - 1, IS_VALID = 2 ^ 28, IS_MISSING = 2 ^ 30,
}

-- The current request, as nginx's own.
function M.current()
    return ffi.cast("runyard_request *", request())
end

-- What nginx.conf says to a module of nginx's http block, as a pointer of this type.
function M.configuration(module, type)
    local http = ffi.cast("void ***", ffi.C.ngx_cycle.configuration[ffi.C.ngx_http_module.index])[0]
    return ffi.cast(type, http[module.context_index])
end

return M
