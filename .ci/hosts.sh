# The same with packages of vendors and hosts, which are no part of what the tests need.

HOST_TESTS=(tests/schema/test_definition.py tests/integrations/test_opencode.py)
OPENCODE_VERSION=1.18.33

# need_npm: and with it Node.
need_npm() {
    command -v npm >/dev/null || install npm || die "npm is needed, to install opencode"
}

# need_opencode: from npm, as AGENT_EXEC_OPENCODE; kept in AGENT_EXEC_CACHE, if that is set.
need_opencode() {
    local folder=${AGENT_EXEC_CACHE:-$WORK}/opencode-$OPENCODE_VERSION found
    need_npm
    [[ -d $folder/node_modules/opencode-ai ]] ||
        bounded 600 npm install --silent --no-audit --no-fund --ignore-scripts \
            --prefix "$folder" "opencode-ai@$OPENCODE_VERSION"
    # One for new processors, one for all.
    for found in "$folder"/node_modules/opencode-linux-*/bin/opencode; do
        if "$found" --version >/dev/null 2>&1; then
            export AGENT_EXEC_OPENCODE=$found
            return
        fi
    done
    die "no opencode in $folder runs on this machine"
}

stage_hosts() {
    need_opencode
    make_env hosts "$MAIN_PYTHON" "${WHEEL}[test,schemas,opencode]"
    # Here nothing may skip at all. Warnings in packages of others are theirs.
    # One server for all tests of a file.
    MUST_WORK=all run_pytest hosts 900 -W default --dist loadfile "${HOST_TESTS[@]}"
    say "one daemon, 64 clients, 10000 calls"
    AGENT_EXEC_DAEMON_CALLS=10000 run_pytest hosts 600 -n 0 tests/daemon/test_load.py
    say "official conformance scenarios of MCP"
    bounded 300 env -C "$WORK/suite" "$WORK/hosts/bin/python" \
        tests/integrations/mcp_conformance.py --folder "${AGENT_EXEC_CACHE:-$WORK}/mcp-conformance-0.2.0-alpha.12"
}
