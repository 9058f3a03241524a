-- What luacheck holds of the gateway's Lua (`make lint`): names that are there, and nothing that is written for nobody.
std = "ngx_lua"
-- As the Python beside it.
max_line_length = 120
read_globals = {
    -- Of lua-nginx-module 0.10.19, which luacheck 1.1 does not know yet.
    ngx = { fields = { run_worker_thread = {} } },
}
