# The same with packages of vendors and hosts, which are no part of what the tests need.

HOST_TESTS=(tests/schema/test_definition.py)

stage_hosts() {
    make_env hosts "$MAIN_PYTHON" "${WHEEL}[test,schemas]"
    # Here nothing may skip at all. Warnings in packages of others are theirs.
    MUST_WORK=all run_pytest hosts 900 -W default "${HOST_TESTS[@]}"
}
