# Helpers of .ci/run: bounded commands, timing, clean-up, interpreters.

export AGENT_EXEC_CI=$WORK
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
export LC_ALL=C.UTF-8
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME PYTHONSTARTUP

CHILD= # the command that `bounded` waits for
TIMES=()
# Prefix of a command, before "LOG COMMAND...": shows what it says and keeps that in LOG.
LOGGED=(bash -o pipefail -c '"${@:2}" 2>&1 | tee "$1"' logged)
CLOSINGS=() # pytest's last line of each run, and the name of the run

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf 'ci: %s\n' "$*" >&2
    exit 1
}

# bounded SECONDS COMMAND...: run it in a process group that ends with us. Never in a subshell
# or pipe: bash would not see a signal before the command has ended.
bounded() {
    local seconds=$1 status=0
    shift
    timeout --kill-after=20 "$seconds" "$@" &
    CHILD=$!
    wait "$CHILD" || status=$?
    CHILD=
    ((status != 124)) || die "took more than $seconds seconds: $*"
    return "$status"
}

clean_up() {
    local status=$? pid
    trap '' INT TERM HUP
    if [[ -n $CHILD ]]; then
        kill -TERM "$CHILD" 2>/dev/null || true
        wait "$CHILD" 2>/dev/null || true
    fi
    # What left the process group of its test still has our mark in its environment.
    for pid in $(grep -lsz "^AGENT_EXEC_CI=$WORK\$" /proc/[0-9]*/environ | cut -d / -f 3); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    if [[ ${AGENT_EXEC_KEEP:-} == 1 ]]; then
        printf 'ci: kept %s\n' "$WORK"
    else
        rm -rf "$WORK"
    fi
    ((status == 0)) || printf 'ci: FAILED (%s)\n' "$status" >&2
    exit "$status"
}

run_stage() {
    local stage=$1 start=$SECONDS
    say "$stage"
    "stage_$stage"
    TIMES+=("$(printf '%-9s %4d s' "$stage" $((SECONDS - start)))")
}

print_summary() {
    say "all stages passed"
    printf '%s\n' "${TIMES[@]}"
    printf '%-9s %4d s\n' total "$SECONDS"
    if ((${#CLOSINGS[@]})); then
        printf '\n'
        printf '%s\n' "${CLOSINGS[@]}"
    fi
}

# describe PYTHON: "3.12.1 /prefix gil" or nothing when it is no CPython from 3.11 on.
describe() {
    "$1" -I - 2>/dev/null <<'PYTHON' || true
import sys, sysconfig
if sys.implementation.name == "cpython" and sys.version_info >= (3, 11):
    lock = "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "gil"
    print("%d.%d.%d" % sys.version_info[:3], sys.base_prefix, lock)
PYTHON
}

# can_build PYTHON: it makes environments, and has the headers for an extension.
can_build() {
    "$1" -I -c 'import ensurepip, os, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null
}

# list_pythons: "version prefix lock path" of every CPython from 3.11 on, the oldest first.
list_pythons() {
    local candidate found
    for candidate in "${PYTHON:-}" $(type -ap python3 python3.{11..19}) \
        /usr/{,local/}bin/python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
        [[ -x $candidate ]] || continue
        found=$(describe "$candidate")
        [[ -z $found ]] || printf '%s %s\n' "$found" "$candidate"
    done | sort -t ' ' -k1,1V -k2,2 | awk '!seen[$2 " " $3]++'
}

# choose_python: MAIN_PYTHON builds the wheel and runs most stages.
choose_python() {
    local version prefix lock path
    command -v gcc git >/dev/null || die "gcc and git are needed"
    if [[ -n ${PYTHON:-} ]]; then
        MAIN_PYTHON=$PYTHON
        return
    fi
    find_builder || { install_python_parts && find_builder; } ||
        die "no CPython from 3.11 on with venv and Python.h: apt-get install python3-venv python3-dev"
    say "main interpreter: $MAIN_PYTHON ($(describe "$MAIN_PYTHON"))"
}

find_builder() {
    local version prefix lock path
    while read -r version prefix lock path; do
        if [[ $lock == gil ]] && can_build "$path"; then
            MAIN_PYTHON=$path
            return 0
        fi
    done < <(list_pythons)
    return 1
}

# install PACKAGE...: the only way in which the system is changed, and only for what is missing.
install() {
    ((EUID == 0)) && command -v apt-get >/dev/null || return 1
    say "installing $*"
    bounded 600 apt-get -qq update && bounded 600 apt-get -qq -y install "$@"
}

install_python_parts() {
    install python3-venv python3-dev
}

# need_bubblewrap: the sandbox in which tests give shell text to bash.
need_bubblewrap() {
    command -v bwrap >/dev/null || install bubblewrap ||
        die "bubblewrap is needed: apt-get install bubblewrap"
    bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc true ||
        die "bubblewrap does not work here: it needs user namespaces, or root"
}

# make_env NAME PYTHON REQUIREMENT...: a fresh environment in $WORK/NAME.
make_env() {
    local name=$1 python=$2
    shift 2
    bounded 300 "$python" -m venv "$WORK/$name"
    bounded 900 "$WORK/$name/bin/python" -m pip install -qq "$@"
}

# need_env NAME REQUIREMENT...: the same with MAIN_PYTHON, unless it is there.
need_env() {
    local name=$1
    shift
    [[ -d $WORK/$name ]] || make_env "$name" "$MAIN_PYTHON" "$@"
}
