# The C core: compilers as reviewers, then its tests under sanitizers.

# Warnings that setup.py does not ask for: other compilers may know more of them than we do.
C_CHECKS=(-std=gnu11 -O2 -fPIC -pthread -fvisibility=hidden -Wall -Wextra -Werror)

# compile_all COMPILER FLAG...: every C file of ours by itself, to nothing.
compile_all() {
    local compiler=$1 include file files
    shift
    include=$("$MAIN_PYTHON" -I -c 'import sysconfig; print(sysconfig.get_path("include"))')
    mapfile -t files < <(find "$WORK/source" -name '*.c' | sort)
    printf '%s: %s files\n' "$compiler $*" "${#files[@]}"
    for file in "${files[@]}"; do
        bounded 300 "$compiler" "${C_CHECKS[@]}" "$@" -DPy_LIMITED_API=0x030b0000 \
            -isystem "$include" -I "$WORK/source/agent_exec/_native" -c "$file" -o /dev/null
    done
}

find_clang() {
    local clangs
    mapfile -t clangs < <(compgen -c clang | grep -xE 'clang(-[0-9]+)?' | sort -uV)
    ((${#clangs[@]})) && printf '%s\n' "${clangs[-1]}"
}

stage_native() {
    local clang
    compile_all gcc
    compile_all gcc -fanalyzer
    if clang=$(find_clang); then
        compile_all "$clang"
    else
        say "no clang on this machine: not checked with it"
    fi
}

stage_sanitize() {
    local status=0
    local sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
    # What the wheel was made of is newer than its sources, and would not be compiled again.
    rm -rf "$WORK/unpacked/build"
    # Without what mypyc compiles, which is not ours.
    CFLAGS="$sanitizers -fno-omit-frame-pointer -g" LDFLAGS=$sanitizers AGENT_EXEC_COMPILE=0 \
        make_env sanitized "$MAIN_PYTHON" --no-cache-dir "$WORK/unpacked[test]"
    grep -q __asan_init "$WORK"/sanitized/lib/python*/site-packages/agent_exec/_native.abi3.so ||
        die "the C core was compiled without sanitizers"
    mkdir "$WORK/sanitizer_reports"
    # Without children of forks that go on: the locks of the sanitizers' allocator do not survive a
    # fork beside other threads (libc's do), and the first allocation may wait for ever.
    # Without the test that memory does not grow: what was freed is kept back to find its late use.
    # Without the test of refused memory: the sanitizers' allocator ends the process where libc's says no.
    # Without the portable launcher, which is Python.
    # Leaks are counted by our own tests: CPython keeps much until the end on purpose.
    # Reports go to files, because a child of a test may have them too.
    LD_PRELOAD=$(gcc -print-file-name=libasan.so) \
        ASAN_OPTIONS="detect_leaks=0:log_path=$WORK/sanitizer_reports/asan" \
        UBSAN_OPTIONS="print_stacktrace=1:log_path=$WORK/sanitizer_reports/ubsan" \
        PYTHONMALLOC=malloc \
        run_pytest sanitized 1200 -n 2 -k "not trap_05_fork and not a_forked_child and not a_fork_of_the_host and not no_fork_at_any_moment and not zombie_or_byte and not no_memory_left and not portable" "${NATIVE_TESTS[@]}" || status=$?
    no_reports
    return "$status"
}

no_reports() {
    local reports=("$WORK"/sanitizer_reports/*)
    if ((${#reports[@]})); then
        cat "${reports[@]}"
        die "the sanitizers found something"
    fi
}
