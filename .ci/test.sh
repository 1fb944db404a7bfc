# The tests, always against an installed wheel.

NATIVE_TESTS=(tests/launch tests/native tests/template
    tests/runtime/test_{asyncio_port,containment,doctor,guardian}.py tests/runtime/test_engine_*.py)
# What depends on the interpreter: how it forks and ends, its event loops, what it gives to C.
PYTHON_TESTS=(tests/launch/test_launcher_suite.py tests/runtime/test_{asyncio_port,engine_host}.py
    tests/runtime/test_{engine_launch,engine_output,thread_engine}.py tests/template
    tests/test_{exports,packaging,tool,tool_call,tool_terminals}.py)
# What depends on the libraries.
LIBRARY_TESTS=(tests/cli tests/runtime/test_{asyncio_port,engine_output}.py
    tests/test_{exports,packaging,tool,tool_approvals,tool_call}.py)
# What depends on how it was installed, or on packages that a newcomer's tests do without.
INSTALLED_TESTS=(tests/bench tests/policy/test_{load,shipped}.py tests/test_{exports,packaging}.py)

# run_pytest ENV SECONDS ARGUMENT...: from a folder where only the installed package is found.
run_pytest() {
    local env=$1 seconds=$2 status=0
    shift 2
    (cd "$WORK/suite" && "$WORK/$env/bin/python" - <<'PYTHON'
import sys
import agent_exec._native
assert agent_exec.__file__.startswith(sys.prefix), agent_exec.__file__
assert agent_exec._native.__file__.startswith(sys.prefix), agent_exec._native.__file__
PYTHON
    ) || die "$env does not import the installed agent_exec"
    run_in_suite "$env" "$seconds" -n auto "$@" || status=$?
    keep_closing "$env"
    if ((status == 1)) && few_failed; then
        say "$env: what has failed, once more, alone"
        status=0
        run_in_suite "$env" "$seconds" -n 0 --last-failed "$@" || status=$?
        keep_closing "$env, again"
    fi
    return "$status"
}

run_in_suite() {
    local env=$1 seconds=$2
    shift 2
    bounded "$seconds" env -C "$WORK/suite" AGENT_EXEC_MUST_WORK="${MUST_WORK:-1}" \
        "${LOGGED[@]}" "$WORK/pytest.log" \
        "$WORK/$env/bin/pytest" -q --maxfail=20 -o cache_dir="$WORK/pytest-$env" --color=no "$@"
}

# few_failed: did the run just done come to its end, with some failures? On two processors, tests of
# real processes beside others may miss their bounded waits. A fault fails alone, too.
few_failed() {
    local failed
    failed=$(grep -cE '^(FAILED|ERROR) ' "$WORK/pytest.log") || return 1
    ((failed <= 8))
}

# keep_closing NAME: remember the last line of the pytest run just done.
keep_closing() {
    CLOSINGS+=("$1: $(tail -n 1 "$WORK/pytest.log")")
}

stage_test() {
    need_bubblewrap
    need_npm
    # With what benchmarks compare with and draw with; here nothing may skip at all.
    make_env wheel "$MAIN_PYTHON" "${WHEEL}[test,bench-agents]"
    # `readme` runs all others, which another way to install could not change.
    MUST_WORK=all run_pytest wheel 900 "${INSTALLED_TESTS[@]}"
}

stage_lowest() {
    local requirements
    mapfile -t requirements < <(lowest_requirements)
    make_env lowest "$MAIN_PYTHON" "${WHEEL}[test-core]" "${requirements[@]}"
    # The oldest typer uses names that the newest click is about to drop.
    run_pytest lowest 900 -o filterwarnings=$'error\nignore:.*Click 9.0:DeprecationWarning' \
        "${LIBRARY_TESTS[@]}"
}

# lowest_requirements: the lower bound of every runtime dependency, as "name==version".
lowest_requirements() {
    "$MAIN_PYTHON" -I - "$WORK/source/pyproject.toml" <<'PYTHON'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    for requirement in tomllib.load(file)["project"]["dependencies"]:
        name, _, version = requirement.partition(">=")
        print(f"{name}=={version}")
PYTHON
}

stage_pythons() {
    local found line version lock path main
    main=$("$MAIN_PYTHON" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    mapfile -t found < <(list_pythons)
    for line in "${found[@]}"; do
        read -r version _ lock path <<<"$line"
        if [[ $lock == free-threaded ]]; then
            say "$version ($path) is free-threaded: not supported, skipped"
        elif [[ ${version%.*} == "$main" ]]; then
            say "$version ($path) is of the main interpreter's version: done already"
        else
            say "$version ($path)"
            make_env "python$version" "$path" "${WHEEL}[test]"
            # Of the engines the native one; the tool's tests run the other, too.
            run_pytest "python$version" 900 -k "not thread-" "${PYTHON_TESTS[@]}"
        fi
    done
}
