# Calls on the nodes of a Ray cluster: three logical ones, on the loopback interface.

stage_ray() {
    make_env ray "$MAIN_PYTHON" "${WHEEL}[test,ray]"
    # Here nothing may skip at all. Warnings in packages of others are theirs.
    MUST_WORK=all run_pytest ray 600 -n 0 -W default -o faulthandler_timeout=280 \
        tests/integrations/test_ray.py tests/test_backend.py
}
